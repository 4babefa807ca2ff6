"""Takes personal data and secrets out of a vendor's words before they reach an error, a log or a result.

A vendor's text may be as long as its answer, and some of what looks for harm takes its time: so a text is cut first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from ..errors import bounded
from ..model import Check, DocumentEvidence, FieldPair, Reason, Result
from ..model.copies import with_changed
from ..model.public import without_links
from ..plugin.http import Request

T = TypeVar("T")

_LOOKED_AT = 1000
_LONGEST_LABEL = 80
_MASK = "***"


def _with_digits(least: int) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        return _MASK if sum(char.isdigit() for char in found.group()) >= least else found.group()

    return replace


def _unless_readable(found: re.Match[str]) -> str:
    """A long run without a digit is shown if it is made of words: `signUpForm_validation_not_passed`."""
    text = found.group()
    words = _HUMP.findall(text)
    letters = sum(map(len, words))
    readable = words and max(map(len, words)) <= 20 and letters >= 4 * len(words)
    return text if readable and not any(map(str.isdigit, text)) else _MASK


_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
# each begins only where a run of its characters does, so that none is tried at every place of a long run
_PATTERNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]*://\S+", re.IGNORECASE), _MASK),
    (re.compile(r"(?<![^\s@])[^\s@]+\s{0,2}(?:@|[(\[]at[)\]])\s{0,2}[^\s@]+"), _MASK),
    (
        re.compile(
            rf"\b\d{{1,2}}\D{{0,5}}\b{_MONTH}\W{{1,3}}\d{{2,4}}\b|\b{_MONTH}\W{{1,3}}\d{{1,2}}\D{{1,5}}\d{{4}}\b", re.I
        ),
        _MASK,
    ),
    (re.compile(r"[+(]?\d(?:(?:[^\w*…]|_){0,4}\d){5,}"), _MASK),
    (re.compile(r"[A-Za-z0-9_\-+/=.]{20,}"), _unless_readable),
    (re.compile(r"\b\w{6,}\b"), _with_digits(3)),
)
_SHORTEST = 3
# all that `re.IGNORECASE` takes for a letter of ASCII besides that letter
_LIKE_ASCII = str.maketrans({"\u017f": "s", "\u212a": "k", "\u0130": "i", "\u0131": "i"})
# A word with a capital letter may be somebody's name, so only words known to be technical are shown.
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9_])[A-Z][\w'’-]*")
_NAME_WITHIN = re.compile(r"[-._:'][A-Z][a-z]")
_LONGEST_WORD = 79
_CODE = re.compile(r"[A-Za-z][A-Za-z_:.-]{0,78}\d{0,3}")
_ANY_WORD = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z][\w'’-]*")
# a word with another letter in it goes whole: of "Ángel" no "ngel" is left
_FOREIGN = re.compile(r"(?<![\w'’-])[\w'’-]*[^\x00-\x7f…]+[\w'’-]*|[^\x00-\x7f…]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NAME_FIELD = re.compile("name|nombre|apellid|father|mother|spouse|holder|known_as", re.IGNORECASE)
# the name of a field or of a step: snake_case, camelCase, with dots and indexes
_FIELD = re.compile(r"[a-z$][A-Za-z_]*\d{0,2}(?:(?:[.:/-]|\[\]|\[?\d{1,3}\]?)+[A-Za-z_]*\d{0,2})*")
# A word of a program: a step, a status, an option. Not "Meera", and nothing with a digit or a blank.
_IDENTIFIER = re.compile(r"[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+|[A-Za-z]+(?:[_-][A-Za-z]+)+")
_PERSONAL_NAME = re.compile(
    r"name|mail|phone|mobile|address|street|city|town|birth|dob|number|person|applicant|customer|user|first|last|given|family",
    re.IGNORECASE,
)
# What a document or a check is called: five words at most, with three digits at most.
_LABEL = re.compile(r"(?!(?:\D*\d){4})[\w()/&.,-]+(?::[\w()/&.,-]+)*(?: [\w()/&.,-]+){0,4}")
_WORDS = """
a abandoned accepted access account active address already an and api applicant approved arn at attempt attempts
authentication authorization authorized awaiting back bad base batch been being birth blocked blurry body but by call
webhook canceled cancelled cannot card caution check checks city claims clear client closed code completed conflict
consent consider consumer corrupt country created credentials customer cut dark data database date declined deleted
denied detected did differs document documents done dropped duplicate earlier email empty entity err error every
exception exists expired expiry face failed failure false family fake field fields file finished first flow for
forbidden format found front fraud from gateway given glare gone has have header hidden http id identity image in
incomplete incorrect input internal invalid is it item json key kyc last late length license licence limit limited
link list liveness log low malformed mandatory manual many mask match mature missing mismatch must name need needs
negative new no none not null number obscured of off on ongoing open operation or other outside page parameter
parameters part passed passport payload pending permission person phone photo picture please positive processing
product profile project proof quality quota rate received record records refused region rejected report request
requests required resource response result retry review root sandbox screen secret selfie server service session side
signature small spoof started state status step street submitted success successful suspected suspicious switched
system tampered task temporarily template terminated test than that the this throttling time timeout to token too
trace true type unable unauthorized unavailable unclear under unexpected unidentified unknown unprocessable unreadable
unrecognised unrecognized unsupported unverified update upload url used user valid validation value verification
verified verify version video wait waiting warning was webhook were with without wrong you your zip
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
    names = _names(personal)
    lowered = {name.lower() for name in names}
    texts = (*_sent(request.json, ""), *((name, value) for name, value in request.form if isinstance(value, str)))
    # a request may hold thousands, and few of them stand in the text
    plain = text.translate(_LIKE_ASCII).lower()
    sent = {
        (name, value)
        for name, value in texts
        if len(value) <= len(text) and (not value.isascii() or value.lower() in plain)
    }
    own = {value for name, value in sent if value.lower() not in lowered and _is_identifier(name, value)}
    values = names | ({value for _, value in sent} - own)
    for value in sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True):
        text = re.sub(re.escape(value), _MASK, text, flags=re.IGNORECASE)
    text = _LETTERS.sub(lambda word: _MASK if _folded(word.group()) in lowered else word.group(), text)
    return bounded(_harmless(text, own))


