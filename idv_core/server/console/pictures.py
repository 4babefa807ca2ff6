"""Pictures that the vendor keeps: listed, and passed through. Nothing of them is kept here, and each look is an event."""

from __future__ import annotations

import asyncio
import io
from hashlib import sha256

import attrs
from starlette.responses import Response

from ...ledger import Verification
from ...ledger.verification import News
from ...model import Flow, Media, MediaKind
from ...plugin.pictures import PDF, picture_type
from .. import api
from ..problems import BadRequest, Forbidden, NotFound, TooLarge
from .web import HEADERS, Visit

LARGEST = 20_000_000
"""In bytes. A picture is held in memory while it passes."""

# what browsers draw, and what is saved to a file instead
_DRAWN = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/bmp": "bmp",
}
_SAVED = {
    PDF: "pdf",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/tiff": "tif",
    "image/jp2": "jp2",
    "image/jxl": "jxl",
}
_HEADERS = {
    **HEADERS,
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@attrs.frozen
class Listed:
    """One of the vendor's files. `key` stands for its id, which may be an address and is shown to nobody."""

    key: str
    media: Media

    @property
    def name(self) -> str:
        kind = self.media.kind.value.replace("_", " ")
        return f"{kind} of {self.media.document.replace('_', ' ')}" if self.media.document else kind

    @property
    def is_picture(self) -> bool:
        """Whether it may be one: what its bytes are is known once they are here."""
        said = self.media.content_type
        return self.media.kind not in (MediaKind.VIDEO, MediaKind.REPORT) and (
            said is None or said.startswith("image/")
        )


async def page(visit: Visit) -> Response:
    """What there is, and those pictures that the address asks for."""
    verification, flow = await _flow(visit)
    found = await _listed(visit, flow)
    wanted = set(visit.request.query_params.getlist("show"))
    return visit.page(
        "pictures.html",
        verification=verification,
        found=found,
        shown=[one for one in found if one.key in wanted and one.is_picture],
    )


async def picture(visit: Visit) -> Response:
    """The bytes of one file. The event is written before they are asked for."""
    if visit.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("a picture is shown by pages of this console alone")
    verification, flow = await _flow(visit)
    key = visit.request.path_params["key"]
    media = next((one.media for one in await _listed(visit, flow) if one.key == key), None)
    if media is None:
        raise NotFound("the vendor has no such picture any more")
    news = News("unmasked", {"what": "picture", "kind": media.kind.value}, visit.who.actor)
    await asyncio.to_thread(api.note_event, visit.service.ledger, verification.id, news)
    async with visit.web.pictures:
        held = _Held()
        await visit.service.gateway.download(flow, media, held)
        content = held.getvalue()
    kind = picture_type(content)
    ending = _DRAWN.get(kind or "") or _SAVED.get(kind or "")
    if kind is None or ending is None:
        raise BadRequest("the vendor's file is no picture and no PDF; look at it in the vendor's dashboard")
    how = "inline" if kind in _DRAWN else "attachment"
    name = {"content-disposition": f'{how}; filename="{media.kind.value}.{ending}"'}
    return Response(content, headers={**_HEADERS, **name}, media_type=kind)


class _Held(io.BytesIO):
    """In memory, and bounded."""

    def write(self, piece: object) -> int:
        written = super().write(piece)  # type: ignore[arg-type]
        if self.tell() > LARGEST:
            raise TooLarge(f"the vendor's file is larger than {LARGEST // 1_000_000} MB; look at it in its dashboard")
        return written


async def _flow(visit: Visit) -> tuple[Verification, Flow]:
    verification = await asyncio.to_thread(visit.service.ledger.find, visit.id)
    if verification is None:
        raise NotFound("there is no verification of that id")
    if verification.flow is None:
        raise NotFound("there is no flow at a vendor, or it was erased")
    return verification, verification.flow


async def _listed(visit: Visit, flow: Flow) -> list[Listed]:
    found = await visit.service.gateway.media(flow)
    return [Listed(sha256(one.id.encode()).hexdigest()[:24], one) for one in found]
