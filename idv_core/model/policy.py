"""A policy's rules: what must be there, and what is made of it. `idv_core.policy` applies them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote

import attrs

from .check_names import CheckKind, check_name_fault
from .document_types import DocumentType, document_type, document_types
from .evidence import Check, CheckOutcome
from .validation import are_countries, is_unit, texts
from .words import listed, near, quoted


@attrs.frozen(kw_only=True)
class Threshold:
    """Two bounds on a score of 0..1: passed from `approve_at` on, failed below `decline_below`, inconclusive between."""

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
    """What evidence that is not good leads to. There is no way to let it pass."""

    REVIEW = "review"
    DECLINE = "decline"


class VerdictRule(StrEnum):
    """`trust`: a bad verdict counts, none does no harm. `require`: there must be a good one. `ignore`: as if none came.
    `sufficient`: a good one is enough, also where no identity check passed (see `evaluate`)."""

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
    """`required` are kinds (`liveness`) or single checks (`cross_check.name`): one such check must have passed.

    `inconclusive` is for checks that came to no end, `missing` for those that were not done or not even mentioned.
    """

    required: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=_are_checks)
    inconclusive: Action = attrs.field(default=Action.REVIEW, converter=Action)
    missing: Action = attrs.field(default=Action.REVIEW, converter=Action)


def _by_type(days: Mapping[str, int]) -> Mapping[DocumentType, int]:
    return {document_type(type_, "max_age_days"): count for type_, count in days.items()}


def _required_types(types: object) -> tuple[DocumentType, ...]:
    return document_types(types, "required")


@attrs.frozen(kw_only=True)
class DocumentRules:
    """Rules for documents, by their types in our words (`passport`, `tax_card`: see `DocumentType`).

    `required` types must be there (else `missing`), `errors` is for documents whose check failed, `countries` are the issuing
    countries allowed (ISO 3166-1 alpha-2), `max_age_days` bounds days since issue by type; `outdated` is for documents older
    than that, or past their own end.
    """

    required: tuple[DocumentType, ...] = attrs.field(default=(), converter=_required_types)
    missing: Action = attrs.field(default=Action.REVIEW, converter=Action)
    errors: Action = attrs.field(default=Action.DECLINE, converter=Action)
    countries: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=are_countries)
    max_age_days: Mapping[DocumentType, int] = attrs.field(factory=dict, converter=_by_type, hash=False)
    outdated: Action = attrs.field(default=Action.REVIEW, converter=Action)

    @max_age_days.validator
    def _check_max_age_days(self, _: object, value: Mapping[DocumentType, int]) -> None:
        if any(days <= 0 for days in value.values()):
            raise ValueError("max_age_days: must be a number of days above 0")


def _by_name(thresholds: Mapping[str, Threshold]) -> dict[str, Threshold]:
    """Kinds may be given as members of `CheckKind`."""
    return {str(name): threshold for name, threshold in thresholds.items()}


@attrs.frozen(kw_only=True)
class Policy:
    """What turns evidence into a decision: `Policy(name="lending", thresholds={"cross_check.name": Threshold(...)})`.

    `thresholds` are by kind or by single check, the latter first. A score gives an outcome to checks that have none, and
    can make the vendor's own outcome worse, never better. Without any rule this is the strict default: see `evaluate`.
    """

    name: str = ""
    thresholds: Mapping[str, Threshold] = attrs.field(factory=dict, converter=_by_name, hash=False)
    checks: CheckRules = attrs.field(factory=CheckRules)
    documents: DocumentRules = attrs.field(factory=DocumentRules)
    verdict: VerdictRule = attrs.field(default=VerdictRule.TRUST, converter=VerdictRule)
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

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that are the same for the same rules, whatever the policy is called."""
        thresholds = sorted((name, bounds.approve_at, bounds.decline_below) for name, bounds in self.thresholds.items())
        rules = (thresholds, attrs.astuple(self.checks), _sorted(attrs.astuple(self.documents)), str(self.verdict))
        return sha256(repr(rules).encode()).hexdigest()[:8]

    @property
    def mark(self) -> str | None:
        """What a flow's reference says of it: `lending.1a2b3c4d`; nothing for the strict default without a name."""
        return f"{quote(self.name, safe='')}.{self.fingerprint}" if self != _PLAIN else None


_PLAIN = Policy()
