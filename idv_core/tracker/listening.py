"""Hears at once when another process made something due: LISTEN of PostgreSQL. Without it, it is found at the next poll."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from ..ledger import Ledger
from ..ledger.store import CHANNEL

log = logging.getLogger("idv_core")

_LOOK = 0.5
_AGAIN = 5.0


class Listener:
    """A thread with a connection of its own that calls `wake` at each notification. Does nothing for SQLite, nor for a driver
    other than psycopg."""

    def __init__(self, ledger: Ledger, wake: Callable[[], object]) -> None:
        self._ledger, self._wake = ledger, wake
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="idv-listener", daemon=True)
        self.is_possible = ledger.store.engine.driver == "psycopg"

    def start(self) -> None:
        if self.is_possible:
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self.is_possible:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except Exception as error:
                log.warning("no notifications for now, polling goes on (%s)", type(error).__name__)
                self._stopped.wait(_AGAIN)

    def _listen(self) -> None:
        import psycopg

        with self._ledger.store.engine.connect() as connection:
            try:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                raw = connection.connection.driver_connection
                assert isinstance(raw, psycopg.Connection)
                raw.execute(f"LISTEN {CHANNEL}")
                while not self._stopped.is_set():
                    for _ in raw.notifies(timeout=_LOOK, stop_after=1):
                        self._wake()
                raw.execute("UNLISTEN *")
            except (SQLAlchemyError, psycopg.Error):
                connection.invalidate()
                raise
