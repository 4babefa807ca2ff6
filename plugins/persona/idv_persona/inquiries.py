"""Inquiries as answers show them: whose they are, how far they are, and the flow that they are to us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from idv_core.plugin import Exchange, Flow, FlowStatus, InvalidOrder, Request, Response, UnexpectedResponse, subject_of

from .json_api import InquiryAnswer, as_object, as_text, attributes_of, included, related
from .mapping import is_redacted, read_status
from .orders import attempt_of, told_of_order
from .settings import PersonaSettings

INQUIRY = "/inquiries/{}"
_ID = re.compile(r"inq_[A-Za-z0-9]{1,100}")


def id_of(flow: Flow) -> str:
    """The flow's id, which goes into a path. Raises InvalidOrder for one that is none of Persona's."""
    if not is_id(flow.id):
        raise InvalidOrder("the flow's id is none of Persona's: it begins with inq_", fields=("flow",))
    return flow.id


def is_id(text: object) -> bool:
    return isinstance(text, str) and bool(_ID.fullmatch(text))


def inquiry_in(reply: Response, id: str | None = None) -> Mapping[str, Any]:
    """The inquiry of an answer; with `id`, only that one. Raises UnexpectedResponse for anything else."""
    data = reply.structure(InquiryAnswer).data
    if data.type != "inquiry" or not is_id(data.id):
        raise UnexpectedResponse("the answer is no inquiry", status=reply.status)
    if id is not None and data.id != id:
        raise UnexpectedResponse("the answer is another inquiry", status=reply.status)
    return as_object((reply.json_object() or {}).get("data"))


def inquiry_of(flow: Flow, reply: Response) -> Mapping[str, Any]:
    """The inquiry of an answer, which must be the flow's, of its application and its applicant, with all its parts."""
    inquiry = inquiry_in(reply, flow.id)
    told = told_of_order(inquiry)
    person = told["reference"]
    if flow.application_id and told["application_id"] not in (None, flow.application_id):
        raise UnexpectedResponse("the inquiry is of another application", status=reply.status)
    is_ours = isinstance(person, str) and subject_of(person) == flow.subject
    if flow.subject and person is not None and not is_ours:
        raise UnexpectedResponse("the inquiry is about another applicant", status=reply.status)
    answer = reply.json_object() or {}
    for part in (*included(answer, "verification"), *included(answer, "report")):
        if related(part, "inquiry").get("id") not in (None, flow.id):
            raise UnexpectedResponse("a part of the answer is of another inquiry", status=reply.status)
    return inquiry


def looked_at(flow: Flow) -> Exchange[Mapping[str, Any]]:
    """The flow's inquiry as it is now."""
    reply = yield Request.get(INQUIRY, id_of(flow))
    return inquiry_of(flow, reply)


def answer_with(flow: Flow, *parts: str) -> Exchange[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The flow's inquiry as it is now, and the whole answer, with those parts included."""
    reply = yield Request.get(INQUIRY, id_of(flow), query={"include": ",".join(parts)})
    return inquiry_of(flow, reply), reply.json_object() or {}


@attrs.frozen
class Readings:
    """How far inquiries are, by the account's settings."""

    settings: PersonaSettings

    def status(self, inquiry: Mapping[str, Any]) -> FlowStatus:
        return read_status(attributes_of(inquiry), waits_for_decision=self.settings.waits_for_decision)

    def flow(self, flow: Flow, inquiry: Mapping[str, Any]) -> Flow:
        """The flow as the inquiry shows it. Until it is erased, people at Persona may decide, or resume it."""
        status = self.status(inquiry)
        attempt, previous = attempt_of(inquiry)
        return attrs.evolve(
            flow,
            status=status,
            may_reopen=status.is_settled and status is not FlowStatus.ERASED,
            attempt=attempt or flow.attempt,
            previous_id=previous or flow.previous_id,
        )

    def is_over(self, inquiry: Mapping[str, Any]) -> bool:
        return self.status(inquiry).is_settled

    def is_dead(self, inquiry: Mapping[str, Any]) -> bool:
        """Nobody can go on with it, and it has no result: expired, or its data are deleted."""
        return is_redacted(attributes_of(inquiry)) or as_text(attributes_of(inquiry).get("status")) == "expired"
