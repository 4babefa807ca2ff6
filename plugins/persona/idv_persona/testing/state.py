"""State of the emulator, and how Persona writes it: inquiries, verifications, sessions, files, after its OpenAPI."""

from __future__ import annotations

import json
import secrets
import string
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.testing import Specimen

_LETTERS = string.ascii_letters + string.digits
_COUNTRIES = {"PAN": "IN", "AADHAAR": "IN", "CEDULA": "CO", "KZ_ID": "KZ"}
_CLASSES = {"PASSPORT": "pp", "DRIVING_LICENSE": "dl", "PAN": "pan"}
# Where a specimen of each kind has its own number.
_NUMBERS = ("passport_number", "documentNumber", "number", "pan_number", "aadhaar_number")
_TIMES = (
    "started", "completed", "failed", "marked-for-review", "decisioned", "expired", "redacted",
)  # fmt: skip


def new_id(prefix: str) -> str:
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(24))}"


def stamp(moment: datetime | None) -> str | None:
    """Times as Persona writes them."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z") if moment else None


@attrs.define(kw_only=True)
class EmulatedVerification:
    """One attempt at one verification; `attributes` beside those that all share. Whoever has `token` gets the picture."""

    id: str
    type: str
    template: str
    created: datetime
    status: str = "submitted"
    completed: datetime | None = None
    redacted: datetime | None = None
    country: str | None = None
    checks: list[dict[str, Any]] = attrs.field(factory=list)
    attributes: dict[str, Any] = attrs.field(factory=dict)
    picture: bytes | None = None
    token: str = attrs.field(factory=lambda: secrets.token_hex(12))


@attrs.define(kw_only=True)
class EmulatedInquiry:
    """State of one inquiry. `codes` are its one-time links with their ends, `times` what happened when."""

    id: str
    template: dict[str, str]
    account: str
    reference_id: str | None
    note: str | None
    tags: list[str]
    fields: dict[str, Any]
    redirect_uri: str | None
    created: datetime
    updated: datetime
    expires: datetime | None
    status: str = "created"
    times: dict[str, datetime] = attrs.field(factory=dict)
    comment: str | None = None
    reviewer: dict[str, str] | None = None
    handed_in: dict[str, bytes] = attrs.field(factory=dict)
    submitted_at: datetime | None = None
    codes: dict[str, datetime] = attrs.field(factory=dict)
    sessions: list[str] = attrs.field(factory=list)
    verifications: list[EmulatedVerification] = attrs.field(factory=list)
    reports: list[dict[str, Any]] = attrs.field(factory=list)
    is_told_redacted: bool = False
    is_locked: bool = False

    @property
    def is_redacted(self) -> bool:
        return "redacted" in self.times

    def resource(self) -> dict[str, Any]:
        """The inquiry as a JSON:API resource (schema `inquiry`)."""
        return {
            "type": "inquiry",
            "id": self.id,
            "attributes": {
                "status": self.status,
                "reference-id": self.reference_id,
                "note": self.note,
                "behaviors": {},
                "tags": self.tags,
                "creator": "API",
                "reviewer-comment": self.comment,
                "created-at": stamp(self.created),
                "updated-at": stamp(self.updated),
                "expires-at": stamp(self.expires),
                **{f"{name}-at": stamp(self.times.get(name)) for name in _TIMES},
                "previous-step-name": "start" if self.status == "created" else "verification_selfie",
                "next-step-name": "verification_government_id" if self.status == "created" else None,
                "fields": self.fields,
            },
            "relationships": {
                "account": {"data": {"type": "account", "id": self.account}},
                "template": {"data": self._template("template")},
                "inquiry-template": {"data": self._template("inquiry-template")},
                "inquiry-template-version": {"data": self._template("inquiry-template-version")},
                "transaction": {"data": None},
                "reviewer": {"data": self.reviewer},
                "reports": {"data": [{"type": one["type"], "id": one["id"]} for one in self.reports]},
                "verifications": {"data": [{"type": one.type, "id": one.id} for one in self.verifications]},
                "sessions": {"data": [{"type": "inquiry-session", "id": one} for one in self.sessions]},
                "documents": {"data": []},
                "selfies": {"data": []},
            },
        }

    def _files(self, one: EmulatedVerification, base_url: str) -> dict[str, Any]:
        """The addresses of its pictures."""
        page, key = (
            ("front", "front-photo-url") if one.type.endswith("government-id") else ("center", "center-photo-url")
        )
        if one.picture is None:
            return {key: None, "photo-urls": []}
        url = f"{base_url}/files/{page}.png?access_token={one.token}"
        shown = {"page": page, "url": url, "filename": f"{page}.png", "byte-size": len(one.picture)}
        more = {"normalized-url": url, "original-urls": [url]} if page == "front" else {}
        return {key: url, "photo-urls": [{**shown, **more}]}

    def _template(self, kind: str) -> dict[str, str] | None:
        return {"type": kind, "id": self.template[kind]} if kind in self.template else None

    def verification(self, one: EmulatedVerification, base_url: str = "https://files.example") -> dict[str, Any]:
        """A verification as a resource (schemas `verification-government-id`, `verification-selfie`)."""
        kind = one.type.partition("/")[2]
        return {
            "type": one.type,
            "id": one.id,
            "attributes": {
                "status": one.status,
                "created-at": stamp(one.created),
                "created-at-ts": int(one.created.timestamp()),
                "submitted-at": stamp(one.created),
                "submitted-at-ts": int(one.created.timestamp()),
                "completed-at": stamp(one.completed),
                "completed-at-ts": int(one.completed.timestamp()) if one.completed else None,
                "redacted-at": stamp(one.redacted),
                "country-code": one.country,
                "tags": [],
                "checks": one.checks,
                **one.attributes,
                **self._files(one, base_url),
            },
            "relationships": {
                "inquiry": {"data": {"type": "inquiry", "id": self.id}},
                "template": {"data": None},
                "inquiry-template": {"data": self._template("inquiry-template")},
                "inquiry-template-version": {"data": self._template("inquiry-template-version")},
                "transaction": {"data": None},
                "verification-template": {"data": {"type": f"verification-template/{kind}", "id": one.template}},
            },
        }


def expected_end(created: datetime) -> datetime:
    """An inquiry ends a day after it was created (docs.withpersona.com/inquiry-expiration)."""
    return created + timedelta(days=1)


def session_token(session: str, now: datetime) -> str:
    """A session's token, as a JSON Web Token that nobody signed."""
    claims = {"sub": session, "aud": "persona-verify", "exp": int(now.timestamp()) + 86400}
    parts = [{"alg": "HS256"}, claims]
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return f"{'.'.join(encoded)}.emulated"


