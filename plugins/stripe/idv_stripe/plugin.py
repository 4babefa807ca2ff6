"""The adapter. A verification session is our flow (docs.stripe.com/api/identity/verification_sessions)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
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
    PermissionDenied,
    Polling,
    RateLimited,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    SdkSession,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    subject_of,
    trusted_link,
)

from .life import FileLink, coverage_of, end_of_file_link, erasure_of, media_of
from .mapping import KINDS, as_object, as_text, public, read_session, read_status
from .orders import NAMING, differing, facts_in, facts_of, form_of, idempotency_key
from .settings import StripeSettings
from .webhooks import read_webhook

_SESSIONS = "/v1/identity/verification_sessions"
_REPORT = "last_verification_report"
_OUTPUTS = "verified_outputs"
# What only a restricted key may read, and only where it is asked for (docs.stripe.com/identity/access-verification-results).
_SENSITIVE = (
    f"{_REPORT}.document.dob",
    f"{_REPORT}.document.expiration_date",
    f"{_REPORT}.document.number",
    f"{_OUTPUTS}.dob",
    f"{_OUTPUTS}.id_number",
)
_LINK_LIFE = timedelta(hours=48)
_SECRET_LIFE = timedelta(hours=24)
_REDACTED = "[redacted]"
_PAGES = 100
# One key for the first session of an order, further ones for those that take the place of a dead one.
_KEYS = 10
# How many new 500s `recover` reads as kept under their keys; then it is Stripe that is not well.
_BURNT = 2
_CLOCKS_DIFFER = timedelta(minutes=1)
_ID = re.compile(r"[!-~]{1,255}")


@attrs.frozen(kw_only=True)
class Session:
    """What is needed of a session to go on with it."""

    id: str
    status: str
    url: str | None = None
    client_secret: str | None = None
    livemode: bool | None = None
    redaction: Any = None


@attrs.frozen(kw_only=True)
class ListedSessions:
    data: tuple[dict[str, Any], ...]
    has_more: bool | None = None


@attrs.frozen
class StripeIdentity:
    """Sessions: opened once for each application, found again, cancelled, redacted; result, pictures, signed webhooks."""

    settings: StripeSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, documents=True, verdict=True)
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        return self.settings.file_hosts

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if self.settings.api_key.reveal().startswith("pk_"):
            yield "api_key", "a publishable key (pk_) opens nothing: give a secret or a restricted one (sk_, rk_)"
        if self.settings.read_sensitive and self.settings.api_key.reveal().startswith("sk_"):
            yield "read_sensitive", "needs a restricted key (rk_): Stripe shows these fields to no secret key"
        if webhooks and not self.settings.webhook_secret:
            yield "webhook_secret", "is not set: only their address proves webhooks. Give the endpoint's signing secret"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        bearer = Secret(f"Bearer {self.settings.api_key.reveal()}")
        return request.with_headers({"Authorization": bearer, "Stripe-Version": self.settings.api_version})

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"error": {type, code, message, param}}` (docs.stripe.com/api/errors)."""
        error = as_object((response.json_object() or {}).get("error"))
        in_use = error.get("code") == "idempotency_key_in_use"
        kind = RateLimited if in_use else DuplicateFlow if error.get("type") == "idempotency_error" else None
        return Refusal(
            kind=kind,
            code=error.get("code") or error.get("type"),
            message=error.get("message"),
            fields=error.get("param"),
            # whoever uses the key is about to be answered
            retry_after=timedelta(seconds=1) if in_use else None,
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """Once for each order: the session that is under way, if the list has one. Else its idempotency key makes a repeat
        give the same session, for a day.

        What is replayed is the first answer, so the session is looked at; one that was cancelled gets a successor.
        """
        waiting = yield from self._listed(order, None, is_opening=True)
        again = (yield from self._now(order, waiting)) if waiting else None
        if again is not None and not again.status.is_settled:
            return again
        for number in range(_KEYS):
            request = self._create(order, number, accept={400})
            reply = yield request
            flow = yield from self._alive(order, request, reply)
            if flow is not None:
                return flow
        raise DuplicateFlow(
            f"this order was opened and cancelled {_KEYS} times within a day; open it with another application_id",
            nothing_done=True,
        )

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The session of this order among those of the applicant. Where there is none it is opened with the key that the lost
        call had, so that Stripe itself keeps the two apart; where a 500 is kept under that key, with the next one.

        A session is this order's if tenant, application, applicant, product, flow, mail address, phone number and options
        agree, and if both or neither are a shadow's.
        """
        listed = yield from self._listed(order, since)
        found = (yield from self._now(order, listed)) if listed else None
        if found is not None:
            return found
        burnt = 0
        for number in range(_KEYS):
            request = self._create(order, number, accept={400, 500} if burnt < _BURNT else {400})
            reply = yield request
            if reply.status == 500 and not _is_replay(reply):
                burnt += 1
                reply = yield request
            if reply.status == 500:
                # it is the answer that is kept for this key, and the list showed no session
                continue
            flow = yield from self._alive(order, request, reply)
            if flow is not None:
                return flow
        raise DuplicateFlow(
            "no session of this order is alive, and Stripe takes no further one today; open the order with another "
            "application_id"
        )

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """Each look at a session that waits for the applicant gives a fresh link."""
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow))
        self._check_of(flow, reply)
        found = self._flow(reply)
        return attrs.evolve(flow, status=found.status, link=found.link, sdk=found.sdk)

    def cancel(self, flow: Flow) -> Exchange[Flow]:
        """Only while it waits for the applicant; what is over stays as it is. Raises InvalidOrder while it is processed."""
        request = Request.post(f"{_SESSIONS}/{{}}/cancel", _id_of(flow), idempotent=True, accept={400})
        reply = yield request
        if not reply.is_success:
            refused, reply = reply, (yield Request.get(f"{_SESSIONS}/{{}}", flow.id))
            if not self._read_flow(flow, reply).status.is_settled:
                raise NotAccepted(request, refused)
        return self._read_flow(flow, reply)

    def erase(self, flow: Flow) -> Exchange[Erasure]:
        """Redact the session with its reports, files and events, once. Cannot be undone."""
        look = Request.get(f"{_SESSIONS}/{{}}", _id_of(flow))
        reply = yield look
        answer = self._check_of(flow, reply)
        if answer.get("redaction") is not None:
            return erasure_of(answer)
        if answer.get("status") == "processing":
            reason = "Stripe redacts no session while it is being processed: ask again when it is over"
            return Erasure(status=ErasureStatus.REFUSED, reason=reason)
        request = Request.post(f"{_SESSIONS}/{{}}/redact", flow.id, idempotent=True, accept={400})
        reply = yield request
        if reply.is_success:
            return erasure_of(self._check_of(flow, reply))
        # an earlier attempt of this very call may have done it
        again = yield look
        answer = self._check_of(flow, again)
        if answer.get("redaction") is None:
            raise NotAccepted(request, reply)
        return erasure_of(answer)

    def media(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        """The pictures of the last attempt. Raises PermissionDenied for a secret key, which may not see them."""
        if self.settings.api_key.reveal().startswith("sk_"):
            raise PermissionDenied(
                "Stripe shows pictures to a restricted key (rk_) with the permissions to access sensitive verification "
                "results and to write files, not to a secret key (sk_)"
            )
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow), query={"expand[]": _REPORT})
        return tuple(media_of(_report_of(self._check_of(flow, reply))))

    def download(self, flow: Flow, media: Media) -> Exchange[None]:
        """By a link of half a minute, which is the way that Stripe gives."""
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow), query={"expand[]": _REPORT})
        known = {one.id for one in media_of(_report_of(self._check_of(flow, reply)))}
        if media.id not in known:
            raise FlowNotFound("the file is none of this session's last attempt, or is no longer there")
        form = {"file": media.id, "expires_at": str(end_of_file_link(reply))}
        reply = yield Request.post("/v1/file_links", form=form, idempotent=True)
        link = reply.structure(FileLink)
        if link.file != media.id:
            raise UnexpectedResponse("the link is to another file", status=reply.status)
        yield Request.fetch(link.url, streamed=True)

    def coverage(self) -> Exchange[Coverage]:
        """What the settings ask for; Stripe has no call that tells."""
        yield from ()
        return coverage_of(self.settings)

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self.result(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        expand = (_REPORT, _OUTPUTS, *(_SENSITIVE if self.settings.read_sensitive else ()))
        query = tuple(("expand[]", name) for name in expand)
        reply = yield Request.get(f"{_SESSIONS}/{{}}", _id_of(flow), query=query)
        answer = self._check_of(flow, reply)
        result = read_session(flow, answer)
        return attrs.evolve(
            result,
            doubts=(*result.doubts, *_doubts(flow, answer)),
            is_test=answer.get("livemode") is not True or _report_of(answer).get("livemode") not in (None, True),
            raw=public(answer),
        )

    def check_credentials(self) -> Exchange[None]:
        yield Request.get(_SESSIONS, query={"limit": "1"})

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        return read_webhook(self.settings, webhook)

    def _create(self, order: FlowOrder, number: int, accept: set[int]) -> Request:
        """The same bytes for the same order, and the key that belongs to them."""
        return Request.post(
            _SESSIONS,
            form=tuple(form_of(order, self.settings)),
            headers={"Idempotency-Key": idempotency_key(order, self.settings, number)},
            idempotent=True,
            accept=accept,
        )

    def _alive(self, order: FlowOrder, request: Request, reply: Response) -> Exchange[Flow | None]:
        """The flow that was opened, None if it is an earlier one that has come to its end. Raises what a 400 means."""
        if not reply.is_success:
            refusal = self.read_error(request, reply)
            if refusal.kind is not DuplicateFlow:
                raise NotAccepted(request, reply)
            raise DuplicateFlow(
                "this order was opened within the last day with other details of the applicant, or by an account with "
                "other settings. Use that flow, or open the order with another application_id",
                status=reply.status,
                code=refusal.code,
                nothing_done=True,
            )
        self._check_answers(order, reply)
        flow = self._flow(reply, order.applicant.reference)
        if _is_replay(reply):
            now = yield from self._now(order, flow.id)
            return None if now is None or now.status.is_settled else now
        if flow.status.is_settled:
            raise UnexpectedResponse("a session that has just been made is over already", status=reply.status)
        return flow

    def _now(self, order: FlowOrder, id: str) -> Exchange[Flow | None]:
        """The order's session as it is now; None if Stripe no longer knows it or nobody can go on with it."""
        request = Request.get(f"{_SESSIONS}/{{}}", id, accept={404})
        reply = yield request
        if reply.status == 404:
            if self.read_error(request, reply).code != "resource_missing":
                raise UnexpectedResponse("the answer to a look at a session is not Stripe's", status=reply.status)
            return None
        known = Flow(id=id, status=FlowStatus.OPEN, application_id=order.application_id)
        if _is_dead(self._check_of(attrs.evolve(known, subject=subject_of(order.applicant.reference)), reply)):
            return None
        self._check_answers(order, reply)
        return self._flow(reply, order.applicant.reference)

    def _listed(self, order: FlowOrder, since: datetime | None, *, is_opening: bool = False) -> Exchange[str | None]:
        """The id of the order's session in the list of the applicant's; for an opening only one that is not over."""
        query = {"client_reference_id": order.applicant.reference, "limit": "100"}
        wanted = facts_of(order, self.settings)
        seen: set[str] = set()
        another = False
        for _ in range(_PAGES):
            reply = yield Request.get(_SESSIONS, query=query, accept={404, 410})
            if not reply.is_success:
                raise UnexpectedResponse("the answer to a list of sessions is no list", status=reply.status)
            if is_opening and "data" not in (reply.json_object() or {}):
                # the key still keeps two apart
                return None
            listed = reply.structure(ListedSessions)
            for session in listed.data:
                told = facts_in(session)
                if any(told[name] != wanted[name] for name in NAMING) or _is_older(session, since):
                    continue
                if _is_dead(session) or (is_opening and read_status(session.get("status")).is_settled):
                    continue
                if _ID.fullmatch(str(session.get("id"))) and not differing(wanted, told):
                    return str(session["id"])
                another = True
            ids = [id for session in listed.data if (id := as_text(session.get("id")))]
            if listed.has_more is False or seen.issuperset(ids):
                break
            seen.update(ids)
            query["starting_after"] = ids[-1]
        else:
            raise UnexpectedResponse("the list of sessions does not end", status=reply.status)
        if another:
            raise DuplicateFlow(
                "Stripe has a session of this application whose details of the applicant, or options, are others. Cancel it "
                "there, or open the order with another application_id"
            )
        return None

    def _flow(self, reply: Response, reference: str | None = None) -> Flow:
        session = reply.structure(Session)
        self._check_mode(session, reply)
        if not _ID.fullmatch(session.id):
            raise UnexpectedResponse("the answer has an id that is none", status=reply.status)
        status = read_status(session.status, session.redaction)
        waits = session.url if status is FlowStatus.AWAITING_APPLICANT else None
        url = waits and trusted_link(waits, self.base_url, self.settings.link_hosts)
        return Flow(
            id=session.id,
            status=status,
            link=Link(url, reply.received_at + _LINK_LIFE) if url else None,
            sdk=_sdk_session(session, reply) if status is FlowStatus.AWAITING_APPLICANT else None,
            subject=subject_of(reference) if reference else None,
        )

    def _read_flow(self, flow: Flow, reply: Response) -> Flow:
        return read_session(flow, self._check_of(flow, reply)).flow

    def _check_answers(self, order: FlowOrder, reply: Response) -> None:
        """A session that says that it is of another order is somebody else's."""
        answer = reply.json_object() or {}
        others = differing(facts_of(order, self.settings), facts_in(answer))
        if others:
            raise UnexpectedResponse(
                f"the session is of another order: its {others[0]} is not ours", status=reply.status
            )

    def _check_of(self, flow: Flow, reply: Response) -> Mapping[str, Any]:
        """The answer, which must be the flow's session, of its application and its applicant."""
        session = reply.structure(Session)
        self._check_mode(session, reply)
        answer = reply.json_object() or {}
        told = facts_in(answer)
        person = _unless_redacted(answer, told["client_reference_id"])
        others = (
            session.id != flow.id,
            flow.application_id and _unless_redacted(answer, told["application_id"]) not in (None, flow.application_id),
            flow.subject
            and person is not None
            and not (isinstance(person, str) and subject_of(person) == flow.subject),
        )
        if any(others):
            raise UnexpectedResponse("the answer is another session", status=reply.status)
        report = _report_of(answer)
        if report.get("verification_session") not in (None, flow.id):
            raise UnexpectedResponse("the report is of another session", status=reply.status)
        theirs = _unless_redacted(answer, report.get("client_reference_id"))
        known = (subject_of(theirs) if isinstance(theirs, str) else None) == flow.subject if flow.subject else True
        if theirs is not None and not (known and theirs == (person or theirs)):
            raise UnexpectedResponse("the report is about another applicant", status=reply.status)
        return answer

    def _check_mode(self, session: Session, reply: Response) -> None:
        """In test mode nothing is really checked, so a live account never takes such a session."""
        if self.settings.is_live and not session.livemode:
            raise UnexpectedResponse("the session is of the test mode and the key is live", status=reply.status)


def _id_of(flow: Flow) -> str:
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder(
            "the flow's id is none of Stripe's: at most 255 ASCII characters without blanks", fields=("flow",)
        )
    return flow.id


def _sdk_session(session: Session, reply: Response) -> SdkSession | None:
    """For `stripe.verifyIdentity(client_secret)` of Stripe.js and the apps' sheet: once, within a day."""
    if not session.client_secret:
        return None
    return SdkSession(
        kind="stripe_js", token=Secret(session.client_secret), expires_at=reply.received_at + _SECRET_LIFE
    )


def _unless_redacted(session: Mapping[str, Any], told: Any) -> Any:
    """What a session tells, None for the word that Stripe puts in its place when it redacts one."""
    return None if told == _REDACTED and session.get("redaction") is not None else told


def _is_replay(reply: Response) -> bool:
    """Whether it is the first answer to this key once more (docs.stripe.com/api/idempotent_requests)."""
    return reply.headers.get("idempotent-replayed", "").strip().lower() == "true"


def _report_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report of the last attempt, where it was asked for in full."""
    return as_object(session.get("last_verification_report"))


def _doubts(flow: Flow, session: Mapping[str, Any]) -> Iterator[Reason]:
    if facts_in(session)["is_shadow"] and not flow.is_shadow:
        yield Reason("flow.shadow", "the session was opened as a shadow, which decides nothing")


def _is_dead(session: Mapping[str, Any]) -> bool:
    """Nobody can go on with it: cancelled, or its data are deleted (docs.stripe.com/api, `redaction`)."""
    return session.get("status") == "canceled" or session.get("redaction") is not None


def _is_older(session: Mapping[str, Any], since: datetime | None) -> bool:
    created = session.get("created")
    return since is not None and not (
        isinstance(created, (int, float)) and created >= (since - _CLOCKS_DIFFER).timestamp()
    )
