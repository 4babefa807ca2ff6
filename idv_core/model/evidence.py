"""Evidence: checks with outcomes and scores, documents with extracted fields. Evidence is not a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import attrs

from .redacted import not_pickled
from .secret import Secret
from .validation import are, is_country, is_date, is_unit, optional, plain_mapping, several


class CheckKind(StrEnum):
    """What a check is about. Words of OpenID Connect for Identity Assurance and ISO/IEC 30107-3 where they have one."""

    DOCUMENT = "document"
    CROSS_CHECK = "cross_check"
    NAME_MATCH = "name_match"
    ADDRESS_MATCH = "address_match"
    LIVENESS = "liveness"
    FACE_MATCH = "face_match"
    DATA_SOURCE = "data_source"
    SCREENING = "screening"
    EMAIL = "email"
    PHONE = "phone"
    CONSENT = "consent"
    SIGNATURE = "signature"
    OTHER = "other"


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
    """The two fields that a cross-check compares. Values are personal data and dark in `repr`."""

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
    `document_id` is your id of the document it is about, `vendor_word` the vendor's own status word. Where a threshold of
    the policy has set `outcome`, `judged` is true and `vendor_outcome` is what the vendor said.
    """

    kind: CheckKind = attrs.field(converter=CheckKind)
    name: str = attrs.field(validator=attrs.validators.instance_of(str))
    outcome: CheckOutcome | None = attrs.field(default=None, converter=attrs.converters.optional(CheckOutcome))
    score: Score | None = attrs.field(default=None, validator=optional(Score))
    reasons: tuple[str, ...] = attrs.field(default=(), converter=several, validator=are(str))
    document_id: str | None = attrs.field(default=None, validator=optional(str))
    pair: FieldPair | None = None
    vendor_word: str | None = attrs.field(default=None, validator=optional(str))
    by_policy: bool = False
    vendor_outcome: CheckOutcome | None = None


@not_pickled
@attrs.frozen(kw_only=True)
class ExtractedField:
    """One field read from a document. `value` is personal data, dark in `repr`.

    Where the value is a national number that must stay masked (Aadhaar), `value` holds the masked form and the whole one
    is behind `reveal()`. `confidence` (0..1) says how sure the reader is of the text, nothing about authenticity.
    """

    name: str
    value: Any = attrs.field(repr=False, hash=False)
    confidence: float | None = attrs.field(default=None, validator=is_unit)
    whole: Secret | None = attrs.field(default=None, repr=False)

    def reveal(self) -> Any:
        """The value unmasked. Call it only where the law lets you."""
        return self.whole.reveal() if self.whole is not None else self.value


@attrs.frozen(kw_only=True)
class DocumentEvidence:
    """One document as the vendor saw it: type, issuing country, extracted fields.

    `document_id` is your id, None when the vendor's answer cannot be attributed. `images` are links to pictures that the
    vendor keeps (pre-signed, short-lived, secret). `issued_on` and `expires_on` are what the document says of itself;
    `unread` names those of the two that are there and could not be read (see
    `idv_core.plugin.dates.document_dates`), which leads to review.
    """

    document_id: str | None
    type: str | None = None
    country: str | None = attrs.field(default=None, validator=is_country)
    fields: tuple[ExtractedField, ...] = attrs.field(default=(), converter=several, validator=are(ExtractedField))
    images: Mapping[str, Secret] = attrs.field(factory=dict, converter=plain_mapping, repr=False, hash=False)
    issued_on: date | None = attrs.field(default=None, validator=is_date, repr=False)
    expires_on: date | None = attrs.field(default=None, validator=is_date, repr=False)
    unread: tuple[str, ...] = attrs.field(default=(), converter=several)

    @unread.validator
    def _check_unread(self, _: object, names: tuple[str, ...]) -> None:
        if not set(names) <= {"issued_on", "expires_on"}:
            raise ValueError("unread: 'issued_on' and 'expires_on' are what can be named")

    def field(self, name: str) -> ExtractedField | None:
        """The extracted field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)
