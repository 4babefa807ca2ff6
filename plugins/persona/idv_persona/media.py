"""The files that Persona keeps of an inquiry: pictures and videos of its verifications, and the inquiry as a PDF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import PDF, Exchange, Flow, FlowNotFound, Media, MediaKind, Request

from .inquiries import INQUIRY, answer_with, id_of
from .json_api import as_list, as_object, as_text, attributes_of, included
from .mapping import read_id_class

_PRINT = "print"
# Attributes that hold an address, and what lies there (schemas verification-government-id, verification-selfie).
_PLACES: Mapping[str, MediaKind] = {
    "front-photo-url": MediaKind.DOCUMENT_FRONT,
    "back-photo-url": MediaKind.DOCUMENT_BACK,
    "selfie-photo-url": MediaKind.PORTRAIT,
    "center-photo-url": MediaKind.SELFIE,
    "left-photo-url": MediaKind.SELFIE,
    "right-photo-url": MediaKind.SELFIE,
    "video-url": MediaKind.VIDEO,
}


def list_media(flow: Flow) -> Exchange[tuple[Media, ...]]:
    """All files of all attempts, and the inquiry as a PDF."""
    _, answer = yield from answer_with(flow, "verifications")
    found = tuple(media for media, _ in _files(answer))
    return (*found, Media(id=_PRINT, kind=MediaKind.REPORT, content_type=PDF))


def download(flow: Flow, media: Media) -> Exchange[None]:
    """The file. Its address lives for six hours, so it is asked for anew (docs.withpersona.com/downloading-files)."""
    if media.id == _PRINT:
        yield Request.get(f"{INQUIRY}/print", id_of(flow), streamed=True)
        return
    _, answer = yield from answer_with(flow, "verifications")
    address = next((url for known, url in _files(answer) if known.id == media.id), None)
    if address is None:
        raise FlowNotFound("Persona has no such file of this inquiry, or no longer: ask media(flow) again")
    yield Request.fetch(address, streamed=True)


def _files(answer: Mapping[str, Any]) -> Iterator[tuple[Media, str]]:
    """Each file, named by its verification and the attribute that holds its address, with that address."""
    for verification in included(answer, "verification"):
        attributes, id = attributes_of(verification), as_text(verification.get("id"))
        type_ = read_id_class(attributes)
        sizes = {as_text(page.get("url")): page.get("byte-size") for page in _objects(attributes.get("photo-urls"))}
        places = [(key, kind, as_text(attributes.get(key))) for key, kind in _PLACES.items()]
        places += [
            (f"files/{number}", MediaKind.DOCUMENT, as_text(file.get("url")))
            for number, file in enumerate(_objects(attributes.get("files")))
        ]
        for key, kind, url in places:
            if url is not None and id is not None:
                size = sizes.get(url)
                known = size if type(size) is int and size >= 0 else None
                yield Media(id=f"{id}/{key}", kind=kind, document=type_ and type_.value, size=known), url


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [as_object(one) for one in as_list(value)]