def redact_code(text: str | None, request: Request, personal: tuple[str, ...] = ()) -> str | None:
    """A code, or the name of a field, of an answer to `request`: an identifier stays, of a sentence only technical words."""
    shown = redact(text, request, personal)
    return shown and _code_of(shown)


def redact_id(text: str, request: Request, personal: tuple[str, ...] = ()) -> str:
    """An id of a call, without the applicant's texts, words that may be names, and what may be an Aadhaar number."""
    text = bounded(text, 80)
    for value in sorted(_names(personal), key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = re.sub(re.escape(value), _MASK, text, flags=re.IGNORECASE)
    if _UUID.search(text):
        return text
    text = re.sub(r"(?<![A-Za-z0-9])[A-Z][a-z]{2,}(?![A-Za-z0-9])", _known, text)
    return _FOREIGN.sub(_MASK, re.sub(r"(?<!\d)\d(?:[^\w*]{0,2}\d){11}(?!\d)", _MASK, text))


def redact_word(text: str) -> str:
    """A word of a vendor's that names a kind of event: a code stays, of a sentence only technical words do."""
    return _word(text)


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _code_of(shown: str) -> str:
    return shown if _FIELD.fullmatch(shown) or _is_code(shown) else bounded(_ANY_WORD.sub(_known, shown))


def _names(personal: Collection[str]) -> set[str]:
    """The texts, and their words: of `Jean-Luc O'Brien` also `Jean`, `Luc` and `Brien`, with and without accents."""
    words = {word for value in personal for word in (value, *value.split(), *_LETTERS.findall(value))}
    return words | {_folded(word) for word in words}


def _folded(word: str) -> str:
    """Lower case, without accents."""
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


def redact_check(check: Check, names: Collection[str] = ()) -> Check:
    """The check with the vendor's sentences shown as far as their words are known to be harmless.

    A reason or a vendor's word of one word (`ERR_NO_FACE_DETECTED`) is a code and stays; so does a vendor's name for the
    check, of a few words.
    """
    changed = {
        "vendor_name": check.vendor_name and _label(check.vendor_name),
        "reasons": tuple(_sentence(_without_names(reason, names)) for reason in check.reasons),
        "vendor_word": check.vendor_word and _word(_without_names(check.vendor_word, names)),
        "pair": check.pair and _redact_pair(check.pair),
    }
    return _changed(check, changed)


def redact_result(result: Result) -> Result:
    """The result with what a vendor may have written in its own words redacted: checks, types of documents, words, notes.

    Extracted fields and `raw` are data and stay; they are hidden in `repr`.
    """
    names = _names_in(result)
    word = result.vendor_word and _word(_without_names(result.vendor_word, names))
    own = _own_words(result.checks, word) if result.notes else ()
    changed = {
        "checks": tuple(redact_check(check, names) for check in result.checks),
        "documents": tuple(map(_redact_document, result.documents)),
        "vendor_word": word,
        "notes": tuple(_word(_without_names(note, names), own) for note in result.notes),
        "doubts": tuple(map(_redact_doubt, result.doubts)),
    }
    return _changed(result, changed)


def _own_words(checks: Collection[Check], word: str | None) -> set[str]:
    """A note may say again what the vendor's word is, or which check it is about."""
    named = [check.vendor_name for check in checks if check.vendor_name and _is_code(check.vendor_name)]
    return {part for text in named for part in re.split("[.:]", text)} | ({word} if word else set())


def _names_in(result: Result) -> frozenset[str]:
    """The words of the names that the result's own documents and cross-checks hold, folded."""
    found: list[str] = []
    for field in (*result.fields, *(field for document in result.documents for field in document.fields)):
        if _NAME_FIELD.search(field.name) or _NAME_FIELD.search(field.vendor_name):
            found += (text for _, text in _sent([field.value, field.vendor_text], ""))
    for check in result.checks:
        if check.pair is not None:
            sides = (
                (check.pair.source_field, check.pair.source_value),
                (check.pair.target_field, check.pair.target_value),
            )
            found += (value for name, value in sides if isinstance(value, str) and _NAME_FIELD.search(name))
    words = {
        _folded(word) for value in found for word in _LETTERS.findall(value[:_LOOKED_AT]) if len(word) >= _SHORTEST
    }
    return frozenset(words - _TECHNICAL)


def _without_names(text: str, names: Collection[str]) -> str:
    if not names:
        return text
    return _LETTERS.sub(lambda word: _MASK if _folded(word.group()) in names else word.group(), text[: _LOOKED_AT + 1])


def _redact_doubt(doubt: Reason) -> Reason:
    """The sentence is the plugin's own, so words with a capital letter stay."""
    changed = {
        "text": bounded(_without_patterns(_cut(doubt.text))),
        "check": doubt.check and _label(doubt.check),
        "document": doubt.document and _label(doubt.document),
    }
    return _changed(doubt, changed)


def _redact_document(document: DocumentEvidence) -> DocumentEvidence:
    return _changed(document, {"vendor_type": document.vendor_type and _label(document.vendor_type)})


def _redact_pair(pair: FieldPair) -> FieldPair:
    names = ("source_document", "source_field", "target_document", "target_field")
    return _changed(pair, {name: _label(getattr(pair, name)) for name in names})


def _changed(value: T, changed: dict[str, Any]) -> T:
    """The value itself where nothing changed: most answers hold codes only."""
    if all(getattr(value, name) == new for name, new in changed.items()):
        return value
    return with_changed(value, **changed)


def _sentence(text: str, own: Collection[str] = ()) -> str:
    return text if _is_code(text) else bounded(_harmless(_cut(text), own))


def _word(text: str, own: Collection[str] = ()) -> str:
    """A vendor's word, or a note about it: what is no code keeps technical words only, whether with capitals or without."""
    if _is_code(text) or text in own:
        return text
    shown = _harmless(_cut(text), own)
    return bounded(_ANY_WORD.sub(lambda word: word.group() if word.group() in own else _known(word), shown))


def _is_code(text: str) -> bool:
    """A word of a program. One with a capital letter and small ones may be a name: its parts must be technical."""
    if len(text) <= _LONGEST_WORD and text.isascii() and text.isalpha() and text.islower():
        return True
    return _CODE.fullmatch(text) is not None and (_is_unlike_a_name(text) or _are_technical(text))


def _is_unlike_a_name(text: str) -> bool:
    return (text[0].islower() and not _NAME_WITHIN.search(text)) or text == text.upper()


def _label(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) else _sentence(text)


def _cut(text: str) -> str:
    """What is looked at: the beginning on one line, without the word that the cut went through."""
    # characters without width would cut a name in two
    shown = unicodedata.normalize("NFC", text[:_LOOKED_AT])
    line = bounded("".join(char for char in shown if unicodedata.category(char) != "Cf"), _LOOKED_AT)
    if len(text) <= _LOOKED_AT:
        return line
    head, blank, _ = line.rpartition(" ")
    return f"{head} …" if blank else _MASK


def _without_patterns(text: str) -> str:
    text = without_links(text)
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
    """The word if it is technical. Of a constant (`ERR_NO_FACE`) one part must be, of any other (`Meera-Nair`) each."""
    text = word.group()
    constant = "_" in text and (text.isupper() or text.islower() or text[0].islower())
    return text if _are_technical(text, every=not constant) else _MASK


def _are_technical(text: str, every: bool = True) -> bool:
    words = [part.lower() for part in _HUMP.findall(text)]
    known = [word in _TECHNICAL for word in words]
    return all(known) if every else any(known)


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
