"""Evidence to decision. The one default policy lives here: strict, small, pure.

- A flow that is not finished: undecided.
- A failed check or a negative verdict: declined.
- Every check passed, no doubtful verdict, and evidence at all: approved.
- Anything else: review.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..model import Check, CheckKind, CheckOutcome, Decision, FlowStatus, Reason, Result, VendorVerdict
from ..model.values import is_unit, plain_mapping


@attrs.frozen(kw_only=True)
class Threshold:
    """Two bounds on a score of 0..1: passed from `approve_at` on, failed below `decline_below`, inconclusive between."""

    approve_at: float = attrs.field(validator=is_unit)
    decline_below: float = attrs.field(validator=is_unit)

    def __attrs_post_init__(self) -> None:
        if self.decline_below > self.approve_at:
            raise ValueError("decline_below must not be above approve_at")

    def outcome(self, score: float) -> CheckOutcome:
        if score >= self.approve_at:
            return CheckOutcome.PASSED
        return CheckOutcome.FAILED if score < self.decline_below else CheckOutcome.INCONCLUSIVE


@attrs.frozen(kw_only=True)
class Policy:
    """`scores` gives an outcome to checks that the vendor only scores (cross-checks), by check name; "*" for the others."""

    scores: Mapping[str, Threshold] = attrs.field(factory=dict, converter=plain_mapping, hash=False)

    def judge(self, result: Result, **more: Any) -> Result:
        """The same result with outcomes for scored checks, a decision, and the reasons that led to it; `more` are further
        fields to set in the same step."""
        checks = tuple(self._with_outcome(check) for check in result.checks) if self.scores else result.checks
        decision, reasons = _decide(result, checks)
        return attrs.evolve(result, checks=checks, decision=decision, reasons=reasons, **more)

    def _with_outcome(self, check: Check) -> Check:
        threshold = self.scores.get(check.name, self.scores.get("*"))
        if check.outcome is not None or check.score is None or threshold is None:
            return check
        return attrs.evolve(check, outcome=threshold.outcome(check.score.value))


DEFAULT_POLICY = Policy()


def _decide(result: Result, checks: tuple[Check, ...]) -> tuple[Decision, tuple[Reason, ...]]:
    if result.status is not FlowStatus.FINISHED:
        return Decision.UNDECIDED, (Reason(f"flow.{result.status}", f"the flow is {result.status}, not finished"),)
    against = [
        Reason("check.failed", _sentence(check, "failed"), check.name)
        for check in checks
        if check.outcome is CheckOutcome.FAILED
    ]
    if result.verdict is VendorVerdict.NEGATIVE:
        against.append(Reason("verdict.negative", "the vendor's verdict is negative"))
    if against:
        return Decision.DECLINED, tuple(against)
    doubts = [
        Reason(f"check.{check.outcome or 'no_outcome'}", _sentence(check, _DOUBT[check.outcome]), check.name)
        for check in checks
        if check.outcome is not CheckOutcome.PASSED
    ]
    if result.verdict is VendorVerdict.DOUBTFUL:
        doubts.append(
            Reason("verdict.doubtful", f"the vendor's verdict is doubtful ({result.vendor_word or 'no word'})")
        )
    if not checks and result.verdict is not VendorVerdict.POSITIVE:
        doubts.append(Reason("evidence.none", "there is no evidence"))
    if doubts:
        return Decision.REVIEW, tuple(doubts)
    return Decision.APPROVED, (Reason("evidence.passed", _approval(result)),)


_DOUBT = {
    None: "was scored but no threshold says what the score means",
    CheckOutcome.INCONCLUSIVE: "is inconclusive",
    CheckOutcome.NOT_DONE: "was not done",
}


def _sentence(check: Check, what: str) -> str:
    about = f" of {check.document_id}" if check.document_id and check.kind is not CheckKind.CROSS_CHECK else ""
    score = f" at {check.score.value:.2f}" if check.score else ""
    why = f" ({', '.join(check.reasons)})" if check.reasons else ""
    return f"{check.kind} {check.name}{about} {what}{score}{why}"


def _approval(result: Result) -> str:
    verdict = (
        "the vendor's verdict is positive" if result.verdict is VendorVerdict.POSITIVE else "no verdict against it"
    )
    return f"all {len(result.checks)} checks passed, {verdict}" if result.checks else verdict
