"""Judged by Onfido's own SDK: it drives the emulator over real sockets, and the plugin sees the same objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import onfido
import pytest
from idv_onfido import idv_plugin
from idv_onfido.account import sign
from idv_onfido.testing.emulator import OnfidoEmulator
from idv_onfido.testing.harness import ANA, LUIS, order, papers, pictures

from idv_core import CheckKind, Decision, Document, Flow, FlowStatus, Gateway, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import FlowNotFound, InvalidOrder, UnexpectedResponse, WebhookRejected
from idv_core.model import VendorVerdict
from idv_core.plugin import ErasureStatus
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Person, make_specimen
from idv_core.testing.applicant import submit_forms
from idv_core.testing.asgi import Served, serve
from idv_core.webhooks import WebhookRequest

WORKFLOW = "11111111-2222-4333-8444-555555555555"
TOKEN = "webhook-token-4711"


@pytest.fixture
def served(clock: FakeClock) -> Iterator[tuple[OnfidoEmulator, Served]]:
    emulator = OnfidoEmulator(clock)
    clock.on_advance.append(emulator.tick)
    with serve(emulator.app) as running:
        yield emulator, running


@pytest.fixture
def sdk(served: tuple[OnfidoEmulator, Served]) -> Iterator[Any]:
    emulator, running = served
    configuration = onfido.Configuration(api_token=emulator.api_token, host=f"{running.url}/v3.6")
    with onfido.ApiClient(configuration) as client:
        yield onfido.DefaultApi(client)


def gateway(served: tuple[OnfidoEmulator, Served], clock: FakeClock, **more: Any) -> Gateway:
    emulator, running = served
    settings = {
        "base_url": f"{running.url}/v3.6",
        "api_token": Secret(emulator.api_token),
        "workflow_id": WORKFLOW,
        "webhook_token": Secret(TOKEN),
        **more,
    }
    webhooks = Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef"))
    return Gateway(
        [Account("onfido", "onfido", settings, test=True)],
        webhooks=webhooks,
        clock=clock,
        registry=registry_of(idv_plugin()),
    )


@pytest.fixture
def idv(served: tuple[OnfidoEmulator, Served], clock: FakeClock) -> Iterator[Gateway]:
    with gateway(served, clock) as made:
        yield made


@pytest.fixture
def by_api(served: tuple[OnfidoEmulator, Served], clock: FakeClock) -> Iterator[Gateway]:
    with gateway(served, clock, family="checks") as made:
        yield made


def walk(url: str, face: Person) -> None:
    with httpx.Client() as browser:
        submit_forms(browser, url, *pictures(face))


def walked(idv: Gateway, clock: FakeClock, face: Person) -> Flow:
    """A flow whose applicant has been on the page, and that Onfido is done with."""
    flow = idv.open(order())
    assert flow.link is not None
    walk(flow.link.url.reveal(), face)
    clock.advance(5)
    return flow


def begin(sdk: Any, **more: Any) -> Any:
    applicant = sdk.create_applicant(onfido.ApplicantBuilder(first_name="Ana", last_name="Ruiz"))
    return sdk.create_workflow_run(
        onfido.WorkflowRunBuilder(applicant_id=applicant.id, workflow_id=WORKFLOW, **more)  # type: ignore[arg-type]
    )


class TestAfterwards:
    def test_deleted_by_either(self, sdk: Any, idv: Gateway, clock: FakeClock) -> None:
        flow = walked(idv, clock, ANA)
        applicant = sdk.find_workflow_run(flow.id).applicant_id
        sdk.delete_applicant(applicant)
        scheduled = sdk.find_applicant(applicant)
        erasure = idv.erase(flow)
        assert (erasure.status, erasure.kept_until) == (ErasureStatus.REQUESTED, scheduled.delete_at)
        sdk.restore_applicant(applicant)
        assert sdk.find_applicant(applicant).delete_at is None
        assert idv.erase(flow).status is ErasureStatus.REQUESTED
        assert sdk.find_applicant(applicant).delete_at is not None
        clock.advance(21 * 86400)
        with pytest.raises(onfido.ApiException) as gone:
            sdk.find_applicant(applicant)
        assert (gone.value.status, idv.erase(flow).status) == (410, ErasureStatus.DONE)
        with pytest.raises(onfido.ApiException):
            sdk.restore_applicant(applicant)

    def test_files_by_either(
        self, served: tuple[OnfidoEmulator, Served], sdk: Any, idv: Gateway, clock: FakeClock
    ) -> None:
        flow = walked(idv, clock, ANA)
        applicant = str(sdk.find_workflow_run(flow.id).applicant_id)
        served[0].record(applicant, "live_videos", b"video")
        served[0].record(applicant, "motion_captures", b"motion")
        (document,), (photo,) = sdk.list_documents(applicant).documents, sdk.list_live_photos(applicant).live_photos
        (video,), (motion,) = (
            sdk.list_live_videos(applicant).live_videos,
            sdk.list_motion_captures(applicant).motion_captures,
        )
        assert document.applicant_id == sdk.find_document(document.id).applicant_id
        contents = [
            sdk.download_document(document.id),
            sdk.download_live_photo(photo.id),
            sdk.download_live_video(video.id),
            sdk.download_motion_capture(motion.id),
            sdk.download_signed_evidence_file(flow.id),
            sdk.download_evidence_folder(flow.id),
        ]
        found = idv.media(flow)
        assert [one.id.partition("/")[2] for one in found[:4]] == [
            str(one.id) for one in (document, photo, video, motion)
        ]
        assert [one.size for one in found[:4]] == [one.file_size for one in (document, photo, video, motion)]
        for media, content in zip(found, contents, strict=True):
            file = BytesIO()
            idv.download(flow, media, file)
            assert file.getvalue() == bytes(content)

    def test_a_check_as_pdf(self, sdk: Any, by_api: Gateway, clock: FakeClock) -> None:
        flow = by_api.submit(by_api.upload(by_api.open(order()), papers(ANA)))
        clock.advance(5)
        (check,) = sdk.list_checks(flow.id).checks
        file = BytesIO()
        by_api.download(flow, by_api.media(flow)[-1], file)
        assert file.getvalue() == bytes(sdk.download_check(check.id))

    def test_another_run_by_either(self, sdk: Any, idv: Gateway, clock: FakeClock) -> None:
        first = walked(idv, clock, LUIS)
        second = idv.retry(first, order())
        assert sdk.find_workflow_run(second.id).applicant_id == sdk.find_workflow_run(first.id).applicant_id

    def test_a_token_for_the_sdk(self, sdk: Any, served: tuple[OnfidoEmulator, Served], clock: FakeClock) -> None:
        applicant = sdk.create_applicant(onfido.ApplicantBuilder(first_name="Ana", last_name="Ruiz"))
        asked = onfido.SdkTokenBuilder(applicant_id=applicant.id, referrer="https://app.example/*")
        assert sdk.generate_sdk_token(asked).token.count(".") == 2
        with gateway(served, clock, family="checks", sdk_application_id="com.example.app") as made:
            flow = made.open(order())
        assert flow.sdk is not None


class TestWorkflowRuns:
    def test_what_the_sdk_opens_the_plugin_reads(self, sdk: Any, idv: Gateway, clock: FakeClock) -> None:
        run = begin(sdk, tags=["application:APP-7"], customer_user_id="CUST-5120")
        ref = f"onfido/{run.id}"
        assert (run.status.value, idv.status(ref).status) == ("awaiting_input", FlowStatus.AWAITING_APPLICANT)
        walk(run.link.url, ANA)
        assert (sdk.find_workflow_run(run.id).status.value, idv.status(ref).status) == (
            "processing",
            FlowStatus.PROCESSING,
        )
        clock.advance(5)
        run, result = sdk.find_workflow_run(run.id), idv.result(ref)
        assert (run.status.value, result.vendor_word) == ("approved", "approved")
        assert (result.verdict, result.decision) == (VendorVerdict.POSITIVE, Decision.APPROVED)
        tasks = {task.task_def_id: sdk.find_task(run.id, task.id).output for task in sdk.list_tasks(run.id)}
        document, face, live = result.checks
        assert (document.vendor_name, document.vendor_word) == ("document", tasks["document_check"]["sub_result"])
        parts = tasks["facial_similarity_photo_check"]["breakdown"]
        assert [face.vendor_word, live.vendor_word] == [
            parts[name]["result"] for name in ("face_comparison", "visual_authenticity")
        ]
        assert face.score is not None
        assert face.score.raw == parts["face_comparison"]["breakdown"]["face_match"]["properties"]["score"]
        read, properties = result.documents[0], tasks["document_check"]["properties"]
        assert read.field("given_name").value == properties["first_name"] == "Ana"  # type: ignore[union-attr]
        assert read.expires_on is not None
        assert read.expires_on.isoformat() == properties["date_of_expiry"]

    def test_what_the_plugin_opens_the_sdk_reads(self, sdk: Any, idv: Gateway) -> None:
        flow = idv.open(order())
        run = sdk.find_workflow_run(flow.id)
        assert (str(run.applicant_id), str(run.workflow_id)) == (flow.details["applicant_id"], WORKFLOW)
        assert (run.customer_user_id, run.tags) == ("CUST-5120", ["application:APP-1", "product:wallet"])
        assert flow.link is not None
        assert run.link.url == flow.link.url.reveal()
        assert run.link.language == "en_US"
        assert run.link.completed_redirect_url.startswith("https://platform.example/idv")
        applicant = sdk.find_applicant(flow.details["applicant_id"])
        assert (applicant.first_name, applicant.last_name, applicant.email) == ("Ana", "Ruiz", "ana@example.org")
        assert applicant.location.country_of_residence.value == "COL"
        assert [str(run.id) for run in sdk.list_workflow_runs(tags=["application:APP-1"])] == [flow.id]

    @pytest.mark.parametrize(("ends", "decision"), [("declined", Decision.DECLINED), ("review", Decision.DECLINED)])
    def test_another_face(
        self, sdk: Any, idv: Gateway, served: Any, clock: FakeClock, ends: str, decision: Decision
    ) -> None:
        """Whatever the workflow makes of it, a face that is another's fails."""
        served[0].variants.suspects_end = ends
        flow = walked(idv, clock, LUIS)
        result = idv.result(flow)
        assert sdk.find_workflow_run(flow.id).status.value == result.vendor_word == ends
        assert [check.vendor_name for check in result.failed_checks()] == ["face_comparison"]
        assert result.decision is decision

    def test_an_approval_without_a_report_behind_it_is_doubtful(
        self, idv: Gateway, served: Any, clock: FakeClock
    ) -> None:
        flow = walked(idv, clock, ANA)
        served[0].runs[flow.id].tasks.clear()
        assert (idv.result(flow).verdict, idv.result(flow).decision) == (VendorVerdict.DOUBTFUL, Decision.REVIEW)

    def test_of_two_attempts_the_last_counts(self, idv: Gateway, served: Any, clock: FakeClock) -> None:
        flow = walked(idv, clock, ANA)
        tasks = served[0].runs[flow.id].tasks
        earlier = {**tasks[2], "id": "document_check_0", "created_at": "2020-01-01T00:00:00Z"}
        tasks.append({**earlier, "output": {**earlier["output"], "result": "consider", "sub_result": "suspected"}})
        assert idv.result(flow).decision is Decision.APPROVED

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"workflow_run_id": "another"}, "another task"),
            ({"id": "document_check_0"}, "another task"),
            ({}, None),
        ],
    )
    def test_a_report_of_another_run_is_not_taken(
        self, idv: Gateway, served: Any, clock: FakeClock, changed: dict[str, str], said: str | None
    ) -> None:
        flow = walked(idv, clock, ANA)
        task = next(t for t in served[0].runs[flow.id].tasks if t["task_def_id"] == "document_check")
        served[0].fault(
            f"GET /v3.6/workflow_runs/{flow.id}/tasks/{task['id']}", EmulatedResponse(200, {**task, **changed})
        )
        if said is None:
            assert idv.result(flow).decision is Decision.APPROVED
        else:
            with pytest.raises(UnexpectedResponse, match=said):
                idv.result(flow)

    @pytest.mark.parametrize("output", [None, {}, [], "clear", {"result": "fine"}, {"result": None}])
    def test_a_report_task_that_says_nothing_understood_does_not_pass(
        self, idv: Gateway, served: Any, clock: FakeClock, output: Any
    ) -> None:
        flow = walked(idv, clock, ANA)
        for task in served[0].runs[flow.id].tasks:
            if task["task_def_id"] == "document_check":
                task["output"] = output
        result = idv.result(flow)
        assert (result.vendor_word, result.decision) == ("approved", Decision.REVIEW)

    def test_the_id_of_a_task_stays_an_id(self, idv: Gateway, served: Any, clock: FakeClock) -> None:
        flow = walked(idv, clock, ANA)
        served[0].runs[flow.id].tasks[2]["id"] = "../../applicants"
        with pytest.raises(UnexpectedResponse, match="the id of a task"):
            idv.result(flow)

    def test_recover_pages_through_the_runs_of_the_application(self, sdk: Any, idv: Gateway, served: Any) -> None:
        flow = idv.open(order())
        for number in range(45):
            begin(sdk, tags=["application:APP-1"], customer_user_id=f"CO-APPLICANT-{number}")
        before = len(served[0].runs)
        recovered = idv.recover(order(), account="onfido")
        assert (recovered.id, len(served[0].runs)) == (flow.id, before)
        assert recovered.link is not None
        with pytest.raises(FlowNotFound, match="open it"):
            idv.recover(order(application_id="APP-2"), account="onfido")
        assert len(served[0].runs) == before

    @pytest.mark.parametrize("application_id", ["A,1", "x" * 200, "Größe 1", "a" * 101])
    def test_recover_finds_any_application(self, sdk: Any, idv: Gateway, served: Any, application_id: str) -> None:
        """The SDK sends tags with commas between them, so that one with a comma in it would be two."""
        flow = idv.open(order(application_id=application_id))
        assert idv.recover(order(application_id=application_id), account="onfido").id == flow.id
        (tag, _) = sdk.find_workflow_run(flow.id).tags
        assert [str(run.id) for run in sdk.list_workflow_runs(tags=[tag])] == [flow.id]

    def test_recover_trusts_no_filter(self, sdk: Any, idv: Gateway, served: Any) -> None:
        """If the vendor did not know the filter, the runs listed would be anybody's, and ours perhaps not among them."""
        other = begin(sdk, tags=["application:OTHER"]).model_dump(mode="json")
        served[0].fault("GET /v3.6/workflow_runs", EmulatedResponse(200, [other]))
        with pytest.raises(UnexpectedResponse, match="not those of the tag"):
            idv.recover(order(), account="onfido")


