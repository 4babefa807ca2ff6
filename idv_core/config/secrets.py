"""References to secrets: `{ env = "NAME" }`, `{ file = "/run/secrets/name" }`, and sources that others add."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..hookspecs import SecretSource
from ..model import Secret
from .problems import listed, near


def read_env(name: str) -> str:
    """The environment variable. Raises ValueError when it is not set."""
    text = os.environ.get(name, "")
    if not text:
        raise ValueError(f"the environment variable {name} is not set")
    return text


def read_file(name: str) -> str:
    """The file's text without blanks around it. Raises ValueError when there is none."""
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {name} gives no secret ({type(error).__name__})") from None
    if not text:
        raise ValueError(f"the file {name} is empty")
    return text


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
        raise ValueError(f"there is no source of secrets {kind!r}{near(kind, known)} (there are: {listed(known)})")
    if not isinstance(name, str):
        raise ValueError(f"{kind} names the secret by a text")
    try:
        return Secret(known[kind](name))
    except ValueError as error:
        if kind in BUILT_IN:
            raise
        failed = type(error).__name__
    except Exception as error:
        failed = type(error).__name__
    # what another's source says may hold the secret
    raise ValueError(f"the source {kind!r} gives no secret {name!r} ({failed})")
