"""Pictures and the report of a registration (fact sheet sections 3.3.6, 3.6.2, 3.6.6 and 3.7).

A picture's address does not live long, so a `Media` names the picture, and its address is asked for when it is fetched.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import Exchange, Flow, FlowNotFound, Media, MediaKind, Request, Secret, UnexpectedResponse

from . import mapping
from .documents import id_of_ours, type_of
from .facts import is_foreign
from .payloads import read_id, read_object, reference_id
from .registrations import Registrations, path_id
from .words import as_object

REPORT = "report"
_PDF = "application/pdf"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# what stores of files say of an address whose signature has ended, or of a file that is gone
_REFUSED = frozenset({400, 403, 404, 410})


@attrs.frozen(kw_only=True)
class Picture:
    """A picture by what Verifik gives of it: the content, an address, or the id of a stored picture."""

    kind: MediaKind
    told: Any = attrs.field(repr=False)
    document: str | None = None


@attrs.frozen
class Pictures:
    """What there is, and each of it."""

    registrations: Registrations

    def list(self, flow: Flow) -> Exchange[tuple[Media, ...]]:
        registration = yield from self.registrations.retrieve(flow)
        found = [
            Media(id=name, kind=picture.kind, document=picture.document)
            for name, picture in _pictures(registration, flow).items()
        ]
        if mapping.read_status(registration.get("status")).is_settled:
            found.append(Media(id=REPORT, kind=MediaKind.REPORT, content_type=_PDF))
        return tuple(found)

    def download(self, flow: Flow, media: Media) -> Exchange[bytes | None]:
        """Raises FlowNotFound for what the registration does not have."""
        if media.id == REPORT:
            yield from _report(flow)
            return None
        registration = yield from self.registrations.retrieve(flow)
        picture = _pictures(registration, flow).get(media.id)
        if picture is None:
            raise FlowNotFound(
                "Verifik has no such picture of this registration: take one of those that media(flow) lists"
            )
        told = picture.told
        id = reference_id(told)
        if id is not None and _content(told) is None and _address(told) is None:
            told = yield from _stored(id)
        content, address = _content(told), _address(told)
        if content:
            return _decoded(content)
        if address is None:
            raise FlowNotFound("Verifik names this picture and gives neither its content nor its address")
        reply = yield Request.fetch(address, streamed=True, accept=_REFUSED)
        if not reply.is_success:
            raise FlowNotFound(
                "Verifik's own address of this picture leads to nothing: it is gone, or its time is over"
            )
        return None


def _pictures(registration: Mapping[str, Any], flow: Flow) -> dict[str, Picture]:
    """What is deleted, or of another registration, is left out."""
    document, selfie = (_own(registration, f"{kind}Validation") for kind in ("document", "biometric"))
    id = id_of_ours(flow, "document_validation", document) or type_of(document)
    found = {
        "front": Picture(kind=MediaKind.DOCUMENT_FRONT, told=document.get("url"), document=id),
        "back": Picture(kind=MediaKind.DOCUMENT_BACK, told=document.get("backUrl"), document=id),
        "portrait": Picture(kind=MediaKind.PORTRAIT, told=registration.get("documentFace"), document=id),
        "selfie": Picture(kind=MediaKind.SELFIE, told=next(_selfies(registration, selfie), None)),
    }
    return {name: picture for name, picture in found.items() if _is_there(picture.told)}


def _selfies(registration: Mapping[str, Any], selfie: Mapping[str, Any]) -> Iterator[Any]:
    yield from (told for told in (registration.get("face"), selfie.get("face"), selfie.get("url")) if _is_there(told))


def _own(registration: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = as_object(registration.get(name))
    is_own = part.get("deleted") in (None, False) and not is_foreign(part, read_id(registration))
    return part if is_own else {}


def _is_there(told: Any) -> bool:
    return bool(_address(told) or _content(told) or _ID.fullmatch(reference_id(told) or ""))


def _address(told: Any) -> Secret | None:
    address = told.get("url") if isinstance(told, dict) else told
    if isinstance(address, str) and address.lower().startswith(("https://", "http://")):
        return Secret(address)
    return None


def _content(told: Any) -> str | None:
    if isinstance(told, str):
        return told if told.startswith("data:") else None
    content = told.get("base64") if isinstance(told, dict) else None
    return content if isinstance(content, str) and content else None


def _stored(id: str) -> Exchange[dict[str, Any]]:
    reply = yield Request.get("/v2/identity-images/{}", id)
    image = read_object(reply)
    if reference_id(image) not in (None, id):
        raise UnexpectedResponse("the answer is another picture", status=reply.status)
    return image


def _decoded(text: str) -> bytes:
    """Plain base64, or a data URI (section 1.5)."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except ValueError:
        raise UnexpectedResponse("the picture that Verifik gives is no base64") from None


def _report(flow: Flow) -> Exchange[None]:
    """The vendor's report. That the answer is the PDF itself is assumed (section 3.3.6)."""
    asked = {"json": {"language": "en"}, "streamed": True, "idempotent": True}
    reply = yield Request.post("/v2/app-registrations/{}/export-cv", path_id(flow), **asked)
    if "json" in reply.headers.get("content-type", "").lower():
        raise UnexpectedResponse("Verifik answered with JSON in place of the report", status=reply.status)
