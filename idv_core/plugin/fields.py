"""Fields as vendors print them, read into the vocabulary: `read_field("birthdate", "dob", "1990-05-03")`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..model.countries import alpha_2
from ..model.fields import ADDRESSES, AMOUNTS, DATES, NUMBERS, Address, ExtractedField, FieldName, Place
from ..model.secret import Secret
from .dates import read_date

_GENDERS = {
    "f": "female",
    "female": "female",
    "mujer": "female",
    "femenino": "female",
    "feminino": "female",
    "m": "male",
    "male": "male",
    "hombre": "male",
    "masculino": "male",
    "x": "other",
    "o": "other",
    "other": "other",
    "nonbinary": "other",
    "transgender": "other",
}
_OLDEST = 130
_MOST = 10**100
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def read_field(
    name: FieldName | str,
    vendor_name: str,
    raw: Any,
    *,
    confidence: float | None = None,
    whole: Secret | None = None,
    day_first: bool = False,
) -> ExtractedField | None:
    """A vendor's field as one of the vocabulary, its value in the type of that name; None where the vendor wrote nothing.

    `vendor_name` is the vendor's key and `raw` what stands there. A value that cannot be read in exactly one way becomes
    None and stays in `vendor_text`: it is there, and nobody guesses. `whole` is the number behind a masked `raw`.
    `confidence` is 0..1, `day_first` is for vendors that document that order of dates. Raises ValueError for a name that is
    not in the vocabulary.
    """
    if type(name) is not FieldName:
        name = FieldName(name)
    if raw in _NOTHING or (isinstance(raw, str) and not raw.strip()):
        return None
    text = raw if isinstance(raw, str) else None
    return ExtractedField(
        name=name,
        value=_typed(name, raw, day_first),
        vendor_name=vendor_name,
        vendor_text=text,
        confidence=confidence,
        whole=whole,
    )


def read_fields(names: Mapping[str, FieldName | str], data: Mapping[str, Any]) -> Iterator[ExtractedField]:
    """The fields of a vendor's object by a table of the vendor's keys. A key that is not in it becomes `other`."""
    for key, raw in data.items():
        field = read_field(names.get(key, FieldName.OTHER), key, raw)
        if field is not None:
            yield field


def _typed(name: FieldName, raw: Any, day_first: bool) -> Any:
    if name is FieldName.OTHER:
        return raw
    if name in DATES:
        return read_date(raw, day_first=day_first)
    if name in ADDRESSES and not isinstance(raw, Address):
        return Address(formatted=text) if (text := _text(raw)) else None
    if name is FieldName.PLACE_OF_BIRTH and not isinstance(raw, Place):
        return Place(locality=text) if (text := _text(raw)) else None
    if name in ADDRESSES or name is FieldName.PLACE_OF_BIRTH:
        return raw
    if name is FieldName.NATIONALITIES:
        return _countries([raw] if isinstance(raw, str) else raw)
    if name is FieldName.GENDER:
        return _GENDERS.get(re.sub(r"[^a-z]", "", raw.casefold())) if isinstance(raw, str) else None
    if name in (FieldName.TRANSACTIONS, FieldName.LINE_ITEMS, FieldName.VEHICLE_CLASSES):
        return raw
    if isinstance(raw, str):
        return _text(raw)
    return _number(name, raw)


def _number(name: FieldName, raw: Any) -> str | int | float | None:
    """A JSON number where one may stand. A person's name is none; that of a document is a text, whose digits nobody rounds."""
    is_whole = isinstance(raw, int) and not isinstance(raw, bool)
    if name in NUMBERS:
        return str(raw) if is_whole and 0 <= raw < _MOST else None
    if name not in AMOUNTS or not (is_whole or (isinstance(raw, float) and math.isfinite(raw))):
        return None
    return None if name is FieldName.AGE and not 0 <= raw <= _OLDEST else raw


def _text(raw: Any) -> str | None:
    """The text, None for one that says nothing: dashes, the fillers of a machine readable zone, `N/A`."""
    text = raw.strip() if isinstance(raw, str) else ""
    return text if any(map(str.isalnum, text)) and text.casefold() != "n/a" else None


def _countries(raw: Any) -> tuple[str, ...] | None:
    if not isinstance(raw, Iterable) or isinstance(raw, Mapping):
        return None
    read = [alpha_2(one) if isinstance(one, str) else None for one in raw]
    return tuple(dict.fromkeys(one for one in read if one)) if read and all(read) else None
