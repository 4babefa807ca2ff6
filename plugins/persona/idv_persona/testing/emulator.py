"""An emulator of Persona after its OpenAPI (2025-12-08): inquiries, idempotency, hosted flow, files, signed webhooks.

What it answers and sends is judged by that document in the tests. What the document leaves open is in `Variants`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
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
    read_specimen,
)

from ..settings import kind_of_template
from ..webhooks import signature_header
from .after import AfterEnd
from .hosted import HostedFlow
from .state import EmulatedInquiry, EmulatedVerification, check, expected_end, new_id, read_id, session_token, stamp

_API = "/api/v1"
_INQUIRIES = f"{_API}/inquiries"
_INQUIRY = f"{_INQUIRIES}/{{id}}"
_LIMIT, _DEFAULT_LIMIT = 100, 10


@attrs.define(kw_only=True)
class Variants:
    """What Persona's pages leave open, or what an organization sets up.

    How long verifications take, and the workflow that decides after them (`decides` false: there is none); how long
    idempotency keys are kept; whether a watchlist report is made, with a match or without; how long it takes until all that
    belongs to a redacted inquiry is redacted too.
    """

    processing: timedelta = timedelta(seconds=2)
    deciding: timedelta = timedelta(seconds=1)
    decides: bool = True
    keys_kept: timedelta = timedelta(hours=24)
    watchlist: bool = False
    has_match: bool = False
    redacting: timedelta = timedelta(seconds=10)


class PersonaEmulator(Emulator):
    """`webhook` is the address that events go to; their signatures are made with each of `webhook_secrets`."""

    def __init__(
        self,
        clock: HasNow,
        *,
        api_key: str = "persona_sandbox_emulated4711",
        webhook_secrets: Iterable[str] = ("wbhsec_emulated4711",),
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.api_key = api_key
        self.webhook: str | None = None
        self.webhook_secrets = tuple(map(Secret, webhook_secrets))
        self.variants = variants or Variants()
        self.inquiries: dict[str, EmulatedInquiry] = {}
        self.accounts: dict[str, str] = {}
        self._kept: dict[str, tuple[datetime, bytes, EmulatedResponse]] = {}
        self._hosted = HostedFlow(self._of_code, self._submit, self.begin)
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", _INQUIRIES, self._create),
            ("GET", _INQUIRIES, self._list),
            ("GET", _INQUIRY, self._retrieve),
            ("POST", f"{_INQUIRY}/generate-one-time-link", self._generate_link),
            ("POST", f"{_INQUIRY}/resume", self._resume),
            ("POST", f"{_INQUIRY}/expire", self._expire),
            *AfterEnd(self).routes(),
            ("GET", "/verify", self._hosted.show),
            ("POST", "/verify", self._hosted.advance),
        ]

    def hand_in(self, inquiry_id: str, document: bytes, selfie: bytes) -> None:
        """What the applicant does in the hosted flow, without it."""
        inquiry = self.inquiries[inquiry_id]
        inquiry.handed_in = {"document": document, "selfie": selfie}
        self.begin(inquiry)
        self._submit(inquiry)

    def tick(self) -> None:
        """Finish what has been processed, then send what is due."""
        with self._lock:
            for inquiry in self.inquiries.values():
                self._process(inquiry)
        super().tick()

    # The API

    def _create(self, call: EmulatedRequest) -> EmulatedResponse:
        self.authenticated(call)
        return self.kept(call, self._created)

    def kept(self, call: EmulatedRequest, run: Handler) -> EmulatedResponse:
        """What the handler answers, or the first answer to the call's idempotency key once more."""
        key = call.headers.get("idempotency-key")
        if key is None:
            return run(call)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self.clock.now():
            if kept[1] != call.body:
                raise refused(409, "Conflict", "Idempotency key has been used with other parameters")
            return kept[2]
        reply = run(call)
        self._kept[key] = (self.clock.now() + self.variants.keys_kept, call.body, reply)
        return reply

    def _created(self, call: EmulatedRequest) -> EmulatedResponse:
        body = call.json()
        attributes = _object(_object(body.get("data")).get("attributes"))
        names = ("inquiry-template-id", "inquiry-template-version-id", "template-id")
        given = [attributes[name] for name in names if attributes.get(name)]
        kind = kind_of_template(str(given[0])) if len(given) == 1 else None
        if kind is None:
            raise refused(400, "Bad Request", "data.attributes.inquiry-template-id is missing")
        reference = _object(body.get("meta")).get("auto-create-account-reference-id")
        now = self.clock.now()
        template = {"inquiry-template": "itmpl_emulated", "inquiry-template-version": "itmplv_emulated"}
        inquiry = EmulatedInquiry(
            id=new_id("inq"),
            template={kind: given[0]} if kind == "template" else {**template, kind: given[0]},
            account=self.accounts.setdefault(reference or new_id("anonymous"), new_id("act")),
            reference_id=reference,
            note=attributes.get("note"),
            tags=list(attributes.get("tags") or []),
            fields=_fields(_object(attributes.get("fields"))),
            redirect_uri=attributes.get("redirect-uri"),
            created=now,
            updated=now,
            expires=expected_end(now),
        )
        self.inquiries[inquiry.id] = inquiry
        self._tell("created", inquiry)
        meta = {"session-token": None, "one-time-link": None, "one-time-link-short": None}
        return EmulatedResponse(201, {"data": inquiry.resource(), "meta": meta})

    def _list(self, call: EmulatedRequest) -> EmulatedResponse:
        self.authenticated(call)
        known = {"filter[reference-id]": "reference_id", "filter[note]": "note", "filter[status]": "status"}
        wanted = {name: call.query[text] for text, name in known.items() if text in call.query}
        for inquiry in self.inquiries.values():
            self._process(inquiry)
        found = [
            inquiry
            for inquiry in reversed(self.inquiries.values())
            if all(getattr(inquiry, name) == value for name, value in wanted.items())
        ]
        after = call.query.get("page[after]")
        if after is not None:
            ids = [inquiry.id for inquiry in found]
            if after not in ids:
                raise refused(400, "Bad Request", "page.after is not found")
            found = found[ids.index(after) + 1 :]
        size = min(int(call.query.get("page[size]", _DEFAULT_LIMIT)), _LIMIT)
        more = f"{_INQUIRIES}?page%5Bafter%5D={found[size - 1].id}" if len(found) > size else None
        data = [inquiry.resource() for inquiry in found[:size]]
        return EmulatedResponse(200, {"data": data, "links": {"prev": None, "next": more}})

    def _retrieve(self, call: EmulatedRequest) -> EmulatedResponse:
        return self.shown(call, self.owned(call))

    def _generate_link(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self.changeable(call)
        if inquiry.status not in ("created", "pending"):
            raise refused(422, "Unprocessable entity", f"Inquiry is {inquiry.status} and must be resumed")
        life = _object(call.json().get("meta")).get("expires-in-seconds", 86400)
        code = f"us1-{secrets.token_hex(12)}"
        inquiry.codes[code] = self.clock.now() + timedelta(seconds=life)
        self._add_session(inquiry)
        link = f"{call.base_url}/verify?code={code}"
        meta = {"one-time-link": link, "one-time-link-short": link}
        return self.shown(call, inquiry, meta=meta)

    def _resume(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self.changeable(call)
        if inquiry.status == "expired":
            self.become("pending", inquiry, "transitioned")
            inquiry.expires = expected_end(self.clock.now())
        session = inquiry.sessions[-1] if inquiry.sessions else self._add_session(inquiry)
        return self.shown(call, inquiry, meta={"session-token": session_token(session, self.clock.now())})

    def _expire(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self.changeable(call)
        if inquiry.status not in ("created", "pending", "expired"):
            raise refused(409, "Conflict", f"Inquiry is {inquiry.status}")
        if inquiry.status != "expired":
            self.end(inquiry)
        return self.shown(call, inquiry)

    def shown(
        self, call: EmulatedRequest, inquiry: EmulatedInquiry, meta: Mapping[str, Any] | None = None
    ) -> EmulatedResponse:
        """The inquiry, and what `include` names of what belongs to it."""
        wanted = call.query.get("include", "").split(",")
        parts: list[Any] = []
        if "verifications" in wanted:
            parts += [inquiry.verification(one, call.base_url) for one in inquiry.verifications]
        if "reports" in wanted:
            parts += inquiry.reports
        data = {"data": inquiry.resource(), **({"included": parts} if "include" in call.query else {})}
        return EmulatedResponse(200, {**data, "meta": meta} if meta else data)

    # The applicant

    def _of_code(self, code: str) -> EmulatedInquiry | None:
        now = self.clock.now()
        for inquiry in self.inquiries.values():
            if inquiry.codes.get(code, now) > now:
                return inquiry
        return None

    def begin(self, inquiry: EmulatedInquiry) -> None:
        if inquiry.status == "created":
            self.become("pending", inquiry, "started", "started")

    def _submit(self, inquiry: EmulatedInquiry) -> None:
        now = self.clock.now()
        inquiry.submitted_at = inquiry.updated = now
        document = read_specimen(inquiry.handed_in["document"])
        assert document is not None
        country, read = read_id(document)
        inquiry.verifications += [
            EmulatedVerification(
                id=new_id("ver"),
                type="verification/government-id",
                template="vtmpl_governmentid",
                created=now,
                country=country,
                attributes=read,
                picture=inquiry.handed_in["document"],
            ),
            EmulatedVerification(
                id=new_id("ver"),
                type="verification/selfie",
                template="vtmpl_selfie",
                created=now,
                attributes={
                    "capture-method": "upload",
                    "entity-confidence-reasons": [],
                    "from-reusable-persona": False,
                },
                picture=inquiry.handed_in["selfie"],
            ),
        ]

    def _process(self, inquiry: EmulatedInquiry) -> None:
        """What the passing of time does: verifications end, the workflow decides, what nobody goes on with expires."""
        now = self.clock.now()
        submitted = inquiry.submitted_at
        if inquiry.is_redacted:
            self._redact_parts(inquiry)
            return
        if submitted is None:
            if inquiry.status in ("created", "pending") and inquiry.expires is not None and inquiry.expires <= now:
                self.end(inquiry)
            return
        if inquiry.status == "pending" and now >= submitted + self.variants.processing:
            self._finish(inquiry)
        decided = submitted + self.variants.processing + self.variants.deciding
        if inquiry.status == "completed" and self.variants.decides and now >= decided:
            good = all(one.status == "passed" for one in inquiry.verifications) and not self.variants.has_match
            self.decide(inquiry.id, "approved" if good else "declined", reviewer="workflow-run")

    def _redact_parts(self, inquiry: EmulatedInquiry) -> None:
        """The event comes when everything is redacted (changelog of 2024-05-14)."""
        now = self.clock.now()
        parts = [one for one in inquiry.verifications if one.redacted is None]
        reports = [one for one in inquiry.reports if one["attributes"]["redacted-at"] is None]
        if inquiry.is_told_redacted or now < inquiry.times["redacted"] + self.variants.redacting:
            return
        for one in parts:
            one.redacted, one.picture = now, None
            one.attributes = {key: None if isinstance(value, str) else value for key, value in one.attributes.items()}
        for report in reports:
            report["attributes"]["redacted-at"] = stamp(now)
        inquiry.is_told_redacted = True
        self._tell("redacted", inquiry)

    def _finish(self, inquiry: EmulatedInquiry) -> None:
        document, selfie = (read_specimen(inquiry.handed_in[name]) for name in ("document", "selfie"))
        assert document is not None
        assert selfie is not None
        now = self.clock.now()
        id_, face = inquiry.verifications[-2:]
        forged, spoofed = document.flaw is not None, selfie.flaw is not None
        id_.checks = [
            check("id_entity_detection", False),
            check("id_fabrication_detection", forged, "fabricated"),
            check("id_expired_detection", False),
            check("id_portrait_clarity_detection", False, requirement="not_required"),
        ]
        face.checks = [
            check("selfie_liveness_detection", spoofed, "spoof"),
            check("selfie_id_comparison", selfie.face != document.face, "face_mismatch"),
        ]
        for one in (id_, face):
            one.status = "failed" if any(part["status"] == "failed" for part in one.checks) else "passed"
            one.completed = now
        if self.variants.watchlist:
            inquiry.reports.append(self._watchlist(inquiry))
        self.become("completed", inquiry, "completed", "completed")

    def _watchlist(self, inquiry: EmulatedInquiry) -> dict[str, Any]:
        """A watchlist report as a resource (schema `report-watchlist`)."""
        now = stamp(self.clock.now())
        return {
            "type": "report/watchlist",
            "id": new_id("rep"),
            "attributes": {
                "status": "ready",
                "created-at": now,
                "completed-at": now,
                "redacted-at": None,
                "has-match": self.variants.has_match,
                "is-continuous": False,
                "tags": [],
            },
            "relationships": {"inquiry": {"data": {"type": "inquiry", "id": inquiry.id}}},
        }

    def decide(self, inquiry_id: str, word: str, *, reviewer: str = "user", comment: str | None = None) -> None:
        """What a workflow (`workflow-run`) or a person (`user`) at Persona decides."""
        inquiry = self.inquiries[inquiry_id]
        prefix = {"user": "user", "workflow-run": "wfr", "workflow": "wfl"}[reviewer]
        inquiry.comment = comment or inquiry.comment
        inquiry.reviewer = {"type": reviewer, "id": new_id(prefix)}
        self.become(word, inquiry, word, "decisioned")

    def end(self, inquiry: EmulatedInquiry) -> None:
        inquiry.codes.clear()
        inquiry.sessions.clear()
        for one in inquiry.verifications:
            one.status = "canceled" if one.status in ("initiated", "submitted") else one.status
        self.become("expired", inquiry, "expired", "expired")

    def become(self, word: str, inquiry: EmulatedInquiry, event: str, time: str | None = None) -> None:
        inquiry.status, inquiry.updated = word, self.clock.now()
        if time is not None:
            inquiry.times[time] = inquiry.updated
        self._tell(event, inquiry)

    def _add_session(self, inquiry: EmulatedInquiry) -> str:
        session = new_id("iqse")
        inquiry.sessions.append(session)
        return session

    # Events

    def register_webhook(self, url: str) -> None:
        self.webhook = url

    def _tell(self, event: str, inquiry: EmulatedInquiry) -> None:
        """`inquiry.completed` and the like, with the inquiry as it is now."""
        if self.webhook is not None:
            body = json.dumps(event_of(event, inquiry, self.clock.now())).encode()
            self.notify(self.webhook, body, self.signed(body))

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers of a webhook."""
        now = str(int(self.clock.now().timestamp()))
        return {**signature_header(self.webhook_secrets, now, body), "Content-Type": "application/json"}

    def authenticated(self, call: EmulatedRequest) -> None:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key != self.api_key:
            raise Refused(
                EmulatedResponse(401, {"errors": [{"title": "Must be authenticated to access this endpoint"}]})
            )

    def owned(self, call: EmulatedRequest) -> EmulatedInquiry:
        self.authenticated(call)
        inquiry = self.inquiries.get(call.params["id"])
        if inquiry is None:
            raise Refused(EmulatedResponse(404, {"errors": [{"title": "Record not found"}]}))
        self._process(inquiry)
        return inquiry

    def changeable(self, call: EmulatedRequest) -> EmulatedInquiry:
        inquiry = self.owned(call)
        if inquiry.is_redacted:
            raise refused(409, "Conflict", "Inquiry already redacted")
        return inquiry


def event_of(event: str, inquiry: EmulatedInquiry, now: datetime) -> dict[str, Any]:
    """The body of a webhook about an inquiry."""
    return {
        "data": {
            "type": "event",
            "id": new_id("evt"),
            "attributes": {
                "name": f"inquiry.{event}",
                "payload": {"data": inquiry.resource(), "included": []},
                "created-at": stamp(now),
            },
        }
    }


def refused(status: int, title: str, details: str) -> Refused:
    return Refused(EmulatedResponse(status, {"errors": [{"title": title, "details": details}]}))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the template, with what was filled in."""
    names = ("name-first", "name-middle", "name-last", "birthdate", "email-address", "phone-number",
             "address-street-1", "address-street-2", "address-city", "address-subdivision", "address-postal-code",
             "address-country-code", "identification-number")  # fmt: skip
    return {name: {"type": "date" if name == "birthdate" else "string", "value": given.get(name)} for name in names}
