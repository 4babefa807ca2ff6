"""The conformance suite: pytest classes that a plugin's tests inherit.

Write a fixture `bench` that returns a `Bench` over your plugin and your emulator, and inherit::

    class TestAcme(PluginConformance):
        @pytest.fixture
        def bench(self):
            return Bench(plugin=idv_plugin(), ...)

Every capability that your adapter has is exercised, by the blocking gateway and by the async one.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..async_gateway import AsyncGateway
from ..callbacks.desk import MAX_BODY, Inbound
from ..config import Account, Callbacks
from ..engine.conversation import perform
from ..engine.effects import Locked, Send, Steps
from ..errors import (
    CallbackRejected,
    DuplicateFlow,
    IdvError,
    OutcomeUnknown,
    PluginError,
    VendorError,
)
from ..gateway import Gateway
from ..hookspecs import Plugin
from ..model import CheckOutcome, Decision, Document, Flow, FlowOrder, FlowStatus, Result, Secret, Template, dump, load
from ..policy import DEFAULT_POLICY, Policy, judge
from ..protocols import (
    CONTRACT_VERSION,
    AdapterProtocol,
    CallbackProtocol,
    CallbackReading,
    CredentialsProtocol,
    Evidence,
    FlowProtocol,
    InboundCall,
    LinkProtocol,
    RecoverProtocol,
    ResultProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
)
from ..registry import registry_of
from ..wire import Response
from .clock import FakeClock
from .emulator import Emulator, Reply
from .strategies import json_like, json_values

ACCOUNT = "account-under-test"
CALLBACKS = Callbacks("https://platform.example/idv", Secret("key-of-the-conformance-suite-0123456789"))
_FORBIDDEN_IMPORTS = {
    "socket",
    "ssl",
    "threading",
    "asyncio",
    "time",
    "os",
    "subprocess",
    "httpx",
    "requests",
    "random",
}
# `finish` may walk through a hosted page with httpx.Client, whose log is the applicant's browser's affair, not ours.
_APPLICANTS_BROWSER = "httpx"
_UNUSUAL = (
    100,
    204,
    301,
    302,
    304,
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    410,
    413,
    418,
    422,
    425,
    429,
    500,
    502,
    503,
    599,
)
_SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)


@attrs.frozen
class DocumentedError:
    """An error of the vendor's pages: calls that match answer `reply`, and `operation` must raise `error`."""

    operation: str
    match: str
    reply: Reply
    error: type[VendorError]


@attrs.frozen
class UnknownWord:
    """An answer with a word that no page has, or with something missing. It must never lead to an approval."""

    match: str
    reply: Callable[[Flow], Reply]


def answers(data: Any) -> Callable[[Flow], Reply]:
    """The same 200 whatever the flow is."""
    return lambda _: Reply(200, data)


@attrs.define(kw_only=True)
class Bench:
    """Your plugin with your emulator, and what the suite cannot know.

    `transport` is any httpx transport that leads to the emulator. `finish` brings a flow to a good end as an applicant (or
    platform) would, through the driver it is given; `finish_badly` likewise with somebody else's documents. `documents` are
    good ones to hand in, `bad_documents` somebody else's. `errors` is your vendor's error table, `unknown_words` what the
    suite may answer to show that nothing not understood approves. `personal` are texts that no log, error or repr may hold.
    `opened` counts the flows that your emulator has for an order. `policy` gives thresholds where your vendor only scores.
    `no_recovery` says why the vendor has no way to find out what became of an opening. `judge` drives the emulator by the
    vendor's own client and tells which one it was; it raises AssertionError.
    """

    plugin: Plugin
    settings: Mapping[str, Any]
    emulator: Emulator
    clock: FakeClock
    transport: Any
    order: FlowOrder
    finish: Callable[[Driver, Flow], Flow]
    finish_badly: Callable[[Driver, Flow], Flow]
    documents: tuple[Document, ...] = ()
    bad_documents: tuple[Document, ...] = ()
    template: Template | None = None
    errors: tuple[DocumentedError, ...] = ()
    unknown_words: tuple[UnknownWord, ...] = ()
    personal: tuple[str, ...] = ()
    callback: Callable[[str], Inbound] | None = None
    policy: Policy = DEFAULT_POLICY
    expire_tokens: Callable[[], None] | None = None
    opened: Callable[[FlowOrder], int] | None = None
    no_recovery: str | None = None
    judge: Callable[[], str] | None = None
    recorded: list[Any] = attrs.field(factory=list)

    def settings_at(self, url: str) -> dict[str, Any]:
        """The settings with the emulator at another scheme, host and port; the path of the base URL stays."""
        return {**self.settings, "base_url": url + urlsplit(self.settings["base_url"]).path}


