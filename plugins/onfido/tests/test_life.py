"""After the opening: the applicant is deleted, files are fetched, a person tries again; coverage, and the SDK's token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import attrs
import pytest
from idv_onfido import OnfidoChecks, OnfidoSettings, OnfidoWorkflows
from idv_onfido.account import sdk_session
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import ANA, LUIS, order, papers, pictures

from idv_core import CheckKind, Decision, Flow, FlowStatus, Gateway, Secret
from idv_core.errors import (
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    OutcomeUnknown,
    UnexpectedResponse,
    UnsupportedOperation,
)
from idv_core.plugin import CHECK_NAMES, DocumentType, Erasure, ErasureStatus, Media, MediaKind, NotAccepted
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange

DONE, REQUESTED = ErasureStatus.DONE, ErasureStatus.REQUESTED
WORKFLOWS = OnfidoWorkflows(OnfidoSettings(api_token=Secret("api_sandbox.4711"), workflow_id="workflow-1"))
CHECKS = OnfidoChecks(attrs.evolve(WORKFLOWS.settings, family="checks"))
NOT_FOUND = {"error": {"type": "resource_not_found", "message": "Could not find the requested resource."}}

Connect = Callable[..., Gateway]


@pytest.fixture
def idv(connect: Connect) -> Gateway:
    return connect()


@pytest.fixture
def by_api(connect: Connect) -> Gateway:
    return connect(family="checks")


def walk(network: Network, flow: Flow, face: Any = ANA) -> None:
    assert flow.link is not None
    with network.client() as browser:
        submit_forms(browser, flow.link.url.reveal(), *pictures(face))


def made(emulator: OnfidoEmulator, call: str) -> int:
    return sum(one.startswith(call) for one in emulator.calls)


@pytest.fixture
def approved(idv: Gateway, network: Network) -> Flow:
    flow = idv.open(order())
    walk(network, flow)
    assert idv.wait(flow).decision is Decision.APPROVED
    return flow


@pytest.fixture
def checked(by_api: Gateway) -> Flow:
    flow = by_api.submit(by_api.upload(by_api.open(order()), papers(ANA)))
    assert by_api.wait(flow).decision is Decision.APPROVED
    return flow


class TestErase:
    def test_it_is_asked_for_once_and_done_when_onfido_says(
        self, idv: Gateway, clock: FakeClock, emulator: OnfidoEmulator, approved: Flow
    ) -> None:
        asked = idv.erase(approved)
        ends = clock.now() + timedelta(days=20)
        assert (asked.status, asked.kept_until) == (REQUESTED, ends.replace(microsecond=0))
        assert "POST /applicants/{id}/restore" in (asked.reason or "")
        assert idv.erase(approved.ref) == asked
        assert made(emulator, "DELETE") == 1
        clock.advance(timedelta(days=21).total_seconds())
        assert idv.erase(approved) == idv.erase(approved.ref) == Erasure(status=DONE)
        assert made(emulator, "DELETE") == 1
        for look in (idv.status, idv.result, idv.media):
            with pytest.raises(FlowNotFound):
                look(approved)

    def test_one_that_was_restored_can_be_erased_again(
        self, idv: Gateway, network: Network, emulator: OnfidoEmulator, approved: Flow
    ) -> None:
        idv.erase(approved)
        (applicant,) = emulator.applicants
        with network.client() as client:
            restored = client.post(
                f"https://onfido.example/v3.6/applicants/{applicant}/restore",
                headers={"Authorization": f"Token token={emulator.api_token}"},
            )
        assert (restored.status_code, emulator.applicants[applicant]["delete_at"]) == (204, None)
        assert idv.erase(approved).kept_until is not None

    def test_where_what_is_scheduled_is_not_shown(
        self, idv: Gateway, clock: FakeClock, emulator: OnfidoEmulator, approved: Flow
    ) -> None:
        emulator.variants.scheduled = "gone"
        assert idv.erase(approved) == idv.erase(approved) == Erasure(status=REQUESTED)
        assert made(emulator, "DELETE") == 1
        clock.advance(timedelta(days=21).total_seconds())
        assert idv.erase(approved) == Erasure(status=DONE)

    def test_an_applicant_without_a_check_is_deleted_at_once(self, by_api: Gateway, emulator: OnfidoEmulator) -> None:
        flow = by_api.upload(by_api.open(order()), papers(ANA))
        assert by_api.erase(flow) == by_api.erase(flow.ref) == Erasure(status=DONE)
        assert (emulator.applicants, emulator.documents, emulator.photos) == ({}, {}, {})

    def test_an_answer_that_was_lost_does_no_harm(self, idv: Gateway, emulator: OnfidoEmulator, approved: Flow) -> None:
        emulator.fault("DELETE", EmulatedResponse(500, {"error": {"type": "internal_server_error"}}))
        assert idv.erase(approved).status is REQUESTED

    def test_a_deletion_that_was_refused_is_never_told_as_asked_for(self) -> None:
        flow = Flow(id="a-1", status="open")
        there = reply({"id": "a-1", "delete_at": None})
        with pytest.raises(NotAccepted):
            run_exchange(CHECKS.erase(flow), [there, reply(NOT_FOUND, 404), there])

    @pytest.mark.parametrize("page", [b"<html>Not Found</html>", b'{"error": "no such place"}'])
    def test_not_found_by_somebody_else_is_not_done(self, page: bytes) -> None:
        """A load balancer's 404 says nothing of an applicant."""
        run = reply({"id": "r-1", "applicant_id": "a-1", "workflow_id": "workflow-1"})
        with pytest.raises(NotAccepted):
            run_exchange(WORKFLOWS.erase(Flow(id="r-1", status="open")), [run, reply(page, 404)])
        with pytest.raises(NotAccepted):
            run_exchange(WORKFLOWS.erase(Flow(id="r-1", status="open")), [reply(page, 410)])

    def test_an_applicant_that_its_run_names_and_that_is_not_there_is_deleted(self) -> None:
        run = reply({"id": "r-1", "applicant_id": "a-1", "workflow_id": "workflow-1"})
        assert run_exchange(WORKFLOWS.erase(Flow(id="r-1", status="open")), [run, reply(NOT_FOUND, 404)]).value == (
            Erasure(status=DONE)
        )

    def test_another_applicant_is_not_deleted(self) -> None:
        with pytest.raises(UnexpectedResponse, match="another applicant"):
            run_exchange(CHECKS.erase(Flow(id="a-1", status="open")), [reply({"id": "a-2"})])


