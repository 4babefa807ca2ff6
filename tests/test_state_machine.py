"""Any sequence of operations, faults, webhooks, reloads and waits, with both gateways in step: no flow lost, none opened
twice, nobody approved without evidence, and both gateways behave alike. Each has a shadow at another vendor, and a second
process beside it over the same emulator: a shadow decides nothing, and no reference approves what the flow itself would not.

`IDV_MACHINE_EXAMPLES` sets how many sequences are tried.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import idv_verigram.testing.harness
from harnesses import HARNESSES
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from idv_core import AsyncGateway, Decision, Flow, FlowOrder, Gateway, IdvError, OutcomeUnknown, Result, VendorError
from idv_core.config import Account, Configuration
from idv_core.errors import PluginError, WebhookRejected
from idv_core.model import FlowRef, from_json, to_json
from idv_core.model.policy import CheckRules
from idv_core.plugin.protocols import RecoverProtocol, SubmitProtocol, UploadProtocol
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.routing.route import Shadow
from idv_core.testing import PEOPLE, FakeClock, make_specimen
from idv_core.testing.direct import DirectTransport
from idv_core.testing.emulator import Emulator
from idv_core.testing.fault_server import Answer, Fault, FaultServer
from idv_core.testing.harness import ACCOUNT, WEBHOOKS, Driver, Harness, another_person
from idv_core.transports.fast import FastTransport
from idv_core.webhooks import WebhookRequest
from idv_core.webhooks.receiver import Received

EXAMPLES = int(os.environ.get("IDV_MACHINE_EXAMPLES", "2000"))


def _answer(status: int, content: bytes = b"{}", **headers: str) -> Callable[[httpx.Response], httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, stream=httpx.ByteStream(content))


def _cut(response: httpx.Response) -> httpx.Response:
    content = response.read()
    return httpx.Response(response.status_code, stream=httpx.ByteStream(content[: len(content) // 2]))


# Name: whether the vendor acts, and what comes back.
FAULTS: dict[str, tuple[bool, Exception | Callable[[httpx.Response], httpx.Response]]] = {
    "refused": (False, httpx.ConnectError("x")),
    "reset before": (False, httpx.ReadError("x")),
    "reset after": (True, httpx.ReadError("x")),
    "time-out after": (True, httpx.ReadTimeout("x")),
    "cut": (True, _cut),
    "html": (True, _answer(200, b"<html>")),
    "empty": (True, _answer(200)),
    "204": (True, _answer(204, b"")),
    "500 after": (True, _answer(500)),
    "503 before": (False, _answer(503)),
    "429": (False, _answer(429, retry_after="1")),
    "401": (False, _answer(401)),
    "403": (False, _answer(403)),
    "404": (False, _answer(404)),
    "409": (False, _answer(409)),
    "of somebody else": (False, _answer(200, b'{"flow_status": "pass", "flow_id": "x", "flow_uuid": "x", "_id": "x"}')),
}
plans = st.lists(st.sampled_from([None, None, *FAULTS]), max_size=3)
# A create that is answered with somebody else's id cannot be told from a good one.
creating = st.lists(st.sampled_from([None, None, *(name for name in FAULTS if name != "of somebody else")]), max_size=3)


class Faulty(DirectTransport):
    """Breaks the next calls as planned."""

    plan: list[str | None]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fault = self.plan.pop(0) if self.plan else None
        if fault is None:
            return super().handle_request(request)
        acts, outcome = FAULTS[fault]
        response = super().handle_request(request) if acts else httpx.Response(200)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome(response)


class Secure(Emulator):
    """An emulator that believes itself behind TLS, for what it links to."""

    def __init__(self, emulator: Any) -> None:
        self.emulator = emulator

    def respond(self, method: str, target: str, headers: Any, body: bytes, base_url: str) -> Answer:
        url = base_url.replace("http://", "https://")
        return self.emulator.respond(method, target, headers, body, url)  # type: ignore[no-any-return]


class OverTheWire(Faulty):
    """The same over real connections and the blocking quick transport: what breaks, breaks on the wire."""

    def __init__(self, hosts: dict[str, Any]) -> None:
        super().__init__(hosts)
        self.servers = {host: FaultServer(Secure(emulator)) for host, emulator in hosts.items()}
        self.quick = FastTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fault = self.plan.pop(0) if self.plan else None
        server = self.servers[request.url.host]
        extensions = dict(request.extensions)
        if fault is not None:
            server.arm(_on_the_wire(fault), 0)
            if server.will_hang:
                extensions["timeout"] = {**extensions["timeout"], "read": 0.05}
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.port)
        sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
        try:
            answer = self.quick.handle_request(sent)
            answer.read()
            return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))
        except httpx.ReadTimeout:
            server.wait_until_reached()
            raise
        finally:
            server.disarm()

    def close(self) -> None:
        self.quick.close()
        for server in self.servers.values():
            server.stop()


_WIRES = {"refused": "refuse", "reset before": "reset", "reset after": "reset", "time-out after": "hang"}


def _on_the_wire(name: str) -> Fault:
    """The fault of that name as a server makes it."""
    acts, outcome = FAULTS[name]
    if isinstance(outcome, Exception):
        return Fault(name, acts=acts, wire=_WIRES[name])

    def changed(answer: Answer) -> Answer:
        status, headers, content = answer
        response = outcome(httpx.Response(status or 200, headers=headers, stream=httpx.ByteStream(content)))
        return response.status_code, dict(response.headers), response.read()

    return Fault(name, acts=acts, answer=changed)


class InstantClock(FakeClock):
    """Never suspends."""

    async def wait_async(self, woken: asyncio.Event, seconds: float) -> None:
        if not woken.is_set():
            self.advance(seconds)


def _at_verigram(emulator: Any, id: str, good: bool) -> None:
    emulator.script(id, {"flow_status": "pass" if good else "fail", "end_cause": "completed", "flow_id": id})


def _at_vendor(emulator: Any, id: str, good: bool) -> None:
    emulator.hand_in(id, MEERAS_PASSPORT, MEERAS_FACE if good else ROHANS_FACE)


MEERAS_PASSPORT = make_specimen("passport", PEOPLE["meera"])
MEERAS_FACE, ROHANS_FACE = (make_specimen("selfie", PEOPLE[name]) for name in ("meera", "rohan"))
# What the applicant does where the vendor has a page of its own.
ON_THE_PAGE = {"verigram": _at_verigram} | dict.fromkeys(("onfido", "persona", "plaid", "stripe"), _at_vendor)


ASIDE = "aside"
MILDEST = [Decision.DECLINED, Decision.UNDECIDED, Decision.REVIEW, Decision.APPROVED]


class Door(httpx.BaseTransport):
    """What the vendor calls: our webhooks, or else the network."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _, found, path = request.url.path.partition(f"/{ACCOUNT}/")
        if request.url.host != "platform.example" or not found:
            return self._world.harness.transport.handle_request(request)
        request = WebhookRequest(
            method=request.method,
            path=f"/{path}",
            headers=dict(request.headers),
            query=dict(request.url.params),
            body=request.read(),
        )
        self._world.request.append(request)
        received = self._world.receive(request)
        if received is None:
            return httpx.Response(404)
        answer = received.answer
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


