"""Warns about files that group or others can write: they could redirect applicants or replace a key."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping

from ..errors import Problem
from .configuration import Configuration
from .places import Path, files_of
from .problems import Problems


def writable(configuration: Configuration) -> Iterator[Problem]:
    """A warning for each configuration file and each secret file that group or others can write."""
    for file in files_of(configuration.places):
        if mode := _open_to_others(file):
            yield Problem("", f"group or others can write this file (mode {mode:o}); run: chmod go-w", file, True)
    problems = Problems(configuration.places)
    tables: list[tuple[Path, object]] = [
        (("accounts", account.name), account.settings) for account in configuration.accounts
    ]
    for path, table in (*tables, (("webhooks",), configuration.webhooks), (("ledger",), configuration.ledger)):
        for where, name in _files(table, path):
            if mode := _open_to_others(name):
                text = f"group or others can write the secret file (mode {mode:o}); run: chmod go-w"
                problems.add(where, text, is_warning=True)
    yield from problems.found


def _files(settings: object, path: Path) -> Iterator[tuple[Path, str]]:
    """The file references in settings, alone or in lists."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key == "file" and len(settings) == 1 and isinstance(value, str):
                yield path, value
            else:
                yield from _files(value, (*path, key))
    elif isinstance(settings, (list, tuple)):
        for index, item in enumerate(settings):
            yield from _files(item, (*path, index))


def _open_to_others(name: str) -> int:
    """The mode of a file that group or others can write, else 0. Windows has no such modes."""
    if os.name != "posix":
        return 0
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return 0
    return stat.S_IMODE(mode) if mode & 0o022 and stat.S_ISREG(mode) else 0
