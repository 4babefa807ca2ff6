"""`idv demo`: one order and one policy for every vendor's emulator, over real HTTP, and one table of results."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import attrs
from starlette.applications import Starlette

from ..config import Account, Webhooks
from ..engine.account import Limits
from ..errors import IdvError
from ..gateway.sync import Gateway
from ..model import Applicant, FlowOrder, Result, Secret, to_json
from ..policy import Policy, Threshold
from ..testing.asgi import Served, serve
from ..testing.emulation import Scene
from ..testing.files import FileServer
from ..testing.specimens import PEOPLE
from ..webhooks import Received, WebhookApp
from .emulators import RunningEmulator, start_emulators
from .output import FAILED, OK, as_json, console, counted, result_rows, table

# Some vendors only give scores; these are the thresholds that they recommend.
_POLICY = Policy(name="demo", thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)})
_PERSON, _OTHER = PEOPLE["meera"], PEOPLE["rohan"]
_ORDER = FlowOrder(
    product="wallet",
    application_id="APP-1",
    applicant=Applicant(
        reference="CUST-1",
        given_name=_PERSON.given_name,
        family_name=_PERSON.family_name,
        email="meera@example.org",
        country="IN",
    ),
)
_PACE = timedelta(seconds=0.25)
_DEADLINE = timedelta(seconds=60)


@attrs.frozen
class Ending:
    """The result of one vendor, or why there is none."""

    name: str
    result: Result | None
    ended_by: str = ""
    error: str = ""


@attrs.define
class Demo:
    """One run of the demo."""

    vendors: tuple[str, ...]
    two_people: bool
    stop: str | None
    quiet: bool
    notified: set[str] = attrs.field(factory=set)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def run(self) -> list[Ending]:
        shelf = FileServer()
        running = start_emulators(self.vendors, _PACE)
        if self.stop is not None and self.stop not in [vendor.name for vendor in running]:
            names = ", ".join(vendor.name for vendor in running)
            for vendor in running:
                vendor.served.stop()
            raise ValueError(f"--stop: {self.stop!r} is not running; choose one of {names}")
        try:
            with (
                serve(shelf.app) as files,
                _WebhookServer() as platform,
                self._gateway(running, platform) as idv,
                ThreadPoolExecutor(len(running)) as pool,
            ):
                return list(pool.map(lambda vendor: self._play(idv, vendor, shelf, files), running))
        finally:
            for vendor in running:
                vendor.served.stop()

    def _gateway(self, running: list[RunningEmulator], platform: _WebhookServer) -> Gateway:
        accounts = [
            Account(
                vendor.name,
                vendor.name,
                vendor.emulation.settings(vendor.served.url),
                polling=vendor.emulation.polling,
                # the file server is on this machine
                limits=Limits(allow_private_urls=True),
                test=True,
            )
            for vendor in running
        ]
        webhooks = Webhooks(f"{platform.served.url}/idv", Secret(secrets.token_hex(32)))
        idv = Gateway(accounts, webhooks=webhooks, policy=_POLICY)
        platform.app.mount("/idv", WebhookApp(idv, self._on_received))
        return idv

    def _on_received(self, received: Received) -> None:
        self.notified.add(received.account)
        self._say(received.account, f"webhook: {received.event}")

    def _play(self, idv: Gateway, vendor: RunningEmulator, shelf: FileServer, files: Served) -> Ending:
        name = vendor.name
        scene = Scene(
            person=_PERSON,
            face=_OTHER if self.two_people else _PERSON,
            put_file=lambda content: files.url + shelf.put(content),
            say=lambda text: self._say(name, text),
        )
        try:
            flow = idv.open(_ORDER, account=name)
            self._say(name, f"flow opened, {flow.status.value}")
            flow = vendor.emulation.play(idv, flow, scene)
            deadline = _DEADLINE
            if self.stop == name:
                vendor.served.stop()
                self._say(name, "emulator stopped")
                # it does not restart
                deadline = timedelta(seconds=3)
            seen: list[str] = []

            def progress(result: Result) -> None:
                if result.status.value not in seen:
                    seen.append(result.status.value)
                    self._say(name, result.status.value)

            result = idv.wait(flow, deadline=deadline, progress=progress)
        except IdvError as error:
            self._say(name, "unavailable")
            return Ending(name, None, error=str(error))
        return Ending(name, result, "webhook" if name in self.notified else "polling")

    def _say(self, name: str, text: str) -> None:
        if not self.quiet:
            with self.lock:
                console().print(f"{name:>10}  {text}")


class _WebhookServer:
    """The server that receives webhooks. The gateway is mounted once its address is known."""

    def __init__(self) -> None:
        self.app = Starlette()
        self.served = Served(self.app)

    def __enter__(self) -> _WebhookServer:
        self.served.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.served.stop()


def run_demo(vendors: Iterable[str] = (), *, two_people: bool, stop: str | None, json_wanted: bool) -> int:
    """Run the demo, print the table, and return the exit code.

    Args:
        vendors: Names of plugins; default: all with an emulator.
        two_people: Submit one person's documents with another person's selfie.
        stop: Stop the emulator of this vendor half-way.
        json_wanted: Print JSON instead of the table.
    """
    endings = Demo(tuple(vendors), two_people, stop, json_wanted).run()
    results = [ending.result for ending in endings if ending.result is not None]
    if json_wanted:
        as_json(
            [
                {"vendor": ending.name, "ended_by": ending.ended_by, "result": to_json(ending.result)}
                if ending.result
                else {"vendor": ending.name, "error": ending.error}
                for ending in endings
            ]
        )
    else:
        _print_table(endings)
        console().print(f"demo: {counted(len(endings), 'vendor')}, {counted(len(results), 'result')}")
    return OK if len(results) == len(endings) else FAILED


def _print_table(endings: list[Ending]) -> None:
    facts = ("status", "checks", "documents", "vendor verdict", "decision", "why")
    shown = table("vendor", "ended by", *facts, title="One order, one policy, one vocabulary")
    for ending in endings:
        told = dict(result_rows(ending.result)) if ending.result else {"status": "UNAVAILABLE", "why": ending.error}
        shown.add_row(ending.name, ending.ended_by, *(told.get(fact, "") for fact in facts))
    console().print(shown)
