"""Opening an order once, finding it again, and trying again after it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from idv_core.plugin import (
    DuplicateFlow,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Request,
    Response,
    UnexpectedResponse,
    subject_of,
)

from .inquiries import INQUIRY, Readings, id_of, inquiry_in, inquiry_of, is_id, looked_at
from .json_api import InquiryList, as_text
from .links import linked
from .orders import attempt_of, body_of, differing, differing_details, is_of_order, is_older, key_of, template_of
from .settings import kind_of_template

INQUIRIES = "/inquiries"
_PAGES = 100
# One key for the first inquiry of an order, further ones for those that take the place of a dead one.
_KEYS = 10
# Under how many keys `recover` takes a 500 as kept; then it is Persona that is not well.
_BURNT = 2


@attrs.frozen
class Openings:
    """The openings of one account."""

    readings: Readings

    def open(self, order: FlowOrder) -> Exchange[Flow]:
        """The inquiry that is under way, if the list has one. Else its idempotency key makes a repeat give the same inquiry,
        for a day; one that is over gets a successor.
        """
        self._check_template(order)
        listed = yield from self._listed(order)
        alive = next((one for one in listed if not self.readings.is_over(one)), None)
        flow = (yield from self._flow(order, alive)) if alive is not None else None
        if flow is not None:
            return flow
        for number in range(len(listed), len(listed) + _KEYS):
            reply = yield self._create(order, (number,))
            flow = yield from self._alive(order, reply)
            if flow is not None:
                return flow
        raise _too_often()

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """The inquiry of this order among those of the applicant. Where there is none it is opened with the key that the
        lost call had, so that Persona itself keeps the two apart; where a 500 is kept under that key, with the next one.

        An inquiry is this order's if tenant, product, application, applicant and template agree, and if both or neither are
        a shadow's.
        """
        self._check_template(order)
        listed = yield from self._listed(order)
        flow = yield from self._found(order, listed, since)
        if flow is not None:
            return flow
        burnt = 0
        for number in range(len(listed), len(listed) + _KEYS):
            request = self._create(order, (number,), accept={500} if burnt < _BURNT else set())
            reply = yield request
            if reply.status == 500:
                reply = yield request
            if reply.status == 500:
                # an answer is kept for this key; perhaps the inquiry was made all the same
                burnt += 1
                flow = yield from self._found(order, (yield from self._listed(order)), since)
            else:
                flow = yield from self._alive(order, reply)
            if flow is not None:
                return flow
        raise _too_often()

    def retry(self, flow: Flow, order: FlowOrder) -> Exchange[Flow]:
        """Another inquiry for the same order, once for each that it follows. One that is still under way ends with it."""
        self._check_template(order)
        before = yield from looked_at(flow)
        status = self.readings.status(before)
        if status is FlowStatus.AWAITING_APPLICANT:
            reply = yield Request.post(f"{INQUIRY}/expire", id_of(flow), idempotent=True)
            before = inquiry_of(flow, reply)
        elif not status.is_settled:
            raise InvalidOrder("Persona has not decided this attempt yet: wait for its result", fields=("flow",))
        number = (attempt_of(before)[0] or flow.attempt) + 1
        listed = yield from self._listed(order)
        known = next((one for one in listed if attempt_of(one)[1] == flow.id), None)
        if known is not None:
            after = yield from self._flow(order, known)
        else:
            reply = yield self._create(order, ("after", flow.id), attempt=number, previous=flow.id)
            after = yield from self._alive(order, reply)
        if after is None:
            raise DuplicateFlow(
                "the attempt after this one has ended too: try again after that one, or open the order anew"
            )
        return after

    def _check_template(self, order: FlowOrder) -> None:
        if kind_of_template(template_of(order, self.readings.settings)) is None:
            raise InvalidOrder(
                "the order's template is none of Persona's: its id begins with itmpl_, itmplv_ or tmpl_",
                fields=("template",),
            )

    def _create(
        self,
        order: FlowOrder,
        which: tuple[object, ...],
        *,
        attempt: int = 1,
        previous: str | None = None,
        accept: set[int] | frozenset[int] = frozenset(),
    ) -> Request:
        """The same bytes for the same order, and the key that belongs to them."""
        settings = self.readings.settings
        return Request.post(
            INQUIRIES,
            json=body_of(order, settings, attempt, previous),
            headers={"Idempotency-Key": key_of(order, settings, *which)},
            idempotent=True,
            accept=accept,
        )

    def _alive(self, order: FlowOrder, reply: Response) -> Exchange[Flow | None]:
        """The flow that a creation was answered with, None where nobody can go on with it: for the same key an answer of a
        while ago is given again.
        """
        inquiry = inquiry_in(reply)
        settings = self.readings.settings
        wrong = differing(inquiry, order, settings) or differing_details(inquiry, order, settings)
        if wrong:
            raise UnexpectedResponse(
                f"the inquiry is of another order: its {wrong[0]} is not ours", status=reply.status
            )
        flow = yield from self._flow(order, inquiry)
        return None if flow is None or flow.status.is_settled else flow

    def _found(
        self, order: FlowOrder, listed: tuple[Mapping[str, Any], ...], since: datetime | None
    ) -> Exchange[Flow | None]:
        """The one that is under way, which an opening gives out whenever it was made; else the newest made since then."""
        found = next((one for one in listed if not self.readings.is_over(one)), None) or next(
            (one for one in listed if not self.readings.is_dead(one) and not is_older(one, since)), None
        )
        return (yield from self._flow(order, found)) if found is not None else None

    def _listed(self, order: FlowOrder) -> Exchange[tuple[Mapping[str, Any], ...]]:
        """The inquiries of this order among those of the applicant, the newest first."""
        settings = self.readings.settings
        query = {"filter[reference-id]": order.applicant.reference, "page[size]": "100"}
        found: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        for _ in range(_PAGES):
            reply = yield Request.get(INQUIRIES, query=query, accept={404, 410})
            if not reply.is_success:
                raise UnexpectedResponse("the answer to a list of inquiries is no list", status=reply.status)
            listed = reply.structure(InquiryList)
            for inquiry in listed.data:
                if not is_of_order(inquiry, order, settings) or not is_id(inquiry.get("id")):
                    continue
                if not self.readings.is_dead(inquiry) and differing_details(inquiry, order, settings):
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

    def _flow(self, order: FlowOrder, inquiry: Mapping[str, Any]) -> Exchange[Flow | None]:
        """The order's flow, with a link where it waits for the applicant; None if Persona does not know it any more."""
        flow = Flow(
            id=inquiry["id"],
            status=FlowStatus.OPEN,
            application_id=order.application_id,
            subject=subject_of(order.applicant.reference),
        )
        return (yield from linked(self.readings, flow, inquiry))


def _too_often() -> DuplicateFlow:
    return DuplicateFlow(
        f"this order was opened and ended {_KEYS} times within a day; open it with another application_id",
        nothing_done=True,
    )
