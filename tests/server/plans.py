"""What a database does about a statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from idv_core.ledger.store import Store


def plan(store: Store, ask: Callable[[], object], setting: str | None = None) -> str:
    """The plan of the last statement of `ask`. With a `setting` of PostgreSQL, such as `enable_seqscan = off`."""
    seen: list[tuple[str, Any]] = []

    def note(con: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        seen.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    ask()
    event.remove(store.engine, "before_cursor_execute", note)
    statement, parameters = seen[-1]
    with store.engine.begin() as con:
        if setting is not None and store.is_postgresql:
            con.exec_driver_sql(f"SET LOCAL {setting}")
        word = "EXPLAIN " if store.is_postgresql else "EXPLAIN QUERY PLAN "
        return "\n".join(str(line[-1]) for line in con.exec_driver_sql(word + statement, parameters))
