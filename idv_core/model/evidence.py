"""Evidence: checks with outcomes and scores, documents with extracted fields. Evidence is not a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from .check_names import OVERALL, CheckKind, check_name_fault
from .document_types import DocumentType
from .fields import ExtractedField
from .redacted import not_pickled
from .secret import Secret
from .validation import are, is_country, is_date, is_unit, optional, plain_mapping, several

if TYPE_CHECKING:
    from .claims import Claims


class CheckOutcome(StrEnum):
    """How a check went. `INCONCLUSIVE`: it was done, and says neither; `NOT_DONE`: the vendor says that it was not done."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NOT_DONE = "not_done"


class VendorVerdict(StrEnum):
    """The vendor's own word about the person, if it has one."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    DOUBTFUL = "doubtful"


@attrs.frozen
class Score:
    """A score.

    Args:
        value: From 0 to 1.
        raw: The vendor's number.
        scale: The ends of the vendor's scale.
    """

    value: float = attrs.field(validator=is_unit)
    raw: float
    scale: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def read(cls, raw: object, low: float = 0.0, high: float = 1.0) -> Score | None:
        """Read a vendor's number (or numeric text) on the scale `low`..`high`; None for anything else, or outside it."""
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            return None
        if isinstance(raw, str) and "_" in raw:
            # Python's own way of writing numbers, and nobody's else
            return None
        try:
            number = float(raw)
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number) or not low <= number <= high:
            return None
        return cls(_share(number, low, high), number, (low, high))

    @classmethod
    def is_unread(cls, raw: object, low: float = 0.0, high: float = 1.0) -> bool:
        """Whether something stands where the score should that is no number on the scale; nothing at all is none."""
        return raw is not None and raw != "" and cls.read(raw, low, high) is None


def _share(number: float, low: float, high: float) -> float:
    """Where a number stands between two ends, 0..1: in decimals, so that 70.1 of 100 is 0.701, the bound of a policy."""
    if (low, high) == (0.0, 1.0):
        return number
    first, last, here = (Decimal(repr(float(one))) for one in (low, high, number))
    return float((here - first) / (last - first))


@not_pickled
@attrs.frozen(kw_only=True)
class FieldPair:
    """The two fields that a cross-check compares. Values are personal data, hidden in `repr`."""

    source_document: str
    source_field: str
    source_value: str | None = attrs.field(default=None, repr=False)
    target_document: str
    target_field: str
    target_value: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Check:
    """One check.

    Args:
        kind: What was checked; see `CheckKind`.
        name: The part of the kind, a word of `CHECK_NAMES`; `overall` for the whole, `other` for what has no word.
        outcome: None if the vendor only gives a score; a threshold of the policy then sets it.
        score: The score, if there is one.
        reasons: The vendor's reasons, redacted.
        document_id: Your id of the document.
        pair: The two fields of a cross-check.
        vendor_name: The vendor's name of the check.
        vendor_word: The vendor's status word.
        by_policy: Whether a threshold of the policy set `outcome`.
        vendor_outcome: The vendor's outcome, if `by_policy`.

    Raises ValueError.
    """

    kind: CheckKind = attrs.field(converter=CheckKind)
    name: str = attrs.field(default=OVERALL)
    outcome: CheckOutcome | None = attrs.field(default=None, converter=attrs.converters.optional(CheckOutcome))
    score: Score | None = attrs.field(default=None, validator=optional(Score))
    reasons: tuple[str, ...] = attrs.field(default=(), converter=several, validator=are(str))
    document_id: str | None = attrs.field(default=None, validator=optional(str))
    pair: FieldPair | None = None
    vendor_name: str | None = attrs.field(default=None, validator=optional(str))
    vendor_word: str | None = attrs.field(default=None, validator=optional(str))
    by_policy: bool = False
    vendor_outcome: CheckOutcome | None = None

    @property
    def label(self) -> str:
        """The name in policies: `document.authenticity`, or the kind alone for `overall`."""
        return self.kind.value if self.name == OVERALL else f"{self.kind.value}.{self.name}"

    @name.validator
    def _check_name(self, _: object, value: object) -> None:
        fault = check_name_fault(self.kind, value) if isinstance(value, str) else "name: must be a string"
        if fault is not None:
            raise ValueError(fault)


@attrs.frozen(kw_only=True)
class DocumentEvidence:
    """One document as the vendor saw it.

    Args:
        document_id: Your id; None if the vendor's answer cannot be attributed.
        type: The document type; `other` if the vocabulary has none, None if the vendor does not say.
        vendor_type: The vendor's word for the type.
        country: The issuing country, ISO 3166-1 alpha-2.
        fields: The extracted fields.
        images: Links to pictures at the vendor: pre-signed, short-lived, secret.
        issued_on: The date of issue.
        expires_on: The date of expiry.
        unread: Those of `issued_on` and `expires_on` that are there and could not be read; they lead to review.

    Raises ValueError.
    """

    document_id: str | None
    type: DocumentType | None = attrs.field(default=None, converter=attrs.converters.optional(DocumentType))
    vendor_type: str | None = attrs.field(default=None, validator=optional(str))
    country: str | None = attrs.field(default=None, validator=is_country)
    fields: tuple[ExtractedField, ...] = attrs.field(default=(), converter=several, validator=are(ExtractedField))
    images: Mapping[str, Secret] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    issued_on: date | None = attrs.field(default=None, validator=is_date, repr=False)
    expires_on: date | None = attrs.field(default=None, validator=is_date, repr=False)
    unread: tuple[str, ...] = attrs.field(default=(), converter=several)

    @unread.validator
    def _check_unread(self, _: object, names: tuple[str, ...]) -> None:
        if not set(names) <= {"issued_on", "expires_on"}:
            raise ValueError("unread: must hold only 'issued_on' and 'expires_on'")

    def field(self, name: str) -> ExtractedField | None:
        """The first extracted field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    @property
    def claims(self) -> Claims:
        """The fields of this document as claims."""
        from .claims import Claims

        return Claims((self,))
