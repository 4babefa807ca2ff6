"""An emulator behind an httpx transport without ASGI and without an event loop: for tests that make very many calls."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from .emulator import Emulator


class DirectTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Both kinds of transport. `emulators` maps hosts to emulators; an unknown host cannot be reached. No forms."""

    def __init__(self, emulators: Mapping[str, Emulator]) -> None:
        self._emulators = dict(emulators)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        emulator = self._emulators.get(request.url.netloc.decode())
        if emulator is None:
            raise httpx.ConnectError(f"no such host: {request.url.host}")
        headers = {name.lower(): value for name, value in request.headers.items()}
        base_url = f"{request.url.scheme}://{request.url.netloc.decode()}"
        status, answered, content = emulator.respond(
            request.method, request.url.raw_path.decode(), headers, request.read(), base_url
        )
        return httpx.Response(status, headers=answered, stream=httpx.ByteStream(content))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)