def check(name: str, failed: bool, reason: str | None = None, requirement: str = "required") -> dict[str, Any]:
    return {
        "name": name,
        "status": "failed" if failed else "passed",
        "reasons": [reason] if failed and reason else [],
        "requirement": requirement,
        "metadata": {},
    }


def read_id(document: Specimen) -> tuple[str | None, dict[str, Any]]:
    """Country, and the attributes of a government id as Persona reads them."""
    printed = document.fields
    first, _, last = str(printed.get("name", "")).partition(" ")
    number = next((printed[key] for key in _NUMBERS if key in printed), None)
    return _COUNTRIES.get(document.type), {
        "id-class": _CLASSES.get(document.type, "id"),
        "capture-method": "upload",
        "name-first": first or None,
        "name-middle": None,
        "name-last": last or None,
        "birthdate": _printed_date(printed.get("date_of_birth")),
        "sex": printed.get("gender"),
        "identification-number": number,
        "document-number": None,
        "issuing-authority": None,
        "issue-date": None,
        "expiration-date": _printed_date(printed.get("date_of_expiry")),
        "nationality": None,
        "entity-confidence-reasons": [],
        "from-reusable-persona": False,
    }


def _printed_date(text: object) -> str | None:
    """Specimens print day first, with slashes."""
    parts = text.split("/") if isinstance(text, str) else []
    return "-".join(reversed(parts)) if len(parts) == 3 else None
