"""What a document says of itself, told by the meaning of the keys: their spelling depends on the document (section 3.6.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from idv_core.plugin import dates_under, document_dates, means_expiry, means_issue, plain_name

_VALID_FROM = re.compile(r"validfrom|validodesde")
_ERROR = re.compile(r"error|fail|reject|rechaz")
_COUNTED = re.compile(r"attempt|count|limit|rate")
_NOTHING = frozenset({"", "0", "false", "n/a", "no", "no error", "none", "null", "ok", "success"})
# Parts of a document validation that hold what was read; the rest is about the record.
_READ = ("documentData", "OCRExtraction", "ocrResults", "scoreValidation", "validationResults")
_REFERENCES = frozenset({"appRegistration", "client", "project", "projectFlow", "template"})


def printed_dates(document: Mapping[str, Any]) -> dict[str, Any]:
    """`issued_on`, `expires_on` and `unread` for a `DocumentEvidence`, from every place where a date of that meaning is."""
    places = [document.get(name) for name in _READ]
    # `expiresAt` of a record is the end of a link or a code
    places.append({key: value for key, value in document.items() if key not in (*_READ, *_REFERENCES, "expiresAt")})
    return document_dates(
        issued=tuple(_one_by_one(dates_under(places, _begins))),
        expires=tuple(_one_by_one(dates_under(places, means_expiry))),
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
            plain = plain_name(key)
            if _ERROR.search(plain) and not _COUNTED.search(plain):
                if _is_something(value):
                    yield key[:40]
            else:
                yield from _errors(value)


def _is_something(value: Any) -> bool:
    if isinstance(value, (list, Mapping)):
        return any(map(_is_something, value.values() if isinstance(value, Mapping) else value))
    return value not in (None, False, 0) and str(value).strip().lower() not in _NOTHING


def _begins(name: str, value: Any) -> bool:
    """Issued on, or valid from, which comes to the same on these documents."""
    return means_issue(name, value) or bool(_VALID_FROM.search(plain_name(name)) and not means_expiry(name))


def _one_by_one(found: Iterable[Any]) -> Iterator[Any]:
    """A reader may give several readings of one field in a list."""
    for one in found:
        if isinstance(one, list) and one:
            yield from _one_by_one(one)
        else:
            yield one