class TestChecks:
    def test_what_the_plugin_hands_in_the_sdk_reads(self, sdk: Any, by_api: Gateway, clock: FakeClock) -> None:
        flow = by_api.upload(by_api.open(order()), papers(ANA))
        (document,), (photo,) = sdk.list_documents(flow.id).documents, sdk.list_live_photos(flow.id).live_photos
        assert [str(document.id), str(photo.id)] == [id for u in flow.uploads for id in u.vendor_ids.values()]
        assert (document.type.value, document.side) == ("passport", "front")
        assert bytes(sdk.download_document(str(document.id))) == make_specimen("passport", ANA)
        flow = by_api.submit(flow)
        assert by_api.submit(flow).status is FlowStatus.PROCESSING
        (check,) = sdk.list_checks(flow.id).checks
        assert (check.status, by_api.status(flow).status) == ("in_progress", FlowStatus.PROCESSING)
        clock.advance(5)
        result = by_api.result(flow)
        assert sdk.find_check(str(check.id)).result == result.vendor_word == "clear"
        assert result.decision is Decision.APPROVED
        reports = [report.actual_instance for report in sdk.list_reports(str(check.id)).reports]
        assert [report.name.value for report in reports] == ["document", "facial_similarity_photo"]
        assert [c.vendor_word for c in result.checks] == [
            reports[0].sub_result.value,
            reports[1].breakdown.face_comparison.result,
            reports[1].breakdown.visual_authenticity.result,
        ]
        assert [c.document_id for c in result.checks] == ["passport", "selfie", "selfie"]
        assert result.documents[0].document_id == "passport"
        assert result.documents[0].field("document_number") is not None

    def test_what_the_sdk_hands_in_the_plugin_reads(self, sdk: Any, by_api: Gateway, clock: FakeClock) -> None:
        applicant = sdk.create_applicant(onfido.ApplicantBuilder(first_name="Ana", last_name="Ruiz"))
        id = str(applicant.id)
        sdk.upload_document("passport", id, file=("a.png", make_specimen("passport", ANA, flaw="edited")))
        sdk.upload_live_photo(applicant_id=id, file=("b.png", make_specimen("selfie", ANA)))
        names = [onfido.ReportName.DOCUMENT, onfido.ReportName.FACIAL_SIMILARITY_PHOTO]
        check = sdk.create_check(onfido.CheckBuilder(applicant_id=applicant.id, report_names=names))
        clock.advance(5)
        result = by_api.result(f"onfido/{id}")
        assert sdk.find_check(str(check.id)).result == result.vendor_word == "consider"
        assert [(c.kind, c.reasons) for c in result.failed_checks()] == [
            (CheckKind.DOCUMENT, ("visual_authenticity.fonts",))
        ]
        assert result.decision is Decision.DECLINED

    def test_a_photo_without_a_face_is_evidence(self, sdk: Any, by_api: Gateway) -> None:
        flow = by_api.open(order())
        nobody = make_specimen("invoice", ANA)
        with pytest.raises(onfido.ApiException) as theirs:
            sdk.upload_live_photo(applicant_id=flow.id, file=("b.png", nobody))
        assert theirs.value.status == 422
        (upload,) = by_api.upload(flow, (Document.selfie(content=nobody),)).uploads
        assert (upload.accepted, upload.check and upload.check.reasons) == (False, ("face_detection",))

    def test_what_else_is_wrong_with_a_photo_is_an_error(self, by_api: Gateway, served: Any) -> None:
        flow = by_api.open(order())
        error = {"type": "validation_error", "message": "no", "fields": {"file": ["too small"]}}
        served[0].fault("POST /v3.6/live_photos", EmulatedResponse(422, {"error": error}))
        with pytest.raises(InvalidOrder) as caught:
            by_api.upload(flow, papers(ANA)[1:])
        assert caught.value.fields == ("file",)

    def test_both_sides_are_sent(self, sdk: Any, by_api: Gateway) -> None:
        flow = by_api.open(order())
        card = Document("card", content=make_specimen("cedula", ANA), back_content=b"%PDF-1.7", country="CO")
        by_api.upload(flow, (card,))
        front, back = sdk.list_documents(flow.id).documents
        assert [(front.side, back.side), (front.issuing_country.value, front.type.value)] == [
            ("front", "back"),
            ("COL", "unknown"),
        ]

    def test_an_address_is_no_file(self, by_api: Gateway) -> None:
        with pytest.raises(InvalidOrder, match="takes files, not addresses"):
            by_api.upload(by_api.open(order()), (Document("a", url="https://files.example/a.png"),))


