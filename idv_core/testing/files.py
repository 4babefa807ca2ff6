"""A shelf of files behind unguessable addresses, for vendors that fetch documents by URL."""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class FileServer:
    """Put a file on it and get the path under which `app` serves it."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self.app = Starlette(routes=[Route("/files/{name}", self._serve)])

    def put(self, content: bytes) -> str:
        name = secrets.token_urlsafe(18)
        self._files[name] = content
        return f"/files/{name}"

    async def _serve(self, request: Request) -> Response:
        content = self._files.get(request.path_params["name"])
        return Response(content, media_type="image/png") if content is not None else Response(status_code=404)
