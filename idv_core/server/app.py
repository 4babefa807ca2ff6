"""The service as one ASGI app: API, webhooks in, metrics, console; the tracker runs beside them in the same loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route

from ..errors import IdvError
from ..gateway import AsyncGateway
from ..ledger import Ledger
from ..ledger.reaching import trouble
from ..ledger.store import Store
from ..tracker import AsyncTracker
from ..tracker.delivery import check_endpoint
from ..webhooks import WebhookApp
from . import api, idempotency, metrics, performance
from .console.routes import routes as console_routes
from .console.web import ConsoleOptions, Web
from .migrating import check_tables, migrate
from .problems import plain_problem, problem, unexpected
from .reading import query_of

log = logging.getLogger("idv_core")

LAGGING = timedelta(minutes=5)
"""From then on `/readyz` says no: nobody follows what is due."""
_PAUSE = 10.0
_HOURLY = 360


def create_app(
    gateway: AsyncGateway,
    ledger: Ledger,
    *,
    console: ConsoleOptions | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """The app over a gateway and a ledger, which stay yours to close.

    The tables of the service are made on SQLite; for PostgreSQL run `idv server migrate`.

    Args:
        gateway: The gateway.
        ledger: Its ledger.
        console: How people come to the console.
        transport: How messages to your endpoints are sent; for tests.

    Raises LedgerError where tables are missing or of another release, ConfigError where the secret of an endpoint cannot sign.
    """
    for endpoint in ledger.endpoints.values():
        check_endpoint(endpoint)
    engine = ledger.store.engine
    if not ledger.store.is_postgresql:
        migrate(engine)
    check_tables(engine)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        tracker = AsyncTracker(gateway, ledger, transport=transport)
        app.state.service = api.Service(gateway, ledger, tracker)
        tracker.start()
        keeping = asyncio.create_task(_keep(ledger))
        try:
            yield
        finally:
            # first nothing more is taken, then what is under way is waited for: a deploy leaves no opening behind
            await tracker.stop()
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    routes: list[BaseRoute] = [
        *api.routes(),
        *console_routes(),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _ready, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
    ]
    receiver = gateway._state.active.receiver
    if receiver is not None:
        path = urlsplit(receiver.addresses.url).path
        routes.append(Mount(path or "/", app=WebhookApp(gateway, on_received=ledger.hint)))
    handlers = {HTTPException: _refused, Exception: _failed}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)  # type: ignore[arg-type]
    # a redirect would send key and order to the host and scheme that the request names: behind a proxy in clear
    app.router.redirect_slashes = False
    app.state.console = Web(console or ConsoleOptions())
    return app


async def _keep(ledger: Ledger) -> None:
    """What is done now and then: facts before their source can be erased, and old answers forgotten."""
    rounds = 0
    while True:
        try:
            await asyncio.to_thread(performance.refresh, ledger.store)
            if rounds % _HOURLY == 0:
                await asyncio.to_thread(idempotency.prune, ledger.store)
        except SQLAlchemyError as error:
            log.error("%s; trying again", trouble(error))
        except Exception as error:
            # one row that nobody foresaw ends neither the figures nor the forgetting
            log.error("figures or kept answers could not be brought up to date (%s)", type(error).__name__)
        rounds += 1
        await asyncio.sleep(_PAUSE)


async def _alive(request: Request) -> Response:
    return _health(200, status="alive")


async def _ready(request: Request) -> Response:
    """Whether the database answers, and somebody follows what is due."""
    store = api.service_of(request).ledger.store
    try:
        await asyncio.to_thread(_ask, store)
        lag = await asyncio.to_thread(metrics.due_lag, store)
    except SQLAlchemyError:
        return _health(503, status="not ready", why="the database cannot be reached")
    if lag > LAGGING:
        why = f"what is due waits for {round(lag.total_seconds())} s"
        return _health(503, status="not ready", why=why)
    return _health(200, status="ready")


def _health(status_code: int, **said: str) -> Response:
    return JSONResponse(said, status_code, {"cache-control": "no-store"})


def _ask(store: Store) -> None:
    with store.engine.connect() as con:
        con.execute(text("SELECT 1"))


async def _metrics(request: Request) -> Response:
    try:
        await api.identified(request, ("read",))
        query_of(request)
        service = api.service_of(request)
        made = await asyncio.to_thread(metrics.exposition, service.ledger, service.gateway)
    except IdvError as error:
        return problem(error)
    except SQLAlchemyError as error:
        # the server would log what the driver says, values and all
        return unexpected(request, error)
    return Response(made, headers={"content-type": metrics.CONTENT_TYPE, "cache-control": "no-store"})


async def _refused(request: Request, error: HTTPException) -> Response:
    kind = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "BadRequest")
    nothing = "there is nothing at this address"
    if request.url.path.endswith("/"):
        nothing += ": leave out the slash at its end"
    detail = {404: nothing, 405: "this address does not take that method"}
    answer = plain_problem(error.status_code, detail.get(error.status_code, error.detail), kind=kind)
    if error.status_code == 405:
        found = [one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE]
        allowed = {method for one in found for method in getattr(one, "methods", None) or ()}
        answer.headers["allow"] = ", ".join(sorted(allowed))
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    return unexpected(request, error)
