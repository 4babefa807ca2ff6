"""Takes personal data and secrets out of a vendor's words before they reach an error or a log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from ..errors import bounded
from ..model import Check
from ..wire import Request

_PATTERNS = (
    re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),
    re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    re.compile(r"\+?\d(?:[\s-]?\d){5,}"),
    re.compile(r"(?=[^\s\d]*\d)[A-Za-z0-9_\-+/=.]{20,}"),
    re.compile(r"\b(?=(?:\w*\d){3})\w{6,}\b"),
)
_SHORTEST = 3
# A word with a capital letter may be somebody's name, so only words known to be technical are shown.
_CAPITALISED = re.compile(r"\b[A-Z][\w'’-]*")
_CODE = re.compile(r"[A-Za-z][A-Za-z_:-]*(?:\d{0,3})")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_WORDS = """
a access account address already an and api applicant authentication authorization authorized bad base batch blurry body call
cannot client code conflict credentials data database denied did document duplicate email entity error exists face glare
expired expiry failed field file flow forbidden found gateway gone header http id image internal invalid is it json key
length limit link malformed method missing must need needs no not of on outside or page parameter parameters payload
permission person phone please product project quota rate record request requests required resource response secret
server service session signature status step template temporarily the this timeout token too type unable
unauthorized unavailable unexpected unknown unprocessable unreadable unrecognised unsupported upload url user validation value
version with wrong you your
"""
_TECHNICAL = frozenset(_WORDS.split())


def redact(text: str | None, request: Request, personal: tuple[str, ...] = ()) -> str | None:
    """`text` bounded, without addresses, mail, long numbers, token-like words, values that we sent, or `personal` texts."""
    if not text:
        return None
    sent = [value for _, value in request.form if isinstance(value, str)]
    values = {*_values(request.json), *sent, *(word for value in personal for word in (value, *value.split()))}
    for value in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(re.escape(value), "***", text, flags=re.IGNORECASE)
    return bounded(_harmless(text))


def redact_check(check: Check) -> Check:
    """The check with reasons in which a vendor's sentences are shown as far as their words are known to be harmless.

    A reason of one word (`ERR_NO_FACE_DETECTED`) is a code and stays.
    """
    if not check.reasons:
        return check
    reasons = tuple(reason if _CODE.fullmatch(reason) else bounded(_harmless(reason)) for reason in check.reasons)
    return check if reasons == check.reasons else attrs.evolve(check, reasons=reasons)


def _harmless(text: str) -> str:
    for pattern in _PATTERNS:
        text = pattern.sub("***", text)
    return _FOREIGN.sub("***", _CAPITALISED.sub(_known, text))


def _known(word: re.Match[str]) -> str:
    text = word.group()
    return text if "_" in text or text.lower() in _TECHNICAL or _is_camel_case(text) else "***"


def _is_camel_case(text: str) -> bool:
    """A code such as MissingParameter: capitals inside, but not only."""
    return any(char.isupper() for char in text[1:]) and any(char.islower() for char in text)


def _values(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for value in data.values():
            yield from _values(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from _values(value)
    elif isinstance(data, str) and len(data) <= 500:
        yield data
