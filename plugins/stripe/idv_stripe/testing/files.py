"""The emulator's files: pictures that applicants handed in, and the short-lived links to them (docs.stripe.com/api/files)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import attrs

from idv_core.testing import EmulatedRequest, EmulatedResponse, Handler, HasNow, Refused

_FILES = "/v1/files"
# Of pictures of documents and faces (docs.stripe.com/identity/access-verification-results), in seconds.
_LINK_LIFE = 30
_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}


@attrs.frozen(kw_only=True)
class EmulatedFile:
    """A picture that the applicant handed in."""

    id: str
    session_id: str
    purpose: str
    created: int
    content: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class EmulatedLink:
    """A link to the content of a file."""

    file: EmulatedFile
    expires_at: int


class Files:
    """All files of the account, and the links to them. Only a restricted key may read them."""

    def __init__(self, clock: HasNow, api_key: str) -> None:
        self.clock = clock
        self.api_key = api_key
        self.kept: dict[str, EmulatedFile] = {}
        self.links: dict[str, EmulatedLink] = {}

    def routes(self, authenticated: Callable[[EmulatedRequest], None]) -> list[tuple[str, str, Handler]]:
        def signed(handler: Handler) -> Handler:
            def checked(call: EmulatedRequest) -> EmulatedResponse:
                authenticated(call)
                if not self.api_key.startswith("rk_"):
                    raise error(403, "This key may not read files of Identity.")
                return handler(call)

            return checked

        return [
            ("GET", _FILES + "/{id}", signed(self._retrieve)),
            ("POST", "/v1/file_links", signed(self._create_link)),
            ("GET", "/links/{token}", self._open_link),
        ]

    def keep(self, session_id: str, name: str, content: bytes) -> str:
        """The id of a picture, as a file."""
        file = EmulatedFile(
            id=f"file_{secrets.token_hex(12)}",
            session_id=session_id,
            purpose="selfie" if name == "selfie" else "identity_document_downloadable",
            created=self._now(),
            content=content,
        )
        self.kept[file.id] = file
        return file.id

    def drop(self, session_id: str) -> None:
        """The files of a session that is redacted."""
        self.kept = {id: file for id, file in self.kept.items() if file.session_id != session_id}

    def _retrieve(self, call: EmulatedRequest) -> EmulatedResponse:
        file = self._one(call.params["id"], "id")
        return EmulatedResponse(
            200,
            {
                "id": file.id,
                "object": "file",
                "created": file.created,
                "expires_at": None,
                "filename": "picture.png",
                "links": {"object": "list", "data": [], "has_more": False, "url": f"/v1/file_links?file={file.id}"},
                "purpose": file.purpose,
                "size": len(file.content),
                "title": None,
                "type": "png",
                "url": f"{call.base_url}{_FILES}/{file.id}/contents",
            },
        )

    def _create_link(self, call: EmulatedRequest) -> EmulatedResponse:
        file = self._one(str(call.form.get("file")), "file")
        now, ends = self._now(), str(call.form.get("expires_at", ""))
        if not ends.isdigit() or not now < int(ends) <= now + _LINK_LIFE:
            raise error(400, "File links for this file must expire within 30 seconds.", param="expires_at")
        token = secrets.token_urlsafe(24)
        self.links[token] = EmulatedLink(file=file, expires_at=int(ends))
        return EmulatedResponse(
            200,
            {
                "id": f"link_{secrets.token_hex(12)}",
                "object": "file_link",
                "created": now,
                "expired": False,
                "expires_at": int(ends),
                "file": file.id,
                "livemode": "_live_" in self.api_key,
                "metadata": {},
                "url": f"{call.base_url}/links/{token}",
            },
        )

    def _open_link(self, call: EmulatedRequest) -> EmulatedResponse:
        """No key is wanted here: the address is the secret."""
        link = self.links.get(call.params["token"])
        if link is None or link.expires_at <= self._now() or link.file.id not in self.kept:
            raise error(404, "This link is not valid.")
        return EmulatedResponse(200, content=link.file.content, type="image/png")

    def _one(self, id: str, param: str) -> EmulatedFile:
        if id not in self.kept:
            raise error(404, "No such file", code="resource_missing", param=param)
        return self.kept[id]

    def _now(self) -> int:
        return int(self.clock.now().timestamp())


def error(status: int, message: str, **more: str) -> Refused:
    told = {"type": _TYPES.get(status, "api_error"), "message": message, **more}
    return Refused(EmulatedResponse(status, {"error": told}, headers={"Request-Id": f"req_{secrets.token_hex(6)}"}))