class World:
    """One gateway, a second process beside it, and one emulator. Two worlds live through the same."""

    def __init__(self, vendor: str, kind: str, way: type[Faulty] = Faulty) -> None:
        self.clock = InstantClock()
        self.harness: Harness = HARNESSES[vendor](self.clock)
        self.aside = idv_verigram.testing.harness.harness(self.clock)
        self.clock.on_advance.clear()
        # a base URL may have a path
        host = urlsplit(str(self.harness.settings["base_url"])).netloc
        self.transport = way({host: self.harness.emulator, "aside.example": self.aside.emulator})
        self.transport.plan = []
        able = Driver(self.harness, kind).adapter.result_capabilities
        # whoever begins under this policy is never approved, for no check has that name
        required = [f"{check}.other" for check in sorted(able.checks)[:1]]
        self.strict = attrs.evolve(self.harness.policy, name="strict", checks=CheckRules(required=required))
        self.idv, self.second = (self.driver(kind) for _ in range(2))
        self.flows: dict[str, Flow] = {}
        self.request: list[WebhookRequest] = []
        self.received: list[Received] = []
        self.harness.emulator._client = lambda: httpx.Client(transport=Door(self))
        if hasattr(self.harness.emulator, "webhook"):
            self.harness.emulator.webhook = self.idv.webhook_url(ACCOUNT, "events").reveal()

    def driver(self, kind: str) -> Driver:
        driver = Driver(attrs.evolve(self.harness, transport=self.transport), kind)
        driver.gateway = (Gateway if kind == "sync" else AsyncGateway)(
            self.configuration(shadowed=True, strict=False),
            policy=self.harness.policy,
            clock=self.clock,
            registry=registry_of(*{one.plugin.name: one.plugin for one in (self.harness, self.aside)}.values()),
            transport=self.transport,
        )
        return driver

    def configuration(self, shadowed: bool, strict: bool) -> Configuration:
        aside = {**self.aside.settings, "base_url": "https://aside.example"}
        return Configuration(
            accounts=[
                Account(ACCOUNT, self.harness.plugin.name, self.harness.settings, test=True),
                Account(ASIDE, "verigram", aside, test=True),
            ],
            routes=[
                Route(
                    name="all",
                    to=ACCOUNT,
                    shadow=Shadow(account=ASIDE, personal_data=True) if shadowed else None,
                    policy="strict" if strict else None,
                )
            ],
            policies={"strict": self.strict},
            webhooks=WEBHOOKS,
        )

    def receive(self, request: WebhookRequest) -> Received | None:
        """What the call says, None if it was refused."""
        try:
            received: Received = self.idv.receive(ACCOUNT, request)
        except WebhookRejected:
            return None
        self.received.append(received)
        return received

    def do(self, run: Callable[[World], Any], plan: list[str | None], seed: int) -> Any:
        """The model, or the error; repeated as long as the error says that this is safe, which it must not say for ever."""
        random.seed(seed)
        self.transport.plan = list(plan)
        for _ in range(4):
            try:
                return run(self)
            except PluginError:
                raise
            except VendorError as error:
                last: IdvError = error
                if not error.safe_to_retry:
                    break
            except IdvError as error:
                last = error
                break
        self.transport.plan = []
        return last


