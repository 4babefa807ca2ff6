"""Onboarding v2 (and its older v1): applicants and co-applicants, checklist, chat, submit (sections 3.5 to 3.12).

One of our flows is one applicant's, so its id is `flow_id:external_reference_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from idv_core.plugin import (
    Applicant,
    CheckOutcome,
    Deferred,
    Document,
    DuplicateFlow,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Reason,
    Request,
    Result,
    UnexpectedResponse,
    structure,
)

from .account import AtlasAccount, check_id, opened_id, options_of, same_case, unnamed
from .claims import is_good_word
from .mapping import answer_doubts, document_check, read_documents, read_id, read_master_status
from .masking import public
from .payloads import ChatReply, CoApplicantsAdded, OnboardingStatus, Page, Submitted
from .problems import is_bad_word
from .uploads import file_urls, knows_uploads, read_uploads, refuse_twice, upload_doubts
from .vocabulary import own_types, sent_types

_DUPLICATE = (
    "Atlas has a flow for this application and applicant already and does not say its id; go on with the one you stored, "
    "ask Atlas for its id, or open under another application_id"
)


@attrs.frozen(kw_only=True)
class CoApplicants:
    """A flow for each co-applicant that was made, and the references of those that were not."""

    created: tuple[Flow, ...]
    failed: tuple[str, ...]


@attrs.frozen
class AtlasOnboarding(AtlasAccount):
    """Family `onboarding`."""

    def _path(self, call: str) -> str:
        return f"/{self.settings.api_version}/verification/{call}"

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        options = options_of(order)
        name = order.applicant.full_name
        if not name:
            raise InvalidOrder("Atlas onboarding needs the applicant's name", fields=("applicant.name",))
        old = self.settings.api_version == "v1"
        body: dict[str, Any] = {
            "product_type": self.product_type(order),
            "application_id": order.application_id,
            "external_reference_id": order.applicant.reference,
            "username": name,
        }
        if order.urls is not None:
            body["callback_url"] = order.urls.webhook("results")
            body["chat_notification_url"] = order.urls.webhook("chat")
        if not old:
            user_docs = own_types(options.get("user_docs")) or sent_types(order.documents)
            body |= {"user_docs": user_docs} if user_docs else {}
            body |= {"auth_token_url": order.urls.webhook("auth")} if order.urls else {}
            body |= {"flow_params": options["flow_params"]} if options["flow_params"] else {}
        reply = yield Request.post("/v1/flow/init" if old else self._path("flow/init"), json=body, accept={409})
        if reply.status == 409:
            raise DuplicateFlow(_DUPLICATE, status=409, nothing_done=True)
        asked = {name: body[name] for name in ("application_id", "external_reference_id", "username", "product_type")}
        id = opened_id(reply, **asked)
        if ":" in id:
            raise UnexpectedResponse("the flow_id has a colon in it, which separates it from the applicant here")
        return Flow(id=f"{id}:{order.applicant.reference}", status=FlowStatus.OPEN)

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """Open again: the pair of application and applicant is unique at Atlas, so that there never are two (section 3.5),
        also where the first call arrives late.

        Raises DuplicateFlow when the first call did arrive: Atlas has no call that tells the id of that flow.
        """
        return self.open_flow(order)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        key = "flow_uuid" if self.settings.api_version == "v1" else "flow_id"
        body = {key: _ids(flow)["flow_id"], "file_urls": file_urls(documents, submission_mode="upload")}
        if not knows_uploads(flow):
            status = yield from self._status(flow)
            refuse_twice(documents, _files(status))
        reply = yield Request.post(self._path("multiupload"), json=body)
        uploads = flow.uploads + read_uploads(reply, documents)
        return attrs.evolve(flow, status=FlowStatus.PROCESSING, uploads=uploads)

    def status(self, flow: Flow) -> Exchange[Flow]:
        status = yield from self._status(flow)
        return attrs.evolve(flow, status=read_master_status(status.master_status))

    def submit(self, flow: Flow) -> Exchange[Flow]:
        """Close the flow: no more documents (section 3.11)."""
        reply = yield self._submission(flow, "yes")
        same_case(reply.json_object(), _ids(flow)["flow_id"], "flow_id", "flow_uuid", status=reply.status)
        return attrs.evolve(flow, status=FlowStatus.PROCESSING)

    def result(self, flow: Flow) -> Exchange[Result]:
        """Read with `submit` and `close_flow=no`, for there is no other way (section 1.5 row 29).

        What was handed in is what the flow says and what `status` lists, so that a file without result is missed by
        reference too.
        """
        status = yield from self._status(flow)
        flow = attrs.evolve(flow, status=read_master_status(status.master_status))
        if not flow.status.is_settled:
            return Result(flow=flow)
        reply = yield self._submission(flow, "no")
        answer = reply.json()
        ids = _ids(flow)
        is_named = same_case(answer, ids["flow_id"], "flow_id", "flow_uuid", status=reply.status)
        submitted = structure(answer, Submitted, status=reply.status)
        files = _files(status)
        sent = {upload.document_id for upload in flow.uploads}
        mine = [entry for entry in submitted.data if _is_of(entry, ids["external_reference_id"], sent | files.keys())]
        others = {read_id(entry.get("document_id")) for entry in submitted.data} - sent
        reading = read_documents(mine, "data", sorted(sent | (files.keys() - others)))
        known = {check.document_id for check in reading.checks if check.outcome is CheckOutcome.FAILED}
        bad = [id for id, word in files.items() if is_bad_word(word) and id not in known]
        checks = [check for check in reading.checks if check.document_id not in bad]
        checks += [document_check(id, None, CheckOutcome.FAILED, ("FAILED",)) for id in bad]
        odd = [
            Reason("document.status", "the document's status is not known to be good", document=id)
            for id, word in files.items()
            if id not in bad and word not in (None, "") and not is_good_word(word)
        ]
        unknown = () if files and not knows_uploads(flow) else upload_doubts(flow, reading.ids)
        return Result(
            flow=flow,
            documents=reading.documents,
            checks=checks,
            doubts=(*reading.doubts, *odd, *answer_doubts(answer, "data"), *unnamed(is_named), *unknown),
            raw=Deferred(lambda: public({"data": mine})),
        )

    def checklist(self, flow: Flow) -> Exchange[Mapping[str, bool]]:
        """Document type to whether it is there (section 3.8)."""
        reply = yield Request.get(self._path("docs"), query=_ids(flow))
        return reply.structure(dict[str, bool])

    def add_coapplicants(
        self, flow: Flow, people: Sequence[Applicant], documents: Sequence[str] = ()
    ) -> Exchange[CoApplicants]:
        """Further applicants of the same case (section 3.9). Some may fail while others are made."""
        nameless = [person.reference for person in people if not person.full_name]
        if nameless or not people:
            raise InvalidOrder("each co-applicant needs a name", fields=tuple(nameless) or ("people",))
        more = {"user_docs": list(documents)} if documents else {}
        listed = [{"external_reference_id": p.reference, "username": p.full_name, **more} for p in people]
        flow_id = _ids(flow)["flow_id"]
        reply = yield Request.post(self._path("flow/coapplicant"), json={"flow_id": flow_id, "co_applicants": listed})
        added = reply.structure(CoApplicantsAdded)
        made = {created.external_reference_id for created in added.created}
        return CoApplicants(
            created=tuple(
                attrs.evolve(flow, id=f"{flow_id}:{person.reference}", status=FlowStatus.OPEN, uploads=())
                for person in people
                if person.reference in made
            ),
            failed=tuple(person.reference for person in people if person.reference not in made),
        )

    def delete_coapplicant(self, flow: Flow) -> Exchange[None]:
        """Take a co-applicant out of the case; one who is gone already is fine (section 3.10)."""
        yield Request.delete(self._path("flow/coapplicant"), json=_ids(flow), accept={410})

    def chat(self, flow: Flow, message: str) -> Exchange[ChatReply]:
        """Say something to the onboarding chat and get its answer (section 3.12)."""
        body = {"message": message, "flow_id": _ids(flow)["flow_id"]}
        reply = yield Request.post(self._path("chat"), json=body)
        return reply.structure(ChatReply)

    def chat_history(self, flow: Flow, *, page: int = 1, per_page: int = 10) -> Exchange[Page]:
        """One page of the chat, as the vendor gives it."""
        query = {"flow_id": _ids(flow)["flow_id"], "page": str(page), "per_page": str(per_page)}
        reply = yield Request.get(self._path("chat-history"), query=query)
        return reply.structure(Page)

    def flow_of(self, body: Mapping[str, Any]) -> str | None:
        """A webhook of a case names no applicant for certain, so the address it came to must do."""
        return None

    def _status(self, flow: Flow) -> Exchange[OnboardingStatus]:
        ids = _ids(flow)
        reply = yield Request.get(self._path("status"), query=ids)
        answer = reply.json()
        same_case(answer, ids["flow_id"], "flow_id", "flow_uuid", status=reply.status)
        same_case(answer, ids["external_reference_id"], "external_reference_id", status=reply.status)
        return structure(answer, OnboardingStatus, status=reply.status)

    def _submission(self, flow: Flow, close: str) -> Request:
        """Query and body say the same (section 1.5 row 30). Doing it twice does no harm."""
        asked = {"flow_id": _ids(flow)["flow_id"], "close_flow": close}
        return Request.post(self._path("flow/submit"), query=asked, json=asked, idempotent=True)


def _ids(flow: Flow) -> dict[str, str]:
    flow_id, colon, reference = check_id(flow.id).partition(":")
    if not colon or not flow_id or not reference:
        raise InvalidOrder("an Atlas onboarding flow is named 'flow_id:external_reference_id'", fields=("flow",))
    return {"flow_id": flow_id, "external_reference_id": reference}


def _files(status: OnboardingStatus) -> dict[str, object]:
    """The documents that Atlas has, and how far each is (section 3.7)."""
    named = {read_id(file.document_id): file.status for file in status.file_statuses}
    return {id: word for id, word in named.items() if id is not None}


def _is_of(entry: Mapping[str, Any], reference: str, sent: set[str]) -> bool:
    """An entry without an applicant is ours if we sent that document, or if we do not know what was sent."""
    named = entry.get("external_reference_id")
    return named == reference or (not named and (not sent or read_id(entry.get("document_id")) in sent))
