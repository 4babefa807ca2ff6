"""The emulator of the vendor that obeys, and its harness: see `idv_core.testing.fake_vendor`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeAlias

import attrs
import httpx

from ..errors import (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from ..model import Applicant, Check, CheckKind, CheckOutcome, Flow, FlowOrder, FlowStatus, Secret
from ..webhooks.receiver import WebhookRequest
from .clock import FakeClock
from .emulator import EmulatedRequest, EmulatedResponse, Emulator, Handler, HasNow, Refused, html
from .fake_plugin import HOST, PATH, idv_plugin
from .harness import DocumentedError, Driver, Harness, UnknownWord, answers
from .pages import page, paragraph
from .platform import Network, by_content
from .specimens import PEOPLE

_KEY = "key-of-the-fake-vendor"

Outcome: TypeAlias = Literal["approved", "declined", "review"]

_VERDICTS = {"approved": "positive", "declined": "negative", "review": "doubtful"}


@attrs.define(kw_only=True)
class FakeVerification:
    """One verification as the fake vendor keeps it."""

    id: str
    application_id: str
    reference: str
    created_at: datetime
    webhook: str | None
    claims: dict[str, Any]
    status: FlowStatus = FlowStatus.AWAITING_APPLICANT
    verdict: str = "none"
    checks: tuple[Check, ...] = ()
    may_reopen: bool = False
    links: int = 1
    uploads: list[str] = attrs.field(factory=list)


class FakeEmulator(Emulator):
    """State and calls of the fake vendor."""

    def __init__(self, clock: HasNow, *, client: Callable[[], httpx.Client] | None = None) -> None:
        self.verifications: dict[str, FakeVerification] = {}
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", PATH, self._open),
            ("GET", PATH, self._find),
            ("GET", f"{PATH}/{{id}}", self._read),
            ("POST", f"{PATH}/{{id}}/documents", self._upload),
            ("POST", f"{PATH}/{{id}}/submission", self._submit),
            ("POST", f"{PATH}/{{id}}/cancellation", self._cancel),
            ("POST", f"{PATH}/{{id}}/erasure", self._erase),
            ("POST", f"{PATH}/{{id}}/link", self._renew),
            ("GET", "/go/{id}/{link}", self._show),
        ]

    def settle(self, one: FakeVerification, event: str, after: timedelta = timedelta(0), **changes: Any) -> None:
        """Change it, and tell the platform: now, or when the time is over."""

        def change() -> None:
            for name, value in changes.items():
                setattr(one, name, value)

        def tell(client: httpx.Client) -> None:
            if after:
                change()
            self._tell(one, event)

        if after:
            one.status = FlowStatus.PROCESSING
            self.later(self.clock.now() + after, tell)
        else:
            change()
            self._tell(one, event)

    def _tell(self, one: FakeVerification, event: str) -> None:
        if one.webhook is not None:
            body = json.dumps({"event": event, "id": one.id, "at": self.clock.now().isoformat()}).encode()
            self.notify(one.webhook, body, {"content-type": "application/json"})

    def _open(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        body = call.json()
        application_id = body.get("application_id")
        if not isinstance(application_id, str):
            raise _refused(422, "APPLICATION_ID_MISSING")
        one = FakeVerification(
            id=f"v-{secrets.token_hex(8)}",
            application_id=application_id,
            reference=str(body.get("reference")),
            created_at=self.clock.now(),
            webhook=body.get("webhook"),
            claims=dict(body.get("claims") or {}),
        )
        self.verifications[one.id] = one
        return EmulatedResponse(201, self._opened(one, call))

    def _find(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        wanted = (call.query.get("application_id"), call.query.get("reference"))
        since = datetime.fromisoformat(call.query["since"]) if "since" in call.query else None
        last = [
            one
            for one in self.verifications.values()
            if (one.application_id, one.reference) == wanted and (since is None or one.created_at >= since)
        ][-1:]
        if not last:
            raise _refused(404, "NOT_FOUND")
        return EmulatedResponse(200, self._opened(last[0], call))

    def _read(self, call: EmulatedRequest) -> EmulatedResponse:
        return EmulatedResponse(200, self._shown(self._asked(call)))

    def _upload(self, call: EmulatedRequest) -> EmulatedResponse:
        one = self._asked(call)
        one.uploads += [document["id"] for document in call.json()["documents"]]
        return EmulatedResponse(200, self._shown(one))

    def _submit(self, call: EmulatedRequest) -> EmulatedResponse:
        one = self._asked(call)
        if not one.status.is_settled:
            one.status = FlowStatus.PROCESSING
        return EmulatedResponse(200, self._shown(one))

    def _cancel(self, call: EmulatedRequest) -> EmulatedResponse:
        one = self._asked(call)
        if not one.status.is_settled:
            self.settle(one, "cancelled", status=FlowStatus.CANCELLED)
        return EmulatedResponse(200, self._shown(one))

    def _erase(self, call: EmulatedRequest) -> EmulatedResponse:
        one = self._asked(call)
        self.settle(one, "erased", status=FlowStatus.ERASED, claims={}, checks=(), verdict="none")
        return EmulatedResponse(200, {"erased": True})

    def _renew(self, call: EmulatedRequest) -> EmulatedResponse:
        one = self._asked(call)
        one.links += 1
        return EmulatedResponse(200, self._opened(one, call))

    def _show(self, call: EmulatedRequest) -> EmulatedResponse:
        if call.params["id"] not in self.verifications:
            return html(page("the fake vendor", "This link is not valid", ""), 404)
        return html(page("the fake vendor", "Verify your identity", paragraph("A test decides how this ends.")))

    def _opened(self, one: FakeVerification, call: EmulatedRequest) -> dict[str, Any]:
        return {"id": one.id, "application_id": one.application_id, "url": f"{call.base_url}/go/{one.id}/{one.links}"}

    def _shown(self, one: FakeVerification) -> dict[str, Any]:
        ended = one.status is FlowStatus.FINISHED
        checks = [{"kind": one.kind, "name": one.name, "outcome": one.outcome} for one in one.checks]
        return {
            "id": one.id,
            "application_id": one.application_id,
            "status": one.status.value,
            "verdict": one.verdict if ended else "none",
            "checks": checks if ended else [],
            "claims": one.claims if ended else {},
            "may_reopen": one.may_reopen,
        }

    def _asked(self, call: EmulatedRequest) -> FakeVerification:
        self._authenticated(call)
        one = self.verifications.get(call.params["id"])
        if one is None:
            raise _refused(404, "NOT_FOUND")
        return one

    def _authenticated(self, call: EmulatedRequest) -> None:
        if call.headers.get("authorization") != f"Bearer {_KEY}":
            raise _refused(401, "KEY_WRONG")


def _refused(status: int, code: str) -> Refused:
    return Refused(EmulatedResponse(status, {"code": code, "message": "the fake vendor refuses"}))


# The harness


def checks_of(outcome: Outcome) -> tuple[Check, ...]:
    """A document, a living face, and both of one person. Declined: two people. Review: the document cannot be read."""
    outcomes = {
        (CheckKind.DOCUMENT, "authenticity"): CheckOutcome.PASSED,
        (CheckKind.LIVENESS, "presentation_attack"): CheckOutcome.PASSED,
        (CheckKind.FACE_MATCH, "selfie_to_document"): CheckOutcome.PASSED,
    }
    if outcome == "declined":
        outcomes[CheckKind.FACE_MATCH, "selfie_to_document"] = CheckOutcome.FAILED
    elif outcome == "review":
        outcomes[CheckKind.DOCUMENT, "authenticity"] = CheckOutcome.INCONCLUSIVE
    return tuple(Check(kind=kind, name=name, outcome=found) for (kind, name), found in outcomes.items())


def decide(
    emulator: FakeEmulator,
    id: str,
    outcome: Outcome,
    *,
    checks: Sequence[Check] | None = None,
    claims: Mapping[str, Any] | None = None,
    after: timedelta = timedelta(0),
) -> None:
    """End a verification with this outcome. Raises KeyError for an id that the vendor does not know."""
    one = emulator.verifications[id]
    emulator.settle(
        one,
        "finished",
        after,
        status=FlowStatus.FINISHED,
        verdict=_VERDICTS[outcome],
        checks=tuple(checks_of(outcome) if checks is None else checks),
        claims=one.claims if claims is None else {name: _plain(value) for name, value in claims.items()},
        may_reopen=False,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


_STATUSES: Mapping[int, type[VendorError]] = {
    400: InvalidOrder,
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: FlowNotFound,
    409: DuplicateFlow,
    429: RateLimited,
}
_WRITES = {
    "open": f"POST {PATH}",
    "upload": f"POST {PATH}/",
    "submit": f"POST {PATH}/",
    "cancel": f"POST {PATH}/",
    "erase": f"POST {PATH}/",
    "renew_link": f"POST {PATH}/",
}
_READS = {"status": f"GET {PATH}/", "result": f"GET {PATH}/"}


def _errors() -> tuple[DocumentedError, ...]:
    rows = [
        DocumentedError(operation, match, EmulatedResponse(status, {"code": f"E{status}"}), error)
        for operation, match in {**_WRITES, **_READS}.items()
        for status, error in _STATUSES.items()
    ]
    writes = [
        DocumentedError(operation, match, EmulatedResponse(500), OutcomeUnknown) for operation, match in _WRITES.items()
    ]
    reads = [
        DocumentedError(operation, match, EmulatedResponse(500), VendorUnavailable)
        for operation, match in _READS.items()
    ]
    return (*rows, *writes, *reads)


def harness(clock: FakeClock) -> Harness:
    """The plugin and its emulator on an in-process network."""
    network = Network()
    emulator = network.host(HOST, FakeEmulator(clock, client=network.client), clock)
    meera, rohan = PEOPLE["meera"], PEOPLE["rohan"]
    person = Applicant(
        reference="CUST-9283",
        given_name=meera.given_name,
        family_name=meera.family_name,
        birthdate=meera.birthdate,
        email="meera@example.org",
        country="IN",
    )

    def ends(outcome: Outcome) -> Callable[[Driver, Flow], Flow]:
        def finish(idv: Driver, flow: Flow) -> Flow:
            decide(emulator, flow.id, outcome)
            return flow

        return finish

    def said(**changes: Any) -> Callable[[Flow], EmulatedResponse]:
        """The approving answer with these changes."""
        checks = [{"kind": one.kind, "name": one.name, "outcome": one.outcome} for one in checks_of("approved")]
        good = {"status": "finished", "verdict": "positive", "checks": checks, "claims": {}, "may_reopen": False}
        return lambda flow: EmulatedResponse(
            200, {"id": flow.id, "application_id": flow.application_id, **good, **changes}
        )

    strange = (
        answers({"id": "v-1", "status": "finished", "verdict": "positive"}),
        said(status="done"),
        said(verdict="excellent"),
        said(checks=[]),
        said(checks=[{"kind": "document", "name": "authenticity", "outcome": "fine"}]),
        said(checks=[{"kind": "aura", "name": "overall", "outcome": "passed"}]),
        said(id="v-of-another"),
    )
    return Harness(
        plugin=idv_plugin(),
        settings={"api_key": Secret(_KEY), "base_url": f"https://{HOST}"},
        emulator=emulator,
        clock=clock,
        transport=network,
        order=FlowOrder(product="wallet", application_id="APP-1", applicant=person),
        documents=(by_content("passport", meera), by_content("selfie", meera)),
        bad_documents=(by_content("passport", meera), by_content("selfie", rohan)),
        finish=ends("approved"),
        finish_badly=ends("declined"),
        errors=_errors(),
        unknown_words=tuple(UnknownWord(f"GET {PATH}/", word) for word in strange),
        personal=(meera.name, "meera@example.org"),
        opened=lambda order: sum(one.application_id == order.application_id for one in emulator.verifications.values()),
        webhook=lambda path: WebhookRequest(
            method="POST", path=f"{path}/events", body=json.dumps({"event": "finished", "id": "v-1"}).encode()
        ),
    )