class Driver:
    """`Gateway` or `AsyncGateway` behind the same blocking calls, so that each test runs with both."""

    def __init__(self, bench: Bench, kind: str, **more: Any) -> None:
        account = Account(ACCOUNT, bench.plugin.name, bench.settings, **more)
        shared: dict[str, Any] = {
            "callbacks": CALLBACKS,
            "policy": bench.policy,
            "clock": bench.clock,
            "registry": registry_of(bench.plugin),
            "transport": bench.transport,
        }
        self.kind = kind
        self._runner = asyncio.Runner()
        self.gateway: Any = Gateway([account], **shared) if kind == "sync" else AsyncGateway([account], **shared)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.gateway, name)
        if not inspect.iscoroutinefunction(method):
            return method
        return lambda *args, **more: self._runner.run(method(*args, **more))

    def close(self, transport: Any = None) -> None:
        """Close the gateway, and a transport that was brought for it alone."""
        if self.kind != "sync":
            self._runner.run(self.gateway.close())
            if transport is not None:
                self._runner.run(transport.aclose())
        else:
            self.gateway.close()
        self._runner.close()

    @property
    def has_token_already(self) -> bool:
        """Whether the next call of the account is the operation's own."""
        session = self.gateway._operations.live.sessions[ACCOUNT]
        return session.token is not None or not session.has_token

    @property
    def adapter(self) -> Any:
        return self.gateway._operations.live.sessions[ACCOUNT].adapter


