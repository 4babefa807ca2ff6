"""What a document says of itself, told by the meaning of the keys: their spelling depends on the document (section 3.6.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from idv_core.dates import document_dates

# Names without case, accents, blanks and punctuation, in English, Spanish and Portuguese.
_EXPIRY = re.compile(
    r"expir|caduc|venc(?:im|e|to|$)|validade|vigencia|vigentehasta|goodthru|goodthrough|"
    r"exp(?:date|dt|day)|date?of?exp(?!ed)|^exp$|^doe$|^until$|^enddate$|^dateend$|"
    r"valid(?:ity)?(?:until|till|thru|through|upto|date)|valid[oa](?:hasta|ate)|valid(?:ity)?(?:to|end|ends)(?:date|on)?$|"
    r"(?:end|fin)(?:date|of|de)*(?:validity|validez)|validityperiod|(?:period|date)of?validity|^validity$|period(?:end|to|until)"
)
_ISSUE = re.compile(r"issu|expedi|emision|emitid|emissao|^doi$|validfrom|validodesde")
# An authority or a place that issued it is no date.
_DATE = re.compile(r"date|data|fecha|day|issuedon|issuedat|issueon|^issued?$|^doi$|from$|desde$")
_NOUNS = frozenset({"expedicion", "expedition", "emision", "emissao", "issuance"})
_BEGINS = frozenset({"from", "start", "begin", "since", "desde", "inicio"})
_ENDS = frozenset({"to", "until", "end", "hasta"})
_NO_DATE = re.compile(r"(?:confidence|score|probability|accuracy|confianza)$")
_ERROR = re.compile(r"error|fail|reject|rechaz")
_COUNTED = re.compile(r"attempt|count|limit|rate")
_NOTHING = frozenset({"", "0", "false", "n/a", "no", "no error", "none", "null", "ok", "success"})
_NAMED = ("name", "key", "field", "fieldName", "label", "type")
_SAID = ("raw", "text", "content", "value", "date", "normalized")
_EMPTY: tuple[Any, ...] = (None, "", False, [], {})
# Parts of a document validation that hold what was read; the rest is about the record.
_READ = ("documentData", "OCRExtraction", "ocrResults", "scoreValidation", "validationResults")
_REFERENCES = frozenset({"appRegistration", "client", "project", "projectFlow", "template"})


def printed_dates(document: Mapping[str, Any]) -> dict[str, Any]:
    """`issued_on`, `expires_on` and `unread` for a `DocumentEvidence`, from every place where a date of that meaning is."""
    places = [document.get(name) for name in _READ]
    # `expiresAt` of a record is the end of a link or a code
    places.append({key: value for key, value in document.items() if key not in (*_READ, *_REFERENCES, "expiresAt")})
    return document_dates(
        issued=[value for place in places for value in _values(place, _is_issue_date)],
        expires=[value for place in places for value in _values(place, _is_expiry)],
    )


def error_words(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the keys that tell of an error, whatever their spelling and whatever stands there, unless it is nothing."""
    return tuple(dict.fromkeys(_errors({key: value for key, value in data.items() if key not in _REFERENCES})))


def _errors(data: Any) -> Iterator[str]:
    if isinstance(data, list):
        for item in data:
            yield from _errors(item)
    if isinstance(data, Mapping):
        for key, value in data.items():
            plain = _plain(key)
            if _ERROR.search(plain) and not _COUNTED.search(plain):
                if _is_something(value):
                    yield key[:40]
            else:
                yield from _errors(value)


def _is_something(value: Any) -> bool:
    if isinstance(value, (list, Mapping)):
        return any(map(_is_something, value.values() if isinstance(value, Mapping) else value))
    return value not in (None, False, 0) and str(value).strip().lower() not in _NOTHING


def _is_expiry(name: str, _: Any = None) -> bool:
    plain = _plain(name)
    return bool(_EXPIRY.search(plain)) and not _NO_DATE.search(plain) and plain not in _BEGINS


def _is_issue_date(name: str, value: Any) -> bool:
    plain = _plain(name)
    if _NO_DATE.search(plain) or _is_expiry(name):
        return False
    if plain in _NOUNS:
        # on Colombian documents the place stands beside the date
        return any(char.isdigit() for char in str(value))
    return bool(_ISSUE.search(plain) and _DATE.search(plain))


def _values(data: Any, is_meant: Callable[[str, Any], bool], above: str = "") -> Iterator[Any]:
    """The values under the keys that are meant, also where a list names its fields: `{"name": ..., "value": ...}`."""
    if isinstance(data, list):
        for item in data:
            yield from _values(item, is_meant, above)
    if not isinstance(data, Mapping):
        return
    said = next((data[key] for key in _SAID if key in data), None)
    if said is not None and any(isinstance(data.get(key), str) and is_meant(data[key], said) for key in _NAMED):
        yield from _said(data)
        return
    for key, value in data.items():
        # `{"validity": {"to": ...}}` is the same as `validityTo`
        if (is_meant(key, value) or (_plain(key) in _ENDS and is_meant(above + key, value))) and not _is_span(value):
            if not (value is False and "expired" in _plain(key)):
                yield from _said(value)
        else:
            yield from _values(value, is_meant, key)


def _is_span(value: Any) -> bool:
    """Whether it is a group in which further names tell beginning and end apart."""
    return isinstance(value, Mapping) and not _BEGINS.union(_ENDS).isdisjoint(map(_plain, value))


def _said(value: Any) -> Iterator[Any]:
    """What stands under such a key: itself, each item of a list, or the value among what a reader says of it."""
    if isinstance(value, list):
        if not value:
            yield value
        for item in value:
            yield from _said(item)
    elif isinstance(value, Mapping) and not {"year", "month", "day"} <= set(value):
        said = [value[key] for key in _SAID if key in value]
        if said:
            # of a text and what it was read as, the latter
            yield from _said(next((item for item in reversed(said) if item not in _EMPTY), said[-1]))
        else:
            yield value
    else:
        yield value


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(char for char in letters if char.isalnum())
