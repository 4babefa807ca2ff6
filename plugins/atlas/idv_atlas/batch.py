"""IDP ("docstream", the sandbox) and bulk: extraction only, no flow at the vendor, a batch id (sections 3.13 and 3.14).

Nothing is called to open a flow: its id is `pending:{application_id}` until the documents are handed in, and
`{batch_id}:{number of documents}` from then on, so that the reference alone tells when the batch is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from idv_core.plugin import (
    Deferred,
    Document,
    Exchange,
    Flow,
    FlowOrder,
    FlowStatus,
    InvalidOrder,
    Reason,
    Request,
    Result,
    UnexpectedResponse,
    Upload,
    structure,
    text_fault,
)

from .account import AtlasAccount, check_id, same_case
from .mapping import answer_doubts, read_documents, read_id
from .masking import public
from .payloads import Page
from .settings import Family
from .uploads import file_urls, read_uploads, upload_doubts

_PENDING = "pending"
_MOST_PAGES = 10_000
_PER_PAGE = 50


@attrs.frozen
class AtlasBatch(AtlasAccount):
    """Families `idp` and `bulk`."""

    def _path(self, call: str) -> str:
        family = "docstream" if self.settings.family is Family.IDP else "bulk"
        return f"/{self.settings.api_version}/{family}/{call}"

    def open_flow(self, order: FlowOrder) -> Exchange[Flow]:
        product = self.product_type(order)
        yield from ()
        return Flow(id=f"{_PENDING}:{order.application_id}", status=FlowStatus.OPEN, details={"product_type": product})

    def recover(self, order: FlowOrder, since: datetime | None) -> Exchange[Flow]:
        """Nothing is called to open a batch, so there is nothing to lose."""
        return self.open_flow(order)

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        """All documents of the batch at once. Their ids are made unique in the account (section 4.3)."""
        kind, _, application_id = check_id(flow.id).partition(":")
        if kind != _PENDING:
            raise InvalidOrder("a batch takes its documents once; open another flow for more", fields=("documents",))
        product = flow.details.get("product_type") or self.settings.product_type
        if not product:
            raise InvalidOrder("Atlas needs its product_type: set it in the account", fields=("template",))
        # the slash tells where the document's own id begins
        prefix = application_id.replace("/", "%2F")
        sent = tuple(attrs.evolve(document, id=f"{prefix}/{document.id}") for document in documents)
        body = {"product_type": product, "file_urls": file_urls(sent)}
        reply = yield Request.post(self._path("multiupload"), json=body)
        taken = read_uploads(reply, sent)
        accepted = [upload for upload in taken if upload.accepted]
        batches = {upload.vendor_ids.get("batch_id") for upload in accepted}
        batch = batches.pop() if len(batches) == 1 else None
        if batch is None or text_fault(batch) or not batch.isprintable():
            raise UnexpectedResponse("the answer names no batch, or several", status=reply.status)
        uploads = tuple(
            Upload(
                document_id=document.id,
                accepted=upload.accepted,
                vendor_ids={**upload.vendor_ids, "document_id": upload.document_id},
            )
            for document, upload in zip(documents, taken, strict=True)
        )
        return attrs.evolve(flow, id=f"{batch}:{len(accepted)}", status=FlowStatus.PROCESSING, uploads=uploads)

    def status(self, flow: Flow) -> Exchange[Flow]:
        return (yield from self.result(flow)).flow

    def result(self, flow: Flow) -> Exchange[Result]:
        """Finished when every document of the batch has an entry (section 3.14, assumed there)."""
        if flow.id.startswith(f"{_PENDING}:"):
            return Result(flow=flow)
        batch, number = _batch_of(flow)
        entries, odd = yield from self._entries(batch, number)
        ours = {upload.vendor_ids.get("document_id", ""): upload.document_id for upload in flow.uploads}
        named = [{**entry, "document_id": _our_id(entry.get("document_id"), ours)} for entry in entries]
        complete = len({entry["document_id"] for entry in named if entry["document_id"]}) >= number
        flow = attrs.evolve(flow, status=FlowStatus.FINISHED if complete else FlowStatus.PROCESSING)
        sent = [upload.document_id for upload in flow.uploads]
        reading = read_documents(named, "file_data", sent if complete else ())
        return Result(
            flow=flow,
            documents=reading.documents,
            checks=reading.checks,
            doubts=(*reading.doubts, *odd, *upload_doubts(flow, reading.ids)),
            raw=Deferred(lambda: public({"data": entries})),
        )

    def _entries(self, batch: str, number: int) -> Exchange[tuple[list[dict[str, Any]], tuple[Reason, ...]]]:
        """All pages, and the doubts about them: the vendor says that there is no further one, or a page brings nothing new.
        Totals are not believed (row 34), and a batch of `number` documents has no more pages than that.

        A 404 past the first page is the end too, unless the page before said that there is more.
        """
        entries: list[dict[str, Any]] = []
        doubts: dict[Reason, None] = {}
        has_next: object = True
        known: set[str] = set()
        for page_number in range(1, min(number, _MOST_PAGES) + 2):
            query = {"batch_id": batch, "page": str(page_number), "per_page": str(_PER_PAGE)}
            past = page_number > 1 and not _is_yes(has_next)
            reply = yield Request.get(self._path("extracts"), query=query, accept={404} if past else ())
            if reply.status == 404:
                break
            answer = reply.json()
            same_case(answer, batch, "batch_id", status=reply.status)
            page = structure(answer, Page, status=reply.status)
            new = {text: entry for entry in page.data if (text := json.dumps(entry, sort_keys=True)) not in known}
            known |= new.keys()
            entries += new.values()
            doubts |= dict.fromkeys(answer_doubts(answer, "data"))
            has_next = page.has_next
            if not new or _is_no(has_next):
                break
        return entries, tuple(doubts)

    def documents_of(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """An account-wide webhook names neither batch nor flow, only documents (section 4.3)."""
        data = body.get("data")
        named = (
            [entry.get("document_id") for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
        )
        return tuple(id.partition("/")[2] or id for id in named if isinstance(id, str) and id)

    def flow_of(self, body: Mapping[str, Any]) -> str | None:
        return None


def _batch_of(flow: Flow) -> tuple[str, int]:
    batch, _, number = check_id(flow.id).rpartition(":")
    if not batch or not number.isascii() or not number.isdigit():
        raise InvalidOrder("an Atlas batch is named 'batch_id:number of documents'", fields=("flow",))
    return batch, int(number)


def _is_no(has_next: object) -> bool:
    """Whether the vendor says that there is no further page. Where it says nothing, the next page has to be looked at."""
    return has_next is False or (isinstance(has_next, str) and has_next.strip().lower() in ("false", "no"))


def _is_yes(has_next: object) -> bool:
    return has_next is True or (isinstance(has_next, str) and has_next.strip().lower() in ("true", "yes"))


def _our_id(theirs: object, ours: Mapping[str, str]) -> str | None:
    id = read_id(theirs)
    return id and (ours.get(id) or id.partition("/")[2] or id)
