"""Verifik's status words (sections 5.3 to 5.5) and the shapes of its answers. An unknown word is never positive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from idv_core.plugin import CheckOutcome

DOCUMENT = {
    "ASSESSING": CheckOutcome.NOT_DONE,
    "NEW": CheckOutcome.NOT_DONE,
    "PENDING": CheckOutcome.NOT_DONE,
    "ACTIVE": CheckOutcome.PASSED,
    "VALIDATED": CheckOutcome.PASSED,
    "COMPLETED": CheckOutcome.PASSED,
    "FAILED": CheckOutcome.FAILED,
    "NOT_FOUND": CheckOutcome.FAILED,
    "EXPIRED": CheckOutcome.FAILED,
}
VALIDATION = {
    "NEW": CheckOutcome.NOT_DONE,
    "SENT": CheckOutcome.NOT_DONE,
    "PENDING": CheckOutcome.NOT_DONE,
    "VALIDATED": CheckOutcome.PASSED,
    "COMPLETED": CheckOutcome.PASSED,
    "SUCCESS": CheckOutcome.PASSED,
    "FAILED": CheckOutcome.FAILED,
    "EXPIRED": CheckOutcome.FAILED,
}
CODE = re.compile(r"[A-Z][A-Z_-]{0,39}")


def as_object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def word_of(value: object) -> str | None:
    """A status word in upper case. What is no word (a sentence may tell of somebody) is unknown, what is absent is None."""
    if value is None:
        return None
    word = value.strip().upper() if isinstance(value, str) else "?"
    return word if not word or CODE.fullmatch(word) else "?"


def unless(errors: tuple[str, ...], outcome: CheckOutcome) -> CheckOutcome:
    """A part that passed and tells of an error is not understood."""
    return CheckOutcome.INCONCLUSIVE if errors and outcome is CheckOutcome.PASSED else outcome
