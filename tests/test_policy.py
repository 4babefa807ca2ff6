"""Evidence to decision: strict by default, pure, explainable, and monotone whatever the policy."""

from __future__ import annotations

from datetime import UTC, date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_model import checks, results

from idv_core import Check, CheckKind, CheckOutcome, Decision, Flow, FlowStatus, Result, from_json, to_json
from idv_core.model import DocumentEvidence, Score, VendorVerdict
from idv_core.policy import (
    DEFAULT_POLICY,
    Action,
    CheckRules,
    DocumentRules,
    Policy,
    Threshold,
    VerdictRule,
    evaluate,
    strictest,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

DONE = Flow(id="f", status="finished")
PASSED = Check(kind="liveness", outcome=CheckOutcome.PASSED)
EMAIL = Check(kind="email", outcome=CheckOutcome.PASSED)
SCORED = Check(kind="cross_check", name="name", score=Score.read(72, 0, 100))


def decide(
    *given_checks: Check, verdict: VendorVerdict | None = None, policy: Policy = DEFAULT_POLICY, **more: object
) -> Result:
    return evaluate(policy, Result(flow=DONE, checks=given_checks, verdict=verdict, **more), NOW)


@pytest.mark.parametrize(
    ("given_checks", "verdict", "decision", "codes"),
    [
        ([PASSED], None, Decision.APPROVED, ["evidence.passed"]),
        ([PASSED], VendorVerdict.POSITIVE, Decision.APPROVED, ["evidence.passed"]),
        ([], VendorVerdict.POSITIVE, Decision.REVIEW, ["evidence.no_identity"]),
        ([EMAIL], None, Decision.REVIEW, ["evidence.no_identity"]),
        ([EMAIL], VendorVerdict.POSITIVE, Decision.REVIEW, ["evidence.no_identity"]),
        ([EMAIL, PASSED], None, Decision.APPROVED, ["evidence.passed"]),
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
        judged = evaluate(DEFAULT_POLICY, result, NOW)
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
    policy = Policy(thresholds={"cross_check": Threshold(approve_at=0.8, decline_below=0.6)})
    result = decide(attrs.evolve(SCORED, score=Score.read(score, 0, 100)), policy=policy)
    assert result.checks[0].outcome is outcome
    assert result.decision is decision


def test_a_threshold_for_one_check_goes_before_that_of_its_kind() -> None:
    strict, lax = Threshold(approve_at=1.0, decline_below=0.9), Threshold(approve_at=0.1, decline_below=0.0)
    policy = Policy(thresholds={"cross_check.name": strict, "cross_check": lax})
    assert decide(SCORED, policy=policy).decision is Decision.DECLINED
    assert decide(attrs.evolve(SCORED, name="birthdate"), policy=policy).decision is Decision.APPROVED


@pytest.mark.parametrize(
    ("said", "score", "outcome"),
    [
        ("passed", 95, "passed"),
        ("passed", 80, "inconclusive"),
        ("passed", 20, "failed"),
        ("failed", 95, "failed"),
        ("inconclusive", 95, "inconclusive"),
        ("not_done", 95, "not_done"),
        ("passed", None, "inconclusive"),
        ("failed", None, "failed"),
        (None, None, "inconclusive"),
    ],
)
def test_a_threshold_makes_the_vendors_outcome_worse_but_never_better(
    said: str | None, score: int | None, outcome: str
) -> None:
    policy = Policy(thresholds={"face_match": Threshold(approve_at=0.9, decline_below=0.5)})
    check = Check(
        kind="face_match",
        outcome=said and CheckOutcome(said),
        score=None if score is None else Score.read(score, 0, 100),
    )
    (judged,) = decide(check, policy=policy).checks
    assert judged.outcome == outcome
    assert judged.by_policy
    assert judged.vendor_outcome == said


def test_a_result_can_be_judged_again_by_another_policy() -> None:
    """A recorded result holds the outcomes of the policy of that day; the vendor's own are still there."""
    strict = Policy(thresholds={"cross_check": Threshold(approve_at=0.9, decline_below=0.8)})
    lax = Policy(thresholds={"cross_check": Threshold(approve_at=0.7, decline_below=0.1)})
    first = decide(SCORED, policy=strict)
    assert first.decision is Decision.DECLINED
    assert evaluate(lax, first, NOW).decision is Decision.APPROVED
    assert evaluate(strict, evaluate(lax, first, NOW), NOW) == first
    assert evaluate(DEFAULT_POLICY, first, NOW).decision is Decision.REVIEW


def codes(policy: Policy, *given_checks: Check, **more: object) -> tuple[str, list[str]]:
    result = decide(*given_checks, policy=policy, **more)
    return result.decision, [reason.code for reason in result.reasons]


class TestRules:
    def test_required_checks(self) -> None:
        policy = Policy(checks=CheckRules(required=("liveness", "cross_check.name")))
        assert codes(policy, PASSED) == ("review", ["check.missing"])
        named = attrs.evolve(SCORED, outcome=CheckOutcome.PASSED)
        assert codes(policy, PASSED, named) == ("approved", ["evidence.passed"])
        stern = Policy(checks=CheckRules(required=("liveness",), missing="decline"))
        assert codes(stern, named) == ("declined", ["check.missing"])
        assert codes(stern, attrs.evolve(PASSED, outcome=CheckOutcome.NOT_DONE)) == ("declined", ["check.not_done"])
        reason = decide(PASSED, policy=policy).reasons[0]
        assert (str(reason), reason.check) == (
            "the required check cross_check.name is missing",
            "cross_check.name",
        )

    @pytest.mark.parametrize("other", ["birthdate", "given_name", "overall", "other"])
    def test_another_check_of_the_kind_is_not_the_one_that_is_required(self, other: str) -> None:
        policy = Policy(checks=CheckRules(required=("cross_check.name",)))
        passed = attrs.evolve(SCORED, name=other, outcome=CheckOutcome.PASSED)
        assert codes(policy, PASSED, passed) == ("review", ["check.missing"])

    def test_inconclusive_may_decline(self) -> None:
        unclear = attrs.evolve(PASSED, outcome=CheckOutcome.INCONCLUSIVE)
        assert codes(Policy(), unclear) == ("review", ["check.inconclusive"])
        assert codes(Policy(checks=CheckRules(inconclusive="decline")), unclear) == ("declined", ["check.inconclusive"])

    def test_the_vendors_verdict(self) -> None:
        positive, negative, doubtful = VendorVerdict.POSITIVE, VendorVerdict.NEGATIVE, VendorVerdict.DOUBTFUL
        require, ignore = Policy(verdict="require"), Policy(verdict="ignore")
        assert codes(require, PASSED) == ("review", ["verdict.missing"])
        assert codes(require, PASSED, verdict=positive)[0] == "approved"
        assert codes(ignore, PASSED, verdict=negative)[0] == "approved"
        assert codes(ignore, PASSED, verdict=doubtful)[0] == "approved"
        assert codes(ignore, verdict=positive) == ("review", ["evidence.none"])
        assert codes(Policy(verdict="sufficient"), verdict=positive)[0] == "approved"
        assert codes(Policy(verdict="sufficient"), EMAIL) == ("review", ["evidence.no_identity"])
        assert codes(Policy(checks=CheckRules(required="email")), EMAIL)[0] == "approved"
        assert (
            str(decide(PASSED, policy=ignore).reasons[0])
            == "all 1 checks passed, the policy ignores the vendor's verdict"
        )

    def test_required_documents(self) -> None:
        policy = Policy(documents=DocumentRules(required=("tax_card", "national_number_card")))
        pan = DocumentEvidence(document_id="d-1", type="tax_card", vendor_type="tax_card")
        assert codes(policy, PASSED, documents=[pan]) == ("review", ["document.missing"])
        assert (
            codes(policy, PASSED, documents=[pan, DocumentEvidence(document_id=None, type="national_number_card")])[0]
            == "approved"
        )
        stern = Policy(documents=DocumentRules(required=("tax_card",), missing="decline"))
        result = decide(PASSED, policy=stern)
        assert (result.decision, result.reasons[0].document) == (Decision.DECLINED, "tax_card")

    def test_documents_that_failed(self) -> None:
        failed = Check(kind="document", name="authenticity", outcome=CheckOutcome.FAILED, document_id="d-1")
        assert codes(Policy(), failed) == ("declined", ["check.failed"])
        lenient = Policy(documents=DocumentRules(errors="review"))
        result = decide(PASSED, failed, policy=lenient)
        assert (result.decision, result.reasons[0].document) == (Decision.REVIEW, "d-1")
        for kind in CheckKind:
            decision = "review" if kind is CheckKind.DOCUMENT else "declined"
            assert codes(lenient, attrs.evolve(PASSED, kind=kind, outcome=CheckOutcome.FAILED))[0] == decision
        with pytest.raises(ValueError, match=r"where checks\.inconclusive or checks\.missing"):
            Policy(documents=DocumentRules(errors="review"), checks=CheckRules(inconclusive="decline"))

    @pytest.mark.parametrize(
        ("country", "decision", "code"),
        [
            ("IN", "approved", "evidence.passed"),
            ("KZ", "declined", "document.country"),
            (None, "review", "document.country_unknown"),
        ],
    )
    def test_countries(self, country: str | None, decision: str, code: str) -> None:
        policy = Policy(documents=DocumentRules(countries=("IN", "CO")))
        document = DocumentEvidence(document_id="d-1", type="tax_card", country=country)
        assert codes(policy, PASSED, documents=[document]) == (decision, [code])
        assert codes(policy, PASSED) == ("review", ["document.country_unknown"])

    @pytest.mark.parametrize(
        ("issued", "decision", "code"),
        [
            (date(2026, 2, 20), "approved", "evidence.passed"),
            (date(2025, 12, 1), "approved", "evidence.passed"),
            (date(2025, 11, 30), "declined", "document.too_old"),
            (None, "review", "document.age_unknown"),
        ],
    )
    def test_age(self, issued: date | None, decision: str, code: str) -> None:
        policy = Policy(documents=DocumentRules(max_age_days={"utility_statement": 90}, outdated="decline"))
        bill = DocumentEvidence(document_id="d-1", type="utility_statement", issued_on=issued)
        passport = DocumentEvidence(document_id="d-2", type="passport", issued_on=date(2019, 1, 1))
        for documents in ([bill, passport], [passport, bill]):
            assert codes(policy, PASSED, documents=documents) == (decision, [code])

    def test_a_document_past_its_end_goes_to_a_person_by_default(self) -> None:
        over = DocumentEvidence(document_id="d-1", type="passport", expires_on=date(2026, 2, 28))
        assert codes(Policy(), PASSED, documents=[over]) == ("review", ["document.expired"])
        for still in (date(2026, 3, 1), date(2026, 3, 2), date(2034, 5, 31)):
            assert codes(Policy(), PASSED, documents=[attrs.evolve(over, expires_on=still)])[0] == "approved"

    def test_what_makes_no_sense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="there is no kind of check"):
            Policy(thresholds={"lifeness": Threshold(approve_at=1, decline_below=0)})
        with pytest.raises(ValueError, match="there is no kind of check"):
            CheckRules(required=("lifeness",))
        with pytest.raises(ValueError, match=r"there is no cross_check check 'nme'; did you mean 'name'\?"):
            Policy(thresholds={"cross_check.nme": Threshold(approve_at=1, decline_below=0)})
        with pytest.raises(
            ValueError, match="there is no face_match check 'selfie_document'; did you mean 'selfie_to_d"
        ):
            CheckRules(required=("face_match.selfie_document",))
        with pytest.raises(ValueError, match=r"^required: there is no document type 'PAN'; did you mean 'tax_card'\?"):
            DocumentRules(required=("PAN",))
        with pytest.raises(ValueError, match=r"^max_age_days: there is no document type 'EBILL'"):
            DocumentRules(max_age_days={"EBILL": 90})
        with pytest.raises(ValueError, match="days above 0"):
            DocumentRules(max_age_days={"tax_card": 0})

    @pytest.mark.parametrize("days", [float("nan"), float("inf"), True, "90", 2.5, None])
    def test_an_age_is_whole_days(self, days: object) -> None:
        """No document is older than "not a number"."""
        with pytest.raises(ValueError, match="max_age_days: must be a whole number of days above 0"):
            DocumentRules(max_age_days={"tax_card": days})  # type: ignore[dict-item]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": 5}, "name"),
            ({"thresholds": {"liveness": 0.5}}, "thresholds"),
            ({"thresholds": ["liveness"]}, "thresholds"),
            ({"checks": {"required": ["liveness"]}}, r"checks: must be CheckRules\(\.\.\.\), not a table"),
            ({"documents": None}, r"documents: must be DocumentRules\(\.\.\.\), not None"),
            ({"review": True}, "review"),
        ],
    )
    def test_rules_are_what_they_are_called(self, wrong: dict[str, object], field: str) -> None:
        with pytest.raises(ValueError, match=f"^{field}"):
            Policy(**wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="ISO 3166-1"):
            DocumentRules(countries=("XX",))