class TestMedia:
    def test_what_there_is(self, idv: Gateway, emulator: OnfidoEmulator, approved: Flow) -> None:
        (applicant,) = emulator.applicants
        emulator.record(applicant, "live_videos", b"video")
        emulator.record(applicant, "motion_captures", b"motion")
        found = idv.media(approved)
        assert [(str(one.kind), one.content_type, one.document, one.size) for one in found] == [
            ("document_front", "image/png", "passport", len(pictures(ANA)[0]["document"])),
            ("selfie", "image/png", None, len(pictures(ANA)[1]["photo"])),
            ("video", "video/mp4", None, 5),
            ("video", "video/mp4", None, 6),
            ("report", "application/pdf", None, None),
            ("other", "application/zip", None, None),
        ]
        assert idv.media(approved.ref) == found

    def test_all_of_it_arrives(self, idv: Gateway, emulator: OnfidoEmulator, approved: Flow, tmp_path: Path) -> None:
        (applicant,) = emulator.applicants
        video = bytes(range(256)) * 4096
        emulator.record(applicant, "live_videos", video)
        document, photo = (next(iter(form.values())) for form in pictures(ANA))
        paper = approved.id.encode()
        wanted = [document, photo, video, b"%PDF-1.7 " + paper, b"PK\x03\x04" + paper]
        for media, content in zip(idv.media(approved), wanted, strict=True):
            path, file = tmp_path / "here", BytesIO()
            got = [idv.download(approved, media, path), idv.download(approved.ref, media, file)]
            assert path.read_bytes() == file.getvalue() == content
            assert {one.sha256 for one in got} == {sha256(content).hexdigest()}
            assert got[0].content_type == media.content_type

    def test_a_check_has_its_pdf(self, by_api: Gateway, emulator: OnfidoEmulator, checked: Flow) -> None:
        found = by_api.media(checked)
        assert [str(one.kind) for one in found] == ["document_front", "selfie", "report"]
        file = BytesIO()
        by_api.download(checked, found[-1], file)
        (check,) = emulator.checks
        assert file.getvalue() == b"%PDF-1.7 " + check.encode()

    def test_before_the_end_there_are_no_papers(self, idv: Gateway, by_api: Gateway, network: Network) -> None:
        flow = idv.open(order())
        assert idv.media(flow) == ()
        walk(network, flow)
        assert [one.kind for one in idv.media(flow)] == [MediaKind.DOCUMENT_FRONT, MediaKind.SELFIE]
        uploaded = by_api.upload(by_api.open(order()), papers(ANA))
        assert [one.kind for one in by_api.media(uploaded)] == [MediaKind.DOCUMENT_FRONT, MediaKind.SELFIE]
        with pytest.raises(FlowNotFound):
            idv.download(flow, Media(id="signed_evidence_file", kind="report"), BytesIO())

    @pytest.mark.parametrize("id", ["documents/", "documents", "checks/1", "applicants/1", "live_photos/../x", "x"])
    def test_what_is_no_file_of_the_applicant_is_asked_for_nowhere(
        self, idv: Gateway, by_api: Gateway, emulator: OnfidoEmulator, approved: Flow, checked: Flow, id: str
    ) -> None:
        for gateway, flow in ((idv, approved), (by_api, checked)):
            with pytest.raises(FlowNotFound, match="none of this applicant's"):
                gateway.download(flow, Media(id=id, kind="document"), BytesIO())
        assert made(emulator, f"GET /v3.6/{id}/download") == 0

    def test_a_file_of_another_person_is_not_given_out(
        self, idv: Gateway, by_api: Gateway, approved: Flow, checked: Flow
    ) -> None:
        for media in by_api.media(checked):
            with pytest.raises(FlowNotFound):
                idv.download(approved, media, BytesIO())
        for media in idv.media(approved):
            with pytest.raises(FlowNotFound):
                by_api.download(checked, media, BytesIO())

    def test_a_list_of_somebody_elses_files_is_an_alarm(self) -> None:
        listed = {"documents": [{"id": "d-1", "applicant_id": "a-2"}]}
        with pytest.raises(UnexpectedResponse, match="another applicant's"):
            run_exchange(CHECKS.media(Flow(id="a-1", status="open")), [reply(listed)])
        with pytest.raises(UnexpectedResponse):
            run_exchange(CHECKS.media(Flow(id="a-1", status="open")), [reply({})])


