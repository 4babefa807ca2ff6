"""`idv demo --serve`: API and console over the emulators, with invented applicants, until Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import typer
from starlette.applications import Starlette

from ..config import Account, Configuration, Limits, Price, Webhooks
from ..errors import ConfigError
from ..gateway import AsyncGateway
from ..gateway.sync import Gateway
from ..ledger import Ledger
from ..model import CheckKind, Secret
from ..plugin.protocols import ResultCapabilities, ResultCapabilitiesProtocol
from ..policy import DocumentRules, Policy, ReviewRules, Threshold
from ..routing import Route, When
from ..server import keys
from ..server.app import create_app
from ..server.console import users
from ..testing.asgi import Served, serve
from ..testing.files import FileServer
from ..testing.specimens import PEOPLE, make_specimen
from .demo_cast import COUNTRIES, LENDING, Cast
from .emulators import RunningEmulator, send_webhooks, start_emulators
from .output import OK, as_json

_PACE = timedelta(seconds=0.25)
_POLICIES = {
    "default": Policy(name="demo"),
    # for vendors that only give scores, with the thresholds that they recommend
    "scores": Policy(name="scores", thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)}),
    # no applicant has one, so that two people decide, or ask for it
    LENDING: Policy(
        name=LENDING, documents=DocumentRules(required=("utility_statement",)), review=ReviewRules(four_eyes=True)
    ),
}
_USERS = {
    "ana": ("look",),
    "ben": ("review",),
    "carla": ("review", "personal"),
    "dan": ("operate",),
    "eva": users.ROLES,
}
_PRICE = Price(opened="0.10", completed="0.90", currency="EUR")
_SPECIMENS = ("passport", "kz-id", "cedula", "selfie")


class _Stopped(BaseException):
    """Somebody wants it to end. No `except Exception` on the way may stop it."""


class _Door:
    """The app behind an address that must be known before the app can be made."""

    def __init__(self) -> None:
        self.app: Starlette = Starlette()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@attrs.frozen
class Stage:
    """What was set up, and is told to whoever started it. `waiting` is the id of a verification, and its applicant's page."""

    url: str
    passwords: dict[str, Secret]
    key: Secret
    waiting: tuple[str, Secret] | None
    pictures: Path