class PluginConformance:
    """Inherit it and write the fixture `bench`."""

    @pytest.fixture(params=["sync", "async"])
    def idv(self, bench: Bench, request: pytest.FixtureRequest) -> Iterator[Driver]:
        driver = Driver(bench, request.param)
        yield driver
        driver.close()

    @pytest.fixture
    def adapter(self, bench: Bench) -> Any:
        return Driver(bench, "sync").adapter

    # The contract

    def test_implements_the_contract(self, bench: Bench, adapter: Any) -> None:
        assert bench.plugin.contract == CONTRACT_VERSION
        for protocol in (AdapterProtocol, FlowProtocol, ResultProtocol):
            assert isinstance(adapter, protocol), f"{type(adapter).__name__} lacks {protocol.__name__}"
        assert type(adapter) in bench.plugin.adapters, (
            "the plugin's `adapters` must name every class that `create` returns"
        )

    def test_says_all_that_the_suite_needs(self, bench: Bench, adapter: Any) -> None:
        needed = {
            "documents": UploadProtocol,
            "bad_documents": UploadProtocol,
            "template": TemplateProtocol,
            "callback": CallbackProtocol,
            "expire_tokens": TokenProtocol,
        }
        for name, protocol in needed.items():
            assert not isinstance(adapter, protocol) or getattr(bench, name), f"{protocol.__name__} needs Bench.{name}"
        assert bench.errors, "Bench.errors: the error table of the vendor's pages"
        assert bench.unknown_words, "Bench.unknown_words: answers that nobody documents"

    def test_does_no_io(self, adapter: Any) -> None:
        package = Path(str(sys.modules[type(adapter).__module__.partition(".")[0]].__file__)).parent
        for file in sorted(package.glob("*.py")):
            if file.stem in ("emulator", "emulation", "hosted", "bench", "judge"):
                continue
            for name in _imports(file):
                root = name.partition(".")[0]
                assert root not in _FORBIDDEN_IMPORTS, f"{file.name} imports {name}: the core does the I/O"
                assert not name.startswith("idv_core.engine"), f"{file.name} imports {name}: that is the core's own"

    # The life of a flow

    def test_opens_a_flow(self, bench: Bench, idv: Driver) -> None:
        flow = idv.open(bench.order)
        assert flow.id
        assert flow.ref == f"{ACCOUNT}/{flow.id}"
        assert not flow.status.is_final
        assert flow.opened_at is not None
        assert flow.opened_at.tzinfo is not None

    def test_what_was_opened_goes_through_json(self, bench: Bench, idv: Driver) -> None:
        flow = idv.open(bench.order)
        assert load(Flow, json.loads(json.dumps(dump(flow, secrets=True)))) == flow
        without = json.dumps(dump(flow))
        assert not [secret for secret in _secrets(flow) if secret in without]

    def test_not_finished_is_undecided(self, bench: Bench, idv: Driver) -> None:
        result = idv.result(idv.open(bench.order))
        assert not result.status.is_final
        assert result.decision is Decision.UNDECIDED

    def test_good_evidence_approves(self, bench: Bench, idv: Driver) -> None:
        result = idv.wait(bench.finish(idv, idv.open(bench.order)))
        assert result.status is FlowStatus.FINISHED
        assert not result.failed_checks()
        assert result.decision is Decision.APPROVED, [str(reason) for reason in result.reasons]

    def test_bad_evidence_declines(self, bench: Bench, idv: Driver) -> None:
        result = idv.wait(bench.finish_badly(idv, idv.open(bench.order)))
        assert result.status is FlowStatus.FINISHED
        assert result.failed_checks()
        assert result.decision is Decision.DECLINED

    def test_evidence_is_what_the_adapter_says_it_can_be(self, bench: Bench, idv: Driver) -> None:
        for number, finish in enumerate((bench.finish, bench.finish_badly)):
            order = another_person(
                attrs.evolve(bench.order, application_id=f"APP-evidence-{number}"), f"evidence-{number}"
            )
            _assert_announced(idv.adapter, idv.wait(finish(idv, idv.open(order))))

    def test_credentials_can_be_tried(self, bench: Bench, idv: Driver) -> None:
        wanted = isinstance(idv.adapter, (CredentialsProtocol, TokenProtocol))
        assert idv.check_credentials() is wanted

    def test_a_reference_is_enough_to_go_on(self, bench: Bench, idv: Driver) -> None:
        flow = bench.finish(idv, idv.open(bench.order))
        bench.clock.advance(3600)
        there = idv.flow(flow.ref)
        assert there.ref == flow.ref
        assert idv.result(flow.ref).status is FlowStatus.FINISHED

    def test_results_go_through_json(self, bench: Bench, idv: Driver) -> None:
        result = idv.wait(bench.finish(idv, idv.open(bench.order)))
        assert load(Result, json.loads(json.dumps(dump(result, secrets=True)))) == result

    def test_uploads_are_answered_one_by_one(self, bench: Bench, idv: Driver) -> None:
        if not isinstance(idv.adapter, UploadProtocol):
            return
        flow = idv.upload(idv.open(bench.order), bench.documents)
        assert [upload.document_id for upload in flow.uploads] == [document.id for document in bench.documents]
        with pytest.raises(IdvError):
            idv.upload(flow, bench.documents)

    def test_submitting_says_how_far_it_is(self, bench: Bench, idv: Driver) -> None:
        if isinstance(idv.adapter, SubmitProtocol):
            flow = idv.upload(idv.open(bench.order), bench.documents)
            assert idv.submit(flow).ref == flow.ref

    def test_links_can_be_renewed(self, bench: Bench, idv: Driver) -> None:
        if isinstance(idv.adapter, LinkProtocol):
            flow = idv.open(bench.order)
            bench.clock.advance(60)
            renewed = idv.renew_link(flow)
            assert renewed.ref == flow.ref
            assert renewed.link is not None
            assert renewed.link != flow.link

    def test_provisioning_twice_leaves_one(self, bench: Bench, idv: Driver) -> None:
        if isinstance(idv.adapter, TemplateProtocol) and bench.template:
            first = idv.provision(bench.template)
            second = idv.provision(bench.template)
            assert first.created
            assert not second.created
            assert first.id == second.id

    # Tokens

    def test_a_token_is_fetched_once_and_renewed(self, bench: Bench, idv: Driver) -> None:
        if isinstance(idv.adapter, TokenProtocol) and bench.expire_tokens:
            flow = idv.open(bench.order)
            idv.status(flow)
            bench.expire_tokens()
            try:
                assert idv.status(flow).ref == flow.ref
            except VendorError as error:
                pytest.fail(f"after the token expired: {error}")

    # Errors

    def test_documented_errors(self, bench: Bench, idv: Driver) -> None:
        for documented in bench.errors:
            order = attrs.evolve(bench.order, application_id=f"APP-{id(documented)}")
            flow = None if documented.operation == "open" else idv.open(another_person(order, str(id(documented))))
            bench.emulator.fault(documented.match, documented.reply, times=10)
            with pytest.raises(documented.error) as caught:
                _operate(idv, bench, documented.operation, flow)
            bench.emulator.clear_faults()
            error = caught.value
            assert error.account == ACCOUNT, documented
            assert error.operation == documented.operation, documented
            assert error.status == documented.reply.status, documented

    @pytest.mark.parametrize("status", _UNUSUAL)
    def test_any_status_is_a_model_or_an_error(self, bench: Bench, idv: Driver, status: int) -> None:
        flow = idv.open(bench.order)
        bench.emulator.fault("", Reply(status, content=b"<html>", type="text/html"), times=20)
        for operation in ("open", "status", "result"):
            _is_understood(partial(_operate, idv, bench, operation, flow))

    # What nobody knows

    def test_an_opening_without_an_answer_is_cleared_up(self, bench: Bench, idv: Driver) -> None:
        """With `recover` there is one flow afterwards, or `DuplicateFlow` says that the vendor has it and does not name it."""
        if not isinstance(idv.adapter, RecoverProtocol):
            return
        assert bench.opened is not None, "RecoverProtocol needs Bench.opened"
        losing = _LosesAnswers(bench.transport)
        driver = Driver(attrs.evolve(bench, transport=losing), idv.kind)
        driver.open(another_person(attrs.evolve(bench.order, application_id="APP-before"), "before"))
        losing.armed = True
        try:
            driver.open(bench.order)
        except OutcomeUnknown as error:
            assert error.ask == "recover"
        losing.armed = False
        for _ in range(2):
            try:
                assert driver.recover(bench.order).application_id == bench.order.application_id
            except DuplicateFlow:
                pass
            assert bench.opened(bench.order) <= 1, "recover opened a second flow"
        driver.close()

    # What is not understood

    def test_unknown_words_never_approve(self, bench: Bench, idv: Driver) -> None:
        for unknown in bench.unknown_words:
            order = attrs.evolve(bench.order, application_id=f"APP-{id(unknown)}")
            flow = bench.finish(idv, idv.open(another_person(order, str(id(unknown)))))
            bench.clock.advance(3600)
            bench.emulator.fault(unknown.match, unknown.reply(flow), times=10)
            try:
                assert idv.result(flow).decision is not Decision.APPROVED, unknown
            except IdvError as error:
                assert not isinstance(error, PluginError), unknown
            bench.emulator.clear_faults()

    @_SLOW
    @given(data=st.data())
    def test_any_json_is_a_model_or_an_error(self, bench: Bench, data: st.DataObject) -> None:
        """Every operation, with answers of any shape and real answers in which something is changed."""
        driver = Driver(bench, "sync")
        examples = recorded_answers(bench)
        operation = data.draw(st.sampled_from(operations_of(driver.adapter)))
        answers = data.draw(st.lists(json_like(examples), min_size=1, max_size=4))
        feed(driver, bench, operation, [json.dumps(answer).encode() for answer in answers])

    @_SLOW
    @given(
        data=st.data(),
        content=st.binary(max_size=200),
        status=st.sampled_from([200, 201, 204, 400, 401, 404, 409, 500]),
    )
    def test_any_bytes_are_a_model_or_an_error(
        self, bench: Bench, data: st.DataObject, content: bytes, status: int
    ) -> None:
        driver = Driver(bench, "sync")
        feed(driver, bench, data.draw(st.sampled_from(operations_of(driver.adapter))), [content], status)

    def test_an_id_stays_one_segment(self, bench: Bench, idv: Driver) -> None:
        for hostile in ("../../admin?x=", "a/b#c", "..", "x\r\ny: z", "%2e%2e"):
            bench.emulator.calls.clear()
            _is_understood(partial(idv.status, Flow(id=hostile, status="open", account=ACCOUNT)))
            assert not [call for call in bench.emulator.calls if "admin" in call.split("?")[0].split("/")], hostile

    # Callbacks

    def test_callbacks_are_proved_bounded_and_known_again(self, bench: Bench, idv: Driver) -> None:
        if not isinstance(idv.adapter, CallbackProtocol) or bench.callback is None:
            return
        url = idv.gateway._operations.live.desk.urls(ACCOUNT, "APP-1")
        path = url.prefix.reveal().rpartition(f"/{ACCOUNT}")[2]
        inbound = bench.callback(path)
        first = idv.receive(ACCOUNT, inbound)
        assert first.application_id == "APP-1"
        assert not first.repeated
        assert idv.receive(ACCOUNT, inbound).repeated
        forged = attrs.evolve(
            inbound, path=inbound.path.replace(path, path[:-2] + ("aa" if path[-2:] != "aa" else "bb"))
        )
        for hostile, status in (
            (forged, 404),
            (attrs.evolve(inbound, path="/results"), 404),
            (attrs.evolve(inbound, body=b"x" * (MAX_BODY + 1)), 413),
            (attrs.evolve(inbound, path=f"{path}/nonsense"), 404),
        ):
            with pytest.raises(CallbackRejected) as caught:
                idv.receive(ACCOUNT, hostile)
            assert caught.value.status == status

    @_SLOW
    @given(
        purpose=st.sampled_from(["results", "auth", "return", "events", "chat", "x"]),
        method=st.sampled_from(["GET", "POST"]),
        body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())),
        headers=st.dictionaries(st.sampled_from(["token", "authorization", "content-type"]), st.text(max_size=40)),
    )
    def test_any_callback_is_read_or_refused(
        self, bench: Bench, purpose: str, method: str, body: bytes, headers: dict[str, str]
    ) -> None:
        adapter = Driver(bench, "sync").adapter
        if isinstance(adapter, CallbackProtocol):
            call = InboundCall(purpose=purpose, method=method, body=body, headers=headers)
            try:
                reading = adapter.read_callback(call)
            except CallbackRejected as error:
                assert 400 <= error.status < 500
            else:
                assert isinstance(reading, CallbackReading)

    # Dark by default

    def test_nothing_secret_shows(self, bench: Bench, idv: Driver, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            flow = idv.open(bench.order)
            finished = bench.finish(idv, flow)
            bench.clock.advance(3600)
            result = idv.result(finished)
            bench.emulator.fault(
                "", Reply(400, {"error": f"bad {' '.join(bench.personal)}", "message": f"no {bench.personal[:1]}"}), 10
            )
            with pytest.raises(IdvError) as caught:
                idv.result(finished)
        shown = {
            "repr of the order": repr(bench.order),
            "repr of the flow": repr(flow) + repr(finished),
            "repr of the result": repr(result),
            "repr of the adapter": repr(idv.adapter),
            "the error": f"{caught.value} {caught.value!r}",
            "the log": "\n".join(
                str(record.__dict__) for record in caplog.records if record.name != _APPLICANTS_BROWSER
            ),
        }
        dark = [*bench.personal, *_secrets(flow), *_secrets(finished), *_setting_secrets(bench.settings)]
        for where, text in shown.items():
            for secret in dark:
                assert secret not in text, f"{where} shows what must stay dark"


def _operate(idv: Driver, bench: Bench, operation: str, flow: Flow | None) -> Any:
    match operation:
        case "open":
            return idv.open(attrs.evolve(bench.order, application_id=f"APP-{len(bench.emulator.calls)}"))
        case "upload":
            return idv.upload(flow, bench.documents)
        case "provision":
            return idv.provision(bench.template)
        case _:
            return getattr(idv, operation)(flow)


def _is_understood(run: Callable[[], Any]) -> None:
    """It returns, or raises an error of the tree that is not our own fault."""
    try:
        run()
    except PluginError as error:
        pytest.fail(f"the plugin broke: {error}")
    except IdvError:
        pass


def operations_of(adapter: Any) -> list[str]:
    more = {
        "upload": UploadProtocol,
        "submit": SubmitProtocol,
        "renew_link": LinkProtocol,
        "provision": TemplateProtocol,
    }
    return ["open", "status", "result", *(name for name, protocol in more.items() if isinstance(adapter, protocol))]


def feed(driver: Driver, bench: Bench, operation: str, contents: list[bytes], status: int = 200) -> None:
    """Run one operation of the adapter with these answers, engine included, network not.

    Fails unless what comes out is a model or an `IdvError` that does not blame the plugin.
    """
    adapter, session = driver.adapter, driver.gateway._operations.live.sessions[ACCOUNT]
    urls = driver.gateway._operations.live.desk.urls(ACCOUNT, "APP-1")
    flow = Flow(id="flow-1:person-1", status="open", account=ACCOUNT, secrets={"token": Secret("applicant-token")})
    documents = tuple(
        attrs.evolve(d, url=None, path=None, content=b"x") if d.url is None else d for d in bench.documents
    )
    start: dict[str, Callable[[], Any]] = {
        "open": lambda: adapter.open_flow(attrs.evolve(bench.order, callbacks=urls)),
        "status": lambda: adapter.status(flow),
        "result": lambda: adapter.result(flow),
        "upload": lambda: adapter.upload(flow, documents),
        "submit": lambda: adapter.submit(flow),
        "renew_link": lambda: adapter.renew_link(flow),
        "provision": lambda: adapter.provision(bench.template),
    }
    expected = {"result": Result, "open": Flow, "status": Flow, "upload": Flow, "submit": Flow, "renew_link": Flow}
    steps = perform(session, operation, start[operation], bench.clock)
    answers = [Response(status=status, content=content, received_at=bench.clock.now()) for content in contents]
    try:
        value = _answered(steps, answers, [])
        assert isinstance(value, expected.get(operation, object))
        if isinstance(value, Result):
            _assert_announced(adapter, value)
            json.dumps(dump(judge(bench.policy, value, bench.clock.now())))
    except PluginError as error:
        pytest.fail(f"the plugin broke on an answer: {error}")
    except IdvError:
        pass


def _assert_announced(adapter: Any, result: Result) -> None:
    """A result holds nothing that `evidence` of its adapter rules out."""
    evidence: Evidence | None = getattr(adapter, "evidence", None)
    if evidence is None:
        return
    for check in result.checks:
        if check.outcome is CheckOutcome.PASSED:
            assert check.kind in evidence.checks, f"{check.kind} passed, but evidence.checks does not have it"
        if check.score is not None:
            assert check.kind in evidence.scored, f"{check.kind} has a score, but evidence.scored does not have it"
    assert evidence.documents or not result.documents, "there are documents, but evidence.documents is false"
    assert evidence.verdict or result.verdict is None, "there is a verdict, but evidence.verdict is false"


def _answered(steps: Steps[Any], answers: list[Response], sent: list[Send]) -> Any:
    """Run the steps with these answers, the last one again and again; pauses take no time."""
    value: Any = None
    fault: Exception | None = None
    try:
        while True:
            effect = steps.send(value) if fault is None else steps.throw(fault)
            value, fault = None, None
            if isinstance(effect, Send):
                sent.append(effect)
                if len(sent) > 400:
                    pytest.fail("the operation asks on and on")
                value = answers[min(len(sent), len(answers)) - 1]
            elif isinstance(effect, Locked):
                try:
                    value = _answered(effect.steps(), answers, sent)
                except IdvError as error:
                    fault = error
    except StopIteration as stop:
        return stop.value


def recorded_answers(bench: Bench) -> list[Any]:
    """Real answers of the emulator to start the changes from."""
    if not bench.recorded:
        idv = Driver(attrs.evolve(bench, transport=_Recorder(bench.transport, bench.recorded)), "sync")
        flow = bench.finish(idv, idv.open(bench.order))
        bench.clock.advance(3600)
        idv.result(flow)
    return bench.recorded


class _LosesAnswers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The vendor gets each call; while armed, nobody gets the answer."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.armed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(await self._inner.handle_async_request(request))

    def _passed_on(self, response: httpx.Response) -> httpx.Response:
        if self.armed:
            raise httpx.ReadError("the answer was lost")
        return response


class _Recorder(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, seen: list[Any]) -> None:
        self._inner, self._seen = inner, seen

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        try:
            self._seen.append(json.loads(response.read()))
        except ValueError:
            pass
        return response


def another_person(order: FlowOrder, mark: str) -> FlowOrder:
    """The same order for somebody else."""
    person = order.applicant
    email = f"p{mark}@example.org" if person.email else None
    return attrs.evolve(
        order,
        applicant=attrs.evolve(person, reference=f"{person.reference}-{mark}"[:60], email=email, phone_number=None),
    )


def _secrets(flow: Flow) -> list[str]:
    link = [flow.link.url.reveal()] if flow.link else []
    return [*link, *(secret.reveal() for secret in flow.secrets.values())]


def _setting_secrets(given: Mapping[str, Any]) -> list[str]:
    return [value.reveal() for value in given.values() if isinstance(value, Secret)]


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
