"""Memory that a large upload and a large download take: an emulator here, the gateway in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acme_whole import ACCOUNT, WHOLE

from idv_core import AsyncGateway, Flow, Gateway, Secret
from idv_core.config import Account
from idv_core.engine.account import Limits
from idv_core.model import Document, Media
from idv_core.registry import registry_of
from idv_core.testing import EmulatedRequest, EmulatedResponse, Emulator, serve
from idv_core.transports.fast import FastTransport

SIZE = 50_000_000
KINDS = ("Gateway", "Gateway fast", "AsyncGateway")
_SMALL = 100_000


class Storage(Emulator):
    """Takes a file of a flow and gives it back; keeps one."""

    def __init__(self) -> None:
        super().__init__(self)
        self.sizes: list[int] = []
        self.content = b""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def routes(self) -> list[Any]:
        return [
            ("POST", "/token", lambda call: EmulatedResponse(200, {"token": "t-1"})),
            ("PUT", "/flows/{id}/files", self._put),
            ("GET", "/media/{id}", lambda call: EmulatedResponse(200, content=self.content, type="video/mp4")),
        ]

    def _put(self, call: EmulatedRequest) -> EmulatedResponse:
        file = call.form["file"]
        assert isinstance(file, bytes)
        self.content = file
        self.sizes.append(len(file))
        return EmulatedResponse(200, {})


def measured() -> dict[str, int]:
    """Bytes by which the process of a gateway grew at most, by gateway and direction, in an upload and a download of 50 MB."""
    storage = Storage()
    with serve(storage.app) as running:
        found: dict[str, int] = {}
        for kind in KINDS:
            command = [sys.executable, __file__, running.url, kind]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found |= json.loads(out)
            assert storage.sizes == [_SMALL, SIZE]
            storage.sizes.clear()
    return found


def _peak() -> int:
    """The most memory that was resident since `_reset`, in bytes. (ru_maxrss begins with the parent's.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _reset() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def _run(url: str, kind: str) -> dict[str, int]:
    account = Account(
        "whole-1",
        "whole",
        {**ACCOUNT.settings, "base_url": url, "key": Secret("k")},
        limits=Limits(max_upload=2 * SIZE),
    )
    make: Any = AsyncGateway if kind == "AsyncGateway" else Gateway
    transport = FastTransport() if "fast" in kind else None
    idv = make([account], registry=registry_of(WHOLE), transport=transport)
    flow = Flow(id="f-1", account="whole-1", status="open")
    grown: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        for size in (_SMALL, SIZE):
            with source.open("wb") as file:
                for _ in range(size // _SMALL):
                    file.write(b"0123456789" * (_SMALL // 10))
            for what in ("upload", "download"):
                _reset()
                before = _peak()
                if what == "upload":
                    done = idv.upload(flow, [Document("video", path=source)])
                else:
                    done = idv.download(flow, Media(id="m-1", kind="video"), target)
                if kind == "AsyncGateway":
                    await done
                grown[f"{kind}, {what}"] = _peak() - before
            assert target.stat().st_size == source.stat().st_size == size
    return grown


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(*sys.argv[1:]))))
