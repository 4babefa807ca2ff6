"""Takes personal data and secrets out of a vendor's words before they reach an error, a log or a result.

A vendor's text may be as long as its answer, and some of what looks for harm takes its time: so a text is cut first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

import attrs

from ..errors import bounded
from ..model import Check, DocumentEvidence, FieldPair, Reason, Result
from ..wire import Request

T = TypeVar("T")

_LOOKED_AT = 1000
_LONGEST_LABEL = 80
_MASK = "***"


def _with_digits(least: int) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        return _MASK if sum(char.isdigit() for char in found.group()) >= least else found.group()

    return replace


# each begins only where a run of its characters does, so that none is tried at every place of a long run
_PATTERNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]*://\S+", re.IGNORECASE), _MASK),
    (re.compile(r"(?<![^\s@])[^\s@]+@[^\s@]+"), _MASK),
    (re.compile(r"\+?\d(?:[\s./-]?\d){5,}"), _MASK),
    (re.compile(r"[A-Za-z0-9_\-+/=.]{20,}"), _with_digits(1)),
    (re.compile(r"\b\w{6,}\b"), _with_digits(3)),
)
_SHORTEST = 3
# A word with a capital letter may be somebody's name, so only words known to be technical are shown.
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9_])[A-Z][\w'’-]*")
_CODE = re.compile(r"[A-Za-z][A-Za-z_:-]{0,78}\d{0,3}")
_FOREIGN = re.compile(r"[^\x00-\x7f…]+")
# A word of a program: a step, a status, an option. Not "Meera", and nothing with a digit or a blank.
_IDENTIFIER = re.compile(r"[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+|[A-Za-z]+(?:[_-][A-Za-z]+)+")
_PERSONAL_NAME = re.compile(
    r"name|mail|phone|mobile|address|street|city|town|birth|dob|number|person|applicant|customer|user|first|last|given|family",
    re.IGNORECASE,
)
# What a document or a check is called: five words at most, with three digits at most.
_LABEL = re.compile(r"(?!(?:\D*\d){4})[\w()/&.,-]+(?::[\w()/&.,-]+)*(?: [\w()/&.,-]+){0,4}")
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
    """`text` bounded, without addresses, mail, long numbers, token-like words, values that we sent, or `personal` texts.

    A word of a program that we sent (`signUpForm`, `ONGOING`) stays, unless it was sent under a name that speaks of a
    person: it says which step or option was refused.
    """
    if not text:
        return None
    text = _cut(text)
    names = {word for value in personal for word in (value, *value.split())}
    lowered = {name.lower() for name in names}
    sent = {*_sent(request.json, ""), *((name, value) for name, value in request.form if isinstance(value, str))}
    own = {value for name, value in sent if value.lower() not in lowered and _is_identifier(name, value)}
    values = names | ({value for _, value in sent} - own)
    for value in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(re.escape(value), _MASK, text, flags=re.IGNORECASE)
    return bounded(_harmless(text, own))


def redact_check(check: Check) -> Check:
    """The check with the vendor's sentences shown as far as their words are known to be harmless.

    A reason or a vendor's word of one word (`ERR_NO_FACE_DETECTED`) is a code and stays; so do names of a few words.
    """
    changed = {
        "name": _label(check.name),
        "reasons": tuple(map(_sentence, check.reasons)),
        "vendor_word": check.vendor_word and _sentence(check.vendor_word),
        "pair": check.pair and _redact_pair(check.pair),
    }
    return _changed(check, changed)


def redact_result(result: Result) -> Result:
    """The result with what a vendor may have written in its own words redacted: checks, document types, words and notes.

    Extracted fields and `raw` are data and stay; they are dark in `repr`.
    """
    word = result.vendor_word and _sentence(result.vendor_word)
    changed = {
        "checks": tuple(map(redact_check, result.checks)),
        "documents": tuple(map(_redact_document, result.documents)),
        "vendor_word": word,
        # a note may say again what the vendor's word is
        "notes": tuple(_sentence(note, (word,) if word else ()) for note in result.notes),
        "doubts": tuple(map(_redact_doubt, result.doubts)),
    }
    return _changed(result, changed)


def _redact_doubt(doubt: Reason) -> Reason:
    """The sentence is the plugin's own, so words with a capital letter stay."""
    changed = {
        "text": bounded(_without_patterns(_cut(doubt.text))),
        "check": doubt.check and _label(doubt.check),
        "document": doubt.document and _label(doubt.document),
    }
    return _changed(doubt, changed)


def _redact_document(document: DocumentEvidence) -> DocumentEvidence:
    return _changed(document, {"type": document.type and _label(document.type)})


def _redact_pair(pair: FieldPair) -> FieldPair:
    names = ("source_document", "source_field", "target_document", "target_field")
    return _changed(pair, {name: _label(getattr(pair, name)) for name in names})


def _changed(value: T, changed: dict[str, Any]) -> T:
    """The value itself where nothing changed: most answers hold codes only."""
    if all(getattr(value, name) == new for name, new in changed.items()):
        return value
    made: T = attrs.evolve(value, **changed)  # type: ignore[misc]
    return made


def _sentence(text: str, own: Collection[str] = ()) -> str:
    return text if _CODE.fullmatch(text) else bounded(_harmless(_cut(text), own))


def _label(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) else _sentence(text)


def _cut(text: str) -> str:
    """What is looked at: the beginning on one line, without the word that the cut went through."""
    line = bounded(text[:_LOOKED_AT], _LOOKED_AT)
    if len(text) <= _LOOKED_AT:
        return line
    head, blank, _ = line.rpartition(" ")
    return f"{head} …" if blank else _MASK


def _without_patterns(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _harmless(text: str, own: Collection[str] = ()) -> str:
    text = _without_patterns(text)
    shown = _CAPITALISED.sub(lambda word: word.group() if word.group() in own else _known(word), text)
    return _FOREIGN.sub(_MASK, shown)


def _is_identifier(name: str, value: str) -> bool:
    return len(value) <= 40 and _IDENTIFIER.fullmatch(value) is not None and not _PERSONAL_NAME.search(name)


def _known(word: re.Match[str]) -> str:
    text = word.group()
    return text if "_" in text or text.lower() in _TECHNICAL or _is_camel_case(text) else _MASK


def _is_camel_case(text: str) -> bool:
    """A code such as MissingParameter: capitals inside, but not only."""
    return any(char.isupper() for char in text[1:]) and any(char.islower() for char in text)


def _sent(data: Any, name: str) -> Iterator[tuple[str, str]]:
    """The texts of a body, each with the name that it stands under; long ones (pictures) come back in nobody's words."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _sent(value, str(key))
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from _sent(value, name)
    elif isinstance(data, str) and len(data) <= 500:
        yield name, data