class Verification(RuleBasedStateMachine):
    """What platforms do, in any order."""

    @initialize(vendor=st.sampled_from(sorted(HARNESSES)))
    def begin(self, vendor: str) -> None:
        self.vendor = vendor
        self.worlds = self.worlds_of(vendor)
        self.orders: dict[str, FlowOrder] = {}
        self.papers: dict[str, bool] = {}
        self.unknown: set[str] = set()
        self.under_strict: set[str] = set()
        self.strict = False
        self.step = 0

    def teardown(self) -> None:
        for world in getattr(self, "worlds", []):
            world.idv.close()
            world.second.close()
            world.transport.close()

    def worlds_of(self, vendor: str) -> list[World]:
        return [World(vendor, "sync"), World(vendor, "async")]

    def both(self, run: Callable[[World], Any], plan: list[str | None]) -> list[Any]:
        self.step += 1
        outcomes = [world.do(run, plan, self.step) for world in self.worlds]
        first, second = (_told(outcome) for outcome in outcomes)
        assert first == second, "the gateways do not behave alike"
        return outcomes

    @rule(plan=creating)
    def open(self, plan: list[str | None]) -> None:
        mark = f"m{len(self.orders)}"
        order = another_person(attrs.evolve(self.worlds[0].harness.order, application_id=f"APP-{mark}"), mark)
        self.orders[mark] = order
        if self.strict:
            self.under_strict.add(mark)
        self._opened(mark, self.both(lambda world: world.idv.open(order), plan))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), plan=creating)
    def open_again(self, data: st.DataObject, plan: list[str | None]) -> None:
        mark = data.draw(st.sampled_from(sorted(self.orders)))
        # one that has come to its end may be opened anew (test_openings.py); here there is one flow for each order
        known = [world for world in self.worlds if mark in world.flows]
        # and so may one of which the vendor says, after a while, that it does not know it
        if known and "404" in plan:
            return
        # both are asked, so that both have the same token afterwards
        looks = [world.do(lambda world: world.idv.status(world.flows[mark]), [], 0) for world in known]
        if any(map(_has_ended, looks)):
            return
        # without a way to find out, only whoever knows that nothing was opened may open again
        if mark not in self.unknown or isinstance(self.worlds[0].idv.adapter, RecoverProtocol):
            if self.strict:
                self.under_strict.add(mark)
            self._opened(mark, self.both(lambda world: world.idv.open(self.orders[mark]), plan))

    @precondition(lambda self: self.unknown)
    @rule(data=st.data(), plan=creating)
    def recover(self, data: st.DataObject, plan: list[str | None]) -> None:
        mark = data.draw(st.sampled_from(sorted(self.unknown)))
        if isinstance(self.worlds[0].idv.adapter, RecoverProtocol):
            recover = lambda world: world.idv.recover(self.orders[mark], account=ACCOUNT)  # noqa: E731
            self._opened(mark, self.both(recover, plan))

    def _opened(self, mark: str, outcomes: list[Any]) -> None:
        for world, outcome in zip(self.worlds, outcomes, strict=True):
            if isinstance(outcome, Flow):
                world.flows[mark] = outcome
                self.unknown.discard(mark)
            elif isinstance(outcome, OutcomeUnknown):
                self.unknown.add(mark)

    @precondition(lambda self: self.worlds[0].flows)
    @rule(data=st.data(), good=st.booleans(), plan=plans)
    def hand_in(self, data: st.DataObject, good: bool, plan: list[str | None]) -> None:
        mark = data.draw(st.sampled_from(sorted(self.worlds[0].flows)))
        if mark in self.papers:
            return
        self.papers[mark] = good
        adapter = self.worlds[0].idv.adapter
        if isinstance(adapter, UploadProtocol):
            self._advance_flow(
                mark,
                lambda world: world.idv.upload(
                    world.flows[mark], world.harness.documents if good else world.harness.bad_documents
                ),
                plan,
            )
        else:
            for world in self.worlds:
                ON_THE_PAGE[self.vendor](world.harness.emulator, world.flows[mark].id, good)

    @precondition(lambda self: self.papers and isinstance(self.worlds[0].idv.adapter, SubmitProtocol))
    @rule(data=st.data(), plan=plans)
    def submit(self, data: st.DataObject, plan: list[str | None]) -> None:
        mark = data.draw(st.sampled_from(sorted(self.papers)))
        self._advance_flow(mark, lambda world: world.idv.submit(world.flows[mark]), plan)

    def _advance_flow(self, mark: str, run: Callable[[World], Any], plan: list[str | None]) -> None:
        for world, outcome in zip(self.worlds, self.both(run, plan), strict=True):
            if isinstance(outcome, Flow):
                assert outcome.ref == world.flows[mark].ref
                world.flows[mark] = outcome

    @precondition(lambda self: self.worlds[0].flows)
    @rule(data=st.data(), by_reference=st.booleans(), plan=plans)
    def look(self, data: st.DataObject, by_reference: bool, plan: list[str | None]) -> None:
        mark = data.draw(st.sampled_from(sorted(self.worlds[0].flows)))

        def result(world: World) -> Any:
            flow = world.flows[mark]
            return world.idv.result(flow.ref if by_reference else flow)

        for outcome in self.both(result, plan):
            if isinstance(outcome, Result) and outcome.decision is Decision.APPROVED:
                assert self.papers.get(mark), "approved without good papers"
                assert mark not in self.under_strict, "approved although the policy asks for more"

    @precondition(lambda self: self.worlds[0].flows)
    @rule(data=st.data(), elsewhere=st.booleans())
    def compare(self, data: st.DataObject, elsewhere: bool) -> None:
        """By reference, stored and loaded, in another process: never milder than the flow itself."""
        mark = data.draw(st.sampled_from(sorted(self.worlds[0].flows)))
        for world in self.worlds:
            flow, idv = world.flows[mark], world.second if elsewhere else world.idv
            by_value = world.do(lambda world: world.idv.result(flow), [], self.step)  # noqa: B023
            for other in (flow.ref, f"{flow.account}/{flow.id}", from_json(Flow, to_json(flow, secrets=True))):
                told = world.do(lambda _: idv.result(other), [], self.step)  # noqa: B023
                if isinstance(told, Result) and isinstance(by_value, Result):
                    assert MILDEST.index(told.decision) <= MILDEST.index(by_value.decision), "milder by reference"
                assert not _approved(told) or _approved(by_value), "approved by reference alone"
                assert not _approved(told) or mark not in self.under_strict, "a policy was lost"

    @precondition(lambda self: any(flow.shadow for flow in self.worlds[0].flows.values()))
    @rule(data=st.data(), elsewhere=st.booleans())
    def look_aside(self, data: st.DataObject, elsewhere: bool) -> None:
        """The shadow's vendor is all for it."""
        marks = sorted(mark for mark, flow in self.worlds[0].flows.items() if flow.shadow)
        mark = data.draw(st.sampled_from(marks))
        for world in self.worlds:
            shadow = world.flows[mark].shadow
            if shadow is None:
                continue
            services = [{"service_name": "verilive", "service_status": "pass"}]
            good = {"flow_status": "pass", "end_cause": "completed", "flow_id": shadow.id, "services": services}
            world.aside.emulator.script(shadow.id, good)
            idv = world.second if elsewhere else world.idv
            for other in (shadow, shadow.ref, f"{ASIDE}/{shadow.id}", from_json(Flow, to_json(shadow, secrets=True))):
                told = world.do(lambda _: idv.result(other), [], self.step)  # noqa: B023
                assert not isinstance(told, Result) or told.decision is Decision.UNDECIDED, "a shadow decided"

    @rule(shadowed=st.booleans(), strict=st.booleans())
    def reload(self, shadowed: bool, strict: bool) -> None:
        self.strict = strict
        for world in self.worlds:
            world.idv.reload(world.configuration(shadowed, strict))

    @rule(seconds=st.sampled_from([1, 30, 3600]))
    def wait(self, seconds: float) -> None:
        for world in self.worlds:
            world.clock.advance(seconds)
            world.harness.emulator.tick()

    @precondition(lambda self: self.worlds[0].request)
    @rule(data=st.data(), forged=st.sampled_from(["again", "token", "body"]))
    def webhook_again(self, data: st.DataObject, forged: str) -> None:
        """A webhook comes again as it was, at an address that nobody gave out, or about another flow."""
        place = data.draw(st.integers(0, min(len(world.request) for world in self.worlds) - 1))
        for world in self.worlds:
            request = world.request[place]
            match forged:
                case "token":
                    request = attrs.evolve(request, path=request.path.replace("/", "/x", 1))
                    assert world.receive(request) is None, "an address that nobody gave out was good"
                    continue
                case "body":
                    for flow in world.flows.values():
                        request = attrs.evolve(request, body=request.body.replace(flow.id.encode(), b"another"))
            world.receive(request)

    @invariant()
    def webhooks_are_about_what_they_say(self) -> None:
        """What a handler would do with each: look at the flow that it names, for the application that it names."""
        for world in getattr(self, "worlds", []):
            taken, world.received = world.received, []
            applications = {flow.id: flow.application_id for flow in world.flows.values()}
            for received in taken:
                assert not received.is_shadow
                if received.flow_ref is None or not received.fetch:
                    continue
                id = FlowRef.parse(received.flow_ref).id
                both = received.application_id is not None and id in applications
                assert not both or received.application_id == applications[id], "told about a foreign application"
                told = world.do(lambda world: world.idv.result(received.flow_ref), [], self.step)  # noqa: B023
                if _approved(told):
                    mark = next(mark for mark, flow in world.flows.items() if flow.id == id)
                    assert self.papers.get(mark), "a webhook approved without good papers"
                    assert mark not in self.under_strict, "a webhook lost the policy"

    @rule()
    def lose_the_token(self) -> None:
        for world in self.worlds:
            if world.harness.expire_tokens is not None and self.vendor != "verifik":
                world.harness.expire_tokens()

    @invariant()
    def nothing_is_opened_twice_or_lost(self) -> None:
        for world in getattr(self, "worlds", []):
            for mark, order in self.orders.items():
                there = world.harness.opened(order)  # type: ignore[misc]
                assert there <= 1, "opened twice"
                assert not there or mark in world.flows or mark in self.unknown, "opened, and nobody was told"
                assert mark not in world.flows or there, "told of a flow that is not there"