class TestRetry:
    def test_it_is_another_run_of_the_same_applicant(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: OnfidoEmulator
    ) -> None:
        first = idv.open(order())
        walk(network, first, LUIS)
        assert idv.wait(first).decision is Decision.DECLINED
        second = idv.retry(first, order())
        assert (second.attempt, second.previous_id, second.status) == (2, first.id, FlowStatus.AWAITING_APPLICANT)
        assert second.sdk is not None
        assert len(emulator.applicants) == 1
        walk(network, second)
        assert idv.wait(second).decision is Decision.APPROVED
        assert idv.result(first).decision is Decision.DECLINED

    def test_twice_is_once_also_in_another_process(
        self, connect: Connect, network: Network, clock: FakeClock, emulator: OnfidoEmulator
    ) -> None:
        first = connect().open(order())
        walk(network, first, LUIS)
        clock.advance(5)
        second = connect().retry(first, order())
        again = connect().retry(first.ref, order())
        assert (again.id, again.previous_id, len(emulator.runs)) == (second.id, first.id, 2)
        assert connect().open(order()).id == second.id

    def test_not_while_the_first_one_is_under_way(self, idv: Gateway, emulator: OnfidoEmulator) -> None:
        first = idv.open(order())
        with pytest.raises(DuplicateFlow, match="still under way"):
            idv.retry(first, order())
        assert len(emulator.runs) == 1

    def test_but_where_its_link_is_over(self, idv: Gateway, clock: FakeClock, emulator: OnfidoEmulator) -> None:
        first = idv.open(order())
        emulator.runs[first.id].expires_at = clock.now().isoformat()
        assert idv.retry(first, order()).previous_id == first.id

    def test_of_another_order_or_person_there_is_none(
        self, idv: Gateway, approved: Flow, emulator: OnfidoEmulator, connect: Connect
    ) -> None:
        with pytest.raises(InvalidOrder, match="none of this order's"):
            connect().retry(approved, order(application_id="APP-2"))
        with pytest.raises(InvalidOrder, match="none of this order's"):
            connect().retry(approved, order(template="workflow-2"))
        somebody = attrs.evolve(order().applicant, family_name="Mora")
        with pytest.raises(DuplicateFlow, match="another name"):
            connect().retry(approved, order(applicant=somebody))
        assert len(emulator.runs) == 1

    def test_of_a_deleted_applicant_there_is_none(self, idv: Gateway, approved: Flow, emulator: OnfidoEmulator) -> None:
        emulator.fault("GET /v3.6/applicants/", EmulatedResponse(410, {"error": {"type": "gone"}}))
        with pytest.raises(FlowNotFound, match="open the order again"):
            idv.retry(approved, order())

    def test_an_answer_that_was_lost_makes_no_third_run(
        self, idv: Gateway, approved: Flow, emulator: OnfidoEmulator, clock: FakeClock
    ) -> None:
        emulator.fault("POST /v3.6/workflow_runs", EmulatedResponse(500, {"error": {"type": "internal_server_error"}}))
        with pytest.raises(OutcomeUnknown):
            idv.retry(approved, order())
        clock.advance(600)
        assert idv.retry(approved, order()).previous_id == approved.id
        assert len(emulator.runs) == 2


