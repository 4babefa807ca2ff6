"""The adapter. An inquiry is our flow (docs.withpersona.com/api-reference/inquiries)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    DuplicateFlow,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Link,
    Polling,
    RateLimited,
    Reason,
    Refusal,
    Request,
    Response,
    Result,
    ResultCapabilities,
    Secret,
    UnexpectedResponse,
    Webhook,
    WebhookEvent,
    subject_of,
    trusted_link,
)

from .json_api import (
    InquiryAnswer,
    InquiryList,
    as_list,
    as_object,
    as_text,
    attributes_of,
    included,
    related,
)
from .mapping import KINDS, public, read_inquiry, read_status
from .orders import body_of, differing, differing_details, is_of_order, is_older, key_of, template_of, told_of_order
from .settings import PersonaSettings, kind_of_template
from .webhooks import read_event

_INQUIRIES = "/inquiries"
_INQUIRY = "/inquiries/{}"
_INCLUDED = "verifications,reports"
_PAGES = 100
# One key for the first inquiry of an order, further ones for those that take the place of a dead one.
_KEYS = 10
# Under how many keys `recover` takes a 500 as kept; then it is Persona that is not well.
_BURNT = 2
_ID = re.compile(r"inq_[A-Za-z0-9]{1,100}")


@attrs.frozen
class Persona:
    """Inquiries: opened once for each application, found again, linked to; the result; signed webhooks."""

    settings: PersonaSettings
    polling = Polling(first=timedelta(seconds=5), ceiling=timedelta(minutes=2))
    result_capabilities = ResultCapabilities(checks=KINDS, documents=True, verdict=True)
    webhook_purposes = ("events",)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def key_mode(self) -> str | None:
        return self.settings.key_mode

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if webhooks and not self.settings.webhook_secrets:
            yield "webhook_secrets", "is not set: only their address proves webhooks. Give the webhook's secret"

    def authorize(self, request: Request, token: Secret | None, now: datetime) -> Request:
        return request.with_headers(
            {
                "Authorization": Secret(f"Bearer {self.settings.api_key.reveal()}"),
                "Persona-Version": self.settings.api_version,
                "Key-Inflection": "kebab",
            }
        )

    def read_error(self, request: Request, response: Response) -> Refusal:
        """`{"errors": [{title, details, source}]}` (docs.withpersona.com/errors)."""
        errors = [as_object(error) for error in as_list((response.json_object() or {}).get("errors"))]
        error = errors[0] if errors else {}
        title, details = as_text(error.get("title")), as_text(error.get("details"))
        said = f"{title} {details}".lower()
        kind: Any = None
        if response.status == 409 and "stale object" in said:
            kind = RateLimited
        elif response.status in (400, 409, 422) and "idempoten" in said:
            kind = DuplicateFlow
        pointers = (as_text(as_object(one.get("source")).get("pointer")) for one in errors)
        return Refusal(
            kind=kind,
            code=title,
            message=details,
            fields=tuple(pointer for pointer in pointers if pointer),
            # somebody else has just changed it
            retry_after=timedelta(seconds=1) if kind is RateLimited else None,
        )

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        """Once for each order: the inquiry that is under way, if the list has one. Else its idempotency key makes a repeat
        give the same inquiry, for a day; one that is over gets a successor.
        """
        self._check_template(order)
        listed = yield from self._listed(order)
        alive = next((one for one in listed if not self._is_over(one)), None)
        if alive is not None:
            return (yield from self._linked(order, alive))
        for number in range(len(listed), len(listed) + _KEYS):
            reply = yield self._create(order, number)
            alive = yield from self._alive(order, reply)
            if alive is not None:
                return (yield from self._linked(order, alive))
        raise _too_often()

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The inquiry of this order among those of the applicant. Where there is none it is opened with the key that the
        lost call had, so that Persona itself keeps the two apart; where a 500 is kept under that key, with the next one.

        An inquiry is this order's if tenant, product, application, applicant and template agree, and if both or neither are
        a shadow's.
        """
        self._check_template(order)
        listed = yield from self._listed(order)
        found = self._found(listed, since)
        if found is not None:
            return (yield from self._linked(order, found))
        burnt = 0
        for number in range(len(listed), len(listed) + _KEYS):
            request = self._create(order, number, accept={500} if burnt < _BURNT else set())
            reply = yield request
            if reply.status == 500:
                reply = yield request
            if reply.status == 500:
                # an answer is kept for this key; perhaps the inquiry was made all the same
                burnt += 1
                found = self._found((yield from self._listed(order)), since)
                if found is not None:
                    return (yield from self._linked(order, found))
                continue
            alive = yield from self._alive(order, reply)
            if alive is not None:
                return (yield from self._linked(order, alive))
        raise _too_often()

    def renew_link(self, flow: Flow) -> Exchange[Flow]:
        """Another one-time link. An inquiry that has expired is resumed first."""
        inquiry = yield from self._looked_at(flow)
        if attributes_of(inquiry).get("status") == "expired":
            reply = yield Request.post(f"{_INQUIRY}/resume", _id_of(flow), idempotent=True)
            inquiry = self._check_of(flow, reply)
        if self._status_of(inquiry) is not FlowStatus.AWAITING_APPLICANT:
            return attrs.evolve(flow, status=self._status_of(inquiry), link=None)
        reply = yield self._link_request(_id_of(flow))
        inquiry = self._check_of(flow, reply)
        return attrs.evolve(flow, status=self._status_of(inquiry), link=self._link(inquiry, reply))

    def status(self, flow: Flow) -> Exchange[Flow]:
        inquiry = yield from self._looked_at(flow)
        return attrs.evolve(flow, status=self._status_of(inquiry))

    def result(self, flow: Flow) -> Exchange[Result]:
        reply = yield Request.get(_INQUIRY, _id_of(flow), query={"include": _INCLUDED})
        inquiry = self._check_of(flow, reply)
        answer = reply.json_object() or {}
        for part in (*included(answer, "verification"), *included(answer, "report")):
            if related(part, "inquiry").get("id") not in (None, flow.id):
                raise UnexpectedResponse("a part of the answer is of another inquiry", status=reply.status)
        result = read_inquiry(flow, answer, waits_for_decision=self.settings.waits_for_decision)
        return attrs.evolve(
            result,
            doubts=(*result.doubts, *_doubts(flow, inquiry)),
            is_test=self.key_mode == "test",
            raw=public(answer),
        )

    def check_credentials(self) -> Exchange[None]:
        yield Request.get(_INQUIRIES, query={"page[size]": "1"})

    def read_webhook(self, webhook: Webhook) -> WebhookEvent:
        return read_event(webhook, self.settings.webhook_secrets, self.settings.tolerance)

    def _check_template(self, order: FlowOrder) -> None:
        if kind_of_template(template_of(order, self.settings)) is None:
            raise InvalidOrder(
                "the order's template is none of Persona's: its id begins with itmpl_, itmplv_ or tmpl_",
                fields=("template",),
            )

    def _create(self, order: FlowOrder, number: int, accept: set[int] | frozenset[int] = frozenset()) -> Request:
        """The same bytes for the same order, and the key that belongs to them."""
        return Request.post(
            _INQUIRIES,
            json=body_of(order, self.settings),
            headers={"Idempotency-Key": key_of(order, self.settings, number)},
            idempotent=True,
            accept=accept,
        )

    def _alive(self, order: FlowOrder, reply: Response) -> Exchange[Mapping[str, Any] | None]:
        """The inquiry that a creation was answered with, None where nobody can go on with it. An answer that was given a
        while ago is given again for the same key, so that inquiry is looked at.
        """
        inquiry = self._inquiry(reply)
        wrong = differing(inquiry, order, self.settings) or differing_details(inquiry, order, self.settings)
        if wrong:
            raise UnexpectedResponse(
                f"the inquiry is of another order: its {wrong[0]} is not ours", status=reply.status
            )
        if is_older(inquiry, reply.received_at):
            reply = yield Request.get(_INQUIRY, inquiry["id"], accept={404})
            if reply.status == 404:
                return None
            inquiry = self._inquiry(reply, inquiry["id"])
            if differing(inquiry, order, self.settings):
                raise UnexpectedResponse("the inquiry is of another order", status=reply.status)
        return None if self._is_over(inquiry) else inquiry

    def _found(self, listed: tuple[Mapping[str, Any], ...], since: datetime | None) -> Mapping[str, Any] | None:
        """The one that is under way, which an opening gives out whenever it was made; else the newest made since then."""
        alive = next((one for one in listed if not self._is_over(one)), None)
        return alive or next((one for one in listed if not self._is_dead(one) and not is_older(one, since)), None)

    def _listed(self, order: FlowOrder) -> Exchange[tuple[Mapping[str, Any], ...]]:
        """The inquiries of this order among those of the applicant, the newest first."""
        query = {"filter[reference-id]": order.applicant.reference, "page[size]": "100"}
        found: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        for _ in range(_PAGES):
            reply = yield Request.get(_INQUIRIES, query=query, accept={404, 410})
            if not reply.is_success:
                raise UnexpectedResponse("the answer to a list of inquiries is no list", status=reply.status)
            listed = reply.structure(InquiryList)
            for inquiry in listed.data:
                if not is_of_order(inquiry, order, self.settings) or not _ID.fullmatch(str(inquiry.get("id"))):
                    continue
                if not self._is_dead(inquiry) and differing_details(inquiry, order, self.settings):
                    raise DuplicateFlow(
                        "Persona has an inquiry of this application whose details of the applicant are others. Expire it "
                        "there, or open the order with another application_id"
                    )
                found.append(inquiry)
            ids = [id for inquiry in listed.data if (id := as_text(inquiry.get("id")))]
            if listed.links.get("next") is None or seen.issuperset(ids):
                return tuple(found)
            seen.update(ids)
            query["page[after]"] = ids[-1]
        raise UnexpectedResponse("the list of inquiries does not end", status=reply.status)

    def _linked(self, order: FlowOrder, inquiry: Mapping[str, Any]) -> Exchange[Flow]:
        """The order's flow, with a link where it waits for the applicant."""
        flow = Flow(
            id=inquiry["id"],
            status=self._status_of(inquiry),
            application_id=order.application_id,
            subject=subject_of(order.applicant.reference),
        )
        if flow.status is not FlowStatus.AWAITING_APPLICANT:
            return flow
        reply = yield self._link_request(flow.id)
        now = self._check_of(flow, reply)
        return attrs.evolve(flow, status=self._status_of(now), link=self._link(now, reply))

    def _link_request(self, id: str) -> Request:
        """Each call makes a link of its own; the ones before stay."""
        life = {"meta": {"expires-in-seconds": self.settings.link_life}}
        return Request.post(f"{_INQUIRY}/generate-one-time-link", id, json=life, idempotent=True)

    def _link(self, inquiry: Mapping[str, Any], reply: Response) -> Link | None:
        if self._status_of(inquiry) is not FlowStatus.AWAITING_APPLICANT:
            return None
        url = as_text(as_object((reply.json_object() or {}).get("meta")).get("one-time-link"))
        if url is None:
            raise UnexpectedResponse("the answer has no link for the applicant", status=reply.status)
        link = trusted_link(url, self.base_url, self.settings.link_hosts)
        return Link(link, reply.received_at + timedelta(seconds=self.settings.link_life))

    def _looked_at(self, flow: Flow) -> Exchange[Mapping[str, Any]]:
        reply = yield Request.get(_INQUIRY, _id_of(flow))
        return self._check_of(flow, reply)

    def _check_of(self, flow: Flow, reply: Response) -> Mapping[str, Any]:
        """The inquiry of the answer, which must be the flow's, of its application and its applicant."""
        inquiry = self._inquiry(reply, flow.id)
        told = told_of_order(inquiry)
        person = told["reference"]
        if flow.application_id and told["application_id"] not in (None, flow.application_id):
            raise UnexpectedResponse("the inquiry is of another application", status=reply.status)
        is_ours = isinstance(person, str) and subject_of(person) == flow.subject
        if flow.subject and person is not None and not is_ours:
            raise UnexpectedResponse("the inquiry is about another applicant", status=reply.status)
        return inquiry

    def _inquiry(self, reply: Response, id: str | None = None) -> Mapping[str, Any]:
        """The inquiry of an answer; with `id`, only that one."""
        data = reply.structure(InquiryAnswer).data
        if data.type != "inquiry" or not _ID.fullmatch(data.id):
            raise UnexpectedResponse("the answer is no inquiry", status=reply.status)
        if id is not None and data.id != id:
            raise UnexpectedResponse("the answer is another inquiry", status=reply.status)
        return as_object((reply.json_object() or {}).get("data"))

    def _status_of(self, inquiry: Mapping[str, Any]) -> FlowStatus:
        word = attributes_of(inquiry).get("status")
        return read_status(word, waits_for_decision=self.settings.waits_for_decision)

    def _is_over(self, inquiry: Mapping[str, Any]) -> bool:
        return self._is_dead(inquiry) or self._status_of(inquiry).is_final

    def _is_dead(self, inquiry: Mapping[str, Any]) -> bool:
        """Nobody can go on with it: expired, or its data are deleted."""
        attributes = attributes_of(inquiry)
        return attributes.get("status") == "expired" or attributes.get("redacted-at") is not None


def _id_of(flow: Flow) -> str:
    if not _ID.fullmatch(flow.id):
        raise InvalidOrder("the flow's id is none of Persona's: it begins with inq_", fields=("flow",))
    return flow.id


def _doubts(flow: Flow, inquiry: Mapping[str, Any]) -> Iterator[Reason]:
    if told_of_order(inquiry)["is_shadow"] and not flow.is_shadow:
        yield Reason("flow.shadow", "the inquiry was opened as a shadow, which decides nothing")


def _too_often() -> DuplicateFlow:
    return DuplicateFlow(
        f"this order was opened and ended {_KEYS} times within a day; open it with another application_id",
        nothing_done=True,
    )
