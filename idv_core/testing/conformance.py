"""The conformance suite: pytest classes that a plugin's tests inherit.

Write a fixture `harness` that returns a `Harness` over your plugin and your emulator, and inherit::

    class TestAcme(PluginConformance):
        @pytest.fixture
        def harness(self):
            return Harness(plugin=idv_plugin(), ...)

Every capability that your adapter has is exercised, by the blocking gateway and by the async one.
"""

from __future__ import annotations

import ast
import difflib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..errors import (
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    OutcomeUnknown,
    PluginError,
    VendorError,
    WebhookRejected,
)
from ..model import Decision, Flow, FlowRef, FlowStatus, Result, Secret, dump, load
from ..plugin.protocols import (
    ADAPTER_NAMES,
    CONTRACT_VERSION,
    AdapterProtocol,
    CredentialsProtocol,
    FlowProtocol,
    LinkProtocol,
    RecoverProtocol,
    ResultProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
    Webhook,
    WebhookEvent,
    WebhookProtocol,
)
from ..webhooks.receiver import MAX_BODY
from .doubting import (
    CHANGES,
    UNREADABLE_DATES,
    Misnaming,
    Replayed,
    approves,
    dates_in,
    is_borne,
    keys_in,
    lost_dates,
    names,
    redated,
    reworded,
    telling,
)
from .emulator import EmulatedResponse
from .fuzzing import assert_announced, feed, first_requests, recorded_answers
from .garbled import UNREADABLE, assert_error_is_read
from .harness import ACCOUNT, Driver, Finish, Harness, another_person, operations_of
from .strategies import json_like, json_values
from .vocabulary import assert_speaks_vocabulary

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


