"""An emulator of Onfido's API v3.6: applicants, workflow runs with their page, documents, photos, checks, reports, webhooks.

The official SDK drives it in the tests. What the pages leave open is in `Variants`.
"""

from __future__ import annotations

import json
import secrets
import uuid
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

_VENDOR = "Onfido"
_V = "/v3.6"
_RUNS = _V + "/workflow_runs"
# Where a specimen of each kind has its own number.
_NUMBERS = ("passport_number", "documentNumber", "number", "pan_number", "aadhaar_number")
_TYPES = {"PASSPORT": "passport", "DRIVING_LICENSE": "driving_licence"}
_ISSUERS = {"PAN": "IND", "AADHAAR": "IND", "CEDULA": "COL", "KZ_ID": "KAZ"}
_PER_PAGE = 20


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

    A run is listed `listed_after` it was made. With `pages` "last" a page past the end is the last one again, with "first"
    there is one page only, whichever is asked for.
    """

    processing: timedelta = timedelta(seconds=2)
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
        webhook_token: str = "emulated-webhook-token-4711",  # noqa: S107, an emulator's
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.api_token = api_token
        self.webhook_token = Secret(webhook_token)
        self.variants = variants or Variants()
        self.applicants: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, EmulatedRun] = {}
        self.documents: dict[str, StoredFile] = {}
        self.photos: dict[str, StoredFile] = {}
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
            ("POST", "/documents", self._upload_document),
            ("GET", "/documents", lambda call: EmulatedResponse(200, {"documents": self._files(self.documents, call)})),
            (
                "GET",
                "/documents/{id}",
                lambda call: EmulatedResponse(200, self._one(self.documents, call.params["id"]).about),
            ),
            ("GET", "/documents/{id}/download", self._download),
            ("POST", "/live_photos", self._upload_photo),
            (
                "GET",
                "/live_photos",
                lambda call: EmulatedResponse(200, {"live_photos": self._files(self.photos, call)}),
            ),
            (
                "GET",
                "/live_photos/{id}",
                lambda call: EmulatedResponse(200, self._one(self.photos, call.params["id"]).about),
            ),
            ("POST", "/checks", self._create_check),
            ("GET", "/checks", self._list_checks),
            (
                "GET",
                "/checks/{id}",
                lambda call: EmulatedResponse(200, self._one(self.checks, call.params["id"]).about),
            ),
            ("GET", "/reports", self._list_reports),
            ("GET", "/reports/{id}", self._find_report),
            ("POST", "/workflow_runs", self._create_run),
            ("GET", "/workflow_runs", self._list_runs),
            ("GET", "/workflow_runs/{id}", lambda call: EmulatedResponse(200, self._shown(self._run(call), call))),
            ("GET", "/workflow_runs/{id}/tasks", self._list_tasks),
            ("GET", "/workflow_runs/{id}/tasks/{task_id}", self._find_task),
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
        self._submit(run)

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
        id = str(uuid.uuid4())
        about = {
            "id": id,
            "created_at": self._now(),
            "file_name": "picture.png",
            "file_type": "png",
            "file_size": len(content),
            "href": f"{_V}/{kind}/{id}",
            "download_href": f"{_V}/{kind}/{id}/download",
            "applicant_id": applicant["id"],
            **more,
        }
        place[id] = StoredFile(
            applicant_id=applicant["id"], specimen=read_specimen(content), content=content, about=about
        )
        return EmulatedResponse(201, about)

    def _files(self, place: Mapping[str, StoredFile], call: EmulatedRequest) -> list[Mapping[str, Any]]:
        return [file.about for file in place.values() if file.applicant_id == call.query.get("applicant_id")]

    def _download(self, call: EmulatedRequest) -> EmulatedResponse:
        return EmulatedResponse(200, content=self._one(self.documents, call.params["id"]).content, type="image/png")

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

    def _list_checks(self, call: EmulatedRequest) -> EmulatedResponse:
        mine = [c.about for c in self.checks.values() if c.about["applicant_id"] == call.query.get("applicant_id")]
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
        return EmulatedResponse(201, {**self._shown(run, call), "sdk_token": f"sdk.{secrets.token_urlsafe(24)}"})

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
            run.document = given["document"]
            return redirect(call.path)
        if given["photo"] is None or given["photo"].type != "SELFIE":
            return html(self._page(run, "We see no face. Please take another picture."))
        run.photo = given["photo"]
        self._submit(run)
        return redirect(run.completed_redirect_url or call.path)

    def _submit(self, run: EmulatedRun) -> None:
        run.about["status"], run.submitted_at = "processing", self.clock.now()

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
            "document_check": {**_document_report(run.document), "uuid": str(uuid.uuid4())},
            "facial_similarity_photo_check": {**_face_report(run.document, run.photo), "uuid": str(uuid.uuid4())},
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
                report |= _document_report(document)
            elif report["name"].startswith("facial"):
                report |= _face_report(document, photo)
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

    def register_webhook(self, url: str) -> None:
        self._add_webhook({"url": url}, self.webhook_token.reveal())

    def _create_webhook(self, call: EmulatedRequest) -> EmulatedResponse:
        given = call.json()
        if not given.get("url"):
            raise _invalid({"url": ["can't be blank"]})
        return EmulatedResponse(201, self._add_webhook(given, secrets.token_urlsafe(24)))

    def _add_webhook(self, given: Mapping[str, Any], token: str) -> dict[str, Any]:
        id = str(uuid.uuid4())
        self.webhooks[id] = {
            "id": id,
            "url": given["url"],
            "enabled": given.get("enabled", True),
            "environments": given.get("environments", ["sandbox"]),
            "events": given.get("events", []),
            "token": token,
            "href": f"{_V}/webhooks/{id}",
            "payload_version": 3,
        }
        return self.webhooks[id]

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
            raise _error(404, "resource_not_found", "Could not find the requested resource.")
        return place[id]

    def _last(self, place: Mapping[str, StoredFile], applicant_id: str, ids: object) -> StoredFile | None:
        """The most recent one, or the first of those named."""
        mine = [file for file in place.values() if file.applicant_id == applicant_id]
        if isinstance(ids, list) and ids:
            mine = [file for file in mine if file.about["id"] in ids][:1]
        return mine[-1] if mine else None

    def _now(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _document_report(document: Specimen | None) -> dict[str, Any]:
    suspected = document is None or document.flaw is not None
    fields = document.fields if document else {}
    first, _, last = str(fields.get("name", "")).partition(" ")
    word = "consider" if suspected else "clear"
    parts = {name: {"result": "clear", "breakdown": {}} for name in ("data_validation", "image_integrity")}
    authentic = {"result": word, "breakdown": {"fonts": {"result": word}, "template": {"result": "clear"}}}
    number = next((str(fields[key]) for key in _NUMBERS if key in fields), None)
    return {
        "result": word,
        "sub_result": "suspected" if suspected else "clear",
        "breakdown": {**parts, "visual_authenticity": authentic},
        "properties": {
            "document_type": _TYPES.get(document.type, "national_identity_card") if document else None,
            "first_name": first or None,
            "last_name": last or None,
            "date_of_birth": _iso(fields.get("date_of_birth")),
            "date_of_expiry": _iso(fields.get("date_of_expiry")),
            "issuing_country": _ISSUERS.get(document.type) if document else None,
            "document_numbers": [{"type": "document_number", "value": number}] if number else [],
        },
    }


def _face_report(document: Specimen | None, photo: Specimen | None) -> dict[str, Any]:
    same = document is not None and photo is not None and document.face == photo.face
    live = photo is not None and photo.flaw is None
    compared, authentic = ("clear" if same else "consider"), ("clear" if live else "consider")
    match = {"result": compared, "properties": {"score": 0.92 if same else 0.11}}
    spoof = {"result": authentic, "properties": {"score": 0.95 if live else 0.08}}
    return {
        "result": "clear" if same and live else "consider",
        "sub_result": None,
        "breakdown": {
            "face_comparison": {"result": compared, "breakdown": {"face_match": match}},
            "image_integrity": {"result": "clear", "breakdown": {"face_detected": {"result": "clear"}}},
            "visual_authenticity": {"result": authentic, "breakdown": {"spoofing_detection": spoof}},
        },
        "properties": {"score": 0.92 if same else 0.11},
    }


def _iso(text: object) -> str | None:
    """Specimens print day first, with slashes."""
    return "-".join(reversed(text.split("/"))) if isinstance(text, str) and text.count("/") == 2 else None


def _page_of(items: Iterable[Any], call: EmulatedRequest, size: int) -> list[Any]:
    number = max(1, int(call.query.get("page", "1")))
    return list(items)[(number - 1) * size : number * size]


def _invalid(fields: Mapping[str, list[str]]) -> Refused:
    return _error(422, "validation_error", "There was a validation error on this request", fields=dict(fields))


def _error(status: int, type: str, message: str, **more: Any) -> Refused:
    return Refused(EmulatedResponse(status, {"error": {"type": type, "message": message, **more}}))
