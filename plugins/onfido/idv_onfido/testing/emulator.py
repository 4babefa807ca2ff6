"""An emulator of Onfido's API v3.6: applicants, workflow runs with their page, documents, photos, checks, reports, webhooks.

The official SDK drives it in the tests. What the pages leave open is in `Variants`.
"""

from __future__ import annotations

import json
import secrets
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs
import httpx

from idv_core import Secret
from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Emulator,
    Handler,
    HasNow,
    Refused,
    Specimen,
    file_field,
    form,
    html,
    page,
    paragraph,
    read_specimen,
    redirect,
)

from ..account import sign
from .reports import TYPES, document_report, face_report

_VENDOR = "Onfido"
_V = "/v3.6"
_RUNS = _V + "/workflow_runs"
_PER_PAGE = 20
_TIME = "%Y-%m-%dT%H:%M:%SZ"
PDF, ZIP = "application/pdf", "application/zip"
# Of a token that was asked for (documentation.onfido.com/api/latest#generate-sdk-token), and of the one of a run.
_TOKEN_LIFE, _RUN_TOKEN_LIFE = timedelta(minutes=90), timedelta(weeks=5)


@attrs.frozen(kw_only=True)
class StoredFile:
    """A document or a live photo. `about` is what the API shows of it."""

    applicant_id: str
    specimen: Specimen | None
    content: bytes = attrs.field(repr=False)
    about: Mapping[str, Any]


@attrs.define(kw_only=True)
class EmulatedRun:
    """A workflow run. Its tasks are made when it ends."""

    about: dict[str, Any]
    token: str
    language: str | None
    completed_redirect_url: str | None
    expires_at: str | None
    document: Specimen | None = None
    photo: Specimen | None = None
    pictures: dict[str, bytes] = attrs.field(factory=dict, repr=False)
    submitted_at: datetime | None = None
    tasks: list[dict[str, Any]] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class EmulatedCheck:
    about: dict[str, Any]
    document: StoredFile | None
    photo: StoredFile | None
    reports: list[dict[str, Any]]
    due: datetime


@attrs.define(kw_only=True)
class Variants:
    """What the vendor's pages leave open: how long processing takes, how a workflow ends, how runs are listed.

    An applicant with runs or checks is deleted `deletion` after it was asked for (a setting of the account); until then it is
    shown with that date, or, with `scheduled` "gone", no longer. A run is listed `listed_after` it was made. With `pages`
    "last" a page past the end is the last one again, with "first" there is one page only, whichever is asked for.
    """

    processing: timedelta = timedelta(seconds=2)
    deletion: timedelta = timedelta(days=20)
    scheduled: Literal["shown", "gone"] = "shown"
    listed_after: timedelta = timedelta(0)
    pages: Literal["empty", "last", "first"] = "empty"
    suspects_end: str = "declined"


