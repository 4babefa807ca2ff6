"""Workflow runs: the applicant goes through the steps of a workflow on Onfido's page or in your app. A run is our flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs

from idv_core.errors import InvalidOrder, UnexpectedResponse
from idv_core.links import trusted_link
from idv_core.model import CheckOutcome, Flow, FlowOrder, FlowStatus, Link, Result, Secret, VendorVerdict
from idv_core.protocols import Evidence, Polling
from idv_core.wire import Exchange, Request, Response, structure

from .account import OnfidoAccount, new_id
from .mapping import KINDS, SCORED, Report, as_object, as_text, public, read_reports, report_name

_STATUS = {
    "awaiting_input": FlowStatus.AWAITING_APPLICANT,
    "awaiting_client_input": FlowStatus.PROCESSING,
    "processing": FlowStatus.PROCESSING,
    "approved": FlowStatus.FINISHED,
    "declined": FlowStatus.FINISHED,
    "review": FlowStatus.FINISHED,
    "abandoned": FlowStatus.EXPIRED,
    "error": FlowStatus.FAILED,
}
_VERDICTS = {
    "approved": VendorVerdict.POSITIVE,
    "declined": VendorVerdict.NEGATIVE,
    "review": VendorVerdict.DOUBTFUL,
}
_LANGUAGES = {name[:2]: name for name in ("en_US", "de_DE", "es_ES", "fr_FR", "it_IT", "pt_PT", "nl_NL")}
_TASK_ID = re.compile(r"[0-9a-z_-]{1,100}")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,100}")


@attrs.frozen(kw_only=True)
class RunLink:
    url: str | None = None
    expires_at: str | None = None


@attrs.frozen(kw_only=True)
class Run:
    """What is needed of a workflow run to go on with it."""

    id: str
    applicant_id: str
    workflow_id: str
    status: str
    link: RunLink | None = None
    sdk_token: str | None = None
    tags: tuple[str, ...] | None = None
    customer_user_id: str | None = None


@attrs.frozen(kw_only=True)
class TaskItem:
    id: str
    task_def_id: str
    created_at: str = ""


@attrs.frozen
class OnfidoWorkflows(OnfidoAccount):
    """Family `workflows`."""

    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    evidence = Evidence(checks=KINDS, scored=SCORED, documents=True, verdict=True)

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        workflow = self._workflow(order)
        # an applicant without a run is a record that nobody looks at, so it does no harm if there are two
        applicant = yield from self.create_applicant(order.applicant, repeatable=True)
        reply = yield Request.post("/workflow_runs", json=_run(order, workflow, applicant))
        return self._flow(reply.structure(Run), reply)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The run with this application's tag, workflow and applicant; else a new one."""
        workflow, tag, page = self._workflow(order), _tag("application", order.application_id), 1
        while True:
            reply = yield Request.get("/workflow_runs", query={"tags": tag, "page": str(page)})
            runs = structure(reply.json(), tuple[Run, ...], status=reply.status)
            for run in runs:
                if tag not in (run.tags or ()):
                    raise UnexpectedResponse("the runs listed are not those of the tag", status=reply.status)
                if run.customer_user_id == order.applicant.reference and run.workflow_id == workflow:
                    return self._flow(run, reply)
            if not runs:
                return (yield from self.open_flow(order))
            page += 1

    def status(self, flow: Flow) -> Exchange[Flow]:
        run, _ = yield from self._found(flow)
        return attrs.evolve(flow, status=_status(run))

    def result(self, flow: Flow) -> Exchange[Result]:
        """The run, and once it has ended the last report task of each kind, which is what the outcome rests on."""
        run, answer = yield from self._found(flow)
        status = _status(run)
        reports = (yield from self._reports(flow)) if status is FlowStatus.FINISHED else ()
        checks, documents = read_reports(reports, {})
        verdict = _VERDICTS.get(run.status)
        if verdict is VendorVerdict.POSITIVE and not any(c.outcome is CheckOutcome.PASSED for c in checks):
            verdict = VendorVerdict.DOUBTFUL
        return Result(
            flow=attrs.evolve(flow, status=status),
            checks=checks,
            documents=documents,
            verdict=verdict,
            vendor_word=run.status[:40],
            notes=() if run.status in _STATUS else ("unknown status",),
            raw=public(answer, reports),
        )

    def flow_of(self, payload: Mapping[str, Any]) -> str | None:
        """A run's events are about the run itself, those of its tasks name it."""
        if payload.get("resource_type") == "workflow_run":
            return as_text(as_object(payload.get("object")).get("id"))
        return as_text(as_object(payload.get("resource")).get("workflow_run_id"))

    def _workflow(self, order: FlowOrder) -> str:
        workflow = order.template or self.settings.workflow_id
        if not workflow:
            raise InvalidOrder(
                "name a workflow: the order's template, or the account's workflow_id", fields=("template",)
            )
        return workflow

    def _found(self, flow: Flow) -> Exchange[tuple[Run, Mapping[str, Any]]]:
        reply = yield Request.get("/workflow_runs/{}", flow.id)
        run = reply.structure(Run)
        if run.id != flow.id:
            raise UnexpectedResponse("the answer is another run", status=reply.status)
        return run, reply.json_object() or {}

    def _reports(self, flow: Flow) -> Exchange[tuple[Report, ...]]:
        reply = yield Request.get("/workflow_runs/{}/tasks", flow.id)
        last: dict[str, TaskItem] = {}
        for task in structure(reply.json(), tuple[TaskItem, ...], status=reply.status):
            name = report_name(task.task_def_id)
            if name and (name not in last or task.created_at >= last[name].created_at):
                last[name] = task
        reports: list[Report] = []
        for name, task in last.items():
            if not _TASK_ID.fullmatch(task.id):
                raise UnexpectedResponse("the id of a task is none", status=reply.status)
            reply = yield Request.get("/workflow_runs/{}/tasks/{}", flow.id, task.id)
            answer = reply.json_object() or {}
            if answer.get("id") != task.id or answer.get("workflow_run_id") != flow.id:
                raise UnexpectedResponse("the answer is another task", status=reply.status)
            reports.append(Report(name, as_object(answer.get("output"))))
        return tuple(reports)

    def _flow(self, run: Run, reply: Response) -> Flow:
        url, ends = (run.link.url, run.link.expires_at) if run.link else (None, None)
        link = Link(trusted_link(url, self.base_url, self.settings.link_hosts), _moment(ends)) if url else None
        return Flow(
            id=new_id(run.id, reply),
            status=_status(run),
            link=link,
            details={"applicant_id": run.applicant_id},
            secrets={"sdk_token": Secret(run.sdk_token)} if run.sdk_token else {},
        )


def _run(order: FlowOrder, workflow: str, applicant: str) -> dict[str, Any]:
    link: dict[str, Any] = {}
    return_url = order.callbacks.url("return") if order.callbacks else order.return_url
    if return_url:
        link["completed_redirect_url"] = return_url
    if order.applicant.locale[:2] in _LANGUAGES:
        link["language"] = _LANGUAGES[order.applicant.locale[:2]]
    return {
        "applicant_id": applicant,
        "workflow_id": workflow,
        "customer_user_id": order.applicant.reference,
        "tags": [_tag("application", order.application_id), _tag("product", order.product)],
        "link": link,
    }


def _tag(name: str, value: str) -> str:
    """A filter of tags is cut at commas and a tag has at most 128 characters, so anything but a plain short one is hashed."""
    return f"{name}:{value if _PLAIN.fullmatch(value) else sha256(value.encode()).hexdigest()}"


def _status(run: Run) -> FlowStatus:
    return _STATUS.get(run.status, FlowStatus.PROCESSING)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
