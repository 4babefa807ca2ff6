"""A result: what the vendor reports, and what our policy makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from .evidence import Check, CheckKind, CheckOutcome, DocumentEvidence, VendorVerdict
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

    `check` is the name of a check, `document` your id of a document, or its type where the id is not known.
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
    """Evidence (`checks`, `documents`, `verdict`) and, once a policy has looked at it, `decision` with `reasons`.

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
    verdict: VendorVerdict | None = attrs.field(default=None, converter=attrs.converters.optional(VendorVerdict))
    vendor_word: str | None = attrs.field(default=None, validator=optional(str))
    notes: tuple[str, ...] = attrs.field(default=(), converter=several, validator=are(str))
    doubts: tuple[Reason, ...] = attrs.field(default=(), converter=several, validator=are(Reason))
    is_test: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    decision: Decision = Decision.UNDECIDED
    reasons: tuple[Reason, ...] = attrs.field(default=(), converter=several, validator=are(Reason))
    received_at: datetime | None = attrs.field(default=None, validator=is_aware)
    raw: Mapping[str, Any] = attrs.field(factory=dict, converter=_dark, repr=False, hash=False)

    @property
    def status(self) -> FlowStatus:
        return self.flow.status

    def checks_of(self, kind: CheckKind) -> tuple[Check, ...]:
        """All checks of one kind."""
        return tuple(check for check in self.checks if check.kind is kind)

    def failed_checks(self) -> tuple[Check, ...]:
        """All checks that failed."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.FAILED)