def run_served_demo(vendors: Iterable[str], port: int, *, json_wanted: bool) -> int:
    """Set everything up, say where it is, and serve until SIGINT or SIGTERM. Returns the exit code.

    Args:
        vendors: Names of plugins; default: all with an emulator.
        port: The port of console and API; 0 for a free one.
        json_wanted: Print what was set up as one JSON object.

    Raises:
        ConfigError: The port is busy.
        PluginError: A plugin has no emulator.
    """
    with _signals() as stopped, suppress(_Stopped), ExitStack() as stack:
        stage = _set_up(stack, vendors, port, quiet=json_wanted)
        if json_wanted:
            as_json(_told(stage))
        else:
            typer.echo(_banner(stage))
        sys.stdout.flush()
        stopped.wait()
    return OK


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Inside, the first SIGINT or SIGTERM raises in the main thread, and no later one disturbs the cleaning up.

    The event is for the case that it was raised where Python ignores it, as in a finaliser.
    """
    numbers, stopped = (signal.SIGINT, signal.SIGTERM), threading.Event()

    def stop(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        stopped.set()
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_up(stack: ExitStack, vendors: Iterable[str], port: int, *, quiet: bool) -> Stage:
    running = start_emulators(vendors, _PACE)
    stack.callback(_stop_all, running)
    shelf = FileServer()
    files = stack.enter_context(serve(shelf.app))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idv-demo-")))
    door = _Door()
    service = _listening(door, port)

    webhooks = Webhooks(f"{service.url}/idv", Secret(secrets.token_hex(32)))
    settings = {vendor.name: vendor.emulation.settings(vendor.served.url) for vendor in running}
    configuration = _configuration(running, settings, webhooks)
    send_webhooks(running, settings, webhooks.url, webhooks.key[0])
    database, sealing = f"sqlite:///{folder}/idv.db", Secret(secrets.token_hex(32))
    ledger = Ledger(database, keys=[sealing])
    stack.callback(ledger.close)
    gateway = AsyncGateway(configuration)
    stack.callback(lambda: asyncio.run(gateway.close()))
    door.app = create_app(gateway, ledger)
    # what is entered last ends first: the service before all that it works with
    stack.callback(service.start().stop)

    passwords = {name: Secret(secrets.token_urlsafe(12)) for name in _USERS}
    for name, roles in _USERS.items():
        users.add(ledger.store, name, roles, passwords[name])
    for kind in _SPECIMENS:
        (folder / f"{kind}.png").write_bytes(make_specimen(kind, PEOPLE["meera"]))
    cast = Cast(
        running=running,
        ledger=ledger,
        hasty=lambda deadline: Ledger(database, keys=[sealing], deadline=deadline),
        gateway=stack.enter_context(Gateway(configuration)),
        put_file=lambda content: files.url + shelf.put(content),
        say=(lambda text: None) if quiet else typer.echo,
    )
    waiting = cast.play()
    return Stage(
        url=service.url,
        passwords=passwords,
        key=keys.add(ledger.store, "demo", ["verify", "read"]),
        waiting=(waiting.id, waiting.flow.link.url) if waiting and waiting.flow and waiting.flow.link else None,
        pictures=folder,
    )


def _listening(door: _Door, port: int) -> Served:
    try:
        return Served(door, port=port, lifespan="on")
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be used ({error.strerror}); choose another with --port, or --port 0 for a free one"
        ) from None


def _stop_all(running: list[RunningEmulator]) -> None:
    with ThreadPoolExecutor(len(running)) as pool:
        list(pool.map(lambda vendor: vendor.served.stop(), running))


def _configuration(running: list[RunningEmulator], settings: dict[str, Any], webhooks: Webhooks) -> Configuration:
    """An account at each emulator, and a route to each by country. Lending goes the same ways, under a stricter policy."""
    accounts = [
        Account(
            name,
            name,
            given,
            polling=vendor.emulation.polling,
            price=_PRICE,
            # emulators and file server are on this machine
            limits=Limits(operation=10, allow_private_urls=True),
            test=True,
        )
        for vendor in running
        for name, given in [(vendor.name, settings[vendor.name])]
    ]
    with Gateway(accounts) as bare:
        able = {account.name: _reported(bare, account.name) for account in accounts}
    *some, last = settings
    ways = [(When(country=country), name) for country, name in zip(COUNTRIES, some, strict=False)]
    routes = [route for when, name in (*ways, (When(), last)) for route in _routes(name, when, able[name])]
    return Configuration(accounts=accounts, routes=routes, policies=_POLICIES, webhooks=webhooks)


def _reported(gateway: Gateway, account: str) -> ResultCapabilities:
    adapter = gateway._state.active.session(account).adapter
    if isinstance(adapter, ResultCapabilitiesProtocol):
        return adapter.result_capabilities
    return ResultCapabilities(checks=(), documents=True, verdict=True)


def _routes(name: str, when: When, able: ResultCapabilities) -> Iterator[Route]:
    """The routes to one account, under policies that could approve there."""
    if able.documents and CheckKind.CROSS_CHECK not in able.scored:
        yield Route(name=f"{name} for lending", when=attrs.evolve(when, product=LENDING), to=name, policy=LENDING)
    yield Route(name=name, when=when, to=name, policy="scores" if CheckKind.CROSS_CHECK in able.scored else None)


def _told(stage: Stage) -> dict[str, Any]:
    return {
        "console": f"{stage.url}/console",
        "api": f"{stage.url}/v1",
        "users": {
            name: {"password": secret.reveal(), "roles": list(_USERS[name])} for name, secret in stage.passwords.items()
        },
        "key": stage.key.reveal(),
        "waiting": None
        if stage.waiting is None
        else {"verification": stage.waiting[0], "hosted_page": stage.waiting[1].reveal()},
        "pictures": str(stage.pictures),
    }


def _banner(stage: Stage) -> str:
    users = "\n".join(
        f"  {name:<8}{secret.reveal():<20}{', '.join(_USERS[name])}" for name, secret in stage.passwords.items()
    )
    lines = [
        f"\nConsole  {stage.url}/console",
        f"\nUsers, with passwords made for this run\n{users}",
    ]
    if stage.waiting is not None:
        id, link = stage.waiting
        lines.append(
            f"\nAn applicant (Meera) has not been at the vendor's page yet. Go through it, and watch the decision arrive:\n"
            f"  {link.reveal()}\n  {stage.url}/console/verifications/{id}\n"
            f"  Pictures to upload there: {stage.pictures}/passport.png, then selfie.png"
        )
    lines.append(f'\nAPI\n  curl -s {stage.url}/v1/verifications -H "Authorization: Bearer {stage.key.reveal()}"')
    lines.append("\nEverything is invented and kept in a temporary folder. Ctrl-C ends it.")
    return "\n".join(lines)
