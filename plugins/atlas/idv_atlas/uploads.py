"""Documents are handed in by URL, and what was handed in is compared with what comes back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from idv_core.plugin import (
    Document,
    Flow,
    FlowStatus,
    InvalidOrder,
    Reason,
    Response,
    UnexpectedResponse,
    Upload,
    structure,
)

from .payloads import BatchTaken, FileTaken


def file_urls(documents: Iterable[Document], **more: Any) -> list[dict[str, Any]]:
    """Atlas fetches documents itself; bytes cannot be sent (section 9). Raises InvalidOrder for a document without URL."""
    without = [document.id for document in documents if document.url is None]
    if without:
        raise InvalidOrder("Atlas takes documents by URL only: give Document(id, url=...)", fields=tuple(without))
    return [
        {"file_url": document.url.reveal(), "document_id": document.id, **more}
        for document in documents
        if document.url
    ]


def read_uploads(reply: Response, documents: Collection[Document]) -> tuple[Upload, ...]:
    """Both shapes of the answer: one object for each file, or a batch id alone (section 1.5 row 12).

    A document that the answer does not name was not accepted. Raises UnexpectedResponse where it names another.
    """
    data = reply.json()
    if isinstance(data, list):
        taken = {file.document_id: file for file in structure(data, list[FileTaken], status=reply.status)}
        if taken.keys() - {document.id for document in documents}:
            raise UnexpectedResponse("the answer names documents that were not handed in", status=reply.status)
    else:
        batch = structure(data, BatchTaken, status=reply.status).batch_id
        taken = {document.id: FileTaken(document_id=document.id, batch_id=batch) for document in documents}
    return tuple(_upload(document.id, taken.get(document.id)) for document in documents)


def _upload(id: str, file: FileTaken | None) -> Upload:
    ids = {"file_uuid": file.file_uuid, "batch_id": file.batch_id} if file else {}
    return Upload(
        document_id=id, accepted=file is not None, vendor_ids={name: value for name, value in ids.items() if value}
    )


def knows_uploads(flow: Flow) -> bool:
    """Whether the flow itself says what was handed in. One that goes on from its reference does not (it was not opened
    here), nor one under way that names nothing."""
    return flow.created_at is not None and bool(flow.uploads or flow.status is FlowStatus.OPEN)


def refuse_twice(documents: Iterable[Document], there: Collection[str]) -> None:
    """Raises InvalidOrder for a document whose id the vendor has already: it would keep two files under it."""
    twice = tuple(document.id for document in documents if document.id in there)
    if twice:
        raise InvalidOrder(f"document ids must be unique in the flow; {twice[0]!r} is already used", fields=twice)


def upload_doubts(flow: Flow, ids: Collection[str]) -> Iterator[Reason]:
    """A doubt unless the flow names every document that was handed in: one without a result could not be missed.

    `ids` are the documents that the vendor's answer names.
    """
    if not knows_uploads(flow):
        text = (
            "which documents were handed in is not known, so that a missing one would not be missed: "
            "give the Flow that upload returned, not its reference"
        )
        yield Reason("uploads.unknown", text)
    elif set(ids) - {upload.document_id for upload in flow.uploads}:
        text = "the vendor has documents that this Flow does not name: give the Flow that the last upload returned"
        yield Reason("uploads.unknown", text)
