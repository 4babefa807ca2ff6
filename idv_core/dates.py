"""Dates as vendors print them: read where they can be read in one way only, and never guessed.

A date that is there and cannot be read is not the same as one that is absent: `document_dates` keeps the difference, so
that the decision can go to review.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

# Dates of identity documents lie between these years (Gregorian). 1448 is of another calendar, and so is 2567.
FIRST_YEAR, LAST_YEAR = 1900, 2199

_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/. ])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.ASCII)
_DAY_MONTH = re.compile(r"(\d{1,2})[-/. ]+([A-Za-z]{3,9})\.?,?[-/. ]+(\d{4})", re.ASCII)
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.?[-/. ]+(\d{1,2}),?[-/. ]+(\d{4})", re.ASCII)
_NAMES = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTHS = {name[:length]: number for number, name in enumerate(_NAMES, 1) for length in (3, len(name))} | {"sept": 9}


def read_date(value: object, *, day_first: bool = False) -> date | None:
    """The date that a text (or a mapping with `year`, `month` and `day`) says, or None where that is not certain.

    Year first in any punctuation (`2031-01-31`, also with a time behind it, `20310131`), a month in letters
    (`31 Jan 2031`), and `31/01/2031`, where one of the two numbers can be no month. `day_first` is for vendors that document
    that order, so that `05/06/2031` is the fifth of June. Years of two digits, and years outside 1900 to 2199, are not read.
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

    Give what the vendor's answer holds, whatever it is; a list where it stands in several places. None and blank texts are
    absent. What is there and cannot be read, or differs between the places, is named in `unread`.
    """
    dates: dict[str, Any] = {}
    unread = []
    for name, value in (("issued_on", issued), ("expires_on", expires)):
        given = [item for item in (value if isinstance(value, (list, tuple)) else [value]) if not _is_absent(item)]
        read = {read_date(item, day_first=day_first) for item in given}
        dates[name] = read.pop() if len(read) == 1 else None
        if given and dates[name] is None:
            unread.append(name)
    return {**dates, "unread": tuple(unread)}


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
    except ValueError:
        return None
