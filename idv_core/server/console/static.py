"""The files that pages load: one style sheet, one script of others (see static/NOTICE)."""

from __future__ import annotations

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from .web import HEADERS

_TYPES = {"console.css": "text/css", "htmx.min.js": "text/javascript"}


async def page(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _TYPES:
        return Response(status_code=404, headers=HEADERS)
    content = resources.files(__package__).joinpath("static", name).read_bytes()
    return Response(content, headers={**HEADERS, "cache-control": "public, max-age=300"}, media_type=_TYPES[name])
