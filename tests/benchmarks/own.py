"""Our own part of a call, on a transport that answers at once, against the least that any client does."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
from canned import canned

from benchmarks.answers import ANSWERS, SDK_SIZE, WEBHOOKS, accounts, verigram_flow
from benchmarks.measuring import Row, Table, interleaved, repeated
from idv_core import Gateway


def chapter() -> list[Table]:
    with canned(ANSWERS) as url:
        return [Table("Our own part of a call", own_part(url))]


class Null(httpx.BaseTransport):
    """Answers at once, with what a server would have said."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        length = str(len(body)).encode()
        self._headers = [(b"content-type", b"application/json"), (b"content-length", length)]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=self._headers, stream=httpx.ByteStream(self._body))


def floor(url: str, path: str) -> tuple[socket.socket, Callable[[], object]]:
    """A kept connection, one request written, head and body read by length, JSON: nothing checked, nothing bounded."""
    server = urlsplit(url)
    connection = socket.create_connection((str(server.hostname), int(server.port or 0)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET {path} HTTP/1.1\r\nhost: {server.netloc}\r\nx-key: key\r\naccept: application/json\r\n\r\n".encode()

    def call() -> object:
        connection.sendall(request)
        data = connection.recv(65536)
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        return json.loads(body)

    return connection, call


def own_part(url: str) -> list[Row]:
    flow, path = verigram_flow(SDK_SIZE), f"/flow/s{SDK_SIZE}/result"
    connection, call = floor(url, path)
    null = Null(ANSWERS[f"/flow/s{SDK_SIZE}/"])
    with connection, Gateway(accounts(url), webhooks=WEBHOOKS, transport=null) as idv:
        seen = interleaved({"ours": repeated(lambda: idv.result(flow)), "floor": repeated(call)}, 21)
    what = f"`Gateway.result` of {SDK_SIZE} B without a transport, against the floor (raw socket, minimal reader, JSON)"
    return [Row(f"{what}: CPU", seen["ours"].cpu, seen["floor"].cpu, "µs", 4)]
