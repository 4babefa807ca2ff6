"""Reading `idv.toml`. Secrets are references to the environment or to files, never literals."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import ConfigError
from ..model import Secret
from ..protocols import Polling
from .accounts import Account, Callbacks, read_settings

_SECTIONS = ("accounts", "callbacks")
_OF_THE_CORE = ("plugin", "limits", "polling", "retry", "circuit")


@attrs.frozen(kw_only=True)
class Configuration:
    """What the file says."""

    accounts: tuple[Account, ...]
    callbacks: Callbacks | None = None


def load_configuration(path: str | Path) -> Configuration:
    """Read the file. Raises ConfigError that lists all problems, each with its path in the file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__})", path=str(path)) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}", path=str(path)) from None
    return _Reading(str(path)).configuration(data)


@attrs.frozen(kw_only=True)
class _Rhythm:
    """`[accounts.x.polling]`, in seconds."""

    first: float = attrs.field(default=2.0, validator=attrs.validators.gt(0))
    ceiling: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))

    def polling(self) -> Polling:
        return Polling(first=timedelta(seconds=self.first), ceiling=timedelta(seconds=max(self.first, self.ceiling)))


@attrs.define
class _Reading:
    source: str
    problems: list[str] = attrs.field(factory=list)

    def configuration(self, data: Mapping[str, Any]) -> Configuration:
        for name in data:
            if name not in _SECTIONS:
                self.problems.append(f"{name}: there is no such section (there are: {', '.join(_SECTIONS)})")
        accounts = self._table(data, "accounts")
        made = [self._attempt(partial(self._account, name, table)) for name, table in accounts.items()]
        if not accounts:
            self.problems.append("accounts: at least one account is needed, such as [accounts.atlas-india]")
        callbacks = None
        if "callbacks" in data:
            callbacks = self._attempt(lambda: self._callbacks(data["callbacks"]))
        if self.problems:
            lines = "".join(f"\n  {problem}" for problem in self.problems)
            raise ConfigError(f"{self.source}:{lines}", path=self.source, problems=tuple(self.problems))
        return Configuration(accounts=tuple(account for account in made if account), callbacks=callbacks)

    def _account(self, name: str, table: Any) -> Account:
        path = f"accounts.{name}"
        if not isinstance(table, dict) or not isinstance(table.get("plugin"), str):
            raise ConfigError("", problems=(f"{path}.plugin: is missing; it names the vendor's plugin",))
        rest = {key: value for key, value in table.items() if key not in _OF_THE_CORE}
        limits = read_settings(Limits, table.get("limits", {}), f"{path}.limits")
        retry = read_settings(Retry, table.get("retry", {}), f"{path}.retry")
        circuit = read_settings(Circuit, table.get("circuit", {}), f"{path}.circuit")
        rhythm = read_settings(_Rhythm, table["polling"], f"{path}.polling") if "polling" in table else None
        try:
            return Account(
                name,
                table["plugin"],
                {key: self._resolved(value, f"{path}.{key}") for key, value in rest.items()},
                limits,
                rhythm.polling() if rhythm else None,
                retry,
                circuit,
            )
        except (TypeError, ValueError) as error:
            raise ConfigError("", problems=(f"{path}: {error}",)) from None

    def _callbacks(self, table: Any) -> Callbacks:
        given = {key: self._resolved(value, f"callbacks.{key}") for key, value in dict(table).items()}
        callbacks: Callbacks = read_settings(Callbacks, given, "callbacks")
        return callbacks

    def _resolved(self, value: Any, path: str) -> Any:
        if not isinstance(value, dict) or not (set(value) & {"env", "file"}):
            return value
        if len(value) != 1:
            self.problems.append(f"{path}: a reference has one key, env or file")
            return value
        return self._attempt(lambda: _dereference(value, path))

    def _table(self, data: Mapping[str, Any], name: str) -> dict[str, Any]:
        table = data.get(name, {})
        if isinstance(table, dict):
            return table
        self.problems.append(f"{name}: a table is needed, such as [{name}.something]")
        return {}

    def _attempt(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ConfigError as error:
            self.problems.extend(error.problems or (error.message,))
            return None


def _dereference(reference: Mapping[str, Any], path: str) -> Secret:
    ((kind, name),) = reference.items()
    if kind == "env":
        text = os.environ.get(str(name), "")
        if not text:
            raise ConfigError("", problems=(f"{path}: the environment variable {name} is not set",))
        return Secret(text)
    try:
        return Secret(Path(str(name)).read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise ConfigError("", problems=(f"{path}: the file {name} gives no secret ({type(error).__name__})",)) from None
