"""Whether the ledger is whole: seals over all chains, their verification, and the exchange of configured keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import attrs
from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from . import chain
from .errors import LedgerError
from .sealing import place
from .store import Store
from .tables import events, hints, seals, verifications
from .tables import secrets as stored_secrets

log = logging.getLogger("idv_core")

_E, _S, _V = events.c, seals.c, verifications.c
_BATCH = 500
_LOCK = "2s"
REPLAY = timedelta(days=30)
"""How long webhooks are remembered, so that a repetition is known as one."""


@attrs.frozen(kw_only=True)
class Seal:
    """The HMAC over the heads of `count` chains, up to the event `upto`. Keep its digest outside of the database too."""

    n: int
    upto: int
    count: int
    digest: bytes


@attrs.frozen
class Verified:
    """How many verifications, events and seals were looked at, and what is wrong, in sentences."""

    verifications: int
    events: int
    seals: int
    problems: tuple[str, ...]


def seal(store: Store) -> Seal:
    """Write a seal over all chains as they are now, and log it.

    Raises LedgerError where a transaction is open for so long that it cannot be told which events there are: try again.
    """
    key = store.chain_key
    while True:
        upto = _last_event(store)
        # read before anything is written: it takes long, and nobody else could write on SQLite meanwhile
        with store.engine.connect() as con:
            before = con.execute(select(_S.n, _S.digest).order_by(_S.n.desc()).limit(1)).mappings().one_or_none()
            made = _heads(con, key, before["digest"] if before else b"", upto)
        sealed = Seal(n=(before["n"] if before else 0) + 1, upto=upto, count=made.count, digest=made.digest())
        row = {**attrs.asdict(sealed), "at": store.moment()}
        with store.begin() as con:
            is_next = con.execute(store.insert_new(seals, row).returning(_S.n)).all()
        # where another process sealed in between, this is none behind its seal
        if is_next:
            log.info("ledger sealed: seal %d, %d verifications, %s", sealed.n, sealed.count, sealed.digest.hex())
            return sealed


def _last_event(store: Store) -> int:
    """The number of the last event. While it is read nobody writes, so that none with a lower number is still to come."""
    with store.begin() as con:
        if store.is_postgresql:
            con.execute(text(f"SET LOCAL lock_timeout = '{_LOCK}'"))
            try:
                con.execute(text("LOCK TABLE idv_event IN SHARE MODE"))
            except DBAPIError:
                raise LedgerError("a transaction that writes events is open for too long: seal again later") from None
        else:
            con.execute(update(seals).where(_S.n < 0).values(n=0))
        return int(con.execute(select(func.coalesce(func.max(_E.n), 0))).scalar_one())


def _heads(con: Connection, key: bytes, before: bytes, upto: int) -> chain.Heads:
    heads = chain.Heads(key, before)
    last = select(_E.verification_id.label("id"), func.max(_E.seq).label("seq")).where(_E.n <= upto)
    last_seq = last.group_by(_E.verification_id).subquery()
    found = (
        select(_E.verification_id, _E.seq, _E.digest)
        .join(last_seq, (last_seq.c.id == _E.verification_id) & (last_seq.c.seq == _E.seq))
        .order_by(_E.verification_id)
        .execution_options(yield_per=10_000)
    )
    for id, seq, head in con.execute(found):
        heads.add(id, seq, head)
    return heads


def verify(store: Store) -> Verified:
    """Check every chain, every head, every decision against its sealed result, and every seal."""
    key = store.chain_key
    problems: list[str] = []
    count = 0
    with store.engine.connect() as con:
        # rows and events as they were at one moment: others write meanwhile
        if store.is_postgresql:
            con.execution_options(isolation_level="REPEATABLE READ")
        else:
            con.exec_driver_sql("BEGIN")
        for id, problem, length in _chains(store, con, key):
            count += length
            problems += [f"verification {id}: {problem}"] if problem else []
        total = con.execute(select(func.count()).select_from(verifications)).scalar_one()
        before, sealed = b"", con.execute(select(seals).order_by(_S.n)).mappings().all()
        for n, row in enumerate(sealed, 1):
            made = _heads(con, key, before, row["upto"])
            if row["n"] != n:
                problems.append(f"seal {n} is missing")
            elif made.digest() != row["digest"]:
                problems.append(
                    f"seal {n}: events that it covers were changed or are missing ({made.count} of {row['count']} chains)"
                )
            before = row["digest"]
    return Verified(total, count, len(sealed), tuple(problems))


def _chains(store: Store, con: Connection, key: bytes) -> Iterator[tuple[str, str | None, int]]:
    """For each verification its id, what is wrong with it, and how many events it has."""
    rows = con.execute(select(verifications).order_by(_V.id).execution_options(yield_per=_BATCH)).mappings()
    for row in rows:
        length, head, problem = 0, chain.BEGINNING, None
        for event in con.execute(select(events).where(_E.verification_id == row["id"]).order_by(_E.seq)).mappings():
            length += 1
            head = chain.digest(key, head, row["id"], length, event["at"], event["actor"], event["kind"], event["data"])
            if (event["seq"], event["digest"]) != (length, head):
                problem = f"event {length} was changed, or one before it is missing"
                break
        if problem is None and (row["seq"], row["head"]) != (length, head):
            problem = "its last events are missing"
        try:
            store.read(row)
        except LedgerError as error:
            problem = problem or error.message
        yield row["id"], problem, length


def rewrap(store: Store) -> int:
    """Wrap all stored keys by the first configured key, so that the others can be dropped. Returns how many were not."""
    changed = 0
    with store.begin() as con:
        con.execute(update(stored_secrets).values(name=stored_secrets.c.name))
        for row in con.execute(select(stored_secrets)).mappings().all():
            where = place("idv_secret", "wrapped", row["name"])
            if not store.keyring.is_current(row["wrapped"]):
                fresh = store.keyring.wrap(store.keyring.unwrap(row["wrapped"], where), where)
                con.execute(update(stored_secrets).where(stored_secrets.c.name == row["name"]).values(wrapped=fresh))
                changed += 1
    last = ""
    while True:
        some = select(_V.id, _V.data_key).where(_V.id > last, _V.data_key.is_not(None)).order_by(_V.id).limit(_BATCH)
        with store.engine.connect() as con:
            rows = con.execute(some).all()
        if not rows:
            return changed
        last = rows[-1][0]
        old = [(id, wrapped) for id, wrapped in rows if not store.keyring.is_current(wrapped)]
        fresh_keys = [(id, wrapped, store.wrapped(id, store.unwrapped(id, wrapped))) for id, wrapped in old]
        with store.begin() as con:
            for id, wrapped, fresh in fresh_keys:
                # one that was erased meanwhile stays so
                where_same = (_V.id == id) & (_V.data_key == wrapped)
                changed += con.execute(update(verifications).where(where_same).values(data_key=fresh)).rowcount


def prune(store: Store) -> int:
    """Forget webhooks of longer ago than `REPLAY` (30 days). Returns how many."""
    with store.begin() as con:
        return con.execute(delete(hints).where(hints.c.received_at < store.moment(-REPLAY))).rowcount
