"""What Onfido keeps of an applicant as files: documents, photos, videos, and the papers about a run or a check."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from idv_core.plugin import (
    JPEG,
    PDF,
    PNG,
    Exchange,
    FlowNotFound,
    Media,
    MediaKind,
    Request,
    UnexpectedResponse,
    structure,
)

from .mapping import DOCUMENT_TYPES, as_text

_PLACES = {
    "documents": MediaKind.DOCUMENT,
    "live_photos": MediaKind.SELFIE,
    "live_videos": MediaKind.VIDEO,
    "motion_captures": MediaKind.VIDEO,
}
_SIDES = {"front": MediaKind.DOCUMENT_FRONT, "back": MediaKind.DOCUMENT_BACK}
_TYPES = {"jpg": JPEG, "jpeg": JPEG, "png": PNG, "pdf": PDF, "mp4": "video/mp4", "webm": "video/webm"}
RUN_PAPERS = (
    Media(id="signed_evidence_file", kind=MediaKind.REPORT, content_type=PDF),
    Media(id="evidence_folder", kind=MediaKind.OTHER, content_type="application/zip"),
)
"""Of a run that has ended."""


@attrs.frozen(kw_only=True)
class Capture:
    """One file as it is listed (API v3.6: documents, live photos, live videos, motion captures)."""

    id: str
    applicant_id: str | None = None
    file_type: str | None = None
    file_size: int | None = None
    type: str | None = None
    side: str | None = None


def captures(applicant: str, places: Iterable[str] = _PLACES) -> Exchange[tuple[Media, ...]]:
    """What the applicant handed in, in whichever run or check. A media id is `documents/<Onfido's id>`."""
    found: list[Media] = []
    for place in places:
        reply = yield Request.get(f"/{place}", query={"applicant_id": applicant})
        listed = (reply.json_object() or {}).get(place)
        for one in structure(listed, tuple[Capture, ...], status=reply.status):
            if one.applicant_id is not None and one.applicant_id.lower() != applicant.lower():
                raise UnexpectedResponse(f"the {place} listed are another applicant's", status=reply.status)
            found.append(_media(place, one))
    return tuple(found)


def download_capture(applicant: str, media: Media) -> Exchange[None]:
    """The content of one of the applicant's files, and of nobody else's."""
    place, _, id = media.id.partition("/")
    if place not in _PLACES or media.id not in {one.id for one in (yield from captures(applicant, [place]))}:
        raise FlowNotFound("the file is none of this applicant's, or is no longer there")
    yield Request.get(f"/{place}/{{}}/download", id, streamed=True)


def _media(place: str, capture: Capture) -> Media:
    is_document = place == "documents"
    kind = _SIDES.get(capture.side or "", MediaKind.DOCUMENT) if is_document else _PLACES[place]
    return Media(
        id=f"{place}/{capture.id}",
        kind=kind,
        content_type=_TYPES.get((as_text(capture.file_type) or "").lower()),
        document=DOCUMENT_TYPES.get(capture.type or "") if is_document else None,
        size=capture.file_size,
    )
