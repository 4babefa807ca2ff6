"""An emulator of Stripe Identity after docs.stripe.com: sessions, reports, idempotency, hosted page, signed webhooks.

The official SDK drives it in the tests. What the pages leave open is in `Variants`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

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

from ..webhooks import signature_header
from .files import Files, error

_VENDOR = "Stripe"
_BASE = "/v1/identity/verification_sessions"
_REPORTS = "/v1/identity/verification_reports"
_TYPES = {"PASSPORT": "passport", "DRIVING_LICENSE": "driving_license"}
# Where a specimen of each kind has its own number.
_NUMBERS = ("passport_number", "documentNumber", "number", "pan_number", "aadhaar_number")
_REPORTED = "last_verification_report.document"
# "Restricted API key access" only (docs.stripe.com/identity/access-verification-results).
_SENSITIVE = frozenset({"dob", "expiration_date", "id_number", "number"})
_COUNTRIES = {"PAN": "IN", "AADHAAR": "IN", "CEDULA": "CO", "KZ_ID": "KZ"}


@attrs.define(kw_only=True)
class EmulatedSession:
    """State of one session. `redacted_at` is when its redaction was asked for."""

    id: str
    created: int
    livemode: bool
    type: str
    options: dict[str, Any]
    metadata: dict[str, str]
    client_reference_id: str | None
    provided_details: dict[str, str] | None
    return_url: str | None
    verification_flow: str | None
    token: str
    status: str = "requires_input"
    redacted_at: datetime | None = None
    redaction: str | None = None
    document: Specimen | None = None
    selfie: Specimen | None = None
    pictures: dict[str, bytes] = attrs.field(factory=dict, repr=False)
    submitted_at: datetime | None = None
    last_error: dict[str, str] | None = None
    reports: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def wants_selfie(self) -> bool:
        return bool(self.options.get("document", {}).get("require_matching_selfie"))


@attrs.define(kw_only=True)
class Variants:
    """What the vendor's pages leave open: how long processing and redaction take, and how long idempotency keys are kept."""

    processing: timedelta = timedelta(seconds=2)
    redaction: timedelta = timedelta(days=4)
    keys_kept: timedelta = timedelta(hours=24)