class TestErrors:
    def test_they_are_the_same(self, sdk: Any, served: Any, idv: Gateway) -> None:
        with pytest.raises(onfido.ApiException) as theirs:
            sdk.find_workflow_run(WORKFLOW)
        assert theirs.value.status == 404
        with pytest.raises(onfido.ApiException) as theirs:
            sdk.create_applicant(onfido.ApplicantBuilder(first_name="Ana", last_name=""))
        error = json.loads(theirs.value.body)["error"]
        assert (theirs.value.status, error["type"], [*error["fields"]]) == (422, "validation_error", ["last_name"])

    def test_a_name_that_onfido_would_refuse_is_not_sent(self, served: Any, idv: Gateway) -> None:
        from idv_core import Applicant

        for person, said in (
            ({"name": "Ana Ruiz"}, "apart"),
            ({"given_name": "A<b>", "family_name": "Ruiz"}, "takes no name with"),
            ({}, "apart"),
        ):
            with pytest.raises(InvalidOrder, match=said):
                idv.open(order(applicant=Applicant(reference="CUST-1", **person)))
        assert not [call for call in served[0].calls if call.startswith("POST")]

    def test_no_workflow(self, served: Any, clock: FakeClock) -> None:
        with gateway(served, clock, workflow_id=None) as idv, pytest.raises(InvalidOrder, match="name a workflow"):
            idv.open(order())

    def test_a_person_with_one_name(self, sdk: Any, served: Any, by_api: Gateway) -> None:
        from idv_core import Applicant

        person = Applicant(reference="CUST-1", family_name="Suharto")
        with pytest.raises(InvalidOrder, match="a person with one name"):
            by_api.open(order(applicant=person))
        flow = by_api.open(order(applicant=person, vendor_options={"onfido": {"first_name": "-"}}))
        made = sdk.find_applicant(flow.id)
        assert (made.first_name, made.last_name) == ("-", "Suharto")

    def test_a_live_token_takes_nothing_from_the_sandbox(self, served: Any, clock: FakeClock) -> None:
        emulator, _ = served
        emulator.api_token = "api_live.emulated4711"
        with gateway(served, clock, family="checks") as idv:
            flow = idv.submit(idv.upload(idv.open(order()), papers(ANA)))
            clock.advance(5)
            assert idv.result(flow).decision is Decision.APPROVED
            for check in emulator.checks.values():
                check.about["sandbox"] = True
            with pytest.raises(UnexpectedResponse, match="of the sandbox"):
                idv.result(flow)

    def test_no_report(self) -> None:
        with pytest.raises(ValueError, match="report_names: name at least one report"):
            idv_plugin().settings(api_token=Secret("api_sandbox.x"), report_names=())

    @pytest.mark.parametrize("region", ["eu", "us", "ca"])
    def test_each_region_has_its_own_host_as_the_sdk_knows_it(self, region: str) -> None:
        plugin = idv_plugin()
        settings = plugin.settings(api_token=Secret("api_sandbox.x"), region=region)
        theirs = onfido.Configuration(api_token="x", region=onfido.configuration.Region(region))
        assert plugin.create(settings).base_url == theirs.host


