"""A policy's rules: what must be there, and what is made of it. `idv_core.policy` applies them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from urllib.parse import quote

import attrs

from .check_names import CheckKind, check_name_fault
from .document_types import DocumentType, document_type, document_types
from .evidence import Check, CheckOutcome
from .validation import are_countries, is_a, is_string, is_unit, texts
from .words import listed, near, quoted


@attrs.frozen(kw_only=True)
class Threshold:
    """Two bounds on a score: passed from `approve_at`, failed below `decline_below`, inconclusive between.

    Args:
        approve_at: Above 0, at most 1.
        decline_below: From 0 to `approve_at`.

    Raises ValueError.
    """

    approve_at: float = attrs.field(validator=is_unit)
    decline_below: float = attrs.field(validator=is_unit)

    def __attrs_post_init__(self) -> None:
        if self.decline_below > self.approve_at:
            raise ValueError("decline_below must be at most approve_at")
        if self.approve_at == 0:
            raise ValueError("approve_at must be above 0; with 0 every score would pass")

    def outcome(self, score: float) -> CheckOutcome:
        if score >= self.approve_at:
            return CheckOutcome.PASSED
        return CheckOutcome.FAILED if score < self.decline_below else CheckOutcome.INCONCLUSIVE


class Action(StrEnum):
    """What evidence that is not good leads to: `review` by a person, or `decline`. It never approves."""

    REVIEW = "review"
    DECLINE = "decline"


class VerdictRule(StrEnum):
    """How a policy uses the vendor's verdict.

    `trust`: a bad verdict counts, a missing one does not matter. `require`: a good verdict is required. `ignore`: no verdict
    counts. `sufficient`: a good verdict is enough, even if no identity check passed (see `evaluate`).
    """

    TRUST = "trust"
    REQUIRE = "require"
    SUFFICIENT = "sufficient"
    IGNORE = "ignore"


def _sorted(rules: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(sorted(rule.items()) if isinstance(rule, dict) else rule for rule in rules)


_CHECK_KINDS = tuple(kind.value for kind in CheckKind)


def split_name(name: str) -> tuple[CheckKind, str | None]:
    """`face_match` or `cross_check.name` as kind and name. Raises ValueError for a kind that does not exist."""
    kind, _, named = name.partition(".")
    if kind not in _CHECK_KINDS:
        hint = near(kind, _CHECK_KINDS) or f" (there are: {listed(_CHECK_KINDS)})"
        raise ValueError(f"there is no kind of check {quoted(kind)}{hint}")
    fault = check_name_fault(CheckKind(kind), named) if named else None
    if fault is not None:
        raise ValueError(fault)
    return CheckKind(kind), named or None


def _are_checks(_: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for name in value:
        split_name(name)


@attrs.frozen(kw_only=True)
class CheckRules:
    """Rules for checks.

    Args:
        required: Kinds (`liveness`) or single checks (`cross_check.name`). One such check must have passed.
        inconclusive: What a check without a clear outcome leads to.
        missing: What a check leads to that was not done or is not reported.

    Raises ValueError.
    """

    required: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=_are_checks)
    inconclusive: Action = attrs.field(default=Action.REVIEW, converter=Action)
    missing: Action = attrs.field(default=Action.REVIEW, converter=Action)


def _by_type(days: Mapping[str, int]) -> Mapping[DocumentType, int]:
    if not isinstance(days, Mapping):
        raise ValueError("max_age_days: must be a mapping of document types to days")
    return {document_type(type_, "max_age_days"): count for type_, count in days.items()}


def _required_types(types: object) -> tuple[DocumentType, ...]:
    return document_types(types, "required")


@attrs.frozen(kw_only=True)
class DocumentRules:
    """Rules for documents, by document type (`passport`, `tax_card`: see `DocumentType`).

    Args:
        required: Types that must be there.
        missing: What a missing required document leads to.
        errors: What a failed document check leads to.
        countries: The issuing countries allowed, ISO 3166-1 alpha-2. Any other declines; an unknown one goes to review.
        max_age_days: For each type, the most days since its date of issue.
        outdated: What an older or expired document leads to.

    Raises ValueError.
    """

    required: tuple[DocumentType, ...] = attrs.field(default=(), converter=_required_types)
    missing: Action = attrs.field(default=Action.REVIEW, converter=Action)
    errors: Action = attrs.field(default=Action.DECLINE, converter=Action)
    countries: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=are_countries)
    max_age_days: Mapping[DocumentType, int] = attrs.field(factory=dict, converter=_by_type, hash=False)
    outdated: Action = attrs.field(default=Action.REVIEW, converter=Action)

    @max_age_days.validator
    def _check_max_age_days(self, _: object, value: Mapping[DocumentType, int]) -> None:
        for days in value.values():
            # of "not a number" no age is above
            if not isinstance(days, int) or isinstance(days, bool) or days <= 0:
                raise ValueError("max_age_days: must be a whole number of days above 0")


@attrs.frozen(kw_only=True)
class ReviewRules:
    """Rules for the person who decides what the policy did not.

    Args:
        four_eyes: Whether such a decision counts only once a second person has confirmed it.
    """

    four_eyes: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))


def _by_name(thresholds: Mapping[str, Threshold]) -> dict[str, Threshold]:
    """Kinds may be given as members of `CheckKind`."""
    if not isinstance(thresholds, Mapping) or not all(isinstance(one, Threshold) for one in thresholds.values()):
        raise ValueError("thresholds: must be a mapping of checks to Threshold values")
    return {str(name): threshold for name, threshold in thresholds.items()}


@attrs.frozen(kw_only=True)
class Policy:
    """Turns evidence into a decision: `Policy(name="lending", thresholds={"cross_check.name": Threshold(...)})`.

    Without rules it is the strict default: see `idv_core.policy.evaluate`.

    Args:
        name: The name in results and references.
        thresholds: Bounds on scores, by kind (`liveness`) or by check (`cross_check.name`), which takes precedence. They give
            an outcome to checks that only have a score, and can make the vendor's outcome worse, never better.
        checks: Rules for checks.
        documents: Rules for documents.
        verdict: How the vendor's verdict is used.
        review: Rules for the person who decides what the policy leaves to one. They change no decision of the policy.

    Raises ValueError.
    """

    name: str = attrs.field(default="", validator=is_string)
    thresholds: Mapping[str, Threshold] = attrs.field(factory=dict, converter=_by_name, hash=False)
    checks: CheckRules = attrs.field(factory=CheckRules, validator=is_a(CheckRules))
    documents: DocumentRules = attrs.field(factory=DocumentRules, validator=is_a(DocumentRules))
    verdict: VerdictRule = attrs.field(default=VerdictRule.TRUST, converter=VerdictRule)
    review: ReviewRules = attrs.field(factory=ReviewRules, validator=is_a(ReviewRules))
    _by_check: dict[tuple[CheckKind, str | None], Threshold] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if Action.DECLINE in (self.checks.inconclusive, self.checks.missing) and self.documents.errors is Action.REVIEW:
            raise ValueError(
                'documents.errors must be "decline" where checks.inconclusive or checks.missing is "decline"'
            )
        by_check = {split_name(name): threshold for name, threshold in self.thresholds.items()}
        object.__setattr__(self, "_by_check", by_check)

    def threshold(self, check: Check) -> Threshold | None:
        """The threshold for this check: by its name, else by its kind."""
        return self._by_check.get((check.kind, check.name)) or self._by_check.get((check.kind, None))

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of the rules. The name does not change them."""
        thresholds = sorted((name, bounds.approve_at, bounds.decline_below) for name, bounds in self.thresholds.items())
        rules: tuple[object, ...] = (
            thresholds,
            attrs.astuple(self.checks),
            _sorted(attrs.astuple(self.documents)),
            str(self.verdict),
        )
        # marks that vendors and platforms keep from before there were such rules stay what they are
        rules = (*rules, attrs.astuple(self.review)) if self.review != ReviewRules() else rules
        return sha256(repr(rules).encode()).hexdigest()[:8]

    @cached_property
    def mark(self) -> str | None:
        """What a flow reference holds of the policy: `lending.1a2b3c4d`; None for the unnamed strict default."""
        return f"{quote(self.name, safe='')}.{self.fingerprint}" if self != _PLAIN else None


_PLAIN = Policy()
