"""A result: what the vendor reports, and what our policy makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from .check_names import CheckKind
from .claims import Claims
from .evidence import Check, CheckOutcome, DocumentEvidence, VendorVerdict
from .evidence_steps import EvidenceStep, evidence_steps
from .fields import ExtractedField
from .flow import Flow, FlowStatus
from .redacted import RedactedMapping, not_pickled
from .validation import are, is_aware, optional, several


class Decision(StrEnum):
    APPROVED = "approved"
    DECLINED = "declined"
    REVIEW = "review"
    UNDECIDED = "undecided"


@attrs.frozen
class Reason:
    """Why a decision is what it is: a stable `code`, a sentence, and the evidence it points at.

    `check` is a check as policies name it (`liveness.presentation_attack`), `document` your id of a document, or its type
    where the id is not known.
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
    """Evidence (`checks`, `documents`, `fields`, `verdict`) and, once a policy has looked at it, `decision` with `reasons`.

    `fields` are what the vendor says of the person apart from any document (a register, its own file). `claims` has all that
    was read, under one name whoever the vendor is: `result.claims.birthdate.value`.

    `doubts` are what the plugin found and could not understand, or found missing where the vendor could have said it; no
    policy approves over one. `is_test` says that the vendor made it in its test mode, where nothing is really checked.
    `raw` is the vendor's answer with masked numbers and without signed links: a mapping that is dark in its own `repr`
    too, for it holds personal data (`dict(result.raw)` for what wants a dict). A plugin may give it as `Deferred`.
    """

    flow: Flow
    checks: tuple[Check, ...] = attrs.field(default=(), converter=several, validator=are(Check))
    documents: tuple[DocumentEvidence, ...] = attrs.field(
        default=(), converter=several, validator=are(DocumentEvidence)
    )
    fields: tuple[ExtractedField, ...] = attrs.field(default=(), converter=several, validator=are(ExtractedField))
    verdict: VendorVerdict | None = attrs.field(default=None, converter=attrs.converters.optional(VendorVerdict))
    vendor_word: str | None = attrs.field(default=None, validator=optional(str))
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
        """What is known about the person; each claim says whether its sources disagree."""
        return Claims(self.documents, self.fields)

    @property
    def evidence_steps(self) -> frozenset[EvidenceStep]:
        """The steps of NIST SP 800-63A that the checks hold: collection, validation, verification."""
        return evidence_steps(self.checks)

    def checks_of(self, kind: CheckKind) -> tuple[Check, ...]:
        """All checks of one kind."""
        return tuple(check for check in self.checks if check.kind is kind)

    def failed_checks(self) -> tuple[Check, ...]:
        """All checks that failed."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.FAILED)
