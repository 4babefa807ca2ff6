"""Facts of Verifik's pages that are easily missed: sources that disagree, a back that is wanted, words about the account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from idv_verifik import Verifik, faces, idv_plugin, mapping
from idv_verifik.payloads import read_said
from idv_verifik.testing.emulator import VerifikEmulator
from idv_verifik.testing.harness import order, pictures

from idv_core import CheckKind, CheckOutcome, Decision, Document, Flow, FlowStatus, Gateway, Result
from idv_core.config import Account
from idv_core.errors import FlowNotFound, InvalidOrder, PermissionDenied, RateLimited, UnexpectedResponse
from idv_core.plugin import Exchange
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.exchange import reply

GOOD: dict[str, Any] = {
    "_id": "r-1",
    "status": "COMPLETED",
    "projectFlow": {"_id": "p-1", "steps": {"document": "mandatory", "liveness": "mandatory"}},
    "documentValidation": {"_id": "d-1", "status": "ACTIVE", "documentType": "CC", "country": "Colombia"},
    "biometricValidation": {"_id": "b-1", "status": "validated", "livenessScore": 0.93},
    "compareFaceVerification": {"_id": "c-1", "status": "success", "result": {"score": 0.91, "passed": True}},
}
PAGE = EmulatedResponse(404, content=b"<html>Not found</html>", type="text/html")


@pytest.fixture
def idv(network: Network, clock: FakeClock, settings: dict[str, object]) -> Gateway:
    account = Account("vf", "verifik", settings)
    return Gateway([account], transport=network, clock=clock, registry=registry_of(idv_plugin()))


def said(status: int, token: str, **more: object) -> EmulatedResponse:
    return EmulatedResponse(status, {"code": token, "message": f"{status}:{token}", **more})


def judged(data: dict[str, Any]) -> Result:
    result = mapping.read_registration(json.loads(json.dumps(data)), Flow(id="r-1", status="awaiting_applicant"))
    return evaluate(DEFAULT_POLICY, result, datetime(2026, 3, 1, tzinfo=UTC))


class TestScreening:
    """Section 3.9: `foundKeys` names the sources with a hit. What a source says itself must not contradict that."""

    @pytest.mark.parametrize(
        "source",
        [
            {"world_api_fbi": {"foundInFBI": True}},
            {"world_api_interpol": {"totalCards": 2, "status": "done"}},
            {"world_api_interpol": {"totalCards": 0, "details": {"hits": ["a"]}}},
            {"world_api_ofac": {"status": "FAILED"}},
            {"world_api_onu": {"status": "in progress"}},
            {"world_api_dea": {"error": "timeout"}},
        ],
    )
    def test_a_source_that_disagrees_with_an_empty_list_goes_to_a_person(self, source: dict[str, Any]) -> None:
        result = judged(searched({"foundKeys": [], "requestedAt": "2026-03-02T10:15:00Z", **source}))
        (check,) = result.checks_of(CheckKind.SCREENING)
        assert (check.outcome, result.decision) == (CheckOutcome.INCONCLUSIVE, Decision.REVIEW)
        assert check.reasons

    def test_sources_that_found_nothing_are_clear(self) -> None:
        sources = {"world_api_interpol": {"totalCards": 0, "status": "done"}, "world_api_fbi": {"foundInFBI": False}}
        assert judged(searched({"foundKeys": [], **sources})).decision is Decision.APPROVED


def searched(criminal: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD, "informationValidation": {"_id": "i-1", "status": "ACTIVE", "criminalData": criminal}}


class TestRefusedSelfies:
    """Section 3.7: only a score under the minimum is about the person."""

    @pytest.mark.parametrize(
        ("message", "more"),
        [
            ("409:liveness_failed@no_face_detected", {}),
            ("409:liveness_failed@ERR_FACE_2", {}),
            ("409:liveness_failed@the face is too small", {}),
            ("409:liveness_failed", {"failureKind": "unknown"}),
            ("409:liveness_failed", {"failureReason": "poor_lighting"}),
            ("409:liveness_failed", {"failureReason": "liveness_error"}),
            ("409:liveness_failed@0.31", {"failureReason": "face_occluded"}),
        ],
    )
    def test_words_about_the_picture_do_not_fail_the_person(self, message: str, more: dict[str, object]) -> None:
        body = {"code": "liveness_failed", "message": message, **more}
        assert faces.read_refused_selfie(read_said(reply(body, status=409)), "s").outcome is CheckOutcome.INCONCLUSIVE

    @pytest.mark.parametrize(
        ("message", "more"),
        [
            ("409:liveness_failed@0.31", {}),
            ("409:liveness_failed@0.31", {"failureKind": "unknown", "failureReason": "liveness_failed"}),
            ("409:liveness_failed", {"failureKind": "score", "livenessScore": 0.31, "minimumScore": 0.65}),
        ],
    )
    def test_a_score_under_the_minimum_does(self, message: str, more: dict[str, object]) -> None:
        body = {"code": "liveness_failed", "message": message, **more}
        assert faces.read_refused_selfie(read_said(reply(body, status=409)), "s").outcome is CheckOutcome.FAILED

    @pytest.mark.parametrize("message", ["ana_ruiz@example.org", "ana@example.org is taken", "ana@example"])
    def test_half_a_mail_address_is_no_token(self, message: str) -> None:
        assert read_said(reply({"message": message}, status=409)).token == message

    @pytest.mark.parametrize("status", [400, 412, 422])
    @pytest.mark.parametrize("text", ["image is invalid for checking liveness", "the image has more than one face"])
    def test_texts_about_the_picture_are_evidence_whatever_the_status(
        self, idv: Gateway, emulator: VerifikEmulator, status: int, text: str
    ) -> None:
        flow = idv.open(order())
        emulator.fault("POST /v2/biometric-validations", EmulatedResponse(status, {"message": text, "code": "ERROR"}))
        (upload,) = idv.upload(flow, pictures()[1:]).uploads
        assert not upload.accepted
        assert upload.check is not None
        assert upload.check.outcome is CheckOutcome.INCONCLUSIVE


class TestBackOfADocument:
    """Section 3.6.2: `requiresBackSide` says that the back is still needed."""

    def test_a_document_whose_back_is_wanted_has_not_passed(self) -> None:
        document = {**GOOD["documentValidation"], "requiresBackSide": True}
        result = judged({**GOOD, "documentValidation": document})
        (check,) = result.checks_of(CheckKind.DOCUMENT)
        assert (check.outcome, check.reasons) == (CheckOutcome.INCONCLUSIVE, ("requiresBackSide",))
        assert result.decision is Decision.REVIEW
        both = {**document, "backUrl": "https://cdn.verifik.co/b.png?x=1"}
        assert judged({**GOOD, "documentValidation": both}).decision is Decision.APPROVED

    def test_the_back_can_be_handed_in_later(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.variants.wants_back = True
        front, selfie = pictures()
        flow = idv.upload(idv.open(order()), [front, selfie])
        assert flow.uploads[0].check is not None
        assert flow.uploads[0].check.reasons == ("requiresBackSide",)
        both = Document("both-sides", content=front.content, back_content=front.content)
        result = idv.wait(idv.submit(idv.upload(flow, [both])))
        assert (result.vendor_word, result.decision) == ("COMPLETED", Decision.APPROVED)

    def test_a_document_that_was_taken_is_not_replaced_because_an_earlier_one_was_refused(
        self, idv: Gateway, emulator: VerifikEmulator
    ) -> None:
        torn = Document("torn", content=b"\xff\xd8\xff torn off")
        flow = idv.upload(idv.open(order()), [torn, pictures()[0]])
        assert [upload.accepted for upload in flow.uploads] == [False, True]
        with pytest.raises(InvalidOrder) as caught:
            idv.upload(flow, [attrs.evolve(pictures()[0], id="again")])
        assert caught.value.code == "already_exists"
        assert len(emulator.documents) == 1

    def test_without_it_a_person_looks(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.variants.wants_back = True
        result = idv.wait(idv.submit(idv.upload(idv.open(order()), pictures())))
        assert (result.vendor_word, result.decision) == ("NEEDS_MANUAL_VERIFICATION", Decision.REVIEW)


class TestManualReview:
    """Sections 4.3 and 5.2: after `NEEDS_MANUAL_VERIFICATION` comes `COMPLETED` or `FAILED`."""

    def test_a_review_at_verifik_may_reopen_it_and_an_end_may_not(
        self, idv: Gateway, emulator: VerifikEmulator
    ) -> None:
        emulator.variants.compare_says_passed = False
        flow = idv.submit(idv.upload(idv.open(order()), pictures()))
        assert not flow.may_reopen
        emulator.override(flow.id, "NEEDS_MANUAL_VERIFICATION")
        for seen in (idv.status(flow), idv.submit(flow), idv.renew_link(flow), idv.result(flow).flow):
            assert (seen.status, seen.may_reopen) == (FlowStatus.FINISHED, True)
        emulator.override(flow.id, "FAILED")
        assert not idv.status(seen).may_reopen

    def test_an_end_that_verifik_turns_into_a_review_may_be_reopened(
        self, idv: Gateway, emulator: VerifikEmulator
    ) -> None:
        emulator.variants.wants_back = True
        assert idv.submit(idv.upload(idv.open(order()), pictures())).may_reopen


class TestSettingsOfTheProject:
    """Sections 3.4 and 3.6.1: a project, flow or prompt that is not set is the account's affair, not the applicant's."""

    @pytest.mark.parametrize("status", [404, 409])
    @pytest.mark.parametrize("token", ["prompt_template_not_found", "project_not_found", "projectFlow_not_found"])
    def test_it_is_no_flow_that_is_gone_and_no_bad_picture(
        self, idv: Gateway, emulator: VerifikEmulator, token: str, status: int
    ) -> None:
        flow = idv.open(order())
        emulator.fault("POST /v2/document-validations", said(status, token))
        with pytest.raises(PermissionDenied) as caught:
            idv.upload(flow, pictures()[:1])
        assert caught.value.code == token

    @pytest.mark.parametrize("token", ["project_not_found", "projectFlow_not_found", "security_not_set"])
    def test_of_a_code_by_mail_too(self, idv: Gateway, emulator: VerifikEmulator, token: str) -> None:
        flow = idv.open(order())
        emulator.fault("POST /v2/email-validations", said(404, token))
        with pytest.raises(PermissionDenied):
            idv.vendor(lambda verifik: verifik.steps.send_email_code(flow, "ana@example.org"))

    @pytest.mark.parametrize("token", ["failed_to_read_document", "document_number_is_not_extracted"])
    def test_a_picture_that_cannot_be_read_is_evidence_also_as_404(
        self, idv: Gateway, emulator: VerifikEmulator, token: str
    ) -> None:
        flow = idv.open(order())
        emulator.fault("POST /v2/document-validations", said(404, token))
        (upload,) = idv.upload(flow, pictures()[:1]).uploads
        assert not upload.accepted
        emulator.fault("POST /v2/document-validations", said(404, "appRegistration_not_found"))
        with pytest.raises(FlowNotFound):
            idv.upload(flow, pictures()[:1])

    def test_a_step_that_is_none_is_the_callers_mistake_despite_the_500(
        self, idv: Gateway, emulator: VerifikEmulator
    ) -> None:
        flow = idv.open(order())
        before = len(emulator.calls)
        with pytest.raises(InvalidOrder) as caught:
            idv.vendor(lambda verifik: verifik.steps.sync(flow, "nonsense"))
        assert not caught.value.safe_to_retry
        assert len(emulator.calls) == before + 1


@pytest.mark.parametrize(("kind", "gateway"), [("email", "mailgun"), ("phone", "whatsapp")])
def test_the_form_is_mandatory_where_the_steps_do_not_name_it(kind: str, gateway: str) -> None:
    """Section 3.2.1, defaults of `steps`: the published flow names `document` and `liveness` only."""
    steps = {"document": "mandatory", "liveness": "mandatory"}
    form = {kind: True, f"{kind}Gateway": gateway}
    data = {**GOOD, "projectFlow": {"steps": steps, "signUpForm": form}}
    assert judged(data).decision is Decision.REVIEW
    assert judged({**data, f"{kind}Validation": {"status": "validated"}}).decision is Decision.APPROVED
    optional = {"steps": {**steps, "signUpForm": "optional"}, "signUpForm": form}
    assert judged({**data, "projectFlow": optional}).decision is Decision.APPROVED


def test_a_document_for_show_is_of_a_test() -> None:
    """Section 3.6.2: `type` is `validation` in a registration, and `demo` verifies nobody."""
    document = GOOD["documentValidation"]
    assert not judged({**GOOD, "documentValidation": {**document, "type": "validation"}}).is_test
    assert judged({**GOOD, "documentValidation": {**document, "type": "demo"}}).is_test


def test_a_project_in_demo_mode_is_a_test_and_tells_no_more_of_itself(idv: Gateway, emulator: VerifikEmulator) -> None:
    """Section 3.1: it accepts its own `demoOTP` as every one-time code."""
    project = emulator.projects[emulator.project]
    project |= {"contactEmail": "ops@platform.example", "demoMode": False}
    flow = idv.submit(idv.upload(idv.open(order()), pictures()))
    result = idv.result(flow)
    assert (result.is_test, result.decision) == (False, Decision.APPROVED)
    assert result.raw["project"] == emulator.project
    project["demoMode"] = True
    result = idv.result(flow)
    assert (result.is_test, result.decision) == (True, Decision.REVIEW)


def test_a_search_for_a_face_is_no_comparison_with_the_document() -> None:
    compared = GOOD["compareFaceVerification"]
    assert judged({**GOOD, "compareFaceVerification": {**compared, "type": "compare"}}).decision is Decision.APPROVED
    for other in ("search", "verify", 7):
        result = judged({**GOOD, "compareFaceVerification": {**compared, "type": other}})
        assert (result.checks_of(CheckKind.FACE_MATCH)[0].outcome, result.decision) == (
            CheckOutcome.INCONCLUSIVE,
            Decision.REVIEW,
        )


def test_a_code_that_ended_says_so() -> None:
    result = judged({**GOOD, "emailValidation": {"status": "expired"}})
    assert result.checks_of(CheckKind.EMAIL)[0].reasons == ("expired",)


class TestPagesOnTheWay:
    """A web page with a 404 is nobody's word that something is gone."""

    @pytest.mark.parametrize("path", ["document-validations", "biometric-validations", "app-registrations"])
    def test_nothing_counts_as_deleted(self, idv: Gateway, emulator: VerifikEmulator, path: str) -> None:
        flow: Flow = idv.upload(idv.open(order()), pictures())
        emulator.fault(f"DELETE /v2/{path}", PAGE)
        with pytest.raises(UnexpectedResponse):
            idv.erase(flow)

    def test_a_project_flow_does_not_either(self, idv: Gateway, emulator: VerifikEmulator) -> None:
        emulator.fault("DELETE /v3/project-flows", PAGE)
        with pytest.raises(UnexpectedResponse):
            idv.vendor(lambda verifik: verifik.project_flows.delete("pf-1"))