class StripeEmulator(Emulator):
    """`webhook` is the endpoint that events go to; their signatures are made with `webhook_secret`.

    The next `failing` creations end in a 500, which is kept under the request's key like any other first answer.
    """

    def __init__(
        self,
        clock: HasNow,
        *,
        api_key: str = "rk_test_emulated4711",
        webhook_secret: str = "whsec_emulated4711",  # noqa: S107, an emulator's
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.api_key = api_key
        self.webhook: str | None = None
        self.webhook_secret = Secret(webhook_secret)
        self.variants = variants or Variants()
        self.failing = 0
        self.sessions: dict[str, EmulatedSession] = {}
        self.files = Files(clock, api_key)
        self._kept: dict[str, tuple[datetime, dict[str, str], EmulatedResponse]] = {}
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", _BASE, self._create),
            ("GET", _BASE, self._list),
            ("GET", _BASE + "/{id}", self._retrieve),
            ("POST", _BASE + "/{id}", self._update),
            ("POST", _BASE + "/{id}/cancel", self._cancel),
            ("POST", _BASE + "/{id}/redact", self._redact),
            ("GET", _REPORTS, self._list_reports),
            ("GET", _REPORTS + "/{id}", self._retrieve_report),
            *self.files.routes(self._authenticated),
            ("GET", "/start/{token}", self._show),
            ("POST", "/start/{token}", self._advance),
        ]

    def hand_in(self, session_id: str, document: bytes, selfie: bytes) -> None:
        """What the applicant does on the hosted page, without the page."""
        session = self.sessions[session_id]
        session.document, session.selfie = read_specimen(document), read_specimen(selfie)
        session.pictures = {"document": document, "selfie": selfie}
        self._submit(session)

    def tick(self) -> None:
        """Finish what has been processed, then send what is due."""
        with self._lock:
            for session in self.sessions.values():
                self._process(session)
        super().tick()

    # The API

    def _create(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        key = call.headers.get("idempotency-key")
        params = {name: str(value) for name, value in call.form.items()}
        if key is None:
            return self._created(call, params)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self.clock.now():
            if kept[1] != params:
                text = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                raise error(400, text, type="idempotency_error")
            return attrs.evolve(kept[2], headers={"Idempotent-Replayed": "true"})
        reply = self._created(call, params)
        self._kept[key] = (self.clock.now() + self.variants.keys_kept, params, reply)
        return reply

    def _created(self, call: EmulatedRequest, params: Mapping[str, str]) -> EmulatedResponse:
        if self.failing > 0:
            self.failing -= 1
            return error(500, "Something went wrong on Stripe's end.").reply
        given = _nested(params)
        if given.get("type") not in ("document", "id_number") and not given.get("verification_flow"):
            raise error(400, "Missing required param: type.", code="parameter_missing", param="type")
        document = given.get("options", {}).get("document", {})
        options = {name: value == "true" if value in ("true", "false") else value for name, value in document.items()}
        session = EmulatedSession(
            id=f"vs_{secrets.token_hex(12)}",
            created=int(self.clock.now().timestamp()),
            livemode="_live_" in self.api_key,
            type=given.get("type", "verification_flow"),
            options={"document": options} if given.get("type") == "document" else {},
            metadata=dict(given.get("metadata", {})),
            client_reference_id=given.get("client_reference_id"),
            provided_details=given.get("provided_details"),
            return_url=given.get("return_url"),
            verification_flow=given.get("verification_flow"),
            token=secrets.token_urlsafe(16),
        )
        self.sessions[session.id] = session
        self._tell("created", session)
        return EmulatedResponse(200, self._shown(session, call))

    def _list(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        wanted = {name: call.query[name] for name in ("client_reference_id", "status") if name in call.query}
        found = [
            session
            for session in reversed(self.sessions.values())
            if all(getattr(session, name) == value for name, value in wanted.items())
        ]
        if "starting_after" in call.query:
            ids = [session.id for session in found]
            if call.query["starting_after"] not in ids:
                raise error(404, "No such verification session", code="resource_missing", param="starting_after")
            found = found[ids.index(call.query["starting_after"]) + 1 :]
        limit = int(call.query.get("limit", "10"))
        data = [self._shown(session, call) for session in found[:limit]]
        return EmulatedResponse(200, {"object": "list", "url": _BASE, "has_more": len(found) > limit, "data": data})

    def _retrieve(self, call: EmulatedRequest) -> EmulatedResponse:
        return EmulatedResponse(200, self._shown(self._owned(call), call))

    def _update(self, call: EmulatedRequest) -> EmulatedResponse:
        session = self._owned(call)
        session.metadata |= _nested({name: str(value) for name, value in call.form.items()}).get("metadata", {})
        return EmulatedResponse(200, self._shown(session, call))

    def _cancel(self, call: EmulatedRequest) -> EmulatedResponse:
        session = self._owned(call)
        self._process(session)
        if session.status != "requires_input" or session.redaction is not None:
            raise error(400, f"You cannot cancel a session that is {session.status}.", code="invalid_request")
        session.status = "canceled"
        self._tell("canceled", session)
        return EmulatedResponse(200, self._shown(session, call))

    def _redact(self, call: EmulatedRequest) -> EmulatedResponse:
        """Files are gone at once here; what else there is says `[redacted]`, and the metadata are empty."""
        session = self._owned(call)
        self._process(session)
        if session.status == "processing" or session.redaction is not None:
            raise error(400, f"You cannot redact a session that is {session.status}.", code="invalid_request")
        if session.status == "requires_input":
            session.status = "canceled"
            self._tell("canceled", session)
        session.redaction, session.redacted_at = "processing", self.clock.now()
        session.reports, session.provided_details, session.pictures, session.metadata = [], None, {}, {}
        session.client_reference_id = session.client_reference_id and "[redacted]"
        self.files.drop(session.id)
        return EmulatedResponse(200, self._shown(session, call))

    def _list_reports(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        wanted = call.query.get("verification_session")
        reports = [r for s in self.sessions.values() if wanted in (None, s.id) for r in s.reports]
        return EmulatedResponse(200, {"object": "list", "url": _REPORTS, "has_more": False, "data": reports})

    def _retrieve_report(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        for session in self.sessions.values():
            for report in session.reports:
                if report["id"] == call.params["id"]:
                    return EmulatedResponse(200, report)
        raise error(404, "No such verification report", code="resource_missing", param="id")

    def _shown(self, session: EmulatedSession, call: EmulatedRequest) -> dict[str, Any]:
        """The session as the API shows it; link and client secret only while it waits for the applicant."""
        self._process(session)
        waits = session.status == "requires_input"
        if waits and session.last_error is not None:
            session.token = secrets.token_urlsafe(16)
        report: Any = session.reports[-1] if session.reports else None
        # the SDK counts (`expand[0]`), the pages do not (`expand[]`)
        expanded = [text for name, texts in call.query_lists.items() if name.startswith("expand[") for text in texts]
        if report is not None and "last_verification_report" not in expanded:
            report = report["id"]
        elif report is not None:
            report = {**report, "document": self._for_key(_REPORTED, report["document"], expanded)}
        outputs = (
            self._outputs(session)
            if session.reports and session.status == "verified" and "verified_outputs" in expanded
            else None
        )
        return {
            "id": session.id,
            "object": "identity.verification_session",
            "client_reference_id": session.client_reference_id,
            "client_secret": f"{session.id}_secret_{session.token}" if waits else None,
            "created": session.created,
            "last_error": session.last_error,
            "last_verification_report": report,
            "livemode": session.livemode,
            "metadata": session.metadata,
            "options": session.options,
            "provided_details": session.provided_details,
            "redaction": session.redaction and {"status": session.redaction},
            "related_customer": None,
            "status": session.status,
            "type": session.type,
            "url": f"{call.base_url}/start/{session.token}" if waits else None,
            "verification_flow": session.verification_flow,
            **({"verified_outputs": self._for_key("verified_outputs", outputs, expanded)} if outputs else {}),
        }

    def _for_key(self, place: str, data: Mapping[str, Any], expanded: list[str]) -> dict[str, Any]:
        """Without what only a restricted key sees, and only where it asks for it by name."""
        is_restricted = self.api_key.startswith("rk_")
        return {
            key: value
            for key, value in data.items()
            if key not in _SENSITIVE or (is_restricted and f"{place}.{key}" in expanded)
        }

    def _outputs(self, session: EmulatedSession) -> dict[str, Any]:
        """What was verified of the person, with and without a document; null where nothing was asked for."""
        document = session.reports[-1]["document"]
        return {
            "address": None,
            "email": None,
            "id_number": None,
            "id_number_type": None,
            "phone": None,
            "sex": None,
            **{name: document[name] for name in ("first_name", "last_name", "dob")},
        }

    # The applicant

    def _show(self, call: EmulatedRequest) -> EmulatedResponse:
        return html(self._page(self._visited(call)))

    def _advance(self, call: EmulatedRequest) -> EmulatedResponse:
        session = self._visited(call)
        given = {name: read_specimen(call.form.get(name)) for name in ("document", "selfie")}
        if session.document is None:
            if given["document"] is None or given["document"].type == "SELFIE":
                return html(
                    self._page(session, "This is not a document that we can read. Please take another picture.")
                )
            session.document, session.pictures["document"] = given["document"], _content(call, "document")
        elif session.selfie is None:
            if given["selfie"] is None or given["selfie"].type != "SELFIE":
                return html(self._page(session, "We see no face. Please take another picture."))
            session.selfie, session.pictures["selfie"] = given["selfie"], _content(call, "selfie")
        if session.selfie is None and session.wants_selfie:
            return redirect(call.path)
        self._submit(session)
        return redirect(session.return_url or call.path)

    def _submit(self, session: EmulatedSession) -> None:
        session.status, session.submitted_at, session.last_error = "processing", self.clock.now(), None
        self._tell("processing", session)

    def _visited(self, call: EmulatedRequest) -> EmulatedSession:
        for session in self.sessions.values():
            if session.token == call.params["token"]:
                return session
        raise Refused(html(page(_VENDOR, "This link is not valid", paragraph("Ask for a new one.")), 404))

    def _page(self, session: EmulatedSession, wrong: str = "") -> str:
        if session.status != "requires_input":
            return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        name, label = (
            ("document", "Picture of your identity document")
            if session.document is None
            else ("selfie", "Picture of your face")
        )
        return page(_VENDOR, "Verify your identity", form([file_field(name, label)], "Continue"), error=wrong)

    def _process(self, session: EmulatedSession) -> None:
        asked = session.redacted_at
        if session.redaction == "processing" and asked and self.clock.now() >= asked + self.variants.redaction:
            session.redaction = "redacted"
            self._tell("redacted", session)
        if session.status != "processing" or session.submitted_at is None or session.document is None:
            return
        if self.clock.now() < session.submitted_at + self.variants.processing:
            return
        report = self._report(session)
        session.reports.append(report)
        errors = [part["error"] for name in ("document", "selfie") if (part := report.get(name)) and part["error"]]
        session.status = "requires_input" if errors else "verified"
        session.last_error = errors[0] if errors else None
        session.document = session.selfie = session.submitted_at = None
        self._tell(session.status, session)

    def _report(self, session: EmulatedSession) -> dict[str, Any]:
        document, selfie = session.document, session.selfie
        assert document is not None
        flawed = document.flaw is not None
        files = {name: self.files.keep(session.id, name, content) for name, content in session.pictures.items()}
        first, _, last = str(document.fields.get("name", "")).partition(" ")
        report: dict[str, Any] = {
            "id": f"vr_{secrets.token_hex(12)}",
            "object": "identity.verification_report",
            "client_reference_id": session.client_reference_id,
            "created": int(self.clock.now().timestamp()),
            "livemode": session.livemode,
            "options": session.options,
            "type": session.type,
            "verification_session": session.id,
            "document": {
                "status": "unverified" if flawed else "verified",
                "error": _failure("document_unverified_other", "The document could not be verified.")
                if flawed
                else None,
                "type": _TYPES.get(document.type, "id_card"),
                "first_name": first or None,
                "last_name": last or None,
                "dob": _printed_date(document.fields.get("date_of_birth")),
                "number": next((document.fields[key] for key in _NUMBERS if key in document.fields), None),
                "issuing_country": _COUNTRIES.get(document.type),
                "issued_date": None,
                "expiration_date": _printed_date(document.fields.get("date_of_expiry")),
                "files": [files["document"]],
            },
        }
        if session.wants_selfie and selfie is not None:
            live, same = selfie.flaw is None, selfie.face == document.face
            code = "selfie_manipulated" if not live else "selfie_face_mismatch" if not same else None
            report["selfie"] = {
                "status": "unverified" if code else "verified",
                "error": _failure(code, "The selfie does not fit.") if code else None,
                "document": files["document"],
                "selfie": files["selfie"],
            }
        return report

    # Events

    def _tell(self, event: str, session: EmulatedSession) -> None:
        """Event names are those of the statuses, in the form `identity.verification_session.verified`."""
        if self.webhook is None:
            return
        shown = {"id": session.id, "object": "identity.verification_session", "status": session.status}
        now = int(self.clock.now().timestamp())
        body = json.dumps(
            {
                "id": f"evt_{secrets.token_hex(8)}",
                "object": "event",
                "api_version": "2024-06-20",
                "created": now,
                "livemode": session.livemode,
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
                "type": f"identity.verification_session.{event}",
                "data": {"object": {**shown, "metadata": session.metadata, "livemode": session.livemode}},
            }
        ).encode()
        headers = {**signature_header(self.webhook_secret, str(now), body), "Content-Type": "application/json"}
        url = self.webhook
        self.notify(url, body, headers)

    def _authenticated(self, call: EmulatedRequest) -> None:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key != self.api_key:
            raise error(401, "Invalid API Key provided")

    def _owned(self, call: EmulatedRequest) -> EmulatedSession:
        self._authenticated(call)
        session = self.sessions.get(call.params["id"])
        if session is None:
            raise error(404, "No such verification session", code="resource_missing", param="session")
        return session


def _content(call: EmulatedRequest, name: str) -> bytes:
    content = call.form.get(name)
    return content if isinstance(content, bytes) else b""


def _nested(params: Mapping[str, str]) -> dict[str, Any]:
    """`options[document][x]=1` as `{"options": {"document": {"x": "1"}}}`."""
    made: dict[str, Any] = {}
    for name, value in params.items():
        *above, last = name.replace("]", "").split("[")
        place = made
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return made


def _printed_date(text: object) -> dict[str, int] | None:
    """Specimens print day first, with slashes."""
    parts = text.split("/") if isinstance(text, str) else []
    return dict(zip(("day", "month", "year"), map(int, parts), strict=True)) if len(parts) == 3 else None


def _failure(code: str, reason: str) -> dict[str, str]:
    return {"code": code, "reason": reason}