def _has_ended(outcome: Any) -> bool:
    return isinstance(outcome, Flow) and outcome.status.is_settled


def _approved(outcome: Any) -> bool:
    return isinstance(outcome, Result) and outcome.decision is Decision.APPROVED


def _told(outcome: Any) -> tuple[Any, ...]:
    """What a platform sees of it, without ids."""
    match outcome:
        case Flow():
            return "flow", outcome.status, [upload.accepted for upload in outcome.uploads], outcome.link is None
        case Result():
            checks = [(check.kind, check.name, check.outcome) for check in outcome.checks]
            return "result", outcome.status, outcome.decision, checks, [reason.code for reason in outcome.reasons]
        case VendorError():
            return type(outcome).__name__, outcome.status, outcome.safe_to_retry, outcome.retry_after
    return (type(outcome).__name__, str(outcome))


class VerificationOverTheWire(Verification):
    """The same over real connections: the blocking quick transport behaves as no transport at all does."""

    def worlds_of(self, vendor: str) -> list[World]:
        return [World(vendor, "sync"), World(vendor, "sync", OverTheWire)]


def _tried(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


TestVerification = Verification.TestCase
TestVerification.settings = _tried(EXAMPLES)

TestVerificationOverTheWire = VerificationOverTheWire.TestCase
TestVerificationOverTheWire.settings = _tried(max(EXAMPLES // 40, 10))
