"""A result: the vendor's evidence, and the policy's decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from .check_names import CheckKind
from .evidence import Check, CheckOutcome, DocumentEvidence, VendorVerdict
from .evidence_steps import EvidenceStep, evidence_steps
from .fields import ExtractedField
from .flow import Flow, FlowStatus
from .redacted import RedactedMapping, not_pickled
from .validation import are, is_aware, optional, several

if TYPE_CHECKING:
    from .claims import Claims


class Decision(StrEnum):
    """What the policy makes of a result. `REVIEW`: a person has to decide; `UNDECIDED`: it is not finished, or a shadow."""

    APPROVED = "approved"
    DECLINED = "declined"
    REVIEW = "review"
    UNDECIDED = "undecided"


@attrs.frozen
class Reason:
    """A reason for a decision.

    Args:
        code: A stable code.
        text: A sentence.
        check: The check, as policies name it (`liveness.presentation_attack`).
        document: Your id of the document, or its type if the id is not known.
    """

    code: str
    text: str
    check: str | None = None
    document: str | None = None

    def __str__(self) -> str:
        return self.text


def _dark(raw: Mapping[str, Any]) -> RedactedMapping:
    return raw if isinstance(raw, RedactedMapping) else RedactedMapping(raw)


@not_pickled
@attrs.frozen(kw_only=True)
class Result:
    """The evidence, and the decision that a policy made from it.

    Args:
        flow: The flow.
        checks: The checks.
        documents: The documents.
        fields: What the vendor says about the person apart from documents, such as from a register.
        verdict: The vendor's verdict.
        vendor_word: The vendor's word for the verdict.
        decided_by: Who made the verdict: `vendor` (its software), `person` (a reviewer); None if the vendor does not say.
        notes: Remarks, such as rules of the policy that had no effect.
        doubts: What the plugin did not understand or found missing. No policy approves with a doubt.
        is_test: Whether it comes from the vendor's test mode, where nothing is checked.
        decision: The policy's decision.
        reasons: The reasons for the decision.
        received_at: When it was fetched, with a time zone.
        raw: The vendor's answer, with masked numbers and without signed links. Personal data, hidden in `repr`. A plugin may
            pass it as `Deferred`.
    """

    flow: Flow
    checks: tuple[Check, ...] = attrs.field(default=(), converter=several, validator=are(Check))
    documents: tuple[DocumentEvidence, ...] = attrs.field(
        default=(), converter=several, validator=are(DocumentEvidence)
    )
    fields: tuple[ExtractedField, ...] = attrs.field(default=(), converter=several, validator=are(ExtractedField))
    verdict: VendorVerdict | None = attrs.field(default=None, converter=attrs.converters.optional(VendorVerdict))
    vendor_word: str | None = attrs.field(default=None, validator=optional(str))
    decided_by: str | None = attrs.field(default=None, validator=attrs.validators.in_((None, "vendor", "person")))
    notes: tuple[str, ...] = attrs.field(default=(), converter=several, validator=are(str))
    doubts: tuple[Reason, ...] = attrs.field(default=(), converter=several, validator=are(Reason))
    is_test: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    decision: Decision = attrs.field(default=Decision.UNDECIDED, converter=Decision)
    reasons: tuple[Reason, ...] = attrs.field(default=(), converter=several, validator=are(Reason))
    received_at: datetime | None = attrs.field(default=None, validator=is_aware)
    raw: Mapping[str, Any] = attrs.field(factory=dict, converter=_dark, repr=False, hash=False)

    @property
    def status(self) -> FlowStatus:
        return self.flow.status

    @property
    def approved(self) -> bool:
        """Whether the policy approved the person."""
        return self.decision is Decision.APPROVED

    @property
    def claims(self) -> Claims:
        """What is known about the person, with the same names at every vendor: `result.claims.birthdate.value`."""
        from .claims import Claims

        return Claims(self.documents, self.fields)

    @property
    def evidence_steps(self) -> frozenset[EvidenceStep]:
        """The steps of NIST SP 800-63A that the checks cover: collection, validation, verification."""
        return evidence_steps(self.checks)

    def checks_of(self, kind: CheckKind) -> tuple[Check, ...]:
        """All checks of one kind."""
        return tuple(check for check in self.checks if check.kind is kind)

    def failed_checks(self) -> tuple[Check, ...]:
        """All checks that failed."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.FAILED)
