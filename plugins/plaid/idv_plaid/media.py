"""Pictures and videos of a verification: where they stand in the answer, and what they show.

Their addresses last 60 seconds from the answer on, so a download asks for a fresh one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Media, MediaKind, shown

from .data import as_object, as_text, objects
from .mapping import DOCUMENT_TYPES

IMAGES = {
    "original_front": MediaKind.DOCUMENT_FRONT,
    "original_back": MediaKind.DOCUMENT_BACK,
    "cropped_front": MediaKind.DOCUMENT_FRONT,
    "cropped_back": MediaKind.DOCUMENT_BACK,
    "face": MediaKind.PORTRAIT,
}
CAPTURES = {"image_url": MediaKind.SELFIE, "video_url": MediaKind.VIDEO}


def media_of(verification: Mapping[str, Any]) -> Iterator[tuple[Media, str]]:
    """Each picture and video with its address, of all attempts: `documents/1/original_front`, `selfies/1/video_url`."""
    for document in objects(as_object(verification.get("documentary_verification")).get("documents")):
        word = as_text(as_object(document.get("extracted_data")).get("category"))
        type_ = DOCUMENT_TYPES.get(word) if word else None
        yield from _links("documents", document, "images", IMAGES, type_ and type_.value)
    for selfie in objects(as_object(verification.get("selfie_check")).get("selfies")):
        yield from _links("selfies", selfie, "capture", CAPTURES, None)


def _links(
    place: str, submission: Mapping[str, Any], key: str, kinds: Mapping[str, MediaKind], document: str | None
) -> Iterator[tuple[Media, str]]:
    attempt = submission.get("attempt")
    number = attempt if isinstance(attempt, int) else 0
    for name, link in as_object(submission.get(key)).items():
        url = as_text(link)
        if url is not None:
            kind = kinds.get(name, MediaKind.OTHER)
            yield Media(id=f"{place}/{number}/{shown(name)}", kind=kind, document=document), url
