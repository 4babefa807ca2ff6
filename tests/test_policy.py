"""The default policy: strict, pure, and monotone."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_model import checks, results

from idv_core import Check, CheckOutcome, Decision, Flow, FlowStatus, Policy, Result, Threshold, VendorVerdict
from idv_core.model import Score
from idv_core.policy import DEFAULT_POLICY

DONE = Flow(id="f", status="finished")
PASSED = Check(kind="liveness", name="liveness", outcome=CheckOutcome.PASSED)
SCORED = Check(kind="cross_check", name="CUSTOMER_NAME", score=Score.read(72, 0, 100))


def decide(
    *given_checks: Check, verdict: VendorVerdict | None = None, policy: Policy = DEFAULT_POLICY, **more: object
) -> Result:
    return policy.judge(Result(flow=DONE, checks=given_checks, verdict=verdict, **more))


@pytest.mark.parametrize(
    ("given_checks", "verdict", "decision", "codes"),
    [
        ([PASSED], None, Decision.APPROVED, ["evidence.passed"]),
        ([PASSED], VendorVerdict.POSITIVE, Decision.APPROVED, ["evidence.passed"]),
        ([], VendorVerdict.POSITIVE, Decision.APPROVED, ["evidence.passed"]),
        ([], None, Decision.REVIEW, ["evidence.none"]),
        ([], VendorVerdict.DOUBTFUL, Decision.REVIEW, ["verdict.doubtful", "evidence.none"]),
        ([PASSED], VendorVerdict.DOUBTFUL, Decision.REVIEW, ["verdict.doubtful"]),
        ([PASSED], VendorVerdict.NEGATIVE, Decision.DECLINED, ["verdict.negative"]),
        ([SCORED], None, Decision.REVIEW, ["check.no_outcome"]),
        ([SCORED], VendorVerdict.POSITIVE, Decision.REVIEW, ["check.no_outcome"]),
        ([attrs.evolve(PASSED, outcome=CheckOutcome.FAILED)], None, Decision.DECLINED, ["check.failed"]),
        (
            [attrs.evolve(PASSED, outcome=CheckOutcome.FAILED)],
            VendorVerdict.NEGATIVE,
            Decision.DECLINED,
            ["check.failed", "verdict.negative"],
        ),
        ([PASSED, attrs.evolve(PASSED, outcome=CheckOutcome.NOT_DONE)], None, Decision.REVIEW, ["check.not_done"]),
        (
            [PASSED, attrs.evolve(PASSED, outcome=CheckOutcome.INCONCLUSIVE)],
            None,
            Decision.REVIEW,
            ["check.inconclusive"],
        ),
    ],
)
def test_the_default(
    given_checks: list[Check], verdict: VendorVerdict | None, decision: Decision, codes: list[str]
) -> None:
    result = decide(*given_checks, verdict=verdict)
    assert result.decision is decision
    assert [reason.code for reason in result.reasons] == codes


@pytest.mark.parametrize("status", [status for status in FlowStatus if status is not FlowStatus.FINISHED])
def test_what_is_not_finished_is_undecided_whatever_the_evidence(status: FlowStatus) -> None:
    failed = attrs.evolve(PASSED, outcome=CheckOutcome.FAILED)
    for some in ([PASSED], [failed]):
        result = Result(flow=Flow(id="f", status=status), checks=some, verdict=VendorVerdict.POSITIVE)
        judged = DEFAULT_POLICY.judge(result)
        assert judged.decision is Decision.UNDECIDED
        assert judged.reasons[0].code == f"flow.{status.value}"


@pytest.mark.parametrize(
    ("score", "outcome", "decision"),
    [
        (90, CheckOutcome.PASSED, Decision.APPROVED),
        (80, CheckOutcome.PASSED, Decision.APPROVED),
        (79, CheckOutcome.INCONCLUSIVE, Decision.REVIEW),
        (60, CheckOutcome.INCONCLUSIVE, Decision.REVIEW),
        (59, CheckOutcome.FAILED, Decision.DECLINED),
    ],
)
def test_a_threshold_gives_a_scored_check_its_outcome(score: int, outcome: CheckOutcome, decision: Decision) -> None:
    policy = Policy(scores={"*": Threshold(approve_at=0.8, decline_below=0.6)})
    result = decide(attrs.evolve(SCORED, score=Score.read(score, 0, 100)), policy=policy)
    assert result.checks[0].outcome is outcome
    assert result.decision is decision


def test_a_named_threshold_goes_before_the_general_one_and_never_touches_an_outcome() -> None:
    strict, lax = Threshold(approve_at=1.0, decline_below=0.9), Threshold(approve_at=0.1, decline_below=0.0)
    policy = Policy(scores={"CUSTOMER_NAME": strict, "*": lax})
    assert decide(SCORED, policy=policy).decision is Decision.DECLINED
    assert decide(attrs.evolve(SCORED, name="OTHER"), policy=policy).decision is Decision.APPROVED
    failed = attrs.evolve(SCORED, name="OTHER", outcome=CheckOutcome.FAILED)
    assert decide(failed, policy=policy).decision is Decision.DECLINED


def test_thresholds_must_not_cross() -> None:
    assert Threshold(approve_at=0.8, decline_below=0.8).outcome(0.8) is CheckOutcome.PASSED
    with pytest.raises(ValueError, match="must not be above"):
        Threshold(approve_at=0.5, decline_below=0.6)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Threshold(approve_at=80, decline_below=0.6)


def test_reasons_are_sentences_that_point_at_their_check() -> None:
    failed = attrs.evolve(
        SCORED, kind="document", name="PAN", outcome=CheckOutcome.FAILED, reasons=["UNRECOGNISED"], document_id="pan-1"
    )
    result = decide(failed, verdict=VendorVerdict.NEGATIVE)
    assert [str(reason) for reason in result.reasons] == [
        "document PAN of pan-1 failed at 0.72 (UNRECOGNISED)",
        "the vendor's verdict is negative",
    ]
    assert result.reasons[0].check == "PAN"
    assert str(decide(PASSED).reasons[0]) == "all 1 checks passed, no verdict against it"
    doubtful = decide(PASSED, verdict=VendorVerdict.DOUBTFUL, vendor_word="maybe")
    assert str(doubtful.reasons[0]) == "the vendor's verdict is doubtful (maybe)"


_RANK = {Decision.DECLINED: 0, Decision.REVIEW: 1, Decision.APPROVED: 2}
_BETTER = [CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE, CheckOutcome.PASSED]


@given(results, st.integers(0, 1))
def test_better_evidence_never_gives_a_worse_decision(result: Result, which: int) -> None:
    result = attrs.evolve(result, flow=DONE)
    if which >= len(result.checks) or result.checks[which].outcome not in _BETTER:
        return
    ranks = []
    for outcome in _BETTER:
        changed = [attrs.evolve(c, outcome=outcome) if i == which else c for i, c in enumerate(result.checks)]
        ranks.append(_RANK[DEFAULT_POLICY.judge(attrs.evolve(result, checks=changed)).decision])
    assert ranks == sorted(ranks)


@given(results, checks)
def test_an_approval_always_stands_on_passed_checks(result: Result, extra: Check) -> None:
    judged = DEFAULT_POLICY.judge(attrs.evolve(result, checks=(*result.checks, extra)))
    if judged.decision is Decision.APPROVED:
        assert judged.status is FlowStatus.FINISHED
        assert all(check.outcome is CheckOutcome.PASSED for check in judged.checks)
        assert judged.verdict in (None, VendorVerdict.POSITIVE)
    assert judged.reasons