def test_the_strictest_of_several_counts() -> None:
    needs_more = Policy(name="more", checks=CheckRules(required=("face_match",)))
    result = Result(flow=DONE, checks=[PASSED])
    assert strictest([DEFAULT_POLICY, needs_more], result, NOW).decision is Decision.REVIEW
    assert strictest([DEFAULT_POLICY], result, NOW).decision is Decision.APPROVED


def test_thresholds_must_not_cross() -> None:
    assert Threshold(approve_at=0.8, decline_below=0.8).outcome(0.8) is CheckOutcome.PASSED
    with pytest.raises(ValueError, match="must be at most"):
        Threshold(approve_at=0.5, decline_below=0.6)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Threshold(approve_at=80, decline_below=0.6)


def test_reasons_are_sentences_that_point_at_their_check() -> None:
    failed = attrs.evolve(
        SCORED,
        kind="document",
        name="authenticity",
        outcome=CheckOutcome.FAILED,
        reasons=["UNRECOGNISED"],
        document_id="pan-1",
    )
    result = decide(failed, verdict=VendorVerdict.NEGATIVE)
    assert [str(reason) for reason in result.reasons] == [
        "document.authenticity of pan-1 failed at 0.72 (UNRECOGNISED)",
        "the vendor's verdict is negative",
    ]
    assert result.reasons[0].check == "document.authenticity"
    unnamed = attrs.evolve(failed, kind="liveness", name="other", vendor_name="depth", document_id=None, reasons=())
    assert str(decide(unnamed).reasons[0]) == "liveness.other (depth) failed at 0.72"
    assert str(decide(PASSED).reasons[0]) == "all 1 checks passed, no verdict against it"
    doubtful = decide(PASSED, verdict=VendorVerdict.DOUBTFUL, vendor_word="maybe")
    assert str(doubtful.reasons[0]) == "the vendor's verdict is doubtful (maybe)"


