"""Criminal records and lists (section 3.9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Check, CheckKind, CheckOutcome

from .asked import is_searched_for, section
from .documents import label
from .words import as_object, word_of


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
    clear = found == [] and word == "ACTIVE"
    hits = tuple(label(key) or "hit" for key in found) if isinstance(found, list) else ()
    outcome = CheckOutcome.PASSED if clear else CheckOutcome.INCONCLUSIVE
    yield Check(
        kind=CheckKind.SCREENING,
        name="background",
        vendor_name="criminalData",
        outcome=outcome,
        reasons=hits,
        vendor_word=word,
    )


def is_background_checked(registration: Mapping[str, Any]) -> bool:
    """Whether records and lists were searched already, which is charged each time."""
    return bool(as_object(as_object(registration.get("informationValidation")).get("criminalData")))
