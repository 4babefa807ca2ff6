"""`Ledger`: every verification as a row, from the order to its end, through kill -9."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.sql import ColumnElement

from ..clock import Clock, SystemClock
from ..config import LedgerSettings, read_ledger_settings
from ..errors import DuplicateFlow
from ..gateway.documents import check_order
from ..model import FlowOrder, FlowRef, Secret, to_json
from ..model.words import quoted
from ..webhooks import Received
from . import audit, incoming, leases, outbox, taking
from .errors import LedgerError
from .migrating import migrate
from .outbox import Delivery, Endpoint
from .reaching import reached
from .sealing import Keyring
from .store import Store, as_event, connect, new_id, unknown_id
from .tables import FORMAT, events, flows, verifications
from .verification import Change, Claim, Event, FlowRow, News, Order, State, Verification

_V = verifications.c
DEADLINE = timedelta(days=30)
_ERASING = timedelta(seconds=30)


class Ledger:
    """All verifications, in one SQLite file or a PostgreSQL database. Safe for threads and processes; never calls a vendor.

    A `Tracker` follows what is taken here to its end.

    Args:
        database: An address such as `sqlite:///idv.db` or `postgresql://host/name`, or an SQLAlchemy engine of your own. A
            SQLite file is brought up to date by itself; for PostgreSQL run `idv ledger migrate`.
        keys: What encrypts the rows, 32 characters or more each. The first is used, the others can still be read.
        endpoints: Where the platform is told of outcomes.
        deadline: How long a verification is followed; then it is `expired`.
        retention: How long personal data is kept after the end; None: until `erase`.
        clock: The time for SQLite. With PostgreSQL the time of the server counts.

    `on_due` holds functions that are called when something became due through this very object.

    Raises:
        ConfigError: The address or a key is no good.
        LedgerError: The tables are missing or of another release, or the keys are not those that the rows were sealed with.
    """

    def __init__(
        self,
        database: str | Engine,
        *,
        keys: Iterable[Secret],
        endpoints: Iterable[Endpoint] = (),
        deadline: timedelta = DEADLINE,
        retention: timedelta | None = None,
        clock: Clock | None = None,
    ) -> None:
        engine = connect(database) if isinstance(database, str) else database
        self.store = Store(engine, Keyring.of(keys), clock or SystemClock())
        self.endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self.deadline, self.retention = deadline, retention
        self.on_due: list[Callable[[], object]] = []
        try:
            with reached():
                if isinstance(database, str) and not self.store.is_postgresql:
                    migrate(engine)
                _ = self.store.chain_key
        except BaseException:
            if isinstance(database, str):
                engine.dispose()
            raise

    @classmethod
    def load(cls, path: str | Path = "idv.toml", *, clock: Clock | None = None) -> Self:
        """The ledger of the `[ledger]` of a file, as `idv track` and `idv serve` use it. Raises ConfigError, LedgerError."""
        return cls.of(read_ledger_settings(path), clock=clock)

    @classmethod
    def of(cls, settings: LedgerSettings, *, clock: Clock | None = None) -> Self:
        """The ledger of the file's `[ledger]`."""
        address: str | Engine = settings.url
        if settings.password is not None:
            address = connect(settings.url, settings.password)
        days = settings.retention_days
        return cls(
            address,
            keys=settings.key,
            endpoints=[Endpoint(name, one.url, one.secret) for name, one in settings.endpoints.items()],
            deadline=timedelta(days=settings.deadline_days),
            retention=timedelta(days=days) if days is not None else None,
            clock=clock,
        )

    def take(self, order: FlowOrder, *, connection: Connection | None = None) -> Verification:
        """Make an order durable. Asked twice for the same tenant and application, there is one verification.

        With `connection` it joins the platform's own transaction on the same database, which stays theirs to commit: their row
        and this one, or neither.

        Raises InvalidOrder, and DuplicateFlow where the application has another order.
        """
        check_order(order, self.store.clock.now())
        # whoever follows in this process is told directly
        verification = taking.take(self.store, order, self.deadline, connection, is_told=not self.on_due)
        if connection is None:
            self._tell()
        # what was erased cannot be compared any more
        if verification.order is not None and not _is_same(verification.order, order):
            raise DuplicateFlow(
                f"application {quoted(order.application_id)} has another order in the ledger: {verification.id}. Give this "
                "order an application_id of its own",
                operation="take",
            )
        return verification

    def find(
        self,
        id: str | None = None,
        *,
        application_id: str | None = None,
        tenant: str | None = None,
        ref: str | None = None,
    ) -> Verification | None:
        """One verification by its id, by application (and tenant), or by the reference of any of its flows; None if there is
        none."""
        if ref is not None:
            parsed = FlowRef.parse(ref)
            owner = select(flows.c.verification_id).where(
                flows.c.account == parsed.account, flows.c.flow_id == parsed.id
            )
            which: list[ColumnElement[bool]] = [_V.id.in_(owner)]
        elif application_id is not None:
            which = [_V.tenant == (tenant or ""), _V.application_id == application_id]
        else:
            with self.store.reading() as con:
                row = self.store.by_id(con, id or "")
            return None if row is None else self.store.read(row)
        with self.store.reading() as con:
            row = self.store.row(con, *which)
        return None if row is None else self.store.read(row)

    def get(self, id: str) -> Verification:
        """The verification of that id. Raises LedgerError where there is none."""
        found = self.find(id)
        if found is None:
            raise unknown_id(id)
        return found

    def listed(self, state: State, most: int = 100) -> list[Verification]:
        """The oldest verifications in a state, for whoever has to look at them."""
        found = select(verifications).where(_V.state == state.value).order_by(_V.id).limit(most)
        with self.store.engine.connect() as con:
            return [self.store.read(row) for row in con.execute(found).mappings()]

    def events(self, id: str) -> tuple[Event, ...]:
        """The history of a verification. It stays when the verification is erased."""
        found = select(events).where(events.c.verification_id == id).order_by(events.c.seq)
        with self.store.engine.connect() as con:
            return tuple(as_event(row) for row in con.execute(found).mappings())

    def flows(self, id: str) -> tuple[FlowRow, ...]:
        """All flows that were opened for a verification."""
        with self.store.engine.connect() as con:
            return leases.flows_of(con, id)

    def deliveries(self, id: str) -> tuple[Delivery, ...]:
        """All messages about a verification."""
        with self.store.engine.connect() as con:
            return outbox.deliveries_of(con, id)

    # what comes in

    def hint(self, received: Received) -> bool:
        """Store a webhook that the gateway accepted, and make its verification due. False if the same call was stored before,
        by any process. To be used as `WebhookApp(gateway, on_received=ledger.hint)`."""
        is_new = incoming.hint(self.store, received)
        self._tell()
        return is_new

    def wake(self, id: str) -> None:
        """Make a verification due at once."""
        with self.store.begin() as con:
            incoming.wake(self.store, con, _V.id == id)
        self._tell()

    def resolve(
        self, id: str, *, adopt: str | None = None, reopen: bool = False, give_up: bool = False, actor: str
    ) -> None:
        """Say what an `unknown` verification is to become: `adopt` the vendor's flow of that id, `reopen` (open it again at the
        same account), or `give_up` (it becomes `failed`). The tracker carries it out. `actor` is who says so: `user:ana`.

        Raises LedgerError where the verification is not unknown, or not exactly one thing is said.
        """
        said = [
            *([Order.ADOPT] if adopt else []),
            *([Order.REOPEN] if reopen else []),
            *([Order.GIVE_UP] if give_up else []),
        ]
        if len(said) != 1:
            raise LedgerError("resolve: say exactly one of adopt, reopen and give_up")
        incoming.resolve(self.store, id, said[0], adopt, actor)
        self._tell()

    def erase(self, id: str, *, actor: str) -> Verification:
        """Destroy the personal data of a verification, here at once, and let the tracker ask its vendors to do the same.

        Where a vendor is being asked to open the flow, or that answer was lost, it is done after that is cleared up. The
        history stays: it holds no personal data. Twice is once.
        """
        news = News("erasure_requested", {}, actor)
        with self.store.begin() as con:
            asked = (_V.id == id) & _V.erasure_asked_at.is_(None)
            if con.execute(update(verifications).where(asked).values(erasure_asked_at=self.store.moment())).rowcount:
                incoming.wake(self.store, con, _V.id == id, news)
        now = self.get(id)
        if now.erased_at is None and now.state is not State.OPENING:
            for claim in self.claim(f"erase-{new_id(self.store.clock.now())}", _ERASING, id=id):
                if claim.verification.state is State.OPENING:
                    self.release(claim, timedelta(0))
                else:
                    self.commit(claim, erased(claim.verification))
        self._tell()
        return self.get(id)

    def _tell(self) -> None:
        for tell in list(self.on_due):
            tell()

    # what trackers do

    def claim(
        self, worker: str, lease: timedelta, most: int = 1, *, id: str | None = None, is_due: bool = False
    ) -> list[Claim]:
        """Take up to `most` verifications that are due, or the one of that `id` (also if it is not due, unless `is_due`), for
        the time of the `lease`."""
        return leases.claim(self.store, worker, lease, most, id, is_due)

    def overdue(self, most: int) -> list[str]:
        """The ids of what is due now, the oldest first, for whoever drives single turns."""
        found = select(_V.id).where(_V.due <= self.store.moment(), _V.format <= FORMAT).order_by(_V.due).limit(most)
        with self.store.engine.connect() as con:
            return list(con.execute(found).scalars())

    def due_in(self, id: str) -> timedelta | None:
        """How long until a verification is due; None if nothing is waited for. Raises LedgerError where there is none."""
        found = select(_V.due, self.store.moment().label("now")).where(_V.id == id)
        with self.store.engine.connect() as con:
            row = con.execute(found).one_or_none()
        if row is None:
            raise unknown_id(id)
        return None if row.due is None else max(row.due - row.now, timedelta(0))

    def intend(
        self,
        claim: Claim,
        account: str,
        lease: timedelta,
        cap: int | None = None,
        *,
        route: str | None = None,
        instead_of: str | None = None,
    ) -> Claim:
        """Commit that the account is about to be asked. Raises Stale, RateLimited (see `leases.intend`)."""
        return leases.intend(self.store, claim, account, lease, cap, route=route, instead_of=instead_of)

    def commit(
        self, claim: Claim, change: Change, handlers: Sequence[leases.Handler] = (), *, is_late: bool = False
    ) -> Verification:
        """Write what a turn came to. Raises Stale (see `leases.commit`)."""
        return leases.commit(
            self.store,
            claim,
            change,
            tuple(self.endpoints),
            handlers,
            deadline=self.deadline,
            retention=self.retention,
            is_late=is_late,
        )

    def release(self, claim: Claim, delay: timedelta, tries: int | None = None) -> None:
        """Give it back unchanged, due after `delay`. Raises Stale."""
        leases.release(self.store, claim, delay, claim.verification.tries if tries is None else tries)

    # what operations do

    def redeliver(
        self, *, message_id: str | None = None, endpoint: str | None = None, dead: bool = False, actor: str
    ) -> int:
        """Send messages again, under the same ids: one, all of an endpoint, all dead letters (of an endpoint).

        Raises LedgerError where its endpoint is not, or no longer, one of the ledger's.
        """
        return outbox.redeliver(
            self.store, message_id=message_id, endpoint=endpoint, dead=dead, actor=actor, endpoints=self.endpoints
        )

    def seal(self) -> audit.Seal:
        """Seal all chains as they are now. Do it daily; the log has the digest. Forgets old webhooks too."""
        audit.prune(self.store)
        return audit.seal(self.store)

    def verify(self) -> audit.Verified:
        """Check all chains and seals, and that everything sealed can be opened."""
        return audit.verify(self.store)

    def rewrap(self) -> int:
        """After a new first key: wrap everything by it, so that the old one can be dropped."""
        return audit.rewrap(self.store)

    def close(self) -> None:
        """Close the connections."""
        self.store.engine.dispose()


def erased(verification: Verification) -> Change:
    """The change that destroys what is personal. Who was not decided yet gets a message, for no outcome will come."""
    is_ended = verification.state.is_ended
    data = {"may_be_open_at": verification.account} if verification.state is State.UNKNOWN else {}
    return Change(
        state=verification.state if is_ended else State.ERASED,
        delay=timedelta(0),
        news=(News("erased", data),),
        delivery=None if is_ended else "verification.erased",
        is_erased=True,
    )


def _is_same(stored: FlowOrder, order: FlowOrder) -> bool:
    return bool(to_json(stored, secrets=True) == to_json(order, secrets=True))
