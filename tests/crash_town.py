"""What stands around the workers of the crash tests and is not killed: the vendor and the platform, over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from books import Shop
from crash_worker import SECRET
from standardwebhooks import Webhook

from idv_core.testing import Served

_STDERR = None if os.environ.get("IDV_CRASH_VERBOSE") else subprocess.DEVNULL
WORKER = Path(__file__).with_name("crash_worker.py")


class VendorApp:
    """Acme over HTTP. It does its work at once and answers after up to `delay` seconds, so that kills fall between."""

    def __init__(self, delay: float = 0.0, seed: int = 1) -> None:
        self.shop = Shop()
        self.shop.status = "good"
        self._delay, self._random = delay, random.Random(seed)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = await _request(scope, receive)
        response = self.shop(request)
        await asyncio.sleep(self._random.uniform(0, self._delay))
        await _respond(send, response.status_code, response.content)


class PlatformApp:
    """The endpoint: who was told what, under which id."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.outcomes: dict[str, set[tuple[str, str]]] = {}
        self.forged = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = await _request(scope, receive)
        try:
            said = Webhook(SECRET.reveal()).verify(request.content, dict(request.headers))
        except Exception:
            self.forged += 1
            await _respond(send, 400, b"")
            return
        id = request.headers["webhook-id"]
        self.ids[id] += 1
        self.outcomes.setdefault(said["data"]["application_id"], set()).add((said["type"], id))
        await _respond(send, 204, b"")

    @property
    def repeated(self) -> int:
        return sum(self.ids.values()) - len(self.ids)


async def _request(scope: Any, receive: Any) -> httpx.Request:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    return httpx.Request(scope["method"], f"http://acme.example{scope['path']}", headers=headers, content=body)


async def _respond(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Around:
    """Both, on loopback ports, and workers for them."""

    def __init__(self, url: str, *, delay: float = 0.0, driver: str | None = None) -> None:
        self.url, self.driver = url, driver
        self.vendor, self.platform = VendorApp(delay), PlatformApp()
        self._served = [Served(self.vendor).start(), Served(self.platform).start()]
        self._forking: subprocess.Popen[str] | None = None

    def start(self, crash_at: str | None = None, **more: Any) -> subprocess.Popen[str]:
        """A worker. With `crash_at` it kills itself there."""
        return self._process(json.dumps(self._told(crash_at, more)))

    def run(self, crash_at: str | None = None, **more: Any) -> int:
        """A worker that ends when nothing is due any more, and its exit code."""
        if self._forking is None:
            self._forking = self._process()
        process = self._forking
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(self._told(crash_at, {"until_idle": True, **more})) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    def _told(self, crash_at: str | None, more: dict[str, Any]) -> dict[str, Any]:
        around = {"url": self.url, "vendor": self._served[0].url, "platform": self._served[1].url}
        return {**around, "driver": self.driver, "crash_at": crash_at, **more}

    def _process(self, *arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(WORKER.parent)}
        pipes = {} if arguments else {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen([sys.executable, str(WORKER), *arguments], env=env, text=True, stderr=_STDERR, **pipes)

    def stop(self) -> None:
        if self._forking is not None:
            assert self._forking.stdin is not None
            assert self._forking.stdout is not None
            self._forking.stdin.close()
            self._forking.wait()
            self._forking.stdout.close()
        for served in self._served:
            served.stop()
