"""Evidence: checks with outcomes and scores, documents with extracted fields. Evidence is not a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import attrs

from .check_names import OVERALL, CheckKind, check_name_fault
from .claims import Claims
from .document_types import DocumentType
from .fields import ExtractedField
from .redacted import not_pickled
from .secret import Secret
from .validation import are, is_country, is_date, is_unit, optional, plain_mapping, several


class CheckOutcome(StrEnum):
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
    """A score on 0..1 beside the vendor's own number and the ends of the vendor's scale."""

    value: float = attrs.field(validator=is_unit)
    raw: float
    scale: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def read(cls, raw: object, low: float = 0.0, high: float = 1.0) -> Score | None:
        """Read a vendor's number (or numeric text) on the scale `low`..`high`; None for anything else, or outside it."""
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            return None
        try:
            number = float(raw)
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number) or not low <= number <= high:
            return None
        return cls((number - low) / (high - low), number, (low, high))


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
    """One piece of evidence.

    `outcome` is None where the vendor only scores: a cross-check has no outcome until a policy's threshold gives it one.
    `name` says what of the kind was looked at, in the words of `CHECK_NAMES`: `overall`, `other`, or one of the kind's own;
    `vendor_name` is what the vendor calls it. `document_id` is your id of the document it is about, `vendor_word` the
    vendor's own status word. Where a threshold of the policy has set `outcome`, `by_policy` is true and `vendor_outcome` is
    what the vendor said.
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
        """How policies name it: `document.authenticity`, or the kind alone where the vendor looked at the whole."""
        return self.kind.value if self.name == OVERALL else f"{self.kind.value}.{self.name}"

    @name.validator
    def _check_name(self, _: object, value: object) -> None:
        fault = check_name_fault(self.kind, value) if isinstance(value, str) else "name: must be a string"
        if fault is not None:
            raise ValueError(fault)


@attrs.frozen(kw_only=True)
class DocumentEvidence:
    """One document as the vendor saw it: type, issuing country, extracted fields.

    `document_id` is your id, None when the vendor's answer cannot be attributed. `type` is from the vocabulary, `other` for a
    type that it does not have, None where the vendor does not say; `vendor_type` is the vendor's word. `claims` are its
    fields by the names of the vocabulary. `images` are links to pictures that the vendor keeps (pre-signed, short-lived,
    secret). `issued_on` and `expires_on` are what the document says of itself;
    `unread` names those of the two that are there and could not be read (see
    `idv_core.plugin.dates.document_dates`), which leads to review.
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
        """What this document says, by the names of the vocabulary."""
        return Claims((self,))
