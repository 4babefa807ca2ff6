"""A server in a process of its own that answers at once with what it was given: the other side of the benchmarks."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class _Answering(asyncio.Protocol):
    answers: Mapping[str, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, _, rest = self._waiting.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if len(rest) < length:
                return
            self._waiting = rest[length:]
            path = head.split(b" ", 2)[1].decode().partition("?")[0]
            answer = next((body for start, body in self.answers.items() if path.startswith(start)), b"{}")
            lines = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
            self._transport.write(lines + answer)  # type: ignore[attr-defined]


def _serve(listener: socket.socket, answers: Mapping[str, bytes], tls: ssl.SSLContext | None) -> None:
    async def run() -> None:
        protocol = type("Answering", (_Answering,), {"answers": answers})
        server = await asyncio.get_running_loop().create_server(protocol, sock=listener, backlog=1000, ssl=tls)
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def canned(answers: Mapping[str, bytes], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The base URL of a server that answers paths by what they start with."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, answers, tls), daemon=True)
    process.start()
    try:
        port = listener.getsockname()[1]
        yield f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
    finally:
        process.kill()
        process.join()
        listener.close()
