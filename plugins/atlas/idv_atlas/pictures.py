"""The pictures that Atlas gives out: of Aadhaar cards, with the number masked (fact sheet sections 3.0 and 9).

Their addresses live for a limited time, so each is asked for anew when its picture is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from idv_core.plugin import DocumentEvidence, Exchange, FlowNotFound, Media, MediaKind, Request, Result

MASKED = "redacted"
# what a store of files says of an address whose signature has ended, or of a file that is gone
_REFUSED = frozenset({400, 403, 404, 410})


def list_pictures(result: Result) -> tuple[Media, ...]:
    """One for each document that has such a picture and is known by its id."""
    return tuple(
        Media(id=_name(document), kind=MediaKind.DOCUMENT, document=document.document_id)
        for document in _with_picture(result)
    )


def download_picture(result: Result, media: Media) -> Exchange[None]:
    """Raises FlowNotFound for what the flow does not have."""
    found = next((document for document in _with_picture(result) if _name(document) == media.id), None)
    if found is None:
        raise FlowNotFound("Atlas has no such picture of this flow: take one of those that media(flow) lists")
    reply = yield Request.fetch(found.images[MASKED], streamed=True, accept=_REFUSED)
    if not reply.is_success:
        raise FlowNotFound("Atlas's own address of this picture leads to nothing: it is gone, or its time is over")


def _with_picture(result: Result) -> Iterator[DocumentEvidence]:
    return (document for document in result.documents if document.document_id and MASKED in document.images)


def _name(document: DocumentEvidence) -> str:
    return f"{MASKED}:{document.document_id}"
