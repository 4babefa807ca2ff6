"""Turns evidence into a decision. Nothing else in idv_core decides.

- The flow has not finished: undecided.
- A check failed, the verdict is negative, or a rule of the policy declines: declined.
- Something is doubtful, missing or not understood: review.
- All checks passed, nothing required is missing, and at least one identity check passed: approved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TypeAlias

from ..model import (
    Check,
    CheckKind,
    CheckOutcome,
    Decision,
    DocumentEvidence,
    FieldName,
    Flow,
    FlowStatus,
    Reason,
    Result,
    VendorVerdict,
)
from ..model.check_names import OTHER
from ..model.copies import with_changed
from ..model.policy import Action, DocumentRules, Policy, VerdictRule, split_name

DEFAULT_POLICY = Policy()

Finding: TypeAlias = tuple[Action, Reason]

# From bad to good; what was not done is no worse than what came to no end.
_RANK = {CheckOutcome.FAILED: 0, CheckOutcome.INCONCLUSIVE: 1, CheckOutcome.NOT_DONE: 1, CheckOutcome.PASSED: 2}
# Whoever passed none of these may be anybody (NIST SP 800-63A: evidence is validated, and the person verified against it).
_IDENTITY = frozenset({CheckKind.DOCUMENT, CheckKind.FACE_MATCH, CheckKind.LIVENESS, CheckKind.DATA_SOURCE})
# No document is valid for longer than that, in years; a later end was misread.
_LONGEST = 100
_STRICT = {Decision.DECLINED: 0, Decision.UNDECIDED: 1, Decision.REVIEW: 2, Decision.APPROVED: 3}


def evaluate(
    policy: Policy, result: Result, at: datetime, *, flow: Flow | None = None, received_at: datetime | None = None
) -> Result:
    """Evaluate a result by a policy: outcomes for scored checks, a decision, and its reasons.

    Args:
        policy: The rules.
        result: The evidence.
        at: The moment at which documents must be valid, with a time zone.
        flow: Replaces the flow of the result.
        received_at: Replaces the time at which the result was received.

    Source for the identity checks: NIST SP 800-63A (validate the evidence, verify the person).
    """
    if received_at is not None and received_at.tzinfo is None:
        raise ValueError("received_at: must be a datetime with a time zone")
    checks = result.checks
    if policy.thresholds or any(check.by_policy for check in checks):
        checks = tuple(_judged(policy, check) for check in checks)
    decision, reasons = _decide(policy, result, checks, at)
    notes = tuple(_without_effect(policy, checks, result.documents)) if result.status is FlowStatus.FINISHED else ()
    return with_changed(
        result,
        flow=flow or result.flow,
        received_at=received_at or result.received_at,
        checks=checks,
        decision=decision,
        reasons=reasons,
        notes=tuple(dict.fromkeys((*result.notes, *notes))) if notes else result.notes,
    )


def strictest(
    policies: Iterable[Policy],
    result: Result,
    at: datetime,
    *,
    flow: Flow | None = None,
    received_at: datetime | None = None,
) -> Result:
    """Evaluate a result by several policies and return the strictest outcome. Arguments as for `evaluate`."""
    results = (evaluate(policy, result, at, flow=flow, received_at=received_at) for policy in policies)
    return min(results, key=lambda evaluated: _STRICT[evaluated.decision])


def _judged(policy: Policy, check: Check) -> Check:
    said = check.vendor_outcome if check.by_policy else check.outcome
    threshold = policy.threshold(check)
    if threshold is None:
        return with_changed(check, outcome=said, vendor_outcome=None, by_policy=False) if check.by_policy else check
    # a bound on a score that is not there cannot be met
    by_score = threshold.outcome(check.score.value) if check.score else CheckOutcome.INCONCLUSIVE
    outcome = by_score if said is None else min(said, by_score, key=_RANK.__getitem__)
    return with_changed(check, outcome=outcome, vendor_outcome=said, by_policy=True)


def _decide(
    policy: Policy, result: Result, checks: tuple[Check, ...], at: datetime
) -> tuple[Decision, tuple[Reason, ...]]:
    if result.status is not FlowStatus.FINISHED:
        return Decision.UNDECIDED, (Reason(f"flow.{result.status}", f"the flow is {result.status}, not finished"),)
    against: list[Reason] = []
    doubts: list[Reason] = []
    for action, reason in _findings(policy, result, checks, at.date()):
        (against if action is Action.DECLINE else doubts).append(reason)
    if against:
        return Decision.DECLINED, tuple(against)
    if result.flow.valid_until is not None and at >= result.flow.valid_until:
        doubts.append(Reason("flow.validity_over", "the verification was valid for a time that is over"))
    if not doubts and not _says_who(policy, result, checks):
        text = "no identity check passed (document, face match, liveness or data source)"
        doubts.append(Reason("evidence.no_identity", text))
    if doubts:
        return Decision.REVIEW, tuple(doubts)
    return Decision.APPROVED, (Reason("evidence.passed", _approval(policy, result)),)


def _findings(policy: Policy, result: Result, checks: tuple[Check, ...], today: date) -> Iterator[Finding]:
    for doubt in result.doubts:
        yield Action.REVIEW, doubt
    for check in checks:
        if check.outcome is not CheckOutcome.PASSED:
            yield _check_finding(policy, check)
    for name in policy.checks.required:
        kind, named = split_name(name)
        if not any(_is(check, kind, named) for check in checks):
            yield policy.checks.missing, Reason("check.missing", f"the required check {name} is missing", name)
    yield from _document_findings(policy.documents, result.documents, today)
    yield from _birthdate_findings(result, today)
    verdict = None if policy.verdict is VerdictRule.IGNORE else result.verdict
    if verdict is VendorVerdict.NEGATIVE:
        yield Action.DECLINE, Reason("verdict.negative", "the vendor's verdict is negative")
    elif verdict not in (None, VendorVerdict.POSITIVE):
        word = result.vendor_word or "no word"
        yield Action.REVIEW, Reason("verdict.doubtful", f"the vendor's verdict is doubtful ({word})")
    elif verdict is None and policy.verdict is VerdictRule.REQUIRE:
        yield Action.REVIEW, Reason("verdict.missing", "the required verdict of the vendor is missing")
    if not checks and verdict is not VendorVerdict.POSITIVE:
        yield Action.REVIEW, Reason("evidence.none", "there is no evidence")


def _says_who(policy: Policy, result: Result, checks: tuple[Check, ...]) -> bool:
    """Whether anything tells who the person is: an identity check, or a check that the policy names itself."""
    if policy.verdict is VerdictRule.SUFFICIENT and result.verdict is VendorVerdict.POSITIVE:
        return True
    named = [split_name(name) for name in policy.checks.required]
    return any(
        check.outcome is CheckOutcome.PASSED
        and (check.kind in _IDENTITY or check.by_policy or any(_is(check, kind, name) for kind, name in named))
        for check in checks
    )


def _without_effect(
    policy: Policy, checks: tuple[Check, ...], documents: tuple[DocumentEvidence, ...]
) -> Iterator[str]:
    """Rules that met nothing: most likely a name is spelt wrongly."""
    for name in policy.thresholds:
        kind, named = split_name(name)
        if named is not None and not any(_is(check, kind, named) for check in checks):
            yield f"no check matches the threshold for {name}"
    types = {document.type for document in documents}
    for type_ in policy.documents.max_age_days:
        if type_ not in types:
            yield f"no document matches max_age_days for {type_}"


def _is(check: Check, kind: CheckKind, name: str | None) -> bool:
    return check.kind is kind and (name is None or check.name == name)


def _check_finding(policy: Policy, check: Check) -> Finding:
    rules = policy.checks
    match check.outcome:
        case CheckOutcome.FAILED:
            action = policy.documents.errors if check.kind is CheckKind.DOCUMENT else Action.DECLINE
            what = "failed"
        case CheckOutcome.INCONCLUSIVE:
            no_score = check.by_policy and check.score is None
            action, what = rules.inconclusive, "has no score to evaluate it by" if no_score else "is inconclusive"
        case CheckOutcome.NOT_DONE:
            # under a threshold it is no better than a check without a score that serves
            stern = check.by_policy and rules.inconclusive is Action.DECLINE
            action, what = Action.DECLINE if stern else rules.missing, "was not done"
        case _:
            action, what = Action.REVIEW, "has a score, but the policy has no threshold for it"
    return action, Reason(
        f"check.{check.outcome or 'no_outcome'}", _sentence(check, what), check.label, check.document_id
    )


def _document_findings(rules: DocumentRules, documents: tuple[DocumentEvidence, ...], today: date) -> Iterator[Finding]:
    there = {document.type for document in documents}
    for type_ in rules.required:
        if type_ not in there:
            yield (
                rules.missing,
                Reason("document.missing", f"the required document {type_} is missing", document=type_),
            )
    if rules.countries and not documents:
        yield Action.REVIEW, Reason("document.country_unknown", "no document states its country")
    for document in documents:
        name = document.document_id or document.type or "(unattributed)"
        if rules.countries and document.country is None:
            yield Action.REVIEW, Reason("document.country_unknown", f"the country of {name} is unknown", None, name)
        elif rules.countries and document.country not in rules.countries:
            text = f"{name} is of {document.country}, allowed: {', '.join(rules.countries)}"
            yield Action.DECLINE, Reason("document.country", text, None, name)
        yield from _validity_findings(rules, document, name, today)
        days = rules.max_age_days.get(document.type) if document.type else None
        if days is None:
            continue
        if document.issued_on is None and "issued_on" not in document.unread:
            yield Action.REVIEW, Reason("document.age_unknown", f"the date of issue of {name} is unknown", None, name)
        elif document.issued_on is not None and (today - document.issued_on).days > days:
            yield rules.outdated, Reason("document.too_old", f"{name} is older than {days} days", None, name)


def _validity_findings(rules: DocumentRules, document: DocumentEvidence, name: str, today: date) -> Iterator[Finding]:
    """What a document's own dates say. One that is there and not understood is neither good nor bad."""
    expires, issued = document.expires_on, document.issued_on
    if "expires_on" in document.unread or (expires is not None and expires.year > today.year + _LONGEST):
        yield (
            Action.REVIEW,
            Reason("document.expiry_unknown", f"the date of expiry of {name} could not be read", None, name),
        )
    elif expires is not None and expires < today:
        yield rules.outdated, Reason("document.expired", f"{name} has expired", None, name)
    if "issued_on" in document.unread:
        yield (
            Action.REVIEW,
            Reason("document.issue_unknown", f"the date of issue of {name} could not be read", None, name),
        )
    elif issued is not None and issued > today:
        yield Action.REVIEW, Reason("document.issued_in_future", f"{name} was issued in the future", None, name)
    elif issued is not None and expires is not None and issued > expires:
        yield (
            Action.REVIEW,
            Reason("document.dates_disagree", f"{name} was issued after its date of expiry", None, name),
        )


