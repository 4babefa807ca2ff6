"""Workflow runs: the applicant goes through the steps of a workflow on Onfido's page or in your app. A run is our flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs

from idv_core.plugin import (
    CheckOutcome,
    Coverage,
    DuplicateFlow,
    Erasure,
    ErasureStatus,
    Exchange,
    Flow,
    FlowNotFound,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    Media,
    NotAccepted,
    Polling,
    Reason,
    Request,
    Response,
    Result,
    ResultCapabilities,
    UnexpectedResponse,
    VendorVerdict,
    failures_in,
    structure,
    subject_of,
    trusted_link,
)

from .account import OnfidoAccount, id_of, is_same_id, moment, new_id, sdk_session
from .mapping import (
    DOCUMENT_TYPES,
    KINDS,
    SCORED,
    Report,
    as_object,
    as_text,
    as_word,
    checks_of,
    is_clear,
    public,
    read_reports,
    report_name,
    tells_expiry,
)
from .media import RUN_PAPERS, captures, download_capture

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
# What is read of a run, or is about the run itself; `reasons` may stand beside any outcome.
_RUN = frozenset(
    {
        "id", "applicant_id", "workflow_id", "workflow_version_id", "status", "created_at", "updated_at", "dashboard_url",
        "href", "link", "sdk_token", "tags", "customer_user_id", "reasons", "sandbox",
    }
)  # fmt: skip
_TASK = frozenset(
    {"id", "workflow_run_id", "task_def_id", "task_def_version", "input", "output", "created_at", "updated_at"}
)
_TASK_ID = re.compile(r"[0-9a-z_-]{1,100}")
_PAGES = 100
_CLOCKS_DIFFER = timedelta(minutes=1)
# Tags that begin so are ours: they name the order, and a run has the order's and no other.
_TAGS = ("application", "product", "tenant", "is_shadow")
_SHADOW = "is_shadow:true"
_DEAD = frozenset({FlowStatus.EXPIRED, FlowStatus.CANCELLED, FlowStatus.FAILED})
_ANOTHER_PERSON = (
    "Onfido has a run of this application whose applicant has another name, date of birth, mail address or phone number. Use "
    "that run, or open the order with another application_id"
)
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
    status: str | None = None
    created_at: str | None = None
    link: RunLink | None = None
    sdk_token: str | None = None
    tags: tuple[str, ...] | None = None
    customer_user_id: str | None = None


@attrs.frozen(kw_only=True)
class TaskItem:
    id: str | None = None
    task_def_id: str | None = None
    created_at: str | None = None


@attrs.frozen
class OnfidoWorkflows(OnfidoAccount):
    """Family `workflows`."""

    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, scored=SCORED, documents=True, verdict=True)

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """The run of this order that is under way, if there is one; else a new one."""
        under_way = [flow for flow in (yield from self._listed(order, None)) if not flow.status.is_settled]
        found = yield from self._of_applicant(order, under_way)
        if found is not None:
            return found
        # an applicant without a run is a record that nobody looks at, so it does no harm if there are two
        applicant = yield from self.create_applicant(order, idempotent=True)
        return (yield from self._begin(order, applicant))

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The newest run with this order's tags, workflow and applicant, whose record is compared too. It opens none."""
        alive = [flow for flow in (yield from self._listed(order, since)) if flow.status not in _DEAD]
        found = yield from self._of_applicant(order, alive)
        if found is None:
            raise FlowNotFound("Onfido lists no run of this order")
        return found

    def status(self, flow: Flow) -> Exchange[Flow]:
        run, _ = yield from self._look(flow)
        return attrs.evolve(flow, status=_status(run))

    def result(self, flow: Flow) -> Exchange[Result]:
        """The run, and once it has ended the last report task of each kind, which is what the outcome rests on."""
        run, reply = yield from self._look(flow)
        answer = reply.json_object() or {}
        status = _status(run)
        doubts: list[Reason] = []
        notes: list[str] = []
        reports = (yield from self._reports(flow, doubts, notes)) if status is FlowStatus.FINISHED else ()
        checks, documents = read_reports(reports, {})
        word = run.status or ""
        if _SHADOW in (run.tags or ()) and not flow.is_shadow:
            doubts.append(Reason("flow.shadow", "the run was opened as a shadow, which decides nothing"))
        verdict = _VERDICTS.get(word)
        if verdict is VendorVerdict.POSITIVE and not any(c.outcome is CheckOutcome.PASSED for c in checks):
            verdict = VendorVerdict.DOUBTFUL
        failed = failures_in({key: value for key, value in answer.items() if key not in _RUN})
        if verdict is VendorVerdict.POSITIVE and failed:
            text = f"the run is approved and tells of a failure: {', '.join(failed)}"
            doubts.append(Reason("run.failure", text))
        of_sandbox = [answer.get("sandbox"), *(report.data.get("sandbox") for report in reports)]
        return Result(
            flow=attrs.evolve(flow, status=status),
            checks=checks,
            documents=documents,
            verdict=verdict,
            vendor_word=word[:40] or None,
            notes=(*notes, *(() if word in _STATUS else ("unknown status",))),
            doubts=doubts,
            is_test=self.settings.key_mode == "test" or any(told not in (None, False) for told in of_sandbox),
            raw=public(answer, reports),
        )

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        """Another run for the same applicant; the one after `flow` if it is under way already.

        Raises DuplicateFlow while `flow` is under way itself, InvalidOrder where it is another order's, FlowNotFound where its
        applicant is deleted.
        """
        run, reply = yield from self._look(flow)
        if not _may_be(run, order, self._workflow(order)):
            text = "the flow is none of this order's: pass the order that it was opened with"
            raise InvalidOrder(text, fields=("order",))
        if not _status(run).is_settled and not _is_link_over(run, reply):
            raise DuplicateFlow("this attempt is still under way: send the applicant to its link again")
        listed = yield from self._listed(order, None)
        others = [one for one in listed if one.id != flow.id and not one.status.is_settled]
        same = [one for one in others if is_same_id(one.details["applicant_id"], run.applicant_id)]
        is_ours = yield from self.is_applicant_of(order, run.applicant_id)
        if is_ours is None:
            raise FlowNotFound("Onfido has deleted the applicant: open the order again")
        if not is_ours:
            raise DuplicateFlow(_ANOTHER_PERSON)
        again = same[0] if same else (yield from self._begin(order, run.applicant_id))
        return attrs.evolve(again, previous_id=flow.id)

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        """Have the applicant deleted, and with it all of its runs."""
        request = Request.get("/workflow_runs/{}", id_of(flow), accept={410})
        reply = yield request
        if not reply.is_success:
            if self.read_error(request, reply).code != "gone":
                raise NotAccepted(request, reply)
            return Erasure(status=ErasureStatus.DONE)
        return (yield from self.erase_applicant(_run_of(flow, reply).applicant_id, is_known=True))

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        """What the applicant handed in, in all runs, and the papers about this one once it has ended."""
        run, _ = yield from self._look(flow)
        papers = RUN_PAPERS if _status(run) is FlowStatus.FINISHED else ()
        return (*(yield from captures(run.applicant_id)), *papers)

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        run, _ = yield from self._look(flow)
        if media.id in {paper.id for paper in RUN_PAPERS}:
            yield Request.get(f"/workflow_runs/{{}}/{media.id}", run.id, streamed=True)
        else:
            yield from download_capture(run.applicant_id, media)

    def coverage(self) -> Exchange[Coverage]:
        """All of Onfido's types and reports: which of them a workflow asks for no call tells."""
        yield from ()
        workflow = self.settings.workflow_id
        return Coverage(
            document_types=DOCUMENT_TYPES.values(), checks=checks_of(), templates=(workflow,) if workflow else ()
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

    def _listed(self, order: FlowOrder, since: datetime | None) -> Exchange[list[Flow]]:
        """The runs of this order made from `since` on, the newest first. Pages end when one brings nothing new."""
        workflow, tag = self._workflow(order), _tag("application", order.application_id)
        flows: list[Flow] = []
        seen: set[str] = set()
        for page in range(1, _PAGES + 1):
            reply = yield Request.get("/workflow_runs", query={"tags": tag, "page": str(page)}, accept={404, 410})
            if not reply.is_success:
                raise UnexpectedResponse("the answer to a list of runs is no list", status=reply.status)
            runs = structure(reply.json(), tuple[Run, ...], status=reply.status)
            if any(tag not in (run.tags or ()) for run in runs):
                raise UnexpectedResponse("the runs listed are not those of the tag", status=reply.status)
            new = [run for run in runs if run.id not in seen]
            if not new:
                return flows
            seen.update(run.id for run in new)
            flows += [
                self._flow(run, reply, order)
                for run in new
                if _is_whole(run, order, workflow) and not _is_older(run, since) and not _is_link_over(run, reply)
            ]
        raise UnexpectedResponse("the list of runs does not end", status=reply.status)

    def _of_applicant(self, order: FlowOrder, flows: list[Flow]) -> Exchange[Flow | None]:
        """The first of the order's runs whose applicant's record says nothing of somebody else."""
        another = False
        for flow in flows:
            is_ours = yield from self.is_applicant_of(order, flow.details["applicant_id"])
            if is_ours:
                return flow
            another = another or is_ours is False
        if another:
            raise DuplicateFlow(_ANOTHER_PERSON)
        return None

    def _begin(self, order: FlowOrder, applicant: str) -> Exchange[Flow]:
        """A new run of the order, for this applicant."""
        workflow = self._workflow(order)
        reply = yield Request.post("/workflow_runs", json=_run(order, workflow, applicant))
        run = reply.structure(Run)
        if not is_same_id(run.applicant_id, applicant) or not _may_be(run, order, workflow):
            raise UnexpectedResponse("the run is of another order", status=reply.status)
        if _status(run).is_settled:
            raise UnexpectedResponse("a run that has just been made is over already", status=reply.status)
        return self._flow(run, reply, order)

    def _look(self, flow: Flow) -> Exchange[tuple[Run, Response]]:
        reply = yield Request.get("/workflow_runs/{}", id_of(flow))
        return _run_of(flow, reply), reply

    def _reports(self, flow: Flow, doubts: list[Reason], notes: list[str]) -> Exchange[tuple[Report, ...]]:
        reply = yield Request.get("/workflow_runs/{}/tasks", flow.id)
        tasks: dict[str, list[TaskItem]] = {}
        for task in structure(reply.json(), tuple[TaskItem, ...], status=reply.status):
            name = report_name(task.task_def_id or "") or task.task_def_id or ""
            if (task.id or name) and not _is_applicants(name):
                tasks.setdefault(name, []).append(task)
        reports: list[Report] = []
        for name, attempts in tasks.items():
            shown = as_word(name) or "unnamed"
            made = [moment(task.created_at) for task in attempts]
            if len(attempts) > 1 and None in made:
                doubts.append(Reason("task.order_unknown", f"which {shown} task was the last is not known"))
            task = max(enumerate(attempts), key=lambda item: (_sortable(made[item[0]]), item[0]))[1]
            if not _TASK_ID.fullmatch(task.id or ""):
                raise UnexpectedResponse("the id of a task is none", status=reply.status)
            answer = yield from self._task(flow, task)
            if answer.get("workflow_run_id") is None:
                doubts.append(Reason("flow.unnamed", f"the {shown} task does not say which run it is of"))
            if failed := failures_in({key: value for key, value in answer.items() if key not in _TASK}):
                doubts.append(Reason("task.failure", f"the {shown} task tells of a failure: {', '.join(failed)}"))
            report = Report(name, as_object(answer.get("output")))
            if report_name(name) or _is_a_report(report):
                reports.append(report)
            elif failed := failures_in({"output": answer.get("output")}):
                doubts.append(Reason("task.failure", f"the {shown} task tells of a failure: {', '.join(failed)}"))
            else:
                notes.append(f"the task {shown} is not known, and was not read")
        return tuple(reports)

    def _task(self, flow: Flow, task: TaskItem) -> Exchange[Mapping[str, Any]]:
        reply = yield Request.get("/workflow_runs/{}/tasks/{}", flow.id, task.id or "")
        answer = reply.json_object() or {}
        if answer.get("id") != task.id or answer.get("workflow_run_id") not in (None, flow.id):
            raise UnexpectedResponse("the answer is another task", status=reply.status)
        return answer

    def _flow(self, run: Run, reply: Response, order: FlowOrder) -> Flow:
        url, ends = (run.link.url, run.link.expires_at) if run.link else (None, None)
        link = Link(trusted_link(url, self.base_url, self.settings.link_hosts), moment(ends)) if url else None
        return Flow(
            id=new_id(run.id, reply),
            status=_status(run),
            link=link,
            details={"applicant_id": run.applicant_id},
            sdk=sdk_session(run.sdk_token) if run.sdk_token else None,
            subject=subject_of(order.applicant.reference),
        )


def _run_of(flow: Flow, reply: Response) -> Run:
    """The answer, which must be the flow's run, of its application and its applicant."""
    run = reply.structure(Run)
    person, applicant = run.customer_user_id, flow.details.get("applicant_id")
    others = (
        run.id != flow.id,
        applicant is not None and not is_same_id(run.applicant_id, applicant),
        flow.subject is not None and person is not None and subject_of(person) != flow.subject,
        flow.application_id is not None and _is_of_another_application(run, flow.application_id),
    )
    if any(others):
        raise UnexpectedResponse("the answer is another run", status=reply.status)
    return run


def _is_applicants(task: str) -> bool:
    """A step in which the applicant hands something in, which judges nothing."""
    return task.startswith("upload_") or task == "profile_data"


def _is_a_report(report: Report) -> bool:
    """Whether the output of a task that we do not know is to be read as a report: it judges, and not only that all is clear."""
    return report.data.get("result") is not None and (not is_clear(report) or tells_expiry(report))


def _may_be(run: Run, order: FlowOrder, workflow: str) -> bool:
    """Whether nothing that the run says is of another order."""
    return (
        is_same_id(run.workflow_id, workflow)
        and run.customer_user_id in (None, order.applicant.reference)
        and (run.tags is None or {tag for tag in run.tags if tag.partition(":")[0] in _TAGS} == {*_tags(order)})
    )


def _is_whole(run: Run, order: FlowOrder, workflow: str) -> bool:
    """Whether the run says that it is of this order, in all that we sent."""
    return _may_be(run, order, workflow) and run.customer_user_id is not None and run.tags is not None


def _is_older(run: Run, since: datetime | None) -> bool:
    made = moment(run.created_at)
    return since is not None and (made is None or made < since - _CLOCKS_DIFFER)


def _is_link_over(run: Run, reply: Response) -> bool:
    """A run that waits for an applicant whose link no longer works: Onfido makes no other link for it."""
    ends = moment(run.link.expires_at) if run.link else None
    return _status(run) is FlowStatus.AWAITING_APPLICANT and ends is not None and ends <= reply.received_at


def _is_of_another_application(run: Run, application_id: str) -> bool:
    tags = run.tags or ()
    return any(tag.startswith("application:") for tag in tags) and _tag("application", application_id) not in tags


def _sortable(made: datetime | None) -> float:
    return made.timestamp() if made else 0.0


def _run(order: FlowOrder, workflow: str, applicant: str) -> dict[str, Any]:
    link: dict[str, Any] = {}
    return_url = order.urls.return_url() if order.urls else order.return_url
    if return_url:
        link["completed_redirect_url"] = return_url
    if order.applicant.locale[:2] in _LANGUAGES:
        link["language"] = _LANGUAGES[order.applicant.locale[:2]]
    return {
        "applicant_id": applicant,
        "workflow_id": workflow,
        "customer_user_id": order.applicant.reference,
        "tags": _tags(order),
        "link": link,
    }


def _tags(order: FlowOrder) -> list[str]:
    tags = [_tag("application", order.application_id), _tag("product", order.product)]
    if order.tenant is not None:
        tags.append(_tag("tenant", order.tenant))
    return [*tags, _SHADOW] if order.is_shadow else tags


def _tag(name: str, value: str) -> str:
    """A filter of tags is cut at commas and a tag has at most 128 characters, so anything but a plain short one is hashed."""
    return f"{name}:{value if _PLAIN.fullmatch(value) else sha256(value.encode()).hexdigest()}"


def _status(run: Run) -> FlowStatus:
    return _STATUS.get(run.status or "", FlowStatus.PROCESSING)