class OnfidoEmulator(Emulator):
    """One account in one region. Webhooks are registered by API; their events are signed with the token given there."""

    def __init__(
        self,
        clock: HasNow,
        *,
        api_token: str = "api_sandbox.emulated4711",  # noqa: S107, an emulator's
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.api_token = api_token
        self.variants = variants or Variants()
        self.applicants: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, EmulatedRun] = {}
        self.documents: dict[str, StoredFile] = {}
        self.photos: dict[str, StoredFile] = {}
        self.videos: dict[str, StoredFile] = {}
        self.motions: dict[str, StoredFile] = {}
        self.gone: set[str] = set()
        self.checks: dict[str, EmulatedCheck] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        signed: list[tuple[str, str, Handler]] = [
            ("POST", "/applicants", self._create_applicant),
            ("GET", "/applicants", self._list_applicants),
            (
                "GET",
                "/applicants/{id}",
                lambda call: EmulatedResponse(200, self._one(self.applicants, call.params["id"])),
            ),
            ("DELETE", "/applicants/{id}", self._delete_applicant),
            ("POST", "/applicants/{id}/restore", self._restore_applicant),
            ("POST", "/documents", self._upload_document),
            ("POST", "/live_photos", self._upload_photo),
            *self._of_files("documents", self.documents),
            *self._of_files("live_photos", self.photos),
            *self._of_files("live_videos", self.videos),
            *self._of_files("motion_captures", self.motions),
            ("POST", "/sdk_token", self._create_sdk_token),
            ("POST", "/checks", self._create_check),
            ("GET", "/checks", self._list_checks),
            (
                "GET",
                "/checks/{id}",
                lambda call: EmulatedResponse(200, self._one(self.checks, call.params["id"]).about),
            ),
            ("GET", "/checks/{id}/download", self._download_check),
            ("GET", "/reports", self._list_reports),
            ("GET", "/reports/{id}", self._find_report),
            ("POST", "/workflow_runs", self._create_run),
            ("GET", "/workflow_runs", self._list_runs),
            ("GET", "/workflow_runs/{id}", lambda call: EmulatedResponse(200, self._shown(self._run(call), call))),
            ("GET", "/workflow_runs/{id}/tasks", self._list_tasks),
            ("GET", "/workflow_runs/{id}/tasks/{task_id}", self._find_task),
            ("GET", "/workflow_runs/{id}/signed_evidence_file", lambda call: self._paper(call, b"%PDF-1.7 ", PDF)),
            ("GET", "/workflow_runs/{id}/evidence_folder", lambda call: self._paper(call, b"PK\x03\x04", ZIP)),
            ("POST", "/webhooks", self._create_webhook),
        ]
        api = [(method, _V + path, self._signed(handler)) for method, path, handler in signed]
        return [
            *api,
            ("GET", _V + "/ping", lambda call: EmulatedResponse(200, content=b"OK", type="text/plain")),
            ("GET", "/l/{token}", self._show),
            ("POST", "/l/{token}", self._advance),
        ]

    def hand_in(self, run_id: str, document: bytes, photo: bytes) -> None:
        """What the applicant does on the hosted page, without the page."""
        run = self.runs[run_id]
        run.document, run.photo = read_specimen(document), read_specimen(photo)
        run.pictures = {"document": document, "photo": photo}
        self._submit(run)

    def record(self, applicant_id: str, kind: Literal["live_videos", "motion_captures"], content: bytes) -> str:
        """What the SDK records in the applicant's app. The id of the video."""
        place = self.videos if kind == "live_videos" else self.motions
        file = self._keep(place, kind, applicant_id, content, {"file_name": "video.mp4", "file_type": "mp4"})
        return str(file["id"])

    def tick(self) -> None:
        """Finish what has been processed, then send what is due."""
        with self._lock:
            self._process()
        super().tick()

    # Applicants

    def _create_applicant(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        missing = {name: ["can't be blank"] for name in ("first_name", "last_name") if not given.get(name)}
        if missing:
            raise _invalid(missing)
        id = str(uuid.uuid4())
        about = {
            "id": id,
            "created_at": self._now(),
            "delete_at": None,
            "href": f"{_V}/applicants/{id}",
            "sandbox": self._is_sandbox,
            "first_name": given["first_name"],
            "last_name": given["last_name"],
            "email": given.get("email"),
            "dob": given.get("dob"),
            "phone_number": given.get("phone_number"),
            "id_numbers": given.get("id_numbers", []),
            "address": given.get("address"),
            "location": given.get("location"),
        }
        self.applicants[id] = about
        return EmulatedResponse(201, about)

    def _list_applicants(self, call: EmulatedRequest) -> EmulatedResponse:
        size = int(call.query.get("per_page", str(_PER_PAGE)))
        return EmulatedResponse(200, {"applicants": _page_of(reversed(self.applicants.values()), call, size)})

    def _delete_applicant(self, call: EmulatedRequest) -> EmulatedResponse:
        """At once where nothing was checked yet (support.onfido.com, Data Deletion Service)."""
        about = self._one(self.applicants, call.params["id"])
        used = [run.about["applicant_id"] for run in self.runs.values()]
        used += [check.about["applicant_id"] for check in self.checks.values()]
        if about["id"] not in used:
            self._forget(about["id"])
        elif about["delete_at"] is None:
            about["delete_at"] = (self.clock.now() + self.variants.deletion).strftime(_TIME)
        return EmulatedResponse(204)

    def _restore_applicant(self, call: EmulatedRequest) -> EmulatedResponse:
        id = call.params["id"]
        if id in self.gone or id not in self.applicants:
            raise self._missing(id)
        self.applicants[id]["delete_at"] = None
        return EmulatedResponse(204)

    def _forget(self, applicant_id: str) -> None:
        """The applicant and all that belongs to it."""
        places: tuple[dict[str, Any], ...] = (
            self.runs,
            self.checks,
            self.documents,
            self.photos,
            self.videos,
            self.motions,
        )
        self.gone.add(applicant_id)
        del self.applicants[applicant_id]
        for place in places:
            for id in [id for id, one in place.items() if _owner(one) == applicant_id]:
                self.gone.add(id)
                del place[id]

    # Documents and photos

    def _upload_document(self, call: EmulatedRequest) -> EmulatedResponse:
        if not call.form.get("type"):
            raise _invalid({"type": ["can't be blank"]})
        more = {name: call.form.get(name) for name in ("type", "side", "issuing_country")}
        return self._stored(call, self.documents, "documents", more)

    def _upload_photo(self, call: EmulatedRequest) -> EmulatedResponse:
        content = call.form.get("file")
        specimen = read_specimen(content) if isinstance(content, bytes) else None
        if call.form.get("advanced_validation") != "false" and (specimen is None or specimen.face is None):
            raise _invalid({"face_detection": ["Face not detected in image."]})
        return self._stored(call, self.photos, "live_photos", {})

    def _stored(
        self, call: EmulatedRequest, place: dict[str, StoredFile], kind: str, more: Mapping[str, Any]
    ) -> EmulatedResponse:
        content = call.form.get("file")
        if not isinstance(content, bytes) or not content:
            raise _invalid({"file": ["can't be blank"]})
        applicant = self._one(self.applicants, str(call.form.get("applicant_id")))
        return EmulatedResponse(201, self._keep(place, kind, applicant["id"], content, more))

    def _keep(
        self, place: dict[str, StoredFile], kind: str, applicant_id: str, content: bytes, more: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        id = str(uuid.uuid4())
        about = {
            "id": id,
            "created_at": self._now(),
            "file_name": "picture.png",
            "file_type": "png",
            "file_size": len(content),
            "href": f"{_V}/{kind}/{id}",
            "download_href": f"{_V}/{kind}/{id}/download",
            **({"applicant_id": applicant_id} if kind in ("documents", "live_photos") else {}),
            **more,
        }
        place[id] = StoredFile(applicant_id=applicant_id, specimen=read_specimen(content), content=content, about=about)
        return about

    def _of_files(self, kind: str, place: dict[str, StoredFile]) -> list[tuple[str, str, Handler]]:
        """List, find and download files of a kind."""

        def listed(call: EmulatedRequest) -> EmulatedResponse:
            applicant = self._one(self.applicants, call.query.get("applicant_id", ""))
            mine = [file.about for file in place.values() if file.applicant_id == applicant["id"]]
            return EmulatedResponse(200, {kind: mine})

        def found(call: EmulatedRequest) -> EmulatedResponse:
            return EmulatedResponse(200, self._one(place, call.params["id"]).about)

        def downloaded(call: EmulatedRequest) -> EmulatedResponse:
            file = self._one(place, call.params["id"])
            is_video = file.about["file_type"] == "mp4"
            return EmulatedResponse(200, content=file.content, type="video/mp4" if is_video else "image/png")

        return [
            ("GET", f"/{kind}", listed),
            ("GET", f"/{kind}/{{id}}", found),
            ("GET", f"/{kind}/{{id}}/download", downloaded),
        ]

    def _paper(self, call: EmulatedRequest, content: bytes, type: str) -> EmulatedResponse:
        """A file about a run that has ended."""
        run = self._run(call)
        if run.about["status"] not in ("approved", "declined", "review"):
            raise _error(404, "resource_not_found", "Could not find the requested resource.")
        return EmulatedResponse(200, content=content + run.about["id"].encode(), type=type)

    def _create_sdk_token(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        if not given.get("referrer") and not given.get("application_id"):
            raise _invalid({"referrer": ["can't be blank"]})
        self._one(self.applicants, str(given.get("applicant_id")))
        return EmulatedResponse(200, {"token": self._token(_TOKEN_LIFE)})

    def _token(self, life: timedelta) -> str:
        """A JSON Web Token, as far as its end goes."""
        payload = json.dumps({"exp": int((self.clock.now() + life).timestamp())}).encode()
        return (
            f"{secrets.token_urlsafe(12)}.{urlsafe_b64encode(payload).decode().rstrip('=')}.{secrets.token_urlsafe(12)}"
        )

    # Checks and reports

    def _create_check(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        applicant = self._one(self.applicants, str(given.get("applicant_id")))
        names = given.get("report_names")
        if not isinstance(names, list) or not names:
            raise _invalid({"report_names": ["can't be blank"]})
        document = self._last(self.documents, applicant["id"], given.get("document_ids"))
        photo = self._last(self.photos, applicant["id"], None)
        lacking = [name for name in names if name.startswith("document") and document is None]
        lacking += [name for name in names if name.startswith("facial") and (document is None or photo is None)]
        if lacking:
            raise _invalid({"report_names": [f"{name} lacks documents or photos" for name in lacking]})
        id = str(uuid.uuid4())
        reports = [
            {
                "id": (report_id := str(uuid.uuid4())),
                "created_at": self._now(),
                "href": f"{_V}/reports/{report_id}",
                "status": "awaiting_data",
                "result": None,
                "sub_result": None,
                "check_id": id,
                "name": name,
                "breakdown": {},
                "properties": {},
            }
            for name in names
        ]
        about = {
            "id": id,
            "created_at": self._now(),
            "applicant_id": applicant["id"],
            "applicant_provides_data": False,
            "href": f"{_V}/checks/{id}",
            "status": "in_progress",
            "result": None,
            "tags": given.get("tags", []),
            "report_ids": [report["id"] for report in reports],
            "results_uri": f"https://dashboard.onfido.example/checks/{id}",
            "form_uri": None,
            "redirect_uri": None,
            "sandbox": self._is_sandbox,
        }
        due = self.clock.now() + self.variants.processing
        self.checks[id] = EmulatedCheck(about=about, document=document, photo=photo, reports=reports, due=due)
        return EmulatedResponse(201, about)

    def _download_check(self, call: EmulatedRequest) -> EmulatedResponse:
        check = self._one(self.checks, call.params["id"])
        return EmulatedResponse(200, content=b"%PDF-1.7 " + check.about["id"].encode(), type=PDF)

    def _list_checks(self, call: EmulatedRequest) -> EmulatedResponse:
        applicant = self._one(self.applicants, call.query.get("applicant_id", ""))
        mine = [c.about for c in self.checks.values() if c.about["applicant_id"] == applicant["id"]]
        return EmulatedResponse(200, {"checks": mine[::-1]})

    def _list_reports(self, call: EmulatedRequest) -> EmulatedResponse:
        check = self.checks.get(call.query.get("check_id", ""))
        if check is None:
            raise _invalid({"check_id": ["is not known"]})
        return EmulatedResponse(200, {"reports": check.reports})

    def _find_report(self, call: EmulatedRequest) -> EmulatedResponse:
        reports = {report["id"]: report for check in self.checks.values() for report in check.reports}
        return EmulatedResponse(200, self._one(reports, call.params["id"]))

    # Workflow runs

    def _create_run(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        missing = {name: ["can't be blank"] for name in ("applicant_id", "workflow_id") if not given.get(name)}
        if missing:
            raise _invalid(missing)
        applicant = self._one(self.applicants, str(given["applicant_id"]))
        id, link = str(uuid.uuid4()), given.get("link") or {}
        run = EmulatedRun(
            about={
                "id": id,
                "applicant_id": applicant["id"],
                "workflow_id": given["workflow_id"],
                "workflow_version_id": 1,
                "dashboard_url": f"https://dashboard.onfido.example/results/{id}",
                "status": "awaiting_input",
                "tags": given.get("tags", []),
                "customer_user_id": given.get("customer_user_id"),
                "created_at": self._now(),
                "updated_at": self._now(),
                "output": None,
                "reasons": [],
                "error": None,
            },
            token=secrets.token_urlsafe(16),
            language=link.get("language"),
            completed_redirect_url=link.get("completed_redirect_url"),
            expires_at=link.get("expires_at"),
        )
        self.runs[id] = run
        return EmulatedResponse(201, {**self._shown(run, call), "sdk_token": self._token(_RUN_TOKEN_LIFE)})

    def _list_runs(self, call: EmulatedRequest) -> EmulatedResponse:
        tags = {tag for text in call.query_lists.get("tags", []) for tag in text.split(",")}
        runs = [run for run in reversed(self.runs.values()) if tags <= {*run.about["tags"]}]
        wanted = {name: call.query[name] for name in ("status", "applicant_id") if name in call.query}
        runs = [run for run in runs if all(run.about[name] == value for name, value in wanted.items())]
        until = self.clock.now() - self.variants.listed_after
        runs = [run for run in runs if datetime.fromisoformat(run.about["created_at"]) <= until]
        page = _page_of(runs, call, _PER_PAGE)
        if not page and self.variants.pages == "last":
            page = runs[-(len(runs) % _PER_PAGE or _PER_PAGE) :]
        if self.variants.pages == "first":
            page = runs[:_PER_PAGE]
        return EmulatedResponse(200, [self._shown(run, call) for run in page])

    def _list_tasks(self, call: EmulatedRequest) -> EmulatedResponse:
        shown = ("id", "workflow_run_id", "task_def_id", "task_def_version", "created_at", "updated_at")
        return EmulatedResponse(200, [{name: task[name] for name in shown} for task in self._run(call).tasks])

    def _find_task(self, call: EmulatedRequest) -> EmulatedResponse:
        tasks = {task["id"]: task for task in self._run(call).tasks}
        return EmulatedResponse(200, self._one(tasks, call.params["task_id"]))

    def _shown(self, run: EmulatedRun, call: EmulatedRequest) -> dict[str, Any]:
        link = {
            "url": f"{call.base_url}/l/{run.token}",
            "completed_redirect_url": run.completed_redirect_url,
            "expired_redirect_url": None,
            "expires_at": run.expires_at,
            "language": run.language,
        }
        return {**run.about, "link": link}

    def _run(self, call: EmulatedRequest) -> EmulatedRun:
        run: EmulatedRun = self._one(self.runs, call.params["id"])
        return run

    # The applicant

    def _show(self, call: EmulatedRequest) -> EmulatedResponse:
        return html(self._page(self._visited(call)))

    def _advance(self, call: EmulatedRequest) -> EmulatedResponse:
        run = self._visited(call)
        given = {name: read_specimen(call.form.get(name)) for name in ("document", "photo")}
        if run.document is None:
            if given["document"] is None or given["document"].type == "SELFIE":
                return html(self._page(run, "This is not a document that we can read. Please take another picture."))
            run.document, run.pictures["document"] = given["document"], _content(call, "document")
            return redirect(call.path)
        if given["photo"] is None or given["photo"].type != "SELFIE":
            return html(self._page(run, "We see no face. Please take another picture."))
        run.photo, run.pictures["photo"] = given["photo"], _content(call, "photo")
        self._submit(run)
        return redirect(run.completed_redirect_url or call.path)

    def _submit(self, run: EmulatedRun) -> None:
        run.about["status"], run.submitted_at = "processing", self.clock.now()
        type_ = TYPES.get(run.document.type, "national_identity_card") if run.document else None
        about = {"type": type_, "side": "front", "issuing_country": None}
        self._keep(self.documents, "documents", run.about["applicant_id"], run.pictures["document"], about)
        self._keep(self.photos, "live_photos", run.about["applicant_id"], run.pictures["photo"], {})

    def _visited(self, call: EmulatedRequest) -> EmulatedRun:
        for run in self.runs.values():
            if run.token == call.params["token"]:
                return run
        raise Refused(html(page(_VENDOR, "This link is not valid", paragraph("Ask for a new one.")), 404))

    def _page(self, run: EmulatedRun, error: str = "") -> str:
        if run.about["status"] != "awaiting_input":
            return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        wanted = ("document", "Picture of your identity document")
        if run.document is not None:
            wanted = ("photo", "Picture of your face")
        return page(_VENDOR, "Verify your identity", form([file_field(*wanted)], "Continue"), error=error)

    # What Onfido does

    def _process(self) -> None:
        now = self.clock.now()
        ends = {id: one["delete_at"] for id, one in self.applicants.items() if one["delete_at"]}
        for id in [id for id, end in ends.items() if datetime.fromisoformat(end) <= now]:
            self._forget(id)
        for run in self.runs.values():
            submitted = run.submitted_at
            if submitted is not None and self.clock.now() >= submitted + self.variants.processing:
                self._end_run(run)
        for check in self.checks.values():
            if check.about["status"] == "in_progress" and self.clock.now() >= check.due:
                self._end_check(check)

    def _end_run(self, run: EmulatedRun) -> None:
        run.submitted_at = None
        outputs = {
            "upload_document_photo": [{"id": str(uuid.uuid4()), "side": "front"}],
            "upload_face_photo": [{"id": str(uuid.uuid4())}],
            "document_check": {**document_report(run.document), "uuid": str(uuid.uuid4())},
            "facial_similarity_photo_check": {**face_report(run.document, run.photo), "uuid": str(uuid.uuid4())},
        }
        run.tasks = [
            {
                "id": f"{name}_{secrets.token_hex(3)}",
                "workflow_run_id": run.about["id"],
                "task_def_id": name,
                "task_def_version": "1",
                "input": {},
                "output": output,
                "created_at": self._now(),
                "updated_at": self._now(),
            }
            for name, output in outputs.items()
        ]
        clear = all(output["result"] == "clear" for output in outputs.values() if isinstance(output, dict))
        run.about |= {"status": "approved" if clear else self.variants.suspects_end, "updated_at": self._now()}
        self._tell("workflow_run", "workflow_run.completed", run.about, run.about)

    def _end_check(self, check: EmulatedCheck) -> None:
        document = check.document.specimen if check.document else None
        photo = check.photo.specimen if check.photo else None
        for report in check.reports:
            if report["name"].startswith("document"):
                report |= document_report(document)
            elif report["name"].startswith("facial"):
                report |= face_report(document, photo)
                report["live_photos"] = [{"id": check.photo.about["id"]}] if check.photo else []
            else:
                report |= {"result": "clear"}
            report["documents"] = [{"id": check.document.about["id"]}] if check.document else []
            report["status"] = "complete"
        clear = all(report["result"] == "clear" for report in check.reports)
        check.about |= {"status": "complete", "result": "clear" if clear else "consider"}
        named = {"id": check.about["id"], "applicant_id": check.about["applicant_id"]}
        self._tell("check", "check.completed", check.about, named)

    # Webhooks

    def _create_webhook(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        if not given.get("url"):
            raise _invalid({"url": ["can't be blank"]})
        id = str(uuid.uuid4())
        self.webhooks[id] = {
            "id": id,
            "url": given["url"],
            "enabled": given.get("enabled", True),
            "environments": given.get("environments", ["sandbox"]),
            "events": given.get("events", []),
            "token": secrets.token_urlsafe(24),
            "href": f"{_V}/webhooks/{id}",
            "payload_version": 3,
        }
        return EmulatedResponse(201, self.webhooks[id])

    def _tell(self, kind: str, action: str, about: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
        named = {"id": about["id"], "status": about["status"], "completed_at_iso8601": self._now(),
                 "href": f"{_V}/{kind}s/{about['id']}"}  # fmt: skip
        payload = {"resource_type": kind, "action": action, "object": named, "resource": dict(resource)}
        body = json.dumps({"payload": payload}).encode()
        for webhook in self.webhooks.values():
            if webhook["enabled"] and (not webhook["events"] or action in webhook["events"]):
                self._send_to(webhook, body)

    def _send_to(self, webhook: Mapping[str, Any], body: bytes) -> None:
        headers = {"X-SHA2-Signature": sign(Secret(webhook["token"]), body), "Content-Type": "application/json"}
        self.notify(webhook["url"], body, headers)

    # Shared

    @property
    def _is_sandbox(self) -> bool:
        return not self.api_token.startswith("api_live")

    def _signed(self, handler: Handler) -> Handler:
        def checked(call: EmulatedRequest) -> EmulatedResponse:
            if call.headers.get("authorization") != f"Token token={self.api_token}":
                raise _error(401, "authorization_error", "Authorization error: please re-check your credentials")
            self._process()
            return handler(call)

        return checked

    def _one(self, place: Mapping[str, Any], id: str) -> Any:
        if id not in place:
            raise self._missing(id)
        found = place[id]
        if place is self.applicants and found["delete_at"] and self.variants.scheduled == "gone":
            raise _error(410, "gone", "This resource is scheduled for deletion.")
        return found

    def _missing(self, id: str) -> Refused:
        if id in self.gone:
            return _error(410, "gone", "This resource has been permanently deleted.")
        return _error(404, "resource_not_found", "Could not find the requested resource.")

    def _last(self, place: Mapping[str, StoredFile], applicant_id: str, ids: object) -> StoredFile | None:
        """The most recent one, or the first of those named."""
        mine = [file for file in place.values() if file.applicant_id == applicant_id]
        if isinstance(ids, list) and ids:
            mine = [file for file in mine if file.about["id"] in ids][:1]
        return mine[-1] if mine else None

    def _now(self) -> str:
        return self.clock.now().strftime(_TIME)


def _owner(one: Any) -> str:
    """The applicant of a run, a check or a file."""
    return str(one.applicant_id if isinstance(one, StoredFile) else one.about["applicant_id"])


def _content(call: EmulatedRequest, name: str) -> bytes:
    content = call.form.get(name)
    return content if isinstance(content, bytes) else b""


def _page_of(items: Iterable[Any], call: EmulatedRequest, size: int) -> list[Any]:
    number = max(1, int(call.query.get("page", "1")))
    return list(items)[(number - 1) * size : number * size]


def _invalid(fields: Mapping[str, list[str]]) -> Refused:
    return _error(422, "validation_error", "There was a validation error on this request", fields=dict(fields))


def _error(status: int, type: str, message: str, **more: Any) -> Refused:
    return Refused(EmulatedResponse(status, {"error": {"type": type, "message": message, **more}}))
