"""Secret references: `{ env = "NAME" }`, `{ file = "/run/secrets/name" }`, and secret sources from plugins.

The most likely mistake is to write the secret itself instead of its name. So a message shows what was written only if it
looks like the name of a variable or like a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model import Secret
from ..model.words import is_shown, listed, near
from ..runtime.interrupts import interrupt_in

if TYPE_CHECKING:
    from ..plugin.spec import SecretSource

_VARIABLE = re.compile(
    r"[A-Z][A-Z0-9]{0,11}"
    r"|_{0,2}[A-Z]{1,20}[0-9]{0,3}(?:_{1,2}(?:[A-Z]{1,20}[0-9]{0,3}|[0-9]{1,4}))+"
)
_ROOTED = re.compile(r"(?:/|~/|\.{1,2}/|[A-Za-z]:[\\/])(.*)")
_SLIP = "if you wrote the secret itself: write only its name in the file"


def read_env(name: str) -> str:
    """The environment variable, without whitespace around it.

    Raises:
        ValueError: It is not set or empty.
    """
    named = (
        f"variable {name}"
        if len(name) <= 64 and _VARIABLE.fullmatch(name)
        else f"variable that is named here ({_SLIP})"
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
    """The text of the file, without whitespace around it.

    Raises:
        ValueError: The file cannot be read or is empty.
    """
    named = name if _is_path(name) else f"that is named here ({_SLIP})"
    try:
        text = _plain(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {named} cannot be read ({_WHY.get(type(error), 'unknown reason')})") from None
    if not text:
        raise ValueError(f"the file {named} is empty")
    return text


_WHY: dict[type[Exception], str] = {
    FileNotFoundError: "file not found",
    PermissionError: "permission denied",
    IsADirectoryError: "it is a directory",
    UnicodeDecodeError: "not UTF-8 text",
}


def _plain(text: str) -> str:
    """Without the byte order mark of some editors and the newline of `echo`."""
    return text.strip().removeprefix("\ufeff").strip()


def _is_path(name: str) -> bool:
    rooted = _ROOTED.fullmatch(name)
    return rooted is not None and all(is_shown(part) for part in re.split(r"[\\/]", rooted[1]) if part)


BUILT_IN: Mapping[str, SecretSource] = {"env": read_env, "file": read_file}


def unread(name: str) -> str:
    """A secret source for checks without secrets: it returns a placeholder and reads nothing."""
    return "this-secret-was-not-read-and-is-only-here-to-be-long-enough"


def is_quick(given: Any, sources: Mapping[str, SecretSource]) -> bool:
    """Whether all secret references in these settings are files or environment variables, so that reading them is quick."""
    if isinstance(given, Mapping):
        asks = len(given) == 1 and next(iter(given)) in sources.keys() - BUILT_IN.keys()
        return not asks and all(is_quick(value, sources) for value in given.values())
    return not isinstance(given, (list, tuple)) or all(is_quick(value, sources) for value in given)


def resolve(reference: Any, sources: Mapping[str, SecretSource]) -> Secret:
    """The secret that a reference names.

    Args:
        reference: A `Secret`, or a table with one key: the source.
        sources: The secret sources besides `env` and `file`.

    Raises:
        ValueError: It is not a secret reference, or its source cannot read the secret.
    """
    if isinstance(reference, Secret):
        return reference
    known = {**BUILT_IN, **sources}
    if not isinstance(reference, dict):
        raise ValueError(
            'a secret must be a reference: write { env = "NAME" } or { file = "/run/secrets/name" } '
            "in idv.toml, Secret(...) in Python"
        )
    if len(reference) != 1:
        raise ValueError(f"a secret reference has exactly one key, one of {listed(known)}")
    ((kind, name),) = reference.items()
    if kind not in known:
        hint = near(kind, known)
        what = f"secret source '{kind}'" if hint else "such secret source"
        raise ValueError(f"there is no {what}{hint} (there are: {listed(known)})")
    if not isinstance(name, str):
        raise ValueError(f"{kind} must be a string: the name of the secret")
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
    # the source's message may hold the secret, and so may the name in the file
    raise ValueError(f"the secret source '{kind}' cannot read the secret that is named here ({failed})")
