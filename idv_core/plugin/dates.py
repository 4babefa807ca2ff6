"""Dates as vendors print them: read where they can be read in one way only, and never guessed.

A date that is there and cannot be read is not the same as one that is absent: `document_dates` keeps the difference, so
that the decision can go to review.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

Meaning: TypeAlias = Callable[[str, Any], bool]
"""Whether the value under a key is a date of some meaning: `means_expiry`, `means_issue`."""

LEAF = (str, int, float, type(None))
"""What holds nothing further in JSON: to be asked first, as `isinstance` with `Mapping` takes its time."""

# Dates of identity documents lie between these years (Gregorian). 1448 is of another calendar, and so is 2567.
FIRST_YEAR, LAST_YEAR = 1900, 2199

# A time that a zone may have moved to another day is not read: `1990-04-30T18:30:00Z` is the first of May in India. A day's
# first and last moment are told as such.
_MIDNIGHT = r"(?:00:00(?::00(?:[.,]0+)?)?|23:59(?::59(?:[.,]\d+)?)?)"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
_TIME = rf"(?:[T ](?:{_MIDNIGHT}\s*(?:Z|UTC|[+-]\d{{2}}:?\d{{2}})|{_CLOCK}))?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/. ])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.ASCII)
_MONTH = r"([^\W\d_]{3,10})\.?"
_DAY_MONTH = re.compile(rf"([0-9]{{1,2}})(?:[-/. ]+| de ){_MONTH},?(?:[-/. ]+| del? )([0-9]{{4}})")
_MONTH_DAY = re.compile(rf"{_MONTH}[-/. ]+([0-9]{{1,2}}),?[-/. ]+([0-9]{{4}})")
# English, Spanish, Portuguese: no word of one means another month in another.
_MONTHS = {
    name[:length]: number
    for names in (
        "january february march april may june july august september october november december",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    )
    for number, name in enumerate(names.split(), 1)
    for length in (3, len(name))
} | {"sept": 9, "setiembre": 9, "março": 3}
# Names without case, accents, blanks and punctuation, in English, Spanish and Portuguese.
_EXPIRES = re.compile(
    r"exp(?:i|ri|ry|d)|caduc|venc(?:im|e|to|$)|validade|vigencia|vigentehasta|"
    r"validity(?!from|start|begin|since)|valid(?:up)?(?:till?|to|until?l?|thru|through|upto|end|date|before)|"
    r"valid[oa](?:hasta|ate)|(?:end|fin)(?:date|of|de)*(?:validity|validez)|date?of?exp(?!ed)|"
    r"^exp$|^doe$|^until$|^uptodate$|laps|usebefore|useby|bestbefore|ceases|terminat|goodth|good(?:until|till)|notafter|enddate|dateofend|^dateend|^ends?(?:on|at)$|"
    r"renew(?:al)?(?:due)?(?:date|dt|on|by|before|at)|^last(?:date|day)$|validityperiod|(?:period|date)of?validity|"
    r"^period(?:end|to|until)$"
)
_ISSUE = re.compile(r"issu|expedi|emision|emitid|emissao")
# An authority or a place that issued it is no date.
_OF_A_DATE = re.compile(r"date|data|fecha|day|dt$|issu(?:ed?|ance|ing)(?:on|at)$|^issued?$")
# A key that ends so says something about the date, not the date itself.
_ABOUT = frozenset(
    {"status", "flag", "score", "confidence", "confianza", "probability", "accuracy", "reason", "url", "link"}
)
# What ends by itself beside the document.
_OTHERS = frozenset({"url", "link", "token"})
_NOUNS = frozenset({"expedicion", "expedition", "emision", "emissao", "issuance"})
# The two ends of a span.
_ENDS = frozenset({"from", "start", "begin", "since", "desde", "inicio", "to", "until", "end", "hasta"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST_KEY = 200
_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}
_NAMED = ("name", "key", "field", "fieldName", "label", "type")
_SAID = ("raw", "text", "content", "value", "date", "normalized")
_PARTS = frozenset({"year", "month", "day"})


def read_date(value: object, *, day_first: bool = False) -> date | None:
    """The date that a text (or a mapping with `year`, `month` and `day`) says, or None where that is not certain.

    Year first in any punctuation (`2031-01-31`, also with a time behind it, `20310131`), a month in letters
    (`31 Jan 2031`, `31 de enero de 2031`; English, Spanish and Portuguese), and `31/01/2031`, where one of the two numbers can
    be no month. `day_first` is for vendors that document that order, so that `05/06/2031` is the fifth of June. Years of two
    digits, years outside 1900 to 2199, and moments whose zone may have moved them to another day, are not read.
    """
    if isinstance(value, Mapping):
        parts = [value.get(name) for name in ("year", "month", "day")]
        return _date(*parts) if all(type(part) is int for part in parts) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = value.strip()
    if found := _YEAR_FIRST.fullmatch(text):
        return _date(found[1], found[3], found[4])
    if found := _COMPACT.fullmatch(text):
        return _date(*found.groups())
    if found := _YEAR_LAST.fullmatch(text):
        return _year_last(int(found[1]), int(found[3]), int(found[4]), day_first)
    if found := _DAY_MONTH.fullmatch(text):
        return _date(found[3], _MONTHS.get(found[2].lower()), found[1])
    if found := _MONTH_DAY.fullmatch(text):
        return _date(found[3], _MONTHS.get(found[1].lower()), found[2])
    return None


def document_dates(*, issued: object = None, expires: object = None, day_first: bool = False) -> dict[str, Any]:
    """`issued_on`, `expires_on` and `unread` for a `DocumentEvidence`: `DocumentEvidence(..., **document_dates(...))`.

    Give what the vendor's answer holds, whatever it is; a tuple of all of them where it may stand in several places. None,
    blank texts and an empty tuple are absent; an empty list or object, which only a vendor can have sent, is there. What is
    there and cannot be read, or differs between the places, is named in `unread`.
    """
    dates: dict[str, Any] = {}
    unread = []
    for name, value in (("issued_on", issued), ("expires_on", expires)):
        places = value if isinstance(value, tuple) or (isinstance(value, list) and value) else (value,)
        given = [item for item in places if not _is_absent(item)]
        read = {read_date(item, day_first=day_first) for item in given}
        dates[name] = read.pop() if len(read) == 1 else None
        if given and dates[name] is None:
            unread.append(name)
    return {**dates, "unread": tuple(unread)}


@lru_cache(maxsize=4096)
def _means_expiry(key: str) -> bool:
    words = _words(key)
    if not _ABOUT.isdisjoint(words[-1:]) or not _OTHERS.isdisjoint(words) or plain_name(key).endswith(tuple(_ABOUT)):
        return False
    return "exp" in words or bool(_EXPIRES.search(plain_name(key)))


def means_expiry(key: str, value: object = None) -> bool:
    """Whether a key of that name, however it is spelled, tells when a document ends."""
    return _means_expiry(key[:_LONGEST_KEY])


def means_issue(key: str, value: object = None) -> bool:
    """Whether a key of that name tells when a document was issued.

    A bare noun (`expedicion`) does so only with digits in its value: the place of issue is called the same.
    """
    plain = plain_name(key)
    if plain in _NOUNS:
        return any(char.isdigit() for char in str(value))
    if not _ABOUT.isdisjoint(_words(key)[-1:]) or plain.endswith(tuple(_ABOUT)) or means_expiry(key):
        return False
    return plain == "doi" or bool(_ISSUE.search(plain) and _OF_A_DATE.search(plain))


def dates_under(data: Any, means: Meaning, *, known: Collection[str] = ()) -> tuple[Any, ...]:
    """What stands under the keys of that meaning, however deep, for `document_dates`.

    Also where a list names its fields (`{"name": "expiry", "value": ...}`), and where a reader says more about a date than
    the date (`{"value": ..., "confidence": ...}`). `known` are keys that the plugin understands wherever they stand.
    """
    found: list[Any] = []
    _look_under(data, means, "", frozenset(known), found)
    return tuple(found)


def plain_name(key: str) -> str:
    """A key without case, accents, blanks and punctuation."""
    key = key[:_LONGEST_KEY]
    if key.isascii():
        return key.translate(_PLAIN)
    letters = unicodedata.normalize("NFKD", key).casefold()
    return "".join(char for char in letters if char.isalnum())


def _words(key: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(key[:_LONGEST_KEY]))


def _look_under(data: Any, means: Meaning, above: str, known: frozenset[str], found: list[Any]) -> None:
    if isinstance(data, (list, tuple)):
        for item in data:
            _look_under(item, means, above, known, found)
    elif isinstance(data, Mapping):
        if _is_named_date(data, means):
            found += _said(data)
            return
        for key, value in data.items():
            if key in known:
                continue
            # `{"validity": {"to": ...}}` is the same as `validityTo`
            name = f"{above}{key}" if above and plain_name(key) in _ENDS else key
            if means(name, value) and not _is_span(value):
                if not _says_no(key, value):
                    found += _said(value)
            elif not isinstance(value, LEAF):
                _look_under(value, means, key, known, found)


def _is_named_date(data: Mapping[str, Any], means: Meaning) -> bool:
    for key in _SAID:
        if (said := data.get(key)) is not None:
            return any(isinstance(data.get(name), str) and means(data[name], said) for name in _NAMED)
    return False


def _is_span(value: Any) -> bool:
    """A group in which further names tell beginning and end apart."""
    return isinstance(value, Mapping) and not _ENDS.isdisjoint(map(plain_name, value))


def _said(value: Any) -> Iterator[Any]:
    """What stands under such a key: itself, each item of a list of objects, or the value among what a reader says of it."""
    if isinstance(value, list) and any(isinstance(item, (list, Mapping)) for item in value):
        for item in value:
            yield from _said(item)
    elif isinstance(value, Mapping) and value and not value.keys() >= _PARTS:
        said = [value[key] for key in _SAID if key in value]
        if said:
            # of a text and what it was read as, the latter
            there = [item for item in said if not _is_absent(item)]
            yield from _said(
                next((item for item in reversed(there) if item not in ([], {})), there[-1] if there else None)
            )
        else:
            yield value
    else:
        yield value


def _says_no(key: str, value: Any) -> bool:
    """A flag that says that the document has not ended: `is_expired: false`."""
    text = value.strip().lower() if isinstance(value, str) else value
    return "expired" in plain_name(key) and (text is False or text in ("no", "false", "n"))


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _year_last(first: int, second: int, year: int, day_first: bool) -> date | None:
    as_day_first = _date(year, second, first)
    if day_first:
        return as_day_first
    as_month_first = _date(year, first, second)
    # one reading, or two that are the same day
    return (
        as_day_first or as_month_first
        if as_day_first == as_month_first or not (as_day_first and as_month_first)
        else None
    )


def _date(year: Any, month: Any, day: Any) -> date | None:
    if month is None or not FIRST_YEAR <= int(year) <= LAST_YEAR:
        return None
    try:
        return date(int(year), int(month), int(day))
    except (ValueError, OverflowError):
        return None
