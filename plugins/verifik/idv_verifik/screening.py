"""Criminal records and lists (section 3.9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Check, CheckKind, CheckOutcome, plain_name

from .asked import is_searched_for, section
from .documents import label
from .printed import error_words
from .words import as_object, word_of

# Members of a source that tell of a hit beside `foundKeys`: `foundInFBI`, `totalCards`.
_HIT = re.compile(r"found|total|hits?$|matches$|count$")
_UNFINISHED = re.compile(r"fail|error|time|pending|assess|progress|partial|unavailable|unknown|not_supported")
_NOTHING: tuple[object, ...] = (None, False, 0, "", "0", "no", "none", "false", [])


def read_screening(information: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Check]:
    """A hit is a name match, so it goes to a person: inconclusive, not failed (section 3.9)."""
    wanted = is_searched_for(section(settings, "documents"))
    told = information.get("criminalData")
    criminal = as_object(told)
    if not criminal and told not in (None, {}):
        yield Check(
            kind=CheckKind.SCREENING,
            name="background",
            vendor_name="criminalData",
            outcome=CheckOutcome.INCONCLUSIVE,
            reasons=("the search's answer is not understood",),
        )
        return
    if not criminal:
        if wanted:
            yield Check(
                kind=CheckKind.SCREENING, name="background", vendor_name="criminalData", outcome=CheckOutcome.NOT_DONE
            )
        return
    found, word = criminal.get("foundKeys"), word_of(information.get("status"))
    sources = {key: value for key, value in criminal.items() if key not in ("foundKeys", "requestedAt")}
    disagreeing = tuple(dict.fromkeys((*_disagreeing(sources), *error_words(sources))))
    clear = found == [] and word == "ACTIVE" and not disagreeing
    hits = tuple(label(key) or "hit" for key in (*found, *disagreeing)) if isinstance(found, list) else ()
    outcome = CheckOutcome.PASSED if clear else CheckOutcome.INCONCLUSIVE
    yield Check(
        kind=CheckKind.SCREENING,
        name="background",
        vendor_name="criminalData",
        outcome=outcome,
        reasons=hits,
        vendor_word=word,
    )


def _disagreeing(source: Mapping[str, Any]) -> Iterator[str]:
    """The members of the sources that tell of a hit although no source is named, or that a source was not searched."""
    for key, value in source.items():
        if isinstance(value, Mapping):
            yield from (key for _ in _disagreeing(value))
        elif _HIT.search(plain_name(key)):
            if (value.strip().lower() if isinstance(value, str) else value) not in _NOTHING:
                yield key
        elif plain_name(key).endswith("status") and isinstance(value, str) and _UNFINISHED.search(value.lower()):
            yield key


def is_background_checked(registration: Mapping[str, Any]) -> bool:
    """Whether records and lists were searched already, which is charged each time."""
    return bool(as_object(as_object(registration.get("informationValidation")).get("criminalData")))
