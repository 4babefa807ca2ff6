"""An account: one set of credentials and a base URL for one plugin."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import attrs
import cattrs

from ..engine.account import AccountSession, Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import ConfigError
from ..model import Secret
from ..model.strict import register_strict_scalars
from ..model.values import is_base_url, is_text, without_slash
from ..protocols import Polling
from ..registry import Registry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@attrs.frozen
class Account:
    """One account: `Account("atlas-india", "atlas", {"base_url": ..., "client_secret": Secret(...)})`.

    `settings` are a mapping or a value of the plugin's own settings class. `polling` overrides the vendor's advice.
    """

    name: str = attrs.field()
    plugin: str = attrs.field(validator=is_text)
    settings: Any = attrs.field(factory=dict, repr=False, hash=False)
    limits: Limits = attrs.field(factory=Limits)
    polling: Polling | None = None
    retry: Retry = attrs.field(factory=Retry)
    circuit: Circuit = attrs.field(factory=Circuit)

    @name.validator
    def _check_name(self, _: object, name: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError("an account's name has letters, digits, '.', '_' and '-' only, for it stands in addresses")


@attrs.frozen
class Callbacks:
    """Where vendors reach us: the public address under which the callback app is mounted, and the key of its addresses.

    Every process that hands out or receives callbacks needs the same `key` (32 random bytes or more, as text).
    """

    url: str = attrs.field(converter=without_slash, validator=is_base_url)
    key: Secret = attrs.field()

    @key.validator
    def _check_key(self, _: object, key: Secret) -> None:
        if len(key.reveal()) < 32:
            raise ValueError("key: at least 32 characters are needed; make one with: openssl rand -hex 32")


def open_account(account: Account, registry: Registry) -> AccountSession:
    """The account ready for use. Raises ConfigError with all that is wrong in its settings."""
    plugin = registry.plugin(account.plugin)
    settings = account.settings
    if not isinstance(settings, plugin.settings):
        if not isinstance(settings, Mapping):
            raise ConfigError(
                f"settings must be a mapping or a {plugin.settings.__name__}", path=f"accounts.{account.name}"
            )
        settings = read_settings(plugin.settings, settings, f"accounts.{account.name}")
    return AccountSession(
        name=account.name,
        plugin=plugin.name,
        adapter=plugin.create(settings),
        limits=account.limits,
        retry=account.retry,
        circuit=account.circuit,
        polling_override=account.polling,
    )


def read_settings(cls: type[Any], given: Mapping[str, Any], path: str) -> Any:
    """`given` as a value of the attrs class. Raises ConfigError that lists every problem with its path."""
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}
    problems = [_unknown(name, fields, path) for name in given if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            try:
                values[name] = _converter.structure(given[name], field.type) if field.type else given[name]
                if field.validator is not None:
                    field.validator(None, field, field.converter(values[name]) if field.converter else values[name])
            except Exception as error:
                problems.append(f"{path}.{name}: {_says(error, name)}")
        elif field.default is attrs.NOTHING:
            problems.append(f"{path}.{name}: is missing")
    if not problems:
        try:
            return cls(**values)
        except (ValueError, TypeError) as error:
            problems.append(f"{path}: {error}")
    raise ConfigError("; ".join(problems), path=path, problems=tuple(problems))


def _unknown(name: str, fields: Mapping[str, Any], path: str) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    return f"{path}.{name}: there is no such setting" + (f"; did you mean {near[0]!r}?" if near else "")


def _says(error: Exception, name: str) -> str:
    return str(error).removeprefix(f"{name}: ")


def _secret(value: Any, _: type) -> Secret:
    if isinstance(value, Secret):
        return value
    raise ValueError(
        'a secret is never written out: give { env = "NAME" } or { file = "/run/secrets/name" } '
        "in idv.toml, Secret(...) in Python"
    )


_converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
register_strict_scalars(_converter)
_converter.register_structure_hook(Secret, _secret)
