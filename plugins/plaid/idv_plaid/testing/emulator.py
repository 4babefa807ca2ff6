"""An emulator of Plaid Identity Verification after Plaid's OpenAPI document: verifications, attempts, pictures, a hosted page.

The official client drives it in the tests, and the document judges every answer. What both leave open is in `Variants`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx

from idv_core.testing import EmulatedRequest, EmulatedResponse, Emulator, Handler, HasNow, Refused, read_specimen

from .attempt import OPEN, STEPS, Attempt, Submission, stamp
from .hosted import HostedPage
from .signer import SigningKey

_BASE = "/identity_verification"
_CREDENTIALS = frozenset({"client_id", "secret"})
_PICTURES_LIVE = timedelta(seconds=60)
# Members of each request, those that it needs first (Plaid refuses members that it does not know).
_MEMBERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "create": (
        frozenset({"is_shareable", "template_id", "gave_consent"}),
        frozenset({"client_user_id", "user_id", "user", "is_idempotent"}),
    ),
    "get": (frozenset({"identity_verification_id"}), frozenset()),
    "list": (frozenset({"template_id"}), frozenset({"client_user_id", "user_id", "cursor"})),
    "retry": (frozenset({"client_user_id", "template_id", "strategy"}), frozenset({"user", "steps", "is_shareable"})),
    "key": (frozenset({"key_id"}), frozenset()),
    "link": (
        frozenset({"client_name", "language", "country_codes"}),
        frozenset({"user", "products", "identity_verification", "redirect_uri", "webhook"}),
    ),
}
_STRATEGIES = frozenset({"reset", "incomplete", "infer", "custom"})
_CHOSEN = frozenset({"verify_sms", "kyc_check", "documentary_verification", "selfie_check"})
_LINK_LIVES = timedelta(hours=4)
_USER = frozenset({"email_address", "phone_number", "date_of_birth", "name", "address", "id_number", "client_user_id"})
_KINDS = {"webm": "video/webm", "png": "image/png"}


@attrs.define(kw_only=True)
class Variants:
    """What the documents leave open: how long the last steps take, how many documents may be shown, how long a page is.

    `has_selfie` is a setting of the template.
    """

    processing: timedelta = timedelta(seconds=2)
    documents: int = 2
    page_size: int = 10
    has_selfie: bool = True


class PlaidEmulator(Emulator):
    """What is printed on the specimens decides. Names in `listed` are on a watchlist. Events go to the endpoint `webhook`.

    `override`, `cancel`, `expire` and `redact` are what people do in Plaid's dashboard. The next `failing` creations end in
    a 500 and do nothing.
    """

    def __init__(
        self,
        clock: HasNow,
        *,
        client_id: str = "client-emulated",
        secret: str = "secret-emulated-4711",  # noqa: S107, an emulator's
        template_id: str = "idvtmp_emulated",
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.client_id, self.secret = client_id, secret
        self.templates = {template_id: 2}
        self.variants = variants or Variants()
        self.listed: set[str] = set()
        self.webhook: str | None = None
        self.keys = [SigningKey(clock.now())]
        self.failing = 0
        self.attempts: dict[str, Attempt] = {}
        self._files: dict[str, tuple[datetime, bytes]] = {}
        self.hosted = HostedPage(self)
        super().__init__(clock, client)

    @property
    def template_id(self) -> str:
        return next(iter(self.templates))

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", f"{_BASE}/create", self._create),
            ("POST", f"{_BASE}/get", self._get),
            ("POST", f"{_BASE}/list", self._list),
            ("POST", f"{_BASE}/retry", self._retry),
            ("POST", "/link/token/create", self._link_token),
            ("POST", "/webhook_verification_key/get", self._key),
            ("GET", "/verify/{id}", self.hosted.show),
            ("POST", "/verify/{id}", self.hosted.advance),
            ("GET", "/verifications/{token}/{path:path}", self._file),
        ]

    def tick(self) -> None:
        """Finish what has been processed, then send what is due."""
        with self._lock:
            for attempt in self.attempts.values():
                self._process(attempt)
        super().tick()

    # The API

    def _create(self, call: EmulatedRequest) -> EmulatedResponse:
        body = self._body(call, "create")
        if self.failing > 0:
            self.failing -= 1
            raise _error(500, "API_ERROR", "INTERNAL_SERVER_ERROR", "an unexpected error occurred")
        client_user_id = body.get("client_user_id") or (body.get("user") or {}).get("client_user_id")
        if not client_user_id:
            raise _missing("client_user_id")
        found = self._attempts_of(client_user_id, body["template_id"])
        if found and not body.get("is_idempotent"):
            text = "an Identity Verification already exists for this client_user_id and template_id"
            raise _invalid(text)
        attempt = found[-1] if found else self._begun(client_user_id, body)
        return self._shown(attempt, call)

    def _begun(
        self,
        client_user_id: str,
        body: Mapping[str, Any],
        previous: Attempt | None = None,
        skipped: Collection[str] = (),
    ) -> Attempt:
        variants = self.variants
        consented = bool(body.get("gave_consent"))
        steps = dict.fromkeys(STEPS, "waiting_for_prerequisite")
        steps["verify_sms"] = "not_applicable"
        steps["accept_tos"] = "skipped" if consented else "active"
        if not variants.has_selfie:
            steps["selfie_check"] = "not_applicable"
        steps |= {name: "skipped" for name in skipped if steps[name] in OPEN}
        user = {name: value for name, value in (body.get("user") or {}).items() if value is not None}
        attempt = Attempt(
            id=f"idv_{secrets.token_hex(7)}",
            client_user_id=client_user_id,
            template_id=body["template_id"],
            created_at=self.clock.now(),
            is_shareable=bool(body["is_shareable"]),
            key=secrets.token_hex(32),
            user=user,
            steps=steps,
            previous_id=previous.id if previous is not None else None,
        )
        self.attempts[attempt.id] = attempt
        if consented:
            self._next(attempt)
        return attempt

    def _get(self, call: EmulatedRequest) -> EmulatedResponse:
        body = self._body(call, "get")
        return self._shown(self._found(body["identity_verification_id"]), call)

    def _list(self, call: EmulatedRequest) -> EmulatedResponse:
        body = self._body(call, "list")
        found = [
            attempt
            for attempt in reversed(self.attempts.values())
            if attempt.template_id == body["template_id"]
            and body.get("client_user_id") in (None, attempt.client_user_id)
        ]
        start = int(body["cursor"]) if str(body.get("cursor") or "").isdecimal() else 0
        end = start + self.variants.page_size
        for attempt in found[start:end]:
            self._process(attempt)
        shown = [self._object(attempt, call) for attempt in found[start:end]]
        cursor = str(end) if end < len(found) else None
        return EmulatedResponse(
            200, {"identity_verifications": shown, "next_cursor": cursor, "request_id": _request_id()}
        )

    def _retry(self, call: EmulatedRequest) -> EmulatedResponse:
        """A new attempt after the last one. One that is still under way ends with it (the documents do not say)."""
        body = self._body(call, "retry")
        found = self._attempts_of(body["client_user_id"], body["template_id"])
        if not found:
            raise _error(404, "INVALID_REQUEST", "NOT_FOUND", "there is no identity verification to retry")
        last, strategy = found[-1], body["strategy"]
        self._process(last)
        if strategy == "infer":
            if last.status == "active":
                raise _invalid("the infer strategy cannot be applied to a session that is active")
            strategy = "incomplete" if last.status in ("failed", "expired") else "reset"
        failed = {name for name, word in last.steps.items() if word in ("failed", "pending_review")}
        if strategy == "incomplete" and failed & {"watchlist_screening", "risk_check"}:
            raise _invalid("the incomplete strategy cannot be applied to this session")
        if strategy not in _STRATEGIES or (strategy == "custom") != (body.get("steps") is not None):
            raise _invalid("steps must be given with the custom strategy, and with no other")
        if last.status == "active":
            self.cancel(last.id)
        shareable = body.get("is_shareable")
        again = {
            "template_id": last.template_id,
            "user": {**last.user, **(body.get("user") or {})},
            "is_shareable": last.is_shareable if shareable is None else shareable,
            "gave_consent": last.steps["accept_tos"] == "skipped",
        }
        skipped = {name for name in _CHOSEN if strategy == "incomplete" and last.steps[name] in ("success", "skipped")}
        if strategy == "custom":
            skipped = {name for name in _CHOSEN if not body["steps"].get(name)}
        attempt = self._begun(last.client_user_id, again, last, skipped)
        self._tell("RETRIED", attempt)
        return self._shown(attempt, call)

    def _link_token(self, call: EmulatedRequest) -> EmulatedResponse:
        """A token for Plaid Link in an app: of the person and the template, so of that verification."""
        body = self._body(call, "link")
        template = (body.get("identity_verification") or {}).get("template_id")
        if "identity_verification" not in (body.get("products") or ()) or template not in self.templates:
            raise _missing("identity_verification.template_id")
        if not (body.get("user") or {}).get("client_user_id"):
            raise _missing("user.client_user_id")
        token = f"link-sandbox-{secrets.token_hex(16)}"
        expiration = stamp(self.clock.now() + _LINK_LIVES)
        return EmulatedResponse(200, {"link_token": token, "expiration": expiration, "request_id": _request_id()})

    def _key(self, call: EmulatedRequest) -> EmulatedResponse:
        body = self._body(call, "key")
        for key in self.keys:
            if key.id == body["key_id"]:
                return EmulatedResponse(200, {"key": key.jwk(), "request_id": _request_id()})
        text = "invalid key_id provided. note that key_ids are specific to Plaid environments"
        raise _error(400, "INVALID_INPUT", "INVALID_WEBHOOK_VERIFICATION_KEY_ID", text)

    def _shown(self, attempt: Attempt, call: EmulatedRequest) -> EmulatedResponse:
        self._process(attempt)
        return EmulatedResponse(200, {**self._object(attempt, call), "request_id": _request_id()})

    def _object(self, attempt: Attempt, call: EmulatedRequest) -> dict[str, Any]:
        def store(path: str, content: bytes) -> str:
            token = secrets.token_urlsafe(16)
            self._files[token] = (self.clock.now() + _PICTURES_LIVE, content)
            return f"{call.base_url}/verifications/{token}/{path}"

        return attempt.shown(call.base_url, store, self.templates[attempt.template_id])

    def _file(self, call: EmulatedRequest) -> EmulatedResponse:
        """A picture or a video, for 60 seconds after its address was given."""
        until, content = self._files.get(call.params["token"], (self.clock.now(), b""))
        if until <= self.clock.now():
            return EmulatedResponse(403, content=b"<Error><Code>AccessDenied</Code></Error>", type="application/xml")
        return EmulatedResponse(200, content=content, type=_KINDS[call.path.rpartition(".")[2]])

    # Webhooks

    def rotate_key(self) -> None:
        """Sign with a new key from now on; the old one has expired."""
        self.keys[-1].expired_at = self.clock.now()
        self.keys.append(SigningKey(self.clock.now()))

    def event(self, code: str, id: str) -> bytes:
        """The body of a webhook."""
        named = {"webhook_type": "IDENTITY_VERIFICATION", "webhook_code": code, "identity_verification_id": id}
        return json.dumps({**named, "environment": "sandbox"}, indent=2).encode()

    def _tell(self, code: str, attempt: Attempt) -> None:
        if self.webhook is None:
            return
        body = self.event(code, attempt.id)
        token = self.keys[-1].token(body, self.clock.now())
        self.notify(self.webhook, body, {"Plaid-Verification": token, "Content-Type": "application/json"})

    # What the applicant does

    def run_kyc(self, attempt: Attempt) -> None:
        """Ask the data sources, once all is known that the template asks for."""
        self.finish_step(attempt, "kyc_check", attempt.kyc()["status"])

    def take_document(self, attempt: Attempt, document: Submission) -> None:
        attempt.documents.append(document)
        if document.is_genuine:
            self.finish_step(attempt, "documentary_verification", "success")
        elif len(attempt.documents) >= self.variants.documents:
            self.finish_step(attempt, "documentary_verification", "failed")

    def take_selfie(self, attempt: Attempt, selfie: Submission) -> None:
        attempt.selfies.append(selfie)
        good = selfie.is_genuine and (not attempt.documents or attempt.is_same_face(selfie))
        self.finish_step(attempt, "selfie_check", "success" if good else "failed")

    def hand_in(self, id: str, document: bytes, selfie: bytes) -> None:
        """All that the applicant does on the page, without the page."""
        attempt = self.attempts[id]
        if attempt.current == "accept_tos":
            self.finish_step(attempt, "accept_tos", "success")
        for content, take in ((document, self.take_document), (selfie, self.take_selfie)):
            specimen = read_specimen(content)
            assert specimen is not None, "this is no specimen"
            take(attempt, Submission(specimen=specimen, content=content))

    def finish_step(self, attempt: Attempt, step: str, word: str) -> None:
        """The step has come to its end; the next one begins, or the verification fails."""
        attempt.steps[step] = word
        self._tell("STEP_UPDATED", attempt)
        if word == "failed":
            self._complete(attempt, "failed")
        else:
            self._next(attempt)

    def _next(self, attempt: Attempt) -> None:
        step = next((name for name, word in attempt.steps.items() if word in OPEN), None)
        if step is None:
            return
        attempt.steps[step] = "active"
        if step == "kyc_check" and not attempt.lacks():
            self.run_kyc(attempt)
        if step == "watchlist_screening":
            attempt.submitted_at = self.clock.now()

    def _process(self, attempt: Attempt) -> None:
        """The steps without the applicant, once they have taken their time."""
        began = attempt.submitted_at
        if attempt.status != "active" or began is None or self.clock.now() < began + self.variants.processing:
            return
        hit = attempt.name in self.listed
        attempt.steps["watchlist_screening"] = "pending_review" if hit else "success"
        attempt.steps["risk_check"] = "success"
        self._complete(attempt, "pending_review" if hit else "success")

    def _complete(self, attempt: Attempt, status: str) -> None:
        attempt.status = status
        attempt.completed_at = self.clock.now()
        self._tell("STATUS_UPDATED", attempt)

    # What people do in the dashboard

    def override(self, id: str, step: str, word: str) -> None:
        """A person overrules a step: `manually_approved` or `manually_rejected`. The verification's status follows."""
        attempt = self.attempts[id]
        attempt.steps[step] = word
        bad = {"failed", "manually_rejected"} & set(attempt.steps.values())
        self._complete(attempt, "failed" if bad else "success")

    def cancel(self, id: str) -> None:
        self._end(id, "canceled")

    def expire(self, id: str) -> None:
        self._end(id, "expired")

    def _end(self, id: str, status: str) -> None:
        attempt = self.attempts[id]
        attempt.steps = {name: status if word in OPEN else word for name, word in attempt.steps.items()}
        self._complete(attempt, status)

    def redact(self, id: str) -> None:
        """What was collected of the person is deleted; words and times stay."""
        self.attempts[id].redacted_at = self.clock.now()

    # Refusals

    def _body(self, call: EmulatedRequest, name: str) -> dict[str, Any]:
        """The body of a call that is signed and has the members that it needs, and no others."""
        body = call.json()
        client_id = call.headers.get("plaid-client-id", body.get("client_id"))
        secret = call.headers.get("plaid-secret", body.get("secret"))
        if (client_id, secret) != (self.client_id, self.secret):
            raise _error(400, "INVALID_INPUT", "INVALID_API_KEYS", "invalid client_id or secret provided")
        needed, more = _MEMBERS[name]
        unknown = sorted(body.keys() - needed - more - _CREDENTIALS)
        unknown += sorted((body.get("user") or {}).keys() - _USER)
        if unknown:
            text = f"the following fields are not recognized by this endpoint: {', '.join(unknown)}"
            raise _error(400, "INVALID_REQUEST", "UNKNOWN_FIELDS", text)
        missing = sorted(member for member in needed if body.get(member) is None)
        if missing:
            raise _missing(*missing)
        if "template_id" in needed and body["template_id"] not in self.templates:
            raise _error(404, "INVALID_REQUEST", "NOT_FOUND", "no such template")
        return body

    def _attempts_of(self, client_user_id: str, template_id: str) -> list[Attempt]:
        """In the order in which they were made."""
        named = (client_user_id, template_id)
        return [one for one in self.attempts.values() if (one.client_user_id, one.template_id) == named]

    def _found(self, id: object) -> Attempt:
        attempt = self.attempts.get(str(id))
        if attempt is None:
            raise _error(404, "INVALID_REQUEST", "NOT_FOUND", "no such identity verification")
        return attempt


def _request_id() -> str:
    return secrets.token_hex(8)


def _missing(*names: str) -> Refused:
    text = f"the following required fields are missing: {', '.join(names)}"
    return _error(400, "INVALID_REQUEST", "MISSING_FIELDS", text)


def _invalid(message: str) -> Refused:
    return _error(400, "INVALID_INPUT", "INVALID_FIELD", message)


def _error(status: int, type_: str, code: str, message: str) -> Refused:
    said = {"error_type": type_, "error_code": code, "error_message": message, "display_message": None}
    return Refused(EmulatedResponse(status, {**said, "request_id": _request_id()}))
