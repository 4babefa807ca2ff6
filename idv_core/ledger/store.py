"""The database under the ledger: connections, the database's time, sealed columns, the chain. Everything else stands on it."""

from __future__ import annotations

import json
import math
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
from sqlalchemy import (
    Connection,
    Engine,
    Interval,
    RowMapping,
    Table,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    literal,
    make_url,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from ..clock import Clock
from ..errors import ConfigError
from ..model import Flow, FlowOrder, Result, Secret, from_json, to_json
from ..model.words import quoted
from . import chain
from .errors import LedgerError, NewerRelease, Tampered
from .sealing import Keyring, new_key, place, seal, unseal
from .tables import FORMAT, Utc, events, verifications
from .tables import secrets as stored_secrets
from .verification import Event, News, Verification

T = TypeVar("T")

CHANNEL = "idv_due"
# connections that are kept; a thread more than these opens one of its own for each use
_POOL = 20
_V = verifications.c
# statements of every turn and call, made once: to put one together costs more than to run it
_BY_ID = select(verifications).where(_V.id == bindparam("of"))
_EVENTS = insert(events).inline()
_HEAD = update(verifications).where(_V.id == bindparam("of")).values(seq=bindparam("last"), head=bindparam("digest"))
_NOTIFY = select(func.pg_notify(CHANNEL, ""))
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BUSY = 10.0
_KNOWN = 1.0
_NEVER = datetime.min.replace(tzinfo=UTC)
_SEALED: Mapping[str, type] = {"order": FlowOrder, "flow": Flow, "result": Result}
_COPIED = frozenset(field.name for field in attrs.fields(Verification)) & frozenset(verifications.c.keys())


def connect(url: str, password: Secret | None = None) -> Engine:
    """An engine for `sqlite:///idv.db` or `postgresql://...` (driver psycopg). Raises ConfigError for other databases.

    SQLite is used with a write-ahead log and full synchronisation: what was committed survives a power failure.
    """
    try:
        parsed = make_url(url)
    except Exception:
        raise ConfigError(
            "ledger url: an address such as sqlite:///idv.db or postgresql://host/name is needed"
        ) from None
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if password is not None:
            parsed = parsed.set(password=password.reveal())
        return create_engine(parsed, pool_size=_POOL, pool_pre_ping=True, hide_parameters=True)
    if kind != "sqlite":
        raise ConfigError(f"ledger url: {quoted(kind)} is not supported; use sqlite or postgresql")
    engine = create_engine(parsed, pool_size=_POOL, connect_args={"timeout": _BUSY}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def new_id(now: datetime) -> str:
    """A ULID: 48 bits of time in milliseconds, 80 random bits, in Crockford's base 32. Later ones sort behind earlier ones."""
    number = (int(now.timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def moments_of(is_postgresql: bool) -> tuple[ColumnElement[datetime], ColumnElement[datetime]]:
    """Now, and a delay later, for a statement that is kept (see `Store.moment`)."""
    if not is_postgresql:
        return bindparam("now", type_=Utc), bindparam("until", type_=Utc)
    now: ColumnElement[datetime] = func.statement_timestamp(type_=Utc)
    return now, now + cast(bindparam("delay", type_=Interval), Interval)


@attrs.define(eq=False)
class Store:
    """One database. Safe for threads, as its engine is. Every transaction begins with a statement that writes, so that SQLite
    takes its lock at once and no transaction fails half-way for another's sake."""

    engine: Engine
    keyring: Keyring = attrs.field(repr=False)
    clock: Clock
    _chain_key: bytes | None = attrs.field(default=None, init=False, repr=False)
    _known_time: tuple[datetime, float] = attrs.field(default=(_NEVER, -math.inf), init=False, repr=False)
    _writing: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)
    _reader: Engine = attrs.field(init=False, repr=False)

    @_reader.default
    def _default_reader(self) -> Engine:
        return self.engine.execution_options(isolation_level="AUTOCOMMIT") if self.is_postgresql else self.engine

    @property
    def is_postgresql(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def begin(self, connection: Connection | None = None) -> Iterator[Connection]:
        """A transaction of our own; or the platform's, which stays theirs to end."""
        if connection is not None:
            yield connection
            return
        # SQLite takes one writer at a time and lets the others sleep and try again, so that one of many threads may never come
        # to its turn; in this process they queue up
        with nullcontext() if self.is_postgresql else self._writing, self.engine.begin() as own:
            yield own

    @contextmanager
    def one_write(self, connection: Connection | None = None) -> Iterator[Connection]:
        """As `begin`, for what writes by a single statement on a server, which is a transaction by itself: the server is spared
        the messages that begin and end one."""
        if connection is None and self.is_postgresql:
            with self.reading() as con:
                yield con
        else:
            with self.begin(connection) as con:
                yield con

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for single statements, each a transaction by itself on a server (see `one_write`)."""
        with self._reader.connect() as con:
            yield con

    def moment(self, delay: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """Now, and `delay` later, for use in a statement: the time of the database where it is a server, for the clocks of
        workers differ; of this machine for SQLite."""
        if not self.is_postgresql:
            return literal(self.clock.now() + delay, Utc)
        now: ColumnElement[datetime] = func.statement_timestamp(type_=Utc)
        return now + cast(literal(delay, Interval), Interval) if delay else now

    def moments(self, delay: timedelta) -> dict[str, Any]:
        """What `moments_of` needs when its statement is run."""
        if self.is_postgresql:
            return {"delay": delay}
        now = self.clock.now()
        return {"now": now, "until": now + delay}

    def now(self, con: Connection) -> datetime:
        """The database's time."""
        if not self.is_postgresql:
            return self.clock.now()
        return con.execute(select(self.moment())).scalar_one()

    def recent_now(self, con: Connection) -> datetime:
        """The database's time, asked at most once in `_KNOWN` seconds and counted on by this machine in between."""
        if not self.is_postgresql:
            return self.clock.now()
        known, since = self._known_time
        passed = time.monotonic() - since
        if passed >= _KNOWN:
            known, passed = self.now(con), 0.0
            # looked at behind the answer, so that this time is never ahead of the database's
            self._known_time = known, time.monotonic()
        return known + timedelta(seconds=passed)

    def insert_new(self, table: Table, values: Mapping[str, Any]) -> Any:
        """An INSERT that does nothing where there is such a row already."""
        made = postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)
        return made.values(values).on_conflict_do_nothing()

    def upsert(
        self, table: Table, values: Mapping[str, Any], keys: list[str], change: Mapping[str, Any], where: Any
    ) -> Any:
        """An INSERT that makes `change` where there is such a row already for which `where` holds."""
        made = postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)
        return made.values(values).on_conflict_do_update(index_elements=keys, set_=change, where=where)

    def notify(self, con: Connection) -> None:
        """Tell workers of other processes, once this transaction is committed, that something is due."""
        if self.is_postgresql:
            con.execute(_NOTIFY)

    # the chain

    @property
    def chain_key(self) -> bytes:
        """The key of the chain. It is made once and kept in the database, wrapped, so that configured keys can be exchanged."""
        if self._chain_key is None:
            where = place("idv_secret", "wrapped", "chain")
            with self.begin() as con:
                made = self.keyring.wrap(new_key(), where)
                con.execute(self.insert_new(stored_secrets, {"name": "chain", "wrapped": made}))
                found = select(stored_secrets.c.wrapped).where(stored_secrets.c.name == "chain")
                self._chain_key = self.keyring.unwrap(con.execute(found).scalar_one(), where)
        return self._chain_key

    def append(self, con: Connection, id: str, seq: int, head: bytes, now: datetime, news: Iterable[News]) -> None:
        """Write events behind the last one. The row of the verification must have been updated in this transaction, which
        locks it; `seq` and `head` are what it says."""
        rows = []
        for one in news:
            rows.append(self.event(id, seq + 1, head, now, one))
            seq, head = rows[-1]["seq"], rows[-1]["digest"]
        if rows:
            con.execute(_EVENTS, rows)
            con.execute(_HEAD, {"of": id, "last": seq, "digest": head})

    # sealed columns

    def wrapped(self, id: str, data_key: bytes) -> bytes:
        """The data key of a verification as it is stored."""
        return self.keyring.wrap(data_key, place("idv_verification", "data_key", id))

    def unwrapped(self, id: str, wrapped: bytes | None) -> bytes:
        """The data key of a verification. Raises LedgerError once it is erased."""
        if wrapped is None:
            raise LedgerError(f"verification {id} is erased")
        return self.keyring.unwrap(wrapped, place("idv_verification", "data_key", id))

    def sealed(self, key: bytes, id: str, **values: FlowOrder | Flow | Result) -> dict[str, bytes]:
        """Columns for an order, a flow, a result."""
        return {
            f"sealed_{name}": seal(key, place("idv_verification", f"sealed_{name}", id), to_json(value, secrets=True))
            for name, value in values.items()
        }

    def read(self, row: RowMapping) -> Verification:
        """The verification of a row. Raises Tampered, NewerRelease."""
        if row["format"] > FORMAT:
            raise _newer(row["id"])
        key = self.unwrapped(row["id"], row["data_key"]) if row["data_key"] is not None else None
        opened: dict[str, Any] = {}
        for name, kind in _SEALED.items():
            text = row[f"sealed_{name}"]
            if key is not None and text is not None:
                data = unseal(key, place("idv_verification", f"sealed_{name}", row["id"]), text)
                try:
                    opened[name] = from_json(kind, data)
                except ValueError:
                    raise _newer(row["id"]) from None
        known = {name: row[name] for name in _COPIED} | opened
        result = opened.get("result")
        if result is not None and row["decision"] != result.decision.value:
            raise Tampered(f"verification {row['id']}: its decision is not the one of its sealed result")
        try:
            return Verification(**known | {"tenant": row["tenant"] or None})
        except ValueError:
            raise _newer(row["id"]) from None

    def event(self, id: str, seq: int, head: bytes, now: datetime, news: News) -> dict[str, Any]:
        """The row of an event behind the one of the digest `head`."""
        data = chain.as_text(news.data)
        digest = chain.digest(self.chain_key, head, id, seq, now, news.actor, news.kind, data)
        row = {"verification_id": id, "seq": seq, "at": now, "actor": news.actor, "kind": news.kind}
        return {**row, "data": data, "digest": digest}

    def by_id(self, con: Connection, id: str) -> RowMapping | None:
        return con.execute(_BY_ID, {"of": id}).mappings().one_or_none()

    def row(self, con: Connection, *where: ColumnElement[bool]) -> RowMapping | None:
        return con.execute(select(verifications).where(*where)).mappings().one_or_none()


def as_event(row: RowMapping) -> Event:
    """The event of a row of `idv_event`."""
    return Event(row["seq"], row["at"], row["actor"], row["kind"], json.loads(row["data"]))


def unknown_id(id: str) -> LedgerError:
    return LedgerError(f"there is no verification {quoted(id)}")


def _newer(id: str) -> NewerRelease:
    return NewerRelease(
        f"verification {id} was stored by a newer release in a form that this one does not read: leave it to the newer one, "
        "or update"
    )