_RANK = {Decision.DECLINED: 0, Decision.REVIEW: 1, Decision.APPROVED: 2}
_BETTER = [CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE, CheckOutcome.PASSED]

_bounds = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
    lambda pair: Threshold(approve_at=max(*pair, 0.01), decline_below=min(pair))
)
_names = st.sampled_from([*CheckKind, "cross_check.name", "liveness.presentation_attack"])
_actions = st.sampled_from(Action)
_types = st.sampled_from(["tax_card", "passport"])


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    inconclusive, missing = draw(_actions), draw(_actions)
    stern = Action.DECLINE in (inconclusive, missing)
    return Policy(
        name="p",
        thresholds=draw(st.dictionaries(_names, _bounds, max_size=3)),
        checks=CheckRules(
            required=tuple(draw(st.lists(_names, max_size=2))), inconclusive=inconclusive, missing=missing
        ),
        documents=DocumentRules(
            required=tuple(draw(st.lists(_types, max_size=2))),
            missing=draw(_actions),
            errors=Action.DECLINE if stern else draw(_actions),
            countries=tuple(draw(st.lists(st.sampled_from(["IN", "CO"]), max_size=2, unique=True))),
            max_age_days=draw(st.dictionaries(_types, st.integers(1, 400), max_size=2)),
            outdated=draw(_actions),
        ),
        verdict=draw(st.sampled_from(VerdictRule)),
    )