class TestWebhooks:
    def test_what_the_emulator_signs_the_sdk_accepts_and_it_leads_to_the_result(
        self, sdk: Any, served: Any, clock: FakeClock, idv: Gateway
    ) -> None:
        emulator, _ = served
        seen: list[tuple[str, str]] = []

        def receive(request: httpx.Request) -> httpx.Response:
            verifier = onfido.WebhookEventVerifier(webhook.token)
            event: Any = verifier.read_payload(request.content.decode(), request.headers["X-SHA2-Signature"])
            seen.append((event.payload.action.value, event.payload.object.id))
            with pytest.raises(onfido.OnfidoInvalidSignatureError):
                verifier.read_payload(request.content.decode() + " ", request.headers["X-SHA2-Signature"])
            return httpx.Response(200)

        emulator._client = lambda: httpx.Client(transport=httpx.MockTransport(receive))
        webhook = sdk.create_webhook(onfido.WebhookBuilder(url="https://platform.example/hook"))
        run = begin(sdk)
        walk(run.link.url, ANA)
        clock.advance(5)
        assert seen == [("workflow_run.completed", str(run.id))]

    def test_what_is_signed_as_the_sdk_reads_it_the_plugin_accepts(self, idv: Gateway) -> None:
        path = idv.webhook_url("onfido", "events").reveal().removeprefix("https://platform.example/idv")

        def receive(payload: Any, signature: str | None = None) -> Any:
            body = json.dumps({"payload": payload}).encode()
            given = sign(Secret(TOKEN), body) if signature is None else signature
            onfido.WebhookEventVerifier(TOKEN).read_payload(body.decode(), sign(Secret(TOKEN), body))
            headers = {"X-SHA2-Signature": given}
            return idv.receive("onfido", WebhookRequest(method="POST", path=path, headers=headers, body=body))

        completed = {"resource_type": "workflow_run", "action": "workflow_run.completed", "object": {"id": "run-1"}}
        received = receive(completed)
        assert (received.flow_ref, received.event, received.fetch) == ("onfido/run-1", "workflow_run.completed", True)
        task = {"resource_type": "workflow_task", "action": "workflow_task.started"}
        run = "22222222-2222-4333-8444-555555555555"
        assert receive({**task, "resource": {"workflow_run_id": run}}).flow_ref == f"onfido/{run}"
        assert receive({"resource_type": "audit_log", "action": "audit_log.created"}).fetch is False
        for wrong in ("", "é", "0" * 64, sign(Secret("another"), b"")):
            with pytest.raises(WebhookRejected) as caught:
                receive(completed, wrong)
            assert caught.value.status == 401
