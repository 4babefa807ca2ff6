"""Reads requests. What a proxy, or another reader, could take for something else is refused: RFC 9110, RFC 8259, RFC 7578."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import parse_http_list

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ..errors import InvalidOrder
from ..model import Document
from ..model.words import listed
from .problems import BadRequest, TooLarge, UnsupportedMediaType
from .wire import make_document

MAX_JSON = 1_000_000
"""The longest JSON, in bytes."""
MAX_FORM = 60_000_000
"""The longest form, in bytes."""
_MAX_NESTING = 64
_LONGEST_WAIT = 30
_NO_FIELD = frozenset[str]()
JSON, FORM = "application/json", "multipart/form-data"
_FILES = {"file": "content", "back": "back_content"}
_TEXTS = frozenset({"document_id", "type", "country", "kind"})


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750 section 2.1); None where there is none, or several."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() or None if scheme.lower() == "bearer" else None


def preferred_wait(request: Request) -> int:
    """The seconds of `Prefer: wait` (RFC 7240 section 4.3), 30 at most. 0 where there is none, or none that can be read: a
    preference is never an error."""
    for preference in parse_http_list(",".join(request.headers.getlist("prefer"))):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            # of several the first counts (section 2)
            seconds = value.strip().removeprefix('"').removesuffix('"')
            is_number = seconds.isascii() and seconds.isdecimal()
            return min(int(seconds[:9]), _LONGEST_WAIT) if is_number else 0
    return 0


def query_of(request: Request, known: frozenset[str] = _NO_FIELD) -> dict[str, str]:
    """The parameters of the query. Raises BadRequest for one that there is not, that occurs twice, or that is not UTF-8."""
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError:
        raise BadRequest("the query is not percent-encoded UTF-8, or has more than 50 parameters") from None
    read: dict[str, str] = {}
    for name, text in pairs:
        if name not in known:
            there = f" (there are: {listed(sorted(known))})" if known else ""
            raise BadRequest(f"the query has a parameter that this operation does not take{there}")
        if name in read:
            raise BadRequest(f"{name}: occurs twice")
        read[name] = text
    return read


def media_type(request: Request, *taken: str) -> str:
    """The content type, one of those that are taken. Raises UnsupportedMediaType."""
    coding = request.headers.get("content-encoding", "identity")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if coding.lower() != "identity":
        raise UnsupportedMediaType("send the body without compression", taken)
    if kind not in taken:
        raise UnsupportedMediaType(f"send the body with the header Content-Type: {' or '.join(taken)}", taken)
    return kind


async def read_body(request: Request) -> bytes:
    """A body of JSON. Raises TooLarge."""
    return b"".join([chunk async for chunk in _bounded(request, MAX_JSON)])


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise TooLarge(f"the body is larger than {most} bytes")
        yield chunk


def read_data(body: bytes) -> Any:
    """JSON as data. Raises BadRequest: not UTF-8, a name twice in one object, no finite number, nested too deep."""
    try:
        data = json.loads(body.decode(), object_pairs_hook=_each_once, parse_float=_finite, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadRequest(
            "the body is not JSON in UTF-8, or has a number that is too large, or an object in it has the same name twice"
        ) from None
    if body.count(b"[") + body.count(b"{") > _MAX_NESTING and _is_deep(data):
        raise BadRequest(f"the body is nested deeper than {_MAX_NESTING} levels")
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name occurs twice")
    return read


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number


def _no_number(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


def _is_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_MAX_NESTING):
        values = (value for one in level for value in (one.values() if isinstance(one, dict) else one))
        level = [value for value in values if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


class _InMemory(MultiPartParser):
    """Parts are never spooled to a file."""

    spool_max_size = MAX_FORM + 1


async def read_form(request: Request) -> tuple[Document, bytes]:
    """The document of a form, and what tells two such forms apart. Raises BadRequest, TooLarge, InvalidOrder."""
    stream = _bounded(request, MAX_FORM)
    try:
        form = await _InMemory(request.headers, stream, max_files=len(_FILES), max_fields=len(_TEXTS)).parse()
    # older releases of starlette hand on what its parser raises
    except (MultiPartException, FormParserError):
        raise BadRequest("the body is not multipart/form-data, or has too many parts") from None
    try:
        return await _document(form)
    finally:
        await form.close()


async def _document(form: FormData) -> tuple[Document, bytes]:
    given: dict[str, Any] = {}
    fingerprint = b""
    for name, value in form.multi_items():
        known = _FILES if isinstance(value, UploadFile) else _TEXTS
        if name not in known or name in given:
            raise InvalidOrder(
                "documents: the form has one file, and may have back (a file); it has one document_id, and may have type, "
                "country and kind (texts)",
                fields=("documents",),
            )
        content = await value.read() if isinstance(value, UploadFile) else value
        given[name] = content
        fingerprint += sha256(name.encode()).digest()
        fingerprint += sha256(content if isinstance(content, bytes) else content.encode()).digest()
    if not {"document_id", "file"} <= given.keys():
        raise InvalidOrder("documents: the form lacks document_id or file", fields=("documents",))
    return make_document(
        given.pop("document_id"), **{_FILES.get(name, name): value for name, value in given.items()}
    ), fingerprint
