"""References to secrets: `{ env = "NAME" }`, `{ file = "/run/secrets/name" }`, and sources that others add.

The likeliest slip is to write the secret where its name belongs. So no message shows what stands there unless it looks
like the name of a variable, or like a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model import Secret
from ..model.words import is_shown, listed, near
from ..plugin.spec import SecretSource
from ..runtime.interrupts import interrupt_in

_VARIABLE = re.compile(
    r"[A-Z][A-Z0-9]{0,11}"
    r"|_{0,2}[A-Z]{1,20}[0-9]{0,3}(?:_{1,2}(?:[A-Z]{1,20}[0-9]{0,3}|[0-9]{1,4}))+"
)
_ROOTED = re.compile(r"(?:/|~/|\.{1,2}/|[A-Za-z]:[\\/])(.*)")
_SLIP = "if a secret was written there: only its name belongs into the file"


def read_env(name: str) -> str:
    """The environment variable without blanks around it. Raises ValueError when it is not set or empty."""
    named = (
        f"variable {name}"
        if len(name) <= 64 and _VARIABLE.fullmatch(name)
        else f"variable that is named there ({_SLIP})"
    )
    try:
        given = os.environ.get(name)
    except (ValueError, UnicodeError):
        given = None
    if given is None:
        raise ValueError(f"the environment {named} is not set")
    text = _plain(given)
    if not text:
        raise ValueError(f"the environment {named} is empty")
    return text


def read_file(name: str) -> str:
    """The file's text without blanks around it. Raises ValueError when there is none."""
    named = name if _is_path(name) else f"that is named there ({_SLIP})"
    try:
        text = _plain(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {named} gives no secret ({_WHY.get(type(error), 'it cannot be read')})") from None
    if not text:
        raise ValueError(f"the file {named} is empty")
    return text


_WHY: dict[type[Exception], str] = {
    FileNotFoundError: "it is not there",
    PermissionError: "this user may not read it",
    IsADirectoryError: "it is a folder",
    UnicodeDecodeError: "it is not UTF-8",
}


def _plain(text: str) -> str:
    """Without the mark that some editors put before it, and the end of line that `echo` puts behind."""
    return text.strip().removeprefix("\ufeff").strip()


def _is_path(name: str) -> bool:
    rooted = _ROOTED.fullmatch(name)
    return rooted is not None and all(is_shown(part) for part in re.split(r"[\\/]", rooted[1]) if part)


BUILT_IN: Mapping[str, SecretSource] = {"env": read_env, "file": read_file}


def unread(name: str) -> str:
    """Stands for every source where references are only looked at, not followed."""
    return "this-secret-was-not-read-and-is-only-here-to-be-long-enough"


def is_quick(given: Any, sources: Mapping[str, SecretSource]) -> bool:
    """Whether following every reference in these settings takes no more than looking at files and the environment."""
    if isinstance(given, Mapping):
        asks = len(given) == 1 and next(iter(given)) in sources.keys() - BUILT_IN.keys()
        return not asks and all(is_quick(value, sources) for value in given.values())
    return not isinstance(given, (list, tuple)) or all(is_quick(value, sources) for value in given)


def resolve(reference: Any, sources: Mapping[str, SecretSource]) -> Secret:
    """The secret itself. Raises ValueError for anything that is no reference, or whose source does not give it."""
    if isinstance(reference, Secret):
        return reference
    known = {**BUILT_IN, **sources}
    if not isinstance(reference, dict):
        raise ValueError(
            'a secret is never written out: give { env = "NAME" } or { file = "/run/secrets/name" } '
            "in idv.toml, Secret(...) in Python"
        )
    if len(reference) != 1:
        raise ValueError(f"a reference has one key, one of {listed(known)}")
    ((kind, name),) = reference.items()
    if kind not in known:
        hint = near(kind, known)
        what = f"source of secrets '{kind}'" if hint else "such source of secrets"
        raise ValueError(f"there is no {what}{hint} (there are: {listed(known)})")
    if not isinstance(name, str):
        raise ValueError(f"{kind} names the secret by a text")
    try:
        return Secret(known[kind](name))
    except ValueError as error:
        if known[kind] in BUILT_IN.values():
            raise ValueError(str(error)) from None
        failed = type(error).__name__
    except Exception as error:
        interrupt = interrupt_in(error)
        if interrupt is not None:
            raise interrupt from None
        failed = type(error).__name__
    # what another's source says may hold the secret, and so may what stands in the file
    raise ValueError(f"the source '{kind}' gives no secret of the name that stands there ({failed})")
