"""Verigram beyond the suite: signatures, the table of readings, the hosted page, the liveness session."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idv_verigram import Verigram, VerigramSettings, idv_plugin
from idv_verigram.mapping import read_answer
from idv_verigram.plugin import sign
from idv_verigram.testing.emulator import VerigramEmulator
from idv_verigram.testing.harness import AIGERIM, DANIYAR, HOST, order, walk

from idv_core import Applicant, CheckKind, CheckOutcome, Decision, Flow, FlowStatus, Gateway, Result, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import (
    AuthenticationFailed,
    FlowNotFound,
    InvalidOrder,
    PermissionDenied,
    RateLimited,
    UnexpectedResponse,
    VendorUnavailable,
)
from idv_core.model import VendorVerdict, subject_of, to_json
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network, make_specimen
from idv_core.testing.exchange import reply, run_exchange
from idv_core.testing.strategies import json_values

SETTINGS = VerigramSettings(base_url=f"https://{HOST}", api_key=Secret("k"))
OPEN = Flow(id="f-1", status="awaiting_applicant", details={"person_id": "CUST-1"}, subject=subject_of("CUST-1"))
PASS = {"flow_id": "f-1", "flow_status": "pass", "verilive": {"service_status": "pass"}}


@pytest.fixture
def connect(network: Network, clock: FakeClock, emulator: VerigramEmulator, settings: dict[str, object]):
    def connect(webhooks: Webhooks | None = None, **changes: object) -> Gateway:
        account = Account("vg", "verigram", {**settings, **changes})
        return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()), webhooks=webhooks)

    return connect


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        ("/flow", "f8f7943994b644f5de29655b24e51b3908d47317d07904fd20eb308a22307c22"),
        (
            "/flow/3d1f0c7e-52aa-4b0e-9a55-0c8f6f0f2b11/result",
            "d0c041d19a7422ac9c778052d9481bac572c521d2a15771d0ca5d9fd62f97d9b",
        ),
        (
            "/resources/access-token?person_id=applicant-42",
            "74c15ae72babc948cb082a7e360e30136307d7de4842a8abac19c91ae1014e31",
        ),
        (
            "/resources/file?label=signed_doc&flow_id=3d1f0c7e-52aa-4b0e-9a55-0c8f6f0f2b11",
            "3164e7fa0c93c943ebb16b6cc6a3b53aaf2d483adc4d464f7e5fb4d57c3996de",
        ),
    ],
)
def test_signatures_are_those_of_the_sheet(path: str, signature: str) -> None:
    assert sign(Secret("s3cr3t-for-tests"), "1700000000", path) == signature


def read(answer: dict[str, Any]) -> Result:
    return read_answer(Flow(id="f-1", status="awaiting_applicant"), answer, date(2026, 3, 1))


class TestReadings:
    """Section 5.2 of the fact sheet, line by line."""

    @pytest.mark.parametrize(
        "end_cause", [{}, {"end_cause": None}, {"end_cause": "completed"}, {"end_cause": " Completed "}]
    )
    def test_pass_and_completed_approves(self, end_cause: dict[str, object]) -> None:
        result = self.read({**PASS, **end_cause})
        assert (result.status, result.verdict) == (FlowStatus.FINISHED, VendorVerdict.POSITIVE)
        assert result.decision is Decision.APPROVED

    @pytest.mark.parametrize("end_cause", ["interrupted", "", "timeout", 0, False, [], {}])
    def test_pass_with_any_other_end_goes_to_a_person(self, end_cause: object) -> None:
        result = self.read({**PASS, "end_cause": end_cause})
        assert (result.status, result.verdict) == (FlowStatus.FINISHED, VendorVerdict.DOUBTFUL)
        assert result.decision is Decision.REVIEW

    @pytest.mark.parametrize("word", ["fail", "FAIL", " fail\n"])
    def test_fail_declines(self, word: str) -> None:
        result = self.read({"flow_status": word, "end_cause": "whatever"})
        assert (result.status, result.verdict, result.decision) == (
            FlowStatus.FINISHED,
            VendorVerdict.NEGATIVE,
            Decision.DECLINED,
        )

    @pytest.mark.parametrize("answer", [{}, {"flow_status": None}, {"flow_status": ""}, {"flow_status": "  "}])
    def test_no_word_is_still_open(self, answer: dict[str, object]) -> None:
        result = self.read(answer)
        assert (result.status, result.notes) == (FlowStatus.AWAITING_APPLICANT, ())

    @pytest.mark.parametrize("word", ["success", "passed", "pass!", "in_review", True, 1, ["pass"], {"a": 1}])
    def test_any_other_word_is_still_open_and_told(self, word: object) -> None:
        result = self.read({"flow_status": word, "end_cause": "completed"})
        assert result.status is FlowStatus.AWAITING_APPLICANT
        assert result.notes[0].startswith("unknown flow_status")

    def test_404_in_the_first_minute_is_still_open_and_lost_later(self, clock: FakeClock) -> None:
        young = attrs.evolve(OPEN, created_at=clock.now())
        assert self.read(reply({}, 404), young).status is FlowStatus.AWAITING_APPLICANT
        clock.advance(-61)
        old = attrs.evolve(OPEN, created_at=clock.now())
        lost = self.read(reply({}, 404), old)
        assert (lost.status, lost.decision) == (FlowStatus.FAILED, Decision.UNDECIDED)
        with pytest.raises(FlowNotFound):
            self.read(reply({}, 404))

    @pytest.mark.parametrize("status", [409, 425, 422])
    def test_some_refusals_mean_not_yet(self, status: int) -> None:
        assert self.read(reply(b"", status)).status is FlowStatus.AWAITING_APPLICANT

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'"pass"', b"\xff", b""])
    def test_a_body_that_is_no_object_is_as_a_5xx(self, body: bytes) -> None:
        with pytest.raises(VendorUnavailable):
            self.read(reply(body))

    @pytest.mark.parametrize("foreign", [{"flow_id": "f-2"}, {"person_id": "CUST-2"}, {"flow_id": 1}])
    def test_another_flows_answer_is_an_alarm(self, foreign: dict[str, object]) -> None:
        with pytest.raises(UnexpectedResponse, match="another flow"):
            self.read({**PASS, **foreign})
        assert self.read({**PASS, "person_id": "CUST-1"}).decision is Decision.APPROVED

    @pytest.mark.parametrize("unnamed", [{}, {"flow_id": None}])
    def test_an_answer_that_names_no_flow_is_at_most_doubtful(self, unnamed: dict[str, object]) -> None:
        answer = {**{key: value for key, value in PASS.items() if key != "flow_id"}, **unnamed}
        result = self.read(answer)
        assert (result.decision, [reason.code for reason in result.reasons]) == (Decision.REVIEW, ["flow.unnamed"])
        assert self.read({**answer, "flow_status": "fail"}).decision is Decision.DECLINED
        never_names = attrs.evolve(SETTINGS, results_name_flow=False)
        assert self.read(answer, settings=never_names).decision is Decision.APPROVED

    def test_by_reference_the_person_is_known_or_it_is_a_doubt(self) -> None:
        bare = Flow(id="f-1", status="open")
        theirs = attrs.evolve(bare, subject=subject_of("CUST-1"))
        answer = {**PASS, "person_id": "CUST-1"}
        assert self.read(PASS, bare).decision is self.read(answer, theirs).decision is Decision.APPROVED
        assert [reason.code for reason in self.read(answer, bare).reasons] == ["flow.person_unknown"]
        for person in ("CUST-2", 1, ["CUST-1"], {}):
            with pytest.raises(UnexpectedResponse, match="person_id is not ours"):
                self.read({**PASS, "person_id": person}, theirs)

    @pytest.mark.parametrize("pause", [{"service_name": "esign", "service_status": "in_progress"}, {}, "esign", False])
    def test_a_flow_that_passed_and_still_pauses_is_a_doubt(self, pause: object) -> None:
        assert [r.code for r in self.read({**PASS, "interrupter": pause}).reasons] == ["flow.interrupted"]
        for over in (None, {"service_name": "esign", "service_status": "pass"}):
            assert self.read({**PASS, "interrupter": over}).decision is Decision.APPROVED

    def test_a_pass_without_services_is_for_a_person_to_look_at(self) -> None:
        result = self.read({"flow_id": "f-1", "flow_status": "pass"})
        assert (result.verdict, result.decision) == (VendorVerdict.POSITIVE, Decision.REVIEW)

    @pytest.mark.parametrize("id", ["\ud800", "x" * 100_000, "a b", "é"])
    def test_a_reference_that_is_none_is_the_callers_mistake(self, id: str) -> None:
        with pytest.raises(InvalidOrder):
            run_exchange(Verigram(SETTINGS).result(Flow(id=id, status="open")), [])

    def test_what_is_kept_holds_no_link(self) -> None:
        answer = {
            **PASS,
            "end_cause": "https://files.example/a",
            "veridoc": {"service_status": "https://files.example/b"},
        }
        assert "files.example" not in str(read(answer).raw)

    @staticmethod
    def read(answer: object, flow: Flow = OPEN, settings: VerigramSettings = SETTINGS):
        replies = [answer if hasattr(answer, "status") else reply(answer)]
        return evaluate(
            DEFAULT_POLICY,
            run_exchange(Verigram(settings).result(flow), replies).value,
            datetime(2026, 3, 1, tzinfo=UTC),
        )


class TestServices:
    """Either container, any shape (section 6)."""

    services = (
        {"service_name": "verilive", "service_status": "pass"},
        {
            "service_name": "kisc",
            "service_status": "success",
            "face_match": True,
            "similarity": 98.7,
            "vendor": "verigram",
            "kisc_pii": "a population register's record",
        },
    )

    def keyed(self) -> dict[str, object]:
        return {service["service_name"]: dict(service) for service in self.services}

    def test_both_containers_read_alike(self) -> None:
        listed = read({"flow_status": "pass", "services": [dict(service) for service in self.services]})
        keyed = read({"flow_status": "pass", **self.keyed()})
        assert listed.checks == keyed.checks
        assert [(check.kind, check.outcome) for check in listed.checks] == [
            (CheckKind.LIVENESS, CheckOutcome.PASSED),
            (CheckKind.DATA_SOURCE, CheckOutcome.PASSED),
            (CheckKind.FACE_MATCH, CheckOutcome.PASSED),
        ]
        assert listed.checks[2].score is not None
        assert listed.checks[2].score.value == pytest.approx(0.987)
        assert "record" not in str(listed.raw)

    def test_words_of_services(self) -> None:
        words = {"pass": "passed", "success": "passed", "FAIL ": "failed", "odd": "inconclusive", "": "inconclusive"}
        for word, outcome in words.items():
            (check,) = read({"any": [{"service_name": "new-thing", "service_status": word}]}).checks
            assert (check.kind, check.outcome, check.vendor_name) == (CheckKind.OTHER, outcome, "new-thing")
        for silent in ({}, {"service_status": None}):
            (check,) = read({"verilive": {"service_name": "verilive", **silent}}).checks
            assert (check.kind, check.outcome) == (CheckKind.LIVENESS, CheckOutcome.INCONCLUSIVE)
        assert read({"interrupter": {"service_name": "esign", "service_status": "in_progress"}}).checks == ()
        assert read({"strange": {"service_status": "pass"}}).checks[0].vendor_name == "strange"

    @pytest.mark.parametrize(
        "name", ["consent", "veridoc", "verilive", "veriface", "kisc", "esign", "client-card", "a-new-one"]
    )
    def test_a_service_that_failed_never_approves(self, name: str) -> None:
        failed = {"service_name": name, "service_status": "fail"}
        for container in ({"services": [failed]}, {name: failed}):
            assert TestReadings.read({"flow_status": "pass", **container}).decision is Decision.DECLINED
        for unmatched in ({"face_match": False}, {"face_match": False, "similarity": 99}):
            answer = {
                "flow_status": "pass",
                "services": [{"service_name": name, "service_status": "pass", **unmatched}],
            }
            assert TestReadings.read(answer).decision is Decision.DECLINED
        unclear = {"flow_status": "pass", "services": [{"service_name": name, "similarity": 99}]}
        assert TestReadings.read(unclear).decision is Decision.REVIEW

    def test_any_container_is_walked(self) -> None:
        failed = {"service_status": "fail"}
        for container in (
            {"services": {"verilive": failed}},
            {"services": [failed]},
            {"services": [{"service_name": 7, **failed}]},
            {"verilive": [failed]},
            {"result": {"steps": [{"service_name": "verilive", **failed}]}},
        ):
            assert [check.outcome for check in read(container).checks] == [CheckOutcome.FAILED], container
        assert [c.outcome for c in read({"verilive": {"service_status": ["pass"]}}).checks] == ["inconclusive"]

    @pytest.mark.parametrize(
        ("words", "outcome", "decision"),
        [
            (["fail", "pass"], "passed", Decision.APPROVED),
            (["fail", "odd", "fail", "success"], "passed", Decision.APPROVED),
            (["pass", "pass"], "passed", Decision.APPROVED),
            (["pass", "fail"], "inconclusive", Decision.REVIEW),
            (["fail", "odd"], "inconclusive", Decision.REVIEW),
            (["fail", "fail"], "failed", Decision.DECLINED),
            (["fail"], "failed", Decision.DECLINED),
        ],
    )
    def test_of_several_attempts_at_a_step_the_last_counts(
        self, words: list[str], outcome: str, decision: Decision
    ) -> None:
        tried = [{"service_name": "verilive", "service_status": word} for word in words]
        good = {"service_name": "kisc", "service_status": "success", "face_match": True}
        answer = {"flow_id": "f-1", "flow_status": "pass", "services": [*tried, good]}
        result = TestReadings.read(answer)
        assert [check.outcome for check in result.checks] == [outcome, "passed", "passed"]
        assert result.decision is decision
        assert bool(result.notes) == (len({*words}) > 1)
        assert TestReadings.read({**answer, "flow_status": "fail"}).decision is Decision.DECLINED

    def test_what_only_an_earlier_attempt_checked_is_open(self) -> None:
        for matched in (True, False):
            tried = [
                {"service_name": "kisc", "service_status": "fail", "face_match": matched},
                {"service_name": "kisc", "service_status": "success"},
            ]
            checks = read({"services": tried}).checks
            assert [(c.vendor_name, c.outcome) for c in checks] == [
                ("kisc", "passed"),
                ("kisc.face_match", "inconclusive"),
            ]

    @given(st.permutations(["verilive", "kisc", "veridoc", "new-thing"]), st.data())
    def test_the_order_of_different_services_is_of_no_account(self, names: list[str], data: st.DataObject) -> None:
        word = {name: data.draw(st.sampled_from(["pass", "fail", "odd", "success"])) for name in names}
        listed = [{"service_name": name, "service_status": word[name]} for name in names]
        forth = {check.vendor_name: check.outcome for check in read({"services": listed}).checks}
        assert forth == {check.vendor_name: check.outcome for check in read({"services": listed[::-1]}).checks}
        assert all((forth[name] == "passed") == (word[name] in ("pass", "success")) for name in names)

    @pytest.mark.parametrize(
        ("matched", "outcome"),
        [(True, "passed"), (False, "failed"), (None, "inconclusive"), ("yes", "inconclusive"), (1, "inconclusive")],
    )
    def test_a_face_match_is_what_the_vendor_says(self, matched: object, outcome: str) -> None:
        (check,) = read({"kisc": {"face_match": matched, "similarity": 12}}).checks
        assert check.outcome == outcome

    @given(st.dictionaries(st.text(max_size=8), json_values, max_size=5), st.sampled_from(["pass", "fail", None]))
    def test_details_never_change_the_verdict(self, details: dict[str, object], word: str | None) -> None:
        details = {key: value for key, value in details.items() if key not in ("flow_status", "end_cause")}
        reading = read({**details, "flow_status": word})
        assert reading.verdict == {"pass": VendorVerdict.POSITIVE, "fail": VendorVerdict.NEGATIVE, None: None}[word]


class TestOpening:
    def test_what_is_sent(self, network: Network) -> None:
        flow_order = order(
            vendor_options={"verigram": {"template": {"pipeline": []}, "input_data": {"iin": "1"}}},
            return_url="https://p.example/x",
        )
        adapter = Verigram(attrs.evolve(SETTINGS, template={"ui": 1}))
        created = {"flow_id": "f", "vlink": f"https://{HOST}/hf2/f/"}
        ran = run_exchange(adapter.open_flow(flow_order), [reply(created, 201)])
        assert ran.requests[0].json == {
            "person_id": "CUST-9283",
            "locale": "en",
            "callback_url": "https://p.example/x",
            "template": {"pipeline": []},
            "input_data": {"iin": "1"},
        }
        assert ran.value.link.url.reveal() == created["vlink"]

    @pytest.mark.parametrize(
        "vlink",
        [
            "https://evil.example/f",
            "http://web.verigram.kz/f",
            "javascript:alert(1)",
            "x",
            "https://verigram.kz.evil.example/",
        ],
    )
    def test_an_applicant_is_sent_to_known_hosts_only(self, vlink: str) -> None:
        with pytest.raises(UnexpectedResponse, match="the link"):
            run_exchange(Verigram(SETTINGS).open_flow(order()), [reply({"flow_id": "f", "vlink": vlink})])

    def test_the_vendors_own_hosts_are_known(self) -> None:
        ran = run_exchange(
            Verigram(SETTINGS).open_flow(order()), [reply({"flow_id": "f", "vlink": "https://web.verigram.kz/hf2/f/"})]
        )
        assert ran.value.link.url.reveal() == "https://web.verigram.kz/hf2/f/"

    def test_what_the_answer_must_have(self) -> None:
        with pytest.raises(UnexpectedResponse, match="empty flow_id"):
            run_exchange(Verigram(SETTINGS).open_flow(order()), [reply({"flow_id": "", "vlink": f"https://{HOST}/"})])

    @pytest.mark.parametrize("journey", ["SDK", "app", "", None, 1, ["sdk"]])
    def test_a_journey_that_there_is_not(self, journey: object) -> None:
        with pytest.raises(InvalidOrder, match="'hosted' or 'sdk'"):
            run_exchange(Verigram(SETTINGS).open_flow(order(vendor_options={"verigram": {"journey": journey}})), [])

    @pytest.mark.parametrize(
        "asked",
        [
            {"template": "strict"},
            {"vendor_options": {"verigram": {"template": {"pipeline": []}}}},
            {"vendor_options": {"verigram": {"input_data": {"iin": "1"}}}},
        ],
    )
    def test_steps_that_a_session_cannot_have_are_not_left_out(self, asked: dict[str, object]) -> None:
        adapter = Verigram(attrs.evolve(SETTINGS, journey="sdk"))
        with pytest.raises(InvalidOrder, match="has no template and no input data"):
            run_exchange(adapter.open_flow(order(**asked)), [])

    def test_what_was_opened_is_for_the_person_that_was_asked_for(self) -> None:
        flow = {"flow_id": "f", "vlink": f"https://{HOST}/hf2/f/"}
        session = {"flow_id": "f", "session_id": "s", "access_token": "t"}
        for journey, answer in (("hosted", flow), ("sdk", session)):
            adapter = Verigram(attrs.evolve(SETTINGS, journey=journey))
            for person in (None, "CUST-9283"):
                opened = run_exchange(adapter.open_flow(order()), [reply({**answer, "person_id": person})]).value
                assert opened.subject == subject_of("CUST-9283")
            with pytest.raises(UnexpectedResponse, match="of another person"):
                run_exchange(adapter.open_flow(order()), [reply({**answer, "person_id": "CUST-2"})])

    def test_a_reference_that_the_vendor_cannot_take(self) -> None:
        for reference in ("a b", "x" * 65, "é"):
            with pytest.raises(InvalidOrder, match="1 to 64"):
                run_exchange(Verigram(SETTINGS).open_flow(order(applicant=Applicant(reference=reference))), [])

    def test_a_prefix_is_signed_unless_it_is_a_proxys(self, clock: FakeClock) -> None:
        from idv_core.plugin.http import Request

        settings = attrs.evolve(SETTINGS, base_url="https://x.example/api", secret=Secret("s"))
        timestamp = str(int(clock.now().timestamp()))
        for with_prefix, path in ((True, "/api/flow"), (False, "/flow")):
            adapter = Verigram(attrs.evolve(settings, sign_path_prefix=with_prefix))
            headers = adapter.authorize(Request.post("/flow"), None, clock.now()).headers
            assert headers["X-Verigram-Hmac-SHA256"] == sign(Secret("s"), timestamp, path)
            assert headers["X-Verigram-Ts"] == timestamp


class TestAgainstTheEmulator:
    def test_the_test_key_is_not_signed_and_limited(self, connect, emulator: VerigramEmulator) -> None:
        idv = connect(api_key=Secret("test-key-1"), secret=None)
        flow = idv.open(order())
        for _ in range(9):
            idv.result(flow)
        with pytest.raises(RateLimited) as caught:
            idv.result(flow)
        assert caught.value.retry_after is not None

    @pytest.mark.parametrize(
        "changes",
        [{"secret": Secret("wrong")}, {"secret": None}, {"api_key": Secret("unknown")}, {"api_version": "3.0"}],
    )
    def test_wrong_credentials(self, connect, changes: dict[str, object]) -> None:
        with pytest.raises(AuthenticationFailed):
            connect(**changes).open(order())

    def test_a_signature_is_fresh(self, connect, emulator: VerigramEmulator, clock: FakeClock) -> None:
        idv = connect()
        flow = idv.open(order())
        clock.advance(3600)
        assert idv.result(flow).status is FlowStatus.AWAITING_APPLICANT

    def test_an_account_switched_off(self, connect, emulator: VerigramEmulator) -> None:
        emulator.switched_off.add("production-key-1")
        with pytest.raises(PermissionDenied):
            connect().open(order())

    def test_another_keys_flow_is_not_found(self, connect, emulator: VerigramEmulator) -> None:
        flow = connect().open(order())
        with pytest.raises(FlowNotFound):
            connect(api_key=Secret("test-key-1"), secret=None).result(f"vg/{flow.id}")

    @pytest.mark.parametrize("errors", ["code", "detail"])
    def test_both_forms_of_errors(self, connect, emulator: VerigramEmulator, errors: str) -> None:
        emulator.variants.errors = errors
        emulator.fault(
            "POST /flow",
            emulator.on_error(
                EmulatedResponse(422, {"error_code": "VALIDATION_ERROR", "error_message": "person_id is required"})
            ),
        )
        with pytest.raises(InvalidOrder) as caught:
            connect().open(order())
        assert (caught.value.fields == ("person_id",)) == (errors == "detail")

    @pytest.mark.parametrize("while_open", ["null", "empty", "unknown", "404", "interrupter"])
    def test_every_form_of_not_yet(self, connect, emulator: VerigramEmulator, while_open: str) -> None:
        emulator.variants.while_open = while_open
        idv = connect()
        assert idv.result(idv.open(order())).decision is Decision.UNDECIDED

    @pytest.mark.parametrize("container", ["services", "keyed", "none"])
    def test_every_container(self, connect, network: Network, emulator: VerigramEmulator, container: str) -> None:
        emulator.variants.container = container
        idv = connect()
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        result = idv.wait(flow)
        assert result.decision is (Decision.REVIEW if container == "none" else Decision.APPROVED)
        assert bool(result.checks) == (container != "none")

    def test_an_account_whose_results_name_no_flow(self, connect, network: Network, emulator: VerigramEmulator) -> None:
        emulator.variants.names_flow = False
        flow = connect().open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        assert connect().wait(flow).decision is Decision.REVIEW
        assert connect(results_name_flow=False).wait(flow).decision is Decision.APPROVED

    def test_a_step_tried_again(self, connect, network: Network, emulator: VerigramEmulator) -> None:
        emulator.variants.lists_attempts = True
        idv = connect()
        flow = idv.open(order())
        assert flow.link is not None
        with network.client() as browser:
            url = flow.link.url.reveal()
            browser.post(url, data={"consent": "yes"})
            browser.post(url, files={"document": make_specimen("kz-id", AIGERIM)})
            for selfie in (b"nobody", make_specimen("selfie", AIGERIM)):
                browser.post(url, files={"selfie": selfie})
        result = idv.wait(flow)
        assert (result.decision, result.failed_checks()) == (Decision.APPROVED, ())
        assert result.notes == ("an earlier attempt at verilive was failed",)

    def test_by_its_reference_it_is_decided_alike(self, connect, network: Network) -> None:
        idv = connect()
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        assert idv.wait(flow.ref).decision is idv.result(flow).decision is Decision.APPROVED
        assert idv.result(f"vg/{flow.id}").decision is Decision.REVIEW

    def test_a_face_that_is_not_live(self, connect, network: Network) -> None:
        idv = connect()
        flow = idv.open(order())
        walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM, flaw="printed photo"))
        assert [check.vendor_name for check in idv.wait(flow).failed_checks()] == ["verilive"]

    def test_the_hosted_page_asks_again_for_what_it_cannot_use(self, connect, network: Network) -> None:
        flow = connect().open(order())
        assert flow.link is not None
        url = flow.link.url.reveal()
        with network.client() as browser:
            assert "Please agree" in browser.post(url, data={"x": "y"}).text
            browser.post(url, data={"consent": "yes"})
            assert "not a document" in browser.post(url, files={"document": b"a cat"}).text
            assert "not a document" in browser.post(url, files={"document": make_specimen("selfie", AIGERIM)}).text
            browser.post(url, files={"document": make_specimen("kz-id", AIGERIM)})
            assert "no face" in browser.post(url, files={"selfie": make_specimen("kz-id", AIGERIM)}).text
            browser.post(url, files={"selfie": make_specimen("selfie", DANIYAR)})
            assert "Thank you" in browser.get(url).text
            assert browser.get(url.replace(flow.id, "none")).status_code == 404

    def test_the_browser_comes_back_and_wakes_us(
        self, connect, network: Network, emulator: VerigramEmulator, clock: FakeClock
    ) -> None:
        from starlette.applications import Starlette
        from starlette.routing import Mount

        from idv_core.webhooks import WebhookApp

        emulator.variants.redirect_adds = emulator.variants.notify_post = True
        idv = connect(webhooks=Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef")))
        seen: list[object] = []
        network.add("platform.example", Starlette(routes=[Mount("/idv", app=WebhookApp(idv, seen.append))]))
        flow = idv.open(order(return_url="https://platform.example/thanks"))
        answer = walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
        with network.client() as browser:
            back = browser.get(answer.headers["location"])
        assert back.headers["location"] == "https://platform.example/thanks"
        clock.advance(5)
        assert len(seen) == 2
        assert idv.result(flow).decision is Decision.APPROVED

    def test_a_liveness_session_for_the_sdk(self, connect, emulator: VerigramEmulator, clock: FakeClock) -> None:
        idv = connect(journey="sdk")
        flow = idv.open(order())
        assert flow.link is None
        assert flow.sdk is not None
        assert flow.sdk.kind == "verilive"
        assert flow.sdk.token.reveal().startswith("tok_")
        assert set(flow.secrets) == {"session_id"}
        assert flow.sdk.token.reveal() not in f"{flow!r}{to_json(flow)}"
        emulator.finish_session(flow.id, make_specimen("selfie", AIGERIM))
        assert idv.wait(flow).decision is Decision.APPROVED
        with pytest.raises(UnexpectedResponse, match="empty id or token"):
            empty = {"session_id": "", "access_token": "t", "flow_id": "f"}
            run_exchange(Verigram(attrs.evolve(SETTINGS, journey="sdk")).open_flow(order()), [reply(empty)])

    def test_a_scripted_end(self, connect, emulator: VerigramEmulator) -> None:
        idv = connect()
        flow = idv.open(order())
        emulator.script(flow.id, {"flow_status": "pass", "end_cause": "operator"})
        assert idv.result(flow).decision is Decision.REVIEW

    def test_details_of_a_flow(self, connect, emulator: VerigramEmulator, network: Network) -> None:
        idv = connect(api_key=Secret("test-key-1"), secret=None)
        flow = idv.open(order())
        headers = {"X-Verigram-Api-Key": "test-key-1", "X-Verigram-Api-Version": "2.0"}
        with network.client() as client:
            details = client.get(f"https://{HOST}/flow/{flow.id}", headers=headers).json()
            assert details["flow_status"] is None
            walk(network, flow, make_specimen("kz-id", AIGERIM), make_specimen("selfie", AIGERIM))
            idv.wait(flow)
            assert client.get(f"https://{HOST}/flow/{flow.id}", headers=headers).json()["flow_status"] == "pass"
            assert client.post(f"https://{HOST}/flow", headers=headers, json={}).status_code == 422
