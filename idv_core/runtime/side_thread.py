"""What may block for ever is run aside, in a thread that can be left behind."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError, DeadlineExceeded


class Aside:
    """Runs `function` in a daemon thread, which keeps no program from ending, and calls `done` afterwards."""

    def __init__(self, function: Callable[[], Any], done: Callable[[], object]) -> None:
        self._function, self._done = function, done
        self._value: Any = None
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="idv-core file", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._done()

    def outcome(self) -> Any:
        """What it returned, once it is done; or what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


def given_up() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed before the file was read")


def closed() -> ConfigError:
    return ConfigError("the gateway is closed: make a new one")