def _birthdate_findings(result: Result, today: date) -> Iterator[Finding]:
    """A person is born once, and before their documents are issued: what says otherwise was misread, or is of two persons."""
    known: set[date] = set()
    for document in (*result.documents, None):
        for field in result.fields if document is None else document.fields:
            if field.name is not FieldName.BIRTHDATE or field.value is None:
                continue
            known.add(field.value)
            ends = (document.issued_on, document.expires_on) if document is not None else ()
            if field.value > min((today, *filter(None, ends))):
                name = (document and (document.document_id or document.type)) or None
                text = (
                    f"the birthdate {f'on {name} ' if name else ''}is in the future, or after the document's own dates"
                )
                yield Action.REVIEW, Reason("birthdate.implausible", text, None, name)
    if len(known) > 1:
        yield Action.REVIEW, Reason("birthdate.disagrees", "the evidence states two different birthdates")


def _sentence(check: Check, what: str) -> str:
    about = f" of {check.document_id}" if check.document_id and check.kind is not CheckKind.CROSS_CHECK else ""
    score = f" at {check.score.value:.2f}" if check.score else ""
    why = f" ({', '.join(check.reasons)})" if check.reasons else ""
    whose = f" ({check.vendor_name})" if check.name == OTHER and check.vendor_name else ""
    return f"{check.label}{whose}{about} {what}{score}{why}"


def _approval(policy: Policy, result: Result) -> str:
    if policy.verdict is VerdictRule.IGNORE:
        verdict = "the policy ignores the vendor's verdict"
    elif result.verdict is VendorVerdict.POSITIVE:
        verdict = "the vendor's verdict is positive"
    else:
        verdict = "no verdict against it"
    return f"all {len(result.checks)} checks passed, {verdict}" if result.checks else verdict