class TestEmulator:
    def test_it_takes_so_many_calls_a_minute(self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock) -> None:
        flow = idv.open(order())
        emulator.variants.limited = True
        information = emulator.registrations[flow.id]["informationValidation"]

        def check(verifik: Verifik) -> Exchange[Flow]:
            return verifik.steps.check_background(flow, information)

        for _ in range(5):
            idv.vendor(check)
        with pytest.raises(RateLimited) as caught:
            idv.vendor(check)
        assert caught.value.retry_after is not None
        clock.advance(caught.value.retry_after.total_seconds())
        assert idv.vendor(check).id == flow.id

    def test_it_takes_nothing_for_a_registration_that_has_expired_and_no_selfie_for_one_in_review(
        self, idv: Gateway, emulator: VerifikEmulator, clock: FakeClock
    ) -> None:
        flow = idv.upload(idv.open(order()), pictures()[:1])
        emulator.override(flow.id, "NEEDS_MANUAL_VERIFICATION")
        with pytest.raises(FlowNotFound):
            idv.upload(flow, pictures()[1:])
        emulator.override(flow.id, "ONGOING")
        clock.advance(25 * 3600)
        with pytest.raises(FlowNotFound):
            idv.upload(flow, pictures()[1:])

    def test_a_failed_document_that_was_replaced_counts_as_an_attempt(
        self, idv: Gateway, emulator: VerifikEmulator
    ) -> None:
        flow = idv.open(order())
        registration = emulator.registrations[flow.id]
        expired = pictures()[0].content
        assert isinstance(expired, bytes)
        first = emulator.take_document(registration, expired, False)
        first["status"] = "EXPIRED"
        emulator.take_document(registration, expired, True)
        assert registration["failedDocumentValidations"] == [first["_id"]]
