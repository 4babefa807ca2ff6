"""Forked processes for tests: what each of them found out."""

from __future__ import annotations

import json
import os
import select
import signal
import warnings
from collections.abc import Callable
from typing import Any

_SECONDS = 120.0


def in_children(count: int, ask: Callable[[int], Any]) -> list[Any]:
    """Run `ask(number)` in several forked processes at once; what each returned, through JSON.

    Raises AssertionError with the kind of the error if one raised or never came to an end.
    """
    children = [_fork(number, ask) for number in range(count)]
    return [_told(pid, pipe) for pid, pipe in children]


def _fork(number: int, ask: Callable[[int], Any]) -> tuple[int, int]:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside threads; that programs do it is why there is a test
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        told = {"value": ask(number)}
    except BaseException as error:
        told = {"error": type(error).__name__}
    try:
        os.write(writing, json.dumps(told).encode())
    finally:
        os._exit(0)


def _told(pid: int, pipe: int) -> Any:
    ready, _, _ = select.select([pipe], [], [], _SECONDS)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    told = json.loads(os.read(pipe, 65536) or b'{"error": "no answer in time"}')
    os.close(pipe)
    os.waitpid(pid, 0)
    assert "error" not in told, f"a forked process ended with {told['error']}"
    return told["value"]