class TestCoverage:
    def test_of_the_reports_that_are_asked_for(self, connect: Connect) -> None:
        covered = connect(family="checks", report_names=["document", "facial_similarity_photo"]).coverage()
        assert covered.checks == {
            "document.authenticity",
            "face_match.selfie_to_document",
            "liveness.presentation_attack",
        }
        assert {DocumentType.IDCARD, DocumentType.PASSPORT} <= (covered.document_types or set())
        assert (covered.templates, covered.countries) == ((), None)
        assert connect(family="checks", report_names=["document"]).coverage().checks == {"document.authenticity"}

    def test_of_workflows(self, idv: Gateway) -> None:
        covered = idv.coverage()
        assert covered.templates == ("workflow-1",)
        names = {f"{kind}.{name}" for kind, known in CHECK_NAMES.items() for name in known}
        assert {"screening.sanctions", "screening", "liveness.presentation_attack"} <= (covered.checks or set())
        assert (covered.checks or set()) <= {*names, *CheckKind}


class TestSdk:
    def test_a_run_has_its_token(self, idv: Gateway, clock: FakeClock) -> None:
        flow = idv.open(order())
        assert flow.sdk is not None
        assert (flow.sdk.kind, flow.sdk.expires_at) == ("onfido_sdk", clock.now() + timedelta(weeks=5))
        assert flow.sdk.token.reveal() not in repr(flow)

    def test_an_applicant_has_one_where_the_account_wants_it(
        self, connect: Connect, clock: FakeClock, emulator: OnfidoEmulator
    ) -> None:
        assert connect(family="checks").open(order()).sdk is None
        assert made(emulator, "POST /v3.6/sdk_token") == 0
        flow = connect(family="checks", sdk_referrer="https://app.example/*").open(order(application_id="APP-2"))
        assert flow.sdk is not None
        assert flow.sdk.expires_at == clock.now() + timedelta(minutes=90)

    @pytest.mark.parametrize("token", ["t", "a.b.c", "a.e30.c", "a.eyJleHAiOiAieCJ9.c", "a.eyJleHAiOiAxZTk5fQ.c"])
    def test_a_token_that_does_not_tell_its_end(self, token: str, clock: FakeClock) -> None:
        assert sdk_session(token).expires_at is None
        assert sdk_session(token, clock.now()).expires_at == clock.now()


def test_a_check_that_is_complete_may_be_reopened(by_api: Gateway, checked: Flow) -> None:
    assert by_api.status(checked).may_reopen
    assert by_api.result(checked).flow.may_reopen


@pytest.mark.parametrize("operation", ["erase", "media"])
def test_an_unknown_id_is_a_clear_error(idv: Gateway, by_api: Gateway, operation: str) -> None:
    for gateway in (idv, by_api):
        with pytest.raises(FlowNotFound):
            getattr(gateway, operation)("onfido/unknown")
        with pytest.raises(InvalidOrder, match="none of Onfido's"):
            getattr(gateway, operation)("onfido/a b")


def test_what_onfido_has_no_call_for(idv: Gateway, by_api: Gateway) -> None:
    flow = idv.open(order())
    with pytest.raises(UnsupportedOperation, match="cancel"):
        idv.cancel(flow)
    with pytest.raises(UnsupportedOperation, match="simulate"):
        idv.simulate(flow, "approved")
    with pytest.raises(UnsupportedOperation, match="retry"):
        by_api.retry(by_api.open(order()), order())
