"""Error answers that nobody can read, and what an adapter must make of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from ..errors import Refusal, VendorError
from ..plugin.http import Request, Response
from .clock import START

_SHAPES = (
    b'{"error": {"code": 5, "message": ["x"], "details": null}, "message": {"a": 1}, "errors": 3, "detail": [null, 1]}'
)

UNREADABLE: Mapping[str, bytes] = {
    "HTML": b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    "nothing": b"",
    "blanks": b" \n",
    "a list": b"[]",
    "a list of texts": b'["error"]',
    "null": b"null",
    "a text": b'"error"',
    "a number": b"7",
    "truncated JSON": _SHAPES[:30],
    "other shapes": _SHAPES,
    "an empty object": b"{}",
    "deep nesting": b'{"error": ' * 600 + b"1" + b"}" * 600,
    "Latin-1": '{"message": "señal"}'.encode("latin-1"),
    "UTF-16": json.dumps({"message": "no"}).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + _SHAPES,
    "gzip": gzip.compress(_SHAPES, mtime=0),
    "plain text": b"upstream connect error or disconnect/reset before headers",
}
"""Bodies by what they are."""


def assert_error_is_read(adapter: Any, request: Request, status: int, what: str) -> None:
    """`read_error` returns a Refusal; the error is that of the status unless it names another one of the tree."""
    response = Response(status=status, content=UNREADABLE[what], received_at=START)
    about = f"{request.method} {request.template} answered {status} with {what}"
    try:
        refusal = adapter.read_error(request, response)
    except Exception as error:
        pytest.fail(f"read_error raised {type(error).__name__}: {about}")
    assert isinstance(refusal, Refusal), f"read_error gave a {type(refusal).__name__}, not a Refusal: {about}"
    kind = refusal.kind
    assert kind is None or issubclass(kind, VendorError), f"Refusal.kind is no VendorError: {about}"