_evidence = st.builds(
    Check,
    kind=st.sampled_from(CheckKind),
    name=st.sampled_from(["overall", "other"]),
    outcome=st.none() | st.sampled_from(CheckOutcome),
    score=st.none() | st.floats(0, 1).map(lambda value: Score(value, value)),
)
_documents = st.builds(
    DocumentEvidence,
    document_id=st.sampled_from(["d-1", "d-2"]),
    type=st.none() | _types,
    country=st.none() | st.sampled_from(["IN", "CO", "KZ"]),
    issued_on=st.none() | st.dates(date(2025, 1, 1), date(2026, 2, 28)),
    expires_on=st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1)),
)
_finished = st.builds(
    Result,
    flow=st.just(DONE),
    checks=st.lists(_evidence, min_size=1, max_size=3),
    documents=st.lists(_documents, max_size=2),
    verdict=st.none() | st.sampled_from(VendorVerdict),
)


def ranks(policy: Policy, *improving: Result) -> list[int]:
    return [_RANK[evaluate(policy, result, NOW).decision] for result in improving]


class TestMonotony:
    """Better evidence never gives a worse decision, whatever the policy."""

    @given(policies(), _finished)
    def test_outcomes(self, policy: Policy, result: Result) -> None:
        first, *rest = result.checks
        for better in (_BETTER, [CheckOutcome.FAILED, CheckOutcome.NOT_DONE, CheckOutcome.PASSED]):
            seen = ranks(
                policy, *(attrs.evolve(result, checks=[attrs.evolve(first, outcome=o), *rest]) for o in better)
            )
            assert seen == sorted(seen)

    @given(policies(), _finished, st.lists(st.floats(0, 1), min_size=2, max_size=4))
    def test_scores(self, policy: Policy, result: Result, scores: list[float]) -> None:
        first, *rest = result.checks
        seen = ranks(
            policy,
            *(attrs.evolve(result, checks=[attrs.evolve(first, score=Score(s, s)), *rest]) for s in sorted(scores)),
        )
        assert seen == sorted(seen)

    @given(policies(), _finished)
    def test_verdicts(self, policy: Policy, result: Result) -> None:
        better = [VendorVerdict.NEGATIVE, VendorVerdict.DOUBTFUL, VendorVerdict.POSITIVE]
        seen = ranks(policy, *(attrs.evolve(result, verdict=verdict) for verdict in better))
        assert seen == sorted(seen)

    @given(policies(), _finished, _documents)
    def test_documents(self, policy: Policy, result: Result, document: DocumentEvidence) -> None:
        def with_(**changes: object) -> Result:
            return attrs.evolve(result, documents=[attrs.evolve(document, **changes)])

        improving = [
            [with_(country=country) for country in ("KZ", None, *policy.documents.countries[:1])],
            [with_(expires_on=when) for when in (date(2020, 1, 1), date(2030, 1, 1))],
            [with_(issued_on=when) for when in (date(2020, 1, 1), NOW.date())],
        ]
        for results_ in improving:
            seen = ranks(policy, *results_)
            assert seen == sorted(seen)

    @given(policies(), _finished, _evidence)
    def test_a_check_that_did_not_pass_never_helps(self, policy: Policy, result: Result, extra: Check) -> None:
        before = evaluate(policy, result, NOW)
        after = evaluate(policy, attrs.evolve(result, checks=(*result.checks, extra)), NOW)
        if after.checks[-1].outcome is not CheckOutcome.PASSED:
            assert after.decision is not Decision.APPROVED
            assert (
                before.decision is not Decision.DECLINED or after.decision is Decision.DECLINED or not_missing(before)
            )


