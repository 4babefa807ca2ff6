"""An ASGI app behind an httpx transport (no socket), and the same app behind a loopback port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import httpx
import uvicorn

# How often a served emulator looks whether something is due, in seconds.
_TICK = 0.05


class AsgiTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Both kinds of transport, in process. `apps` maps `host` or `host:port` to an app; an unknown host cannot be reached."""

    def __init__(self, apps: Mapping[str, Any]) -> None:
        self._apps: dict[str, httpx.AsyncBaseTransport] = {}
        for host, app in apps.items():
            self.add(host, app)

    def add(self, host: str, app: Any) -> None:
        """One more host."""
        self._apps[host] = httpx.ASGITransport(app)

    def add_wsgi(self, host: str, app: Any) -> None:
        """One more host, with a WSGI app."""
        self._apps[host] = _Wsgi(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> tuple[httpx.Response, bytes]:
            response = await self.handle_async_request(request)
            return response, await response.aread()

        response, content = _run(call())
        return httpx.Response(response.status_code, headers=_unencoded(response.headers), content=content)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self._apps.get(request.url.netloc.decode())
        if app is None:
            raise httpx.ConnectError(f"no such host: {request.url.host}")
        return await app.handle_async_request(request)

    def client(self) -> httpx.Client:
        """A client through this transport, as an emulator needs it to call out."""
        return httpx.Client(transport=self, timeout=5)


class _Wsgi(httpx.AsyncBaseTransport):
    """A WSGI app as an async transport. It runs in a thread of its own: such apps may refuse to run where a loop does."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.WSGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await asyncio.to_thread(self._answer, request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        content = response.read()
        response.close()
        return httpx.Response(response.status_code, headers=_unencoded(response.headers), content=content)


def _run(coroutine: Any) -> Any:
    """Run on a loop of its own, also where another loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    answer: list[Any] = []
    thread = threading.Thread(target=lambda: answer.append(asyncio.run(coroutine)))
    thread.start()
    thread.join()
    return answer[0]


def _unencoded(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "content-length")}


class Served:
    """An app that listens on a loopback port (0: a free one) until `stop()`. Raises OSError where the port is busy."""

    def __init__(
        self,
        app: Any,
        tick: Callable[[], object] | None = None,
        port: int = 0,
        *,
        lifespan: Literal["on", "off"] = "off",
    ) -> None:
        # with the protocol named, asyncio turns Nagle off on accepted connections
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                lifespan=lifespan,
                timeout_graceful_shutdown=1,
                # an emulator's own clock dates its answers
                date_header=False,
            )
        )
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)]
        if tick is not None:
            self._threads.append(threading.Thread(target=self._keep_ticking, args=(tick,), daemon=True))

    def start(self) -> Served:
        for thread in self._threads:
            thread.start()
        while not self._server.started:
            if not self._threads[0].is_alive():
                raise RuntimeError("the server did not start")
            self._stopped.wait(0.005)
        return self

    def stop(self) -> None:
        """Stop listening and close all connections."""
        self._stopped.set()
        self._server.should_exit = True
        for thread in self._threads:
            thread.join(timeout=5)
        self._socket.close()

    def _keep_ticking(self, tick: Callable[[], object]) -> None:
        while not self._stopped.wait(_TICK):
            tick()


@contextmanager
def serve(app: Any, tick: Callable[[], object] | None = None, port: int = 0) -> Iterator[Served]:
    """Serve an app on a loopback port while inside."""
    served = Served(app, tick, port).start()
    try:
        yield served
    finally:
        served.stop()
