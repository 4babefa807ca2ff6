"""The fault matrix: every operation of a plugin, every call it makes, every way in which a vendor's answer can go wrong.

The faults happen on real sockets, and no outcome depends on how fast the machine is: only a call that will not be answered
has a short time-out, and the vendor has acted before it is looked at. Each cell opens a flow of its own, breaks one call of
one operation, then does what the error advises, as a platform would; two things must never happen: a flow opened twice, and
an approval that the evidence does not bear (all documents in the matrix are bad).
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import attrs

from ..clock import Clock
from ..engine.account import Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import FlowNotFound, IdvError, OutcomeUnknown, PluginError, VendorError
from ..model import Decision, Flow, FlowOrder, Result
from ..plugin.protocols import RecoverProtocol
from ..telemetry import RequestEnded, observes
from .clock import RunningClock
from .fault_server import Answer, Fault, FaultServer
from .forking import in_children
from .harness import DECLINE, Driver, Harness, another_person, operations_of

_BODY_LIMIT = 200_000
_PATIENT = Limits(connect=60.0, read=60.0, write=60.0, pool=60.0, allow_private_urls=True)
_UNDER_TEST = attrs.evolve(_PATIENT, max_response=_BODY_LIMIT, concurrency=10, allow_private_urls=False)
# A call that will not be answered is given up after this many seconds.
_BRIEF = 0.2
_RETRY = Retry(attempts=3, base=0.01, ceiling=0.02)
# One cell may fail as often as it likes; that circuits open is tested elsewhere.
_CIRCUIT = Circuit(failures=1000)
# How often a platform asks again what became of an opening.
_PATIENCE = 5
# Calls of each forked process.
_FORKED_CALLS = 10


# Seconds after which every emulator is done with what it was given.
_LATER = 120.0


def _says(status: int, **headers: str) -> Callable[[Answer], Answer]:
    named = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer: (status, {**named, "date": answer[1].get("date", "")}, b'{"error": "no", "message": "no"}')


def _body(content: bytes, **headers: str) -> Callable[[Answer], Answer]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer: (200, {"content-type": "application/json", **named}, content)


FAULTS: tuple[Fault, ...] = (
    Fault("refused", acts=False, wire="refuse", always=True),
    Fault("reset before", acts=False, wire="reset"),
    Fault("reset after", wire="reset"),
    Fault("time-out before", acts=False, wire="hang"),
    Fault("time-out after", wire="hang"),
    Fault("slow drip", wire="drip"),
    Fault("truncated", wire="truncate"),
    Fault("wrong length", wire="shorten"),
    Fault("twice", wire="twice"),
    Fault("two in one packet", wire="another"),
    Fault("carried out late", acts=False, wire="late"),
    Fault("200 HTML", answer=_body(b"<html>Maintenance</html>", content_type="text/html")),
    Fault("204", answer=lambda _: (204, {}, b"")),
    Fault("bad UTF-8", answer=_body(b'{"status": "\xff\xfe"}')),
    Fault("huge", answer=_body(b" " * (2 * _BODY_LIMIT))),
    Fault("bomb", answer=_body(gzip.compress(b"0" * 50 * _BODY_LIMIT), content_encoding="gzip")),
    Fault("301", acts=False, answer=_says(301, location="https://elsewhere.example/"), always=True),
    Fault("401 once", acts=False, answer=_says(401)),
    Fault("401 always", acts=False, answer=_says(401), always=True),
    Fault("403", acts=False, answer=_says(403), always=True),
    Fault("404", acts=False, answer=_says(404), always=True),
    Fault("409", acts=False, answer=_says(409), always=True),
    Fault("410", acts=False, answer=_says(410), always=True),
    Fault("422", acts=False, answer=_says(422), always=True),
    Fault("429 wait", acts=False, answer=_says(429, retry_after="0")),
    Fault("429", acts=False, answer=_says(429)),
    Fault("500", answer=_says(500)),
    Fault("500 always", answer=_says(500), always=True),
    Fault("500 kept", answer=_says(500), acts=False, keeps=True),
    Fault("500 kept after", answer=_says(500), keeps=True),
    Fault("503", answer=_says(503)),
    Fault("token expired", expire=True),
    Fault("clock +10 min", skew=timedelta(minutes=10)),
    Fault("clock -10 min", skew=timedelta(minutes=-10)),
    Fault("cancelled before", acts=False, wire="hang", cancel=True),
    Fault("cancelled after", wire="hang", cancel=True),
)


@attrs.frozen(kw_only=True)
class Cell:
    """What came out: `ok` or the name of the error; how many flows too many; whether somebody was approved."""

    operation: str
    call: int
    fault: str
    outcome: str
    opened_twice: int
    wrongly_approved: int


@attrs.define
class _Skewed:
    """The clock under test, out of step by `skew`."""

    clock: Clock
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.clock.now() + self.skew

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)


class _InStep(Limits):
    """The limits of the account under test, and an observer of its calls, which keep it in step with the server.

    A call that will be answered has all the time it needs. One that will not is given up soon, and what comes next waits
    until the server has done with it what the fault says: on a busy machine the time-out may well come first.
    """

    def __init__(self, server: FaultServer) -> None:
        object.__setattr__(self, "_server", server)

    @property
    def read(self) -> float:
        return _BRIEF if self._server.will_hang else _UNDER_TEST.read

    def __getattr__(self, name: str) -> Any:
        return getattr(_UNDER_TEST, name)

    @observes
    def request_ended(self, event: RequestEnded) -> None:
        if event.fault == "ReadTimeout":
            self._server.wait_until_reached()


class FaultMatrix:
    """The matrix of one plugin. `harness` must count flows (`Harness.opened`) and run on a `RunningClock`.

    `kind` is `sync` or `async`; `transport` makes another httpx transport for the calls under test.
    """

    def __init__(self, harness: Harness, *, kind: str = "sync", transport: Callable[[], Any] | None = None) -> None:
        assert isinstance(harness.clock, RunningClock), "the fault matrix needs a harness over a RunningClock"
        assert harness.opened is not None, "the fault matrix needs Harness.opened"
        self._count = harness.opened
        self._harness = harness
        self._kind = kind
        self._transport = transport
        self._number = 0
        self._calls: dict[str, int] = {}
        self._another: Answer | None = None
        self._begun = harness.clock.now()

    def run(self, faults: tuple[Fault, ...] = FAULTS, *, first_calls: bool = False) -> Iterator[Cell]:
        """All cells, one after the other; with `first_calls` only those of the first call of each operation.

        Raises AssertionError if the harness cannot open a flow or bring it to its end while nothing is broken.
        """
        with self._server() as server:
            self._begin(server)
            for operation in self._operations(server):
                calls = 1 if first_calls else self._dry_run(server, operation)
                for call in range(calls):
                    for fault in faults:
                        if self._applies(fault, call):
                            yield self._cell(server, operation, call, fault)
            if self._transport is None:
                yield self._forked(server) if self._kind == "sync" else self._second_loop(server)

    def _applies(self, fault: Fault, call: int) -> bool:
        if fault.expire and self._harness.expire_tokens is None:
            return False
        if fault.cancel and self._kind != "async":
            return False
        return not call or not (fault.wire == "refuse" or fault.skew or fault.expire)

    def _begin(self, server: FaultServer) -> None:
        """A matrix whose harness does not work would pass without having broken anything."""
        with self._gateway(server) as calm:
            for name, finish in (("finish", self._harness.finish), ("finish_badly", self._harness.finish_badly)):
                try:
                    flow = finish(calm, calm.open(self._order()))
                    self._harness.clock.advance(_LATER)
                    result = calm.result(flow)
                except IdvError as error:
                    raise AssertionError(f"with nothing broken, Harness.{name} does not work: {error}") from None
                if name == "finish":
                    self._another = server.last
                else:
                    assert not self._approved(result), "Harness.finish_badly leads to an approval"

    @contextmanager
    def _server(self) -> Iterator[FaultServer]:
        # nothing waits for the clock of a matrix, so a jump ends an operation whose answer drips
        server = FaultServer(
            self._harness.emulator, on_drip=lambda: self._harness.clock.advance(_PATIENT.operation + 1)
        )
        network = self._harness.transport
        if hasattr(network, "add"):
            # an applicant's browser follows links that name the port
            network.add(f"127.0.0.1:{server.port}", self._harness.emulator.app)
        try:
            yield server
        finally:
            server.stop()

    def _operations(self, server: FaultServer) -> list[str]:
        with self._gateway(server) as idv:
            return operations_of(idv.adapter) + ["recover"] * isinstance(idv.adapter, RecoverProtocol)

    @contextmanager
    def _gateway(self, server: FaultServer, under_test: bool = False, clock: Any = None) -> Iterator[Driver]:
        transport = self._transport() if self._transport is not None and under_test else None
        harness = attrs.evolve(
            self._harness,
            settings=self._harness.settings_at(server.url),
            clock=clock or self._harness.clock,
            transport=transport,
        )
        in_step = _InStep(server)
        driver = Driver(
            harness,
            self._kind,
            observers=[in_step] if under_test else [],
            limits=in_step if under_test else _PATIENT,
            retry=_RETRY,
            circuit=_CIRCUIT,
        )
        try:
            yield driver
        finally:
            driver.close(transport)

    def _dry_run(self, server: FaultServer, operation: str) -> int:
        """How many calls the operation makes when nothing goes wrong."""
        if operation in self._calls:
            return self._calls[operation]
        with self._gateway(server) as calm, self._gateway(server) as idv:
            order, flow = self._prepared(calm, server, operation)
            self._warm_up(idv)
            server.disarm()
            self._quietly(lambda: self._operate(idv, operation, order, flow))
            self._calls[operation] = server.calls
            return server.calls

    def _cell(self, server: FaultServer, operation: str, call: int, fault: Fault) -> Cell:
        harness = self._harness
        clock = _Skewed(harness.clock)
        self._begun = harness.clock.now()
        with self._gateway(server) as calm, self._gateway(server, under_test=True, clock=clock) as idv:
            order, flow = self._prepared(calm, server, operation)
            self._warm_up(idv)
            clock.skew = fault.skew
            before = harness.clock.monotonic()
            if fault.expire and harness.expire_tokens is not None:
                harness.expire_tokens()
            server.another = self._another or server.last
            server.arm(fault, call) if fault.answer or fault.wire else server.disarm()
            idv.cancel_when = server.reached if fault.cancel else None
            error, value = self._quietly(lambda: self._operate(idv, operation, order, flow))
            idv.cancel_when = None
            server.disarm()
            clock.skew = timedelta(0)
            approved = self._approved(value)
            after = self._advised(calm, server, operation, order, flow, error)
            server.catch_up()
            approved += self._approved(after)
            reached = after if isinstance(after, Flow) else value if isinstance(value, Flow) else flow
            if reached is not None:
                harness.clock.advance(_LATER)
                approved += self._approved(self._quietly(lambda: calm.result(reached))[1])
                # and through the same connections, whatever was left in them
                approved += self._approved(self._quietly(lambda: idv.result(reached))[1])
        if fault.expire or fault.wire == "drip":
            # back, for the next cell's credentials should not have grown old
            harness.clock.advance(before - harness.clock.monotonic())
        return Cell(
            operation=operation,
            call=call + 1,
            fault=fault.name,
            outcome=type(error).__name__ if error is not None else "ok",
            # another attempt is another flow, and there is one of it
            opened_twice=max(0, self._count(order) - (2 if operation == "retry" else 1)),
            wrongly_approved=approved,
        )

    def _forked(self, server: FaultServer) -> Cell:
        """A gateway that was used, then forked, as servers do that load the program first: each process asks for one person."""
        with self._gateway(server) as calm, self._gateway(server, under_test=True) as idv:
            flows = [self._prepared(calm, server, "result")[1], self._finished_well(calm)]
            wanted = [self._said(calm, flow) for flow in flows]
            server.disarm()
            self._quietly(lambda: idv.result(flows[0]))

            def ask(child: int) -> list[str]:
                return [self._said(idv, flows[child % 2]) for _ in range(_FORKED_CALLS)]

            told = in_children(4, ask)
        outcome, wrong = "ok", 0
        for child, decisions in enumerate(told):
            others = [decision for decision in decisions if decision != wanted[child % 2]]
            outcome = outcome if not others else "ForeignAnswer"
            wrong += others.count(Decision.APPROVED)
        return Cell(operation="result", call=1, fault="fork", outcome=outcome, opened_twice=0, wrongly_approved=wrong)

    def _said(self, idv: Driver, flow: Flow | None) -> str:
        """The decision, or the name of the error."""
        error, result = self._quietly(lambda: idv.result(flow))
        return str(result.decision) if error is None else type(error).__name__

    def _second_loop(self, server: FaultServer) -> Cell:
        """A gateway that goes on in another event loop, as with `asyncio.run` for each job."""
        order = self._order()
        with self._gateway(server) as calm, self._gateway(server, under_test=True) as idv:
            _, flow = self._prepared(calm, server, "result")
            server.disarm()
            error, first = self._quietly(lambda: idv.result(flow))
            idv.change_loop()
            opening, opened = self._quietly(lambda: idv.open(order))
            self._advised(calm, server, "open", order, opened, opening)
            last, second = self._quietly(lambda: idv.result(flow))
        failed = error or opening or last
        return Cell(
            operation="result",
            call=1,
            fault="second loop",
            outcome=type(failed).__name__ if failed is not None else "ok",
            opened_twice=max(0, self._count(order) - 1),
            wrongly_approved=self._approved(first) + self._approved(second),
        )

    def _finished_well(self, idv: Driver) -> Flow:
        flow = self._harness.finish(idv, idv.open(self._order()))
        self._harness.clock.advance(_LATER)
        return flow

    def _warm_up(self, idv: Driver) -> None:
        """Have the token fetched, so that the fault hits the operation's own calls."""
        if not idv.has_token_already:
            self._quietly(lambda: idv.open(self._order()))

    def _prepared(self, idv: Driver, server: FaultServer, operation: str) -> tuple[FlowOrder, Flow | None]:
        """A flow that has come so far that the operation makes sense, with bad documents where it has any."""
        harness, order = self._harness, self._order()
        match operation:
            case "open" | "provision":
                return order, None
            case "recover":
                # opened, and nobody was told: the answer to the last call of the opening is lost
                last = self._dry_run(server, "open") - 1
                server.arm(Fault("lost", wire="reset"), last if idv.has_token_already else last + 1)
                self._quietly(lambda: idv.open(order))
                server.disarm()
                return order, None
            case "upload" | "renew_link" | "cancel":
                return order, idv.open(order)
            case "submit":
                return order, idv.upload(idv.open(order), harness.bad_documents)
        flow = harness.finish_badly(idv, idv.open(order))
        harness.clock.advance(_LATER)
        return order, flow

    def _operate(self, idv: Driver, operation: str, order: FlowOrder, flow: Flow | None) -> Any:
        match operation:
            case "open":
                return idv.open(order)
            case "recover":
                return idv.recover(order, since=self._begun)
            case "upload":
                return idv.upload(flow, self._harness.bad_documents)
            case "provision":
                assert self._harness.template is not None
                return idv.provision(attrs.evolve(self._harness.template, name=order.application_id))
            case "retry":
                return idv.retry(flow, order)
            case "review":
                return idv.review(flow, DECLINE)
            case _:
                return getattr(idv, operation)(flow)

    def _advised(
        self,
        idv: Driver,
        server: FaultServer,
        operation: str,
        order: FlowOrder,
        flow: Flow | None,
        error: IdvError | None,
    ) -> Any:
        """What a platform does about the error: what it advises, and nothing else."""
        if isinstance(error, OutcomeUnknown):
            match error.ask:
                case "recover" if operation in ("open", "recover"):
                    since = error.since if operation == "open" else None
                    return self._cleared_up(idv, server, order, since or self._begun)
                case "status":
                    return self._quietly(lambda: idv.status(flow))[1]
                case "result":
                    return self._quietly(lambda: idv.result(flow))[1]
                case "renew_link" | "provision" | "cancel" | "erase":
                    return self._quietly(lambda: self._operate(idv, operation, order, flow))[1]
            return None
        if isinstance(error, VendorError) and error.safe_to_retry:
            return self._quietly(lambda: self._operate(idv, operation, order, flow))[1]
        return None

    def _cleared_up(self, idv: Driver, server: FaultServer, order: FlowOrder, since: datetime) -> Any:
        """Ask what became of the opening until it is settled. What the vendor carries out late comes after the first asking."""
        for _ in range(_PATIENCE):
            error, flow = self._quietly(lambda: idv.recover(order, since=since))
            server.catch_up()
            if isinstance(error, FlowNotFound):
                return self._quietly(lambda: idv.open(order))[1]
            if not isinstance(error, OutcomeUnknown) or error.retry_after is None:
                return flow
            self._harness.clock.advance(error.retry_after.total_seconds())
        return None

    def _order(self) -> FlowOrder:
        self._number += 1
        mark = f"{self._kind}{self._number}"
        return another_person(attrs.evolve(self._harness.order, application_id=f"APP-{mark}"), mark)

    @staticmethod
    def _quietly(run: Callable[[], Any]) -> tuple[IdvError | None, Any]:
        """An error of the tree is an answer like any other; one that blames the plugin is not.

        Whoever cancels an operation knows as little of its outcome as after an answer that was lost.
        """
        try:
            return None, run()
        except PluginError:
            raise
        except asyncio.CancelledError:
            return OutcomeUnknown("cancelled", ask="recover"), None
        except IdvError as error:
            return error, None

    @staticmethod
    def _approved(value: Any) -> int:
        return int(isinstance(value, Result) and value.decision is Decision.APPROVED)


def as_table(cells: list[Cell]) -> str:
    """A row for each call of each operation, a column for each fault; errors by their capitals."""
    names = list(dict.fromkeys(cell.fault for cell in cells))
    rows = list(dict.fromkeys((cell.operation, cell.call) for cell in cells))
    found = {(cell.operation, cell.call, cell.fault): cell.outcome for cell in cells}
    width = max(len(name) for name in names)
    heads = [f"{operation} {call}" for operation, call in rows]
    lines = [" " * width + "  " + "  ".join(heads)]
    for name in names:
        outcomes = (_short(found.get((*row, name), "")) for row in rows)
        columns = (outcome.ljust(len(head)) for outcome, head in zip(outcomes, heads, strict=True))
        lines.append(f"{name.ljust(width)}  {'  '.join(columns)}".rstrip())
    return "\n".join(lines)


def _short(outcome: str) -> str:
    return outcome if outcome in ("", "ok") else "".join(char for char in outcome if char.isupper())