def not_missing(result: Result) -> bool:
    """A check that failed is there, so it is not missing."""
    return any(reason.code == "check.missing" for reason in result.reasons)


@given(policies(), _finished)
def test_unknown_evidence_never_approves(policy: Policy, result: Result) -> None:
    judged = evaluate(policy, result, NOW)
    assert judged.reasons
    if judged.decision is Decision.APPROVED:
        assert all(check.outcome is CheckOutcome.PASSED for check in judged.checks)
        if policy.verdict is not VerdictRule.IGNORE:
            assert judged.verdict in (None, VendorVerdict.POSITIVE)
        for check in judged.checks:
            assert policy.threshold(check) is None or check.score is not None


@given(policies(), _finished)
def test_deciding_is_deterministic_and_changes_no_evidence(policy: Policy, result: Result) -> None:
    judged = evaluate(policy, result, NOW)
    assert judged == evaluate(policy, result, NOW) == evaluate(policy, judged, NOW)
    assert [c.vendor_outcome if c.by_policy else c.outcome for c in judged.checks] == [c.outcome for c in result.checks]
    assert from_json(Policy, to_json(policy)) == policy


@given(results, checks)
def test_an_approval_always_stands_on_passed_checks(result: Result, extra: Check) -> None:
    judged = evaluate(
        DEFAULT_POLICY, attrs.evolve(result, checks=(*result.checks, attrs.evolve(extra, by_policy=False))), NOW
    )
    if judged.decision is Decision.APPROVED:
        assert judged.status is FlowStatus.FINISHED
        assert all(check.outcome is CheckOutcome.PASSED for check in judged.checks)
        assert judged.verdict in (None, VendorVerdict.POSITIVE)
    assert judged.reasons