class PluginConformance:
    """Inherit it and write the fixture `harness`."""

    @pytest.fixture(params=["sync", "async"])
    def idv(self, harness: Harness, request: pytest.FixtureRequest) -> Iterator[Driver]:
        driver = Driver(harness, request.param)
        yield driver
        driver.close()

    @pytest.fixture
    def adapter(self, harness: Harness) -> Any:
        return Driver(harness, "sync").adapter

    # The contract

    def test_implements_the_contract(self, harness: Harness, adapter: Any) -> None:
        assert harness.plugin.contract == CONTRACT_VERSION
        for protocol in (AdapterProtocol, FlowProtocol, ResultProtocol):
            assert isinstance(adapter, protocol), f"{type(adapter).__name__} lacks {protocol.__name__}"
        assert type(adapter) in harness.plugin.adapters, (
            "the plugin's `adapters` must name every class that `create` returns"
        )

    def test_no_name_is_nearly_one_of_the_contract(self, harness: Harness) -> None:
        """`poling` in place of `polling` would say nothing, and nobody would see it."""
        for adapter in harness.plugin.adapters:
            fields = attrs.fields(adapter) if attrs.has(adapter) else ()
            names = {*dir(adapter), *(field.name for field in fields)}
            for name in sorted(names - ADAPTER_NAMES):
                near = difflib.get_close_matches(name, ADAPTER_NAMES - names, n=1, cutoff=0.85)
                assert name.startswith("_") or not near, (
                    f"{adapter.__name__}.{name} is nearly {near[0]!r}, which the core looks for: is it meant? "
                    "If it is not, let the name begin with an underscore"
                )

    def test_says_all_that_the_suite_needs(self, harness: Harness, adapter: Any) -> None:
        needed = {
            "documents": UploadProtocol,
            "bad_documents": UploadProtocol,
            "template": TemplateProtocol,
            "webhook": WebhookProtocol,
            "expire_tokens": TokenProtocol,
        }
        for name, protocol in needed.items():
            assert not isinstance(adapter, protocol) or getattr(harness, name), (
                f"{protocol.__name__} needs Harness.{name}"
            )
        assert harness.errors, "Harness.errors: the error table of the vendor's pages"
        assert harness.unknown_words, "Harness.unknown_words: answers that nobody documents"

    def test_does_no_io(self, adapter: Any) -> None:
        """Nor does it import anything of idv-core but the door. Its test code lies in a subpackage `testing`."""
        package = Path(str(sys.modules[type(adapter).__module__.partition(".")[0]].__file__)).parent
        for file in sorted(package.rglob("*.py")):
            place = file.relative_to(package)
            if "testing" in place.parts[:-1]:
                continue
            for name in _imports(file, Path(package.name) / place):
                root, *rooms = name.split(".")
                assert root not in _FORBIDDEN_IMPORTS, f"{place} imports {name}: the core does the I/O"
                assert root != "idv_core" or rooms == ["plugin"], (
                    f"{place} imports {name}: a plugin's code imports of idv-core `idv_core.plugin` only"
                )
                assert root != package.name or "testing" not in rooms, f"{place} imports its test code, {name}"

    # The life of a flow

    def test_opens_a_flow(self, harness: Harness, idv: Driver) -> None:
        flow = idv.open(harness.order)
        assert flow.id
        ref = FlowRef.parse(flow.ref)
        assert (ref.account, ref.id, ref.is_shadow) == (ACCOUNT, flow.id, False)
        assert not flow.status.is_final
        assert flow.created_at is not None
        assert flow.created_at.tzinfo is not None

    def test_what_was_opened_goes_through_json(self, harness: Harness, idv: Driver) -> None:
        flow = idv.open(harness.order)
        assert load(Flow, json.loads(json.dumps(dump(flow, secrets=True)))) == flow
        without = json.dumps(dump(flow))
        assert not [secret for secret in _secrets(flow) if secret in without]

    def test_not_finished_is_undecided(self, harness: Harness, idv: Driver) -> None:
        result = idv.result(idv.open(harness.order))
        assert not result.status.is_final
        assert result.decision is Decision.UNDECIDED

    def test_good_evidence_approves(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        assert result.status is FlowStatus.FINISHED
        assert not result.failed_checks()
        assert result.decision is Decision.APPROVED, [str(reason) for reason in result.reasons]

    def test_bad_evidence_declines(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish_badly(idv, idv.open(harness.order)))
        assert result.status is FlowStatus.FINISHED
        assert result.failed_checks()
        assert result.decision is Decision.DECLINED

    def test_results_hold_what_the_adapter_says_they_can(self, harness: Harness, idv: Driver) -> None:
        for number, finish in enumerate((harness.finish, harness.finish_badly)):
            order = another_person(
                attrs.evolve(harness.order, application_id=f"APP-evidence-{number}"), f"evidence-{number}"
            )
            assert_announced(idv.adapter, idv.wait(finish(idv, idv.open(order))))

    def test_credentials_can_be_tried(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, CredentialsProtocol, TokenProtocol)
        assert idv.check_credentials() is True

    def test_a_reference_is_enough_to_go_on(self, harness: Harness, idv: Driver) -> None:
        flow = harness.finish(idv, idv.open(harness.order))
        harness.clock.advance(3600)
        there = idv.status(flow.ref)
        assert there.ref == flow.ref
        assert idv.result(flow.ref).status is FlowStatus.FINISHED

    def test_results_go_through_json(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        assert load(Result, json.loads(json.dumps(dump(result, secrets=True)))) == result

    def test_results_speak_the_vocabulary(self, harness: Harness, idv: Driver) -> None:
        for number, finish in enumerate((harness.finish, harness.finish_badly)):
            mark = f"words-{number}"
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-{mark}"), mark)
            assert_speaks_vocabulary(idv.wait(finish(idv, idv.open(order))))

    def test_uploads_are_answered_one_by_one(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, UploadProtocol)
        flow = idv.upload(idv.open(harness.order), harness.documents)
        assert [upload.document_id for upload in flow.uploads] == [document.id for document in harness.documents]
        with pytest.raises(IdvError):
            idv.upload(flow, harness.documents)

    def test_submitting_says_how_far_it_is(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, SubmitProtocol)
        flow = idv.upload(idv.open(harness.order), harness.documents)
        assert idv.submit(flow).ref == flow.ref

    def test_links_can_be_renewed(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, LinkProtocol)
        flow = idv.open(harness.order)
        harness.clock.advance(60)
        renewed = idv.renew_link(flow)
        assert renewed.ref == flow.ref
        assert renewed.link is not None
        assert renewed.link != flow.link

    def test_provisioning_twice_leaves_one(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, TemplateProtocol)
        first = idv.provision(harness.template)
        second = idv.provision(harness.template)
        assert first.created
        assert not second.created
        assert first.id == second.id

    # Tokens

    def test_a_token_is_fetched_once_and_renewed(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, TokenProtocol)
        assert harness.expire_tokens is not None, "TokenProtocol needs Harness.expire_tokens"
        flow = idv.open(harness.order)
        idv.status(flow)
        harness.expire_tokens()
        try:
            assert idv.status(flow).ref == flow.ref
        except VendorError as error:
            pytest.fail(f"after the token expired: {error}")

    # Errors

    def test_documented_errors(self, harness: Harness, idv: Driver) -> None:
        for documented in harness.errors:
            order = attrs.evolve(harness.order, application_id=f"APP-{id(documented)}")
            flow = None if documented.operation == "open" else idv.open(another_person(order, str(id(documented))))
            harness.emulator.fault(documented.match, documented.reply, times=10)
            with pytest.raises(documented.error) as caught:
                _operate(idv, harness, documented.operation, flow)
            harness.emulator.clear_faults()
            error = caught.value
            assert error.account == ACCOUNT, documented
            assert error.operation == documented.operation, documented
            assert error.status == documented.reply.status, documented

    @pytest.mark.parametrize("status", _UNUSUAL)
    def test_any_status_is_a_model_or_an_error(self, harness: Harness, idv: Driver, status: int) -> None:
        flow = idv.open(harness.order)
        harness.emulator.fault("", EmulatedResponse(status, content=b"<html>", type="text/html"), times=20)
        for operation in ("open", "status", "result"):
            _is_understood(partial(_operate, idv, harness, operation, flow))

    def test_errors_are_read_whatever_the_body_is(self, harness: Harness) -> None:
        """A page of HTML in place of JSON is everyday: `read_error` raises nothing, and the HTTP status still counts."""
        driver = Driver(harness, "sync")
        for request in first_requests(driver, harness):
            for status in _UNUSUAL:
                for what in UNREADABLE:
                    assert_error_is_read(driver.adapter, request, status, what)
        driver.close()

    # What nobody knows

    def test_an_opening_without_an_answer_is_cleared_up(self, harness: Harness, idv: Driver) -> None:
        """With `recover` there is one flow afterwards, or `DuplicateFlow` says that the vendor has it and does not name it."""
        _offered(idv.adapter, RecoverProtocol)
        assert harness.opened is not None, "RecoverProtocol needs Harness.opened"
        losing = _LosesAnswers(harness.transport)
        driver = Driver(attrs.evolve(harness, transport=losing), idv.kind)
        driver.open(another_person(attrs.evolve(harness.order, application_id="APP-before"), "before"))
        losing.armed = True
        try:
            driver.open(harness.order)
        except OutcomeUnknown as error:
            assert error.ask == "recover"
        losing.armed = False
        for _ in range(2):
            try:
                assert driver.recover(harness.order).application_id == harness.order.application_id
            except DuplicateFlow:
                pass
            except (OutcomeUnknown, FlowNotFound):
                assert harness.opened(harness.order) == 0, "recover did not find the flow"
            assert harness.opened(harness.order) <= 1, "recover opened a second flow"
        driver.close()

    # What is not understood

    def test_unknown_words_never_approve(self, harness: Harness, idv: Driver) -> None:
        for unknown in harness.unknown_words:
            order = attrs.evolve(harness.order, application_id=f"APP-{id(unknown)}")
            flow = harness.finish(idv, idv.open(another_person(order, str(id(unknown)))))
            harness.clock.advance(3600)
            harness.emulator.fault(unknown.match, unknown.reply(flow), times=10)
            try:
                assert idv.result(flow).decision is not Decision.APPROVED, unknown
            except IdvError as error:
                assert not isinstance(error, PluginError), unknown
            harness.emulator.clear_faults()

    def test_an_approval_rests_on_checks(self, harness: Harness) -> None:
        """Whatever key is taken out of an approving answer, renamed or emptied, no approval is left without a passed check."""
        for change, name, result in _changed(harness, harness.finish, "rests"):
            assert not approves(result) or is_borne(result), (
                f"approved without one passed identity check when the key {name!r} is {change}"
            )

    def test_what_tells_good_from_bad_is_needed(self, harness: Harness) -> None:
        """Without the keys and words in which a good answer differs from a bad one nobody is approved.

        Name in `Harness.does_without` the keys that say only what another one says too.
        """
        good, bad = Replayed(harness, harness.finish, "good"), Replayed(harness, harness.finish_badly, "bad")
        keys, words = telling(good, bad, harness.does_without)
        for name in sorted(keys):
            for change, changed in CHANGES.items():
                assert not approves(good.with_change(changed(name))), f"approved although the key {name!r} is {change}"
        for word in words:
            for other in (f"{word}-unknown", None, "", 7, [word], {"value": word}):
                result = good.with_change(reworded(word, other))
                assert not approves(result), f"approved although {word!r} is {other!r}"
        for made in (good, bad):
            made.close()

    def test_bad_evidence_stays_bad(self, harness: Harness) -> None:
        """Nothing that is missing in an answer about bad documents makes an approval of it."""
        for change, name, result in _changed(harness, harness.finish_badly, "stays-bad"):
            assert not approves(result), f"bad documents are approved when the key {name!r} is {change}"

    def test_an_answer_about_somebody_else_never_approves(self, harness: Harness) -> None:
        """The answers about one person's good documents come when another's flow is asked for."""
        good = Replayed(harness, harness.finish, "somebody")
        other = Replayed(harness, harness.finish_badly, "else")
        if approves(good.result) and names(good.answers, good.flow.id):
            assert not approves(other.with_answers_of(good)), "approved by an answer that names another flow"
        for made in (good, other):
            made.close()

    def test_an_opening_that_names_somebody_else_is_not_taken(self, harness: Harness) -> None:
        """What comes back from a create is compared with what was asked, as far as the vendor says it."""
        met = False
        for fact in ("application_id", "reference", "email"):
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-names-{fact}"), f"names-{fact}")
            asked = order.application_id if fact == "application_id" else getattr(order.applicant, fact)
            if asked is None:
                continue
            misnaming = Misnaming(
                harness.transport, asked, another_person(order, "somebody-else").applicant.email or "else"
            )
            driver = Driver(attrs.evolve(harness, transport=misnaming), "sync")
            try:
                driver.open(order)
            except PluginError as error:
                pytest.fail(f"the plugin broke: {error}")
            except IdvError:
                pass
            else:
                assert not misnaming.met, f"a flow was taken although the vendor's answer names another {fact}"
            met = met or misnaming.met
            driver.close()
        if not met:
            pytest.skip("not offered: the answer to an opening names nobody")

    def test_the_same_order_again_is_one_flow_or_an_advice(self, harness: Harness, idv: Driver) -> None:
        """In one process the same flow; in another one the same, or an error that says that there is one."""
        first = idv.open(harness.order)
        assert idv.open(harness.order).ref == first.ref
        elsewhere = Driver(harness, idv.kind)
        if isinstance(idv.adapter, RecoverProtocol):
            try:
                assert elsewhere.recover(harness.order).ref == first.ref
            except DuplicateFlow:
                pass
            assert harness.opened is None or harness.opened(harness.order) <= 1
        elsewhere.close()

    def test_dates_that_cannot_be_read_never_approve(self, harness: Harness) -> None:
        """A document's own date that is there and cannot be read is not the same as none."""
        made = Replayed(harness, harness.finish, "dates")
        for name in sorted(dates_in(made.answers)):
            for other in UNREADABLE_DATES:
                result = made.with_change(redated(name, other))
                assert not (approves(result) and lost_dates(made.result, result)), (
                    f"approved although {name!r}, a date of the document, is {other!r}"
                )
        made.close()

    @_SLOW
    @given(data=st.data())
    def test_any_json_is_a_model_or_an_error(self, harness: Harness, data: st.DataObject) -> None:
        """Every operation, with answers of any shape and real answers in which something is changed."""
        driver = Driver(harness, "sync")
        examples = recorded_answers(harness)
        operation = data.draw(st.sampled_from(operations_of(driver.adapter)))
        answers = data.draw(st.lists(json_like(examples), min_size=1, max_size=4))
        feed(driver, harness, operation, [json.dumps(answer).encode() for answer in answers])

    @_SLOW
    @given(
        data=st.data(),
        content=st.binary(max_size=200),
        status=st.sampled_from([200, 201, 204, 400, 401, 404, 409, 500]),
    )
    def test_any_bytes_are_a_model_or_an_error(
        self, harness: Harness, data: st.DataObject, content: bytes, status: int
    ) -> None:
        driver = Driver(harness, "sync")
        feed(driver, harness, data.draw(st.sampled_from(operations_of(driver.adapter))), [content], status)

    def test_an_id_stays_one_segment(self, harness: Harness, idv: Driver) -> None:
        for hostile in ("../../admin?x=", "a/b#c", "..", "x\r\ny: z", "%2e%2e"):
            harness.emulator.calls.clear()
            _is_understood(partial(idv.status, Flow(id=hostile, status="open", account=ACCOUNT)))
            assert not [call for call in harness.emulator.calls if "admin" in call.split("?")[0].split("/")], hostile

    # Webhooks

    def test_webhooks_are_proved_bounded_and_known_again(self, harness: Harness, idv: Driver) -> None:
        _offered(idv.adapter, WebhookProtocol)
        assert harness.webhook is not None, "WebhookProtocol needs Harness.webhook"
        urls = idv.gateway._state.active.receiver.urls(ACCOUNT, "APP-1")
        # the harness knows the purpose, the core the address
        request = harness.webhook("/token")
        purpose = request.path.rpartition("/")[2]
        path = urls.webhook(purpose).rpartition(f"/{ACCOUNT}")[2]
        request = attrs.evolve(request, path=path)
        first = idv.receive(ACCOUNT, request)
        assert first.application_id == "APP-1"
        assert not first.repeated
        assert idv.receive(ACCOUNT, request).repeated
        token = path.split("/")[1]
        forged = path.replace(token, token[:-2] + ("aa" if token[-2:] != "aa" else "bb"))
        for hostile, status in (
            (attrs.evolve(request, path=forged), 404),
            (attrs.evolve(request, path="/results"), 404),
            (attrs.evolve(request, body=b"x" * (MAX_BODY + 1)), 413),
            (attrs.evolve(request, path=f"/{token}/nonsense"), 404),
        ):
            with pytest.raises(WebhookRejected) as caught:
                idv.receive(ACCOUNT, hostile)
            assert caught.value.status == status

    @_SLOW
    @given(
        purpose=st.sampled_from(["results", "auth", "events", "chat", "x"]),
        method=st.sampled_from(["GET", "POST"]),
        body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())),
        headers=st.dictionaries(st.sampled_from(["token", "authorization", "content-type"]), st.text(max_size=40)),
    )
    def test_any_webhook_is_read_or_refused(
        self, harness: Harness, purpose: str, method: str, body: bytes, headers: dict[str, str]
    ) -> None:
        adapter = Driver(harness, "sync").adapter
        _offered(adapter, WebhookProtocol)
        call = Webhook(purpose=purpose, method=method, body=body, headers=headers)
        try:
            reading = adapter.read_webhook(call)
        except WebhookRejected as error:
            assert 400 <= error.status < 500
        else:
            assert isinstance(reading, WebhookEvent)

    # Dark by default

    def test_nothing_secret_shows(self, harness: Harness, idv: Driver, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            flow = idv.open(harness.order)
            finished = harness.finish(idv, flow)
            harness.clock.advance(3600)
            result = idv.result(finished)
            harness.emulator.fault(
                "",
                EmulatedResponse(
                    400, {"error": f"bad {' '.join(harness.personal)}", "message": f"no {harness.personal[:1]}"}
                ),
                10,
            )
            with pytest.raises(IdvError) as caught:
                idv.result(finished)
        shown = {
            "repr of the order": repr(harness.order),
            "repr of the flow": repr(flow) + repr(finished),
            "repr of the result": repr(result),
            "repr of the adapter": repr(idv.adapter),
            "the error": f"{caught.value} {caught.value!r}",
            "the log": "\n".join(
                str(record.__dict__) for record in caplog.records if record.name != _APPLICANTS_BROWSER
            ),
        }
        dark = [*harness.personal, *_secrets(flow), *_secrets(finished), *_setting_secrets(harness.settings)]
        for where, text in shown.items():
            for secret in dark:
                assert secret not in text, f"{where} shows what must stay dark"


def _changed(harness: Harness, finish: Finish, mark: str) -> Iterator[tuple[str, str, Result | None]]:
    """The result with each key of the vendor's answers changed in each way."""
    made = Replayed(harness, finish, mark)
    for name in sorted(keys_in(made.answers)):
        for change, changed in CHANGES.items():
            yield change, name, made.with_change(changed(name))
    made.close()


def _offered(adapter: Any, *protocols: type) -> None:
    """Skip what the adapter has no capability for: it is not offered, and neither good nor bad."""
    if not isinstance(adapter, protocols):
        pytest.skip(f"not offered: no {' or '.join(protocol.__name__ for protocol in protocols)}")


def _operate(idv: Driver, harness: Harness, operation: str, flow: Flow | None) -> Any:
    match operation:
        case "open":
            return idv.open(attrs.evolve(harness.order, application_id=f"APP-{len(harness.emulator.calls)}"))
        case "upload":
            return idv.upload(flow, harness.documents)
        case "provision":
            return idv.provision(harness.template)
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


class _LosesAnswers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The vendor gets each call; while armed, nobody gets the answers to those that do something."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.armed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(request, self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._passed_on(request, await self._inner.handle_async_request(request))

    def _passed_on(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if self.armed and request.method != "GET":
            raise httpx.ReadError("the answer was lost")
        return response


def _secrets(flow: Flow) -> list[str]:
    link = [flow.link.url.reveal()] if flow.link else []
    return [*link, *(secret.reveal() for secret in flow.secrets.values())]


def _setting_secrets(given: Mapping[str, Any]) -> list[str]:
    return [value.reveal() for value in given.values() if isinstance(value, Secret)]


def _imports(file: Path, place: Path) -> Iterator[str]:
    """The modules that a file imports; `place` is its path from where packages are."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = place.parts[: -node.level] if node.level else ()
            yield ".".join((*above, *filter(None, [node.module])))
            if node.level and not node.module:
                yield from (".".join((*above, alias.name)) for alias in node.names)
