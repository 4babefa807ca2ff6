"""Onfido's own SDK drives the emulator over real sockets; `tests/test_sdk.py` goes further."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import httpx

from idv_core import Secret
from idv_core.testing import PEOPLE, FakeClock, make_specimen, serve, submit_forms

from ..account import sign
from .emulator import OnfidoEmulator

_ANA = PEOPLE["ana"]


def checked_by_sdk() -> str:
    """The life of a workflow run, of a check, and a webhook's signature, as the SDK sees them. Which SDK it was."""
    import onfido

    clock = FakeClock()
    emulator = OnfidoEmulator(clock)
    with serve(emulator.app) as served:
        configuration = onfido.Configuration(api_token=emulator.api_token, host=f"{served.url}/v3.6")
        with onfido.ApiClient(configuration) as client:
            sdk: Any = onfido.DefaultApi(client)
            _judge_run(onfido, sdk, clock)
            _judge_check(onfido, sdk, clock)
    body = '{"payload": {"resource_type": "workflow_run", "action": "workflow_run.completed", "object": {"id": "r"}}}'
    read = onfido.WebhookEventVerifier("token-1").read_payload(body, sign(Secret("token-1"), body.encode()))
    assert read is not None, "the signature of a webhook is accepted"
    version = metadata.version("onfido-python")
    return f"onfido-python {version}: life of a run, files, deletion, documents and photos, reports, signature"


def _judge_run(onfido: Any, sdk: Any, clock: FakeClock) -> None:
    applicant = sdk.create_applicant(
        onfido.ApplicantBuilder(
            first_name="Ana",
            last_name="Ruiz",
            address=onfido.AddressBuilder(line1="14 Lantern Row", postcode="110231", country=onfido.CountryCodes.COL),
            id_numbers=[onfido.IdNumber(type="identity_card", value="ZZ-4711-QQ")],
        )
    )
    kept = sdk.find_applicant(applicant.id)
    assert (kept.address.line1, kept.id_numbers[0].value) == ("14 Lantern Row", "ZZ-4711-QQ"), "a record is kept"
    run = sdk.create_workflow_run(
        onfido.WorkflowRunBuilder(applicant_id=applicant.id, workflow_id="11111111-2222-4333-8444-555555555555")
    )
    assert run.status.value == "awaiting_input", "a new run waits for the applicant"
    with httpx.Client() as browser:
        document, photo = (make_specimen(kind, _ANA) for kind in ("passport", "selfie"))
        submit_forms(browser, run.link.url, {"document": document}, {"photo": photo})
    assert sdk.find_workflow_run(run.id).status.value == "processing", "what was handed in is processed"
    clock.advance(5)
    assert sdk.find_workflow_run(run.id).status.value == "approved", "good papers are approved"
    tasks = {task.task_def_id: task.id for task in sdk.list_tasks(run.id)}
    output = sdk.find_task(run.id, tasks["document_check"]).output
    assert output["result"] == "clear", "the task of the document says so"
    (stored,) = sdk.list_documents(str(applicant.id)).documents
    assert len(sdk.download_document(stored.id)) == stored.file_size, "a document comes back whole"
    assert sdk.download_signed_evidence_file(run.id), "a run that has ended has its evidence file"
    sdk.delete_applicant(applicant.id)
    assert sdk.find_applicant(applicant.id).delete_at is not None, "a deletion is scheduled"
    sdk.restore_applicant(applicant.id)
    assert sdk.find_applicant(applicant.id).delete_at is None, "and can be taken back"


def _judge_check(onfido: Any, sdk: Any, clock: FakeClock) -> None:
    applicant = sdk.create_applicant(onfido.ApplicantBuilder(first_name="Ana", last_name="Ruiz"))
    picture, face = make_specimen("passport", _ANA), make_specimen("selfie", _ANA)
    sdk.upload_document(type="passport", applicant_id=str(applicant.id), file=("picture.png", picture))
    sdk.upload_live_photo(applicant_id=str(applicant.id), file=("picture.png", face))
    names = [onfido.ReportName.DOCUMENT, onfido.ReportName.FACIAL_SIMILARITY_PHOTO]
    check = sdk.create_check(onfido.CheckBuilder(applicant_id=applicant.id, report_names=names))
    clock.advance(5)
    assert sdk.find_check(check.id).result == "clear", "good papers are clear"
    reports = [report.actual_instance for report in sdk.list_reports(str(check.id)).reports]
    assert [report.result.value for report in reports] == ["clear", "clear"], "and so is each report"
