"""The steps of identity proofing that passed checks hold, in the words of NIST SP 800-63A."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from .check_names import CHECK_NAMES, OVERALL, CheckKind
from .evidence import Check, CheckOutcome


class EvidenceStep(StrEnum):
    """A step of NIST SP 800-63A: evidence is collected, validated, and the applicant is verified against it."""

    COLLECTION = "collection"
    VALIDATION = "validation"
    VERIFICATION = "verification"


_CHECKS: Mapping[EvidenceStep, Mapping[CheckKind, frozenset[str]]] = {
    EvidenceStep.COLLECTION: {
        CheckKind.DOCUMENT: frozenset({OVERALL, *CHECK_NAMES[CheckKind.DOCUMENT]}),
    },
    EvidenceStep.VALIDATION: {
        CheckKind.DOCUMENT: frozenset({OVERALL, "authenticity"}),
        CheckKind.DATA_SOURCE: frozenset({OVERALL, *CHECK_NAMES[CheckKind.DATA_SOURCE]}),
    },
    EvidenceStep.VERIFICATION: {
        CheckKind.FACE_MATCH: frozenset({OVERALL, "selfie_to_document", "selfie_to_record"}),
    },
}


def evidence_steps(checks: Iterable[Check]) -> frozenset[EvidenceStep]:
    """The steps that these checks hold: one check of the step passed, and every check of the step passed.

    Collection: a check of a document. Validation: the document is genuine, or a data source confirms what it says.
    Verification: the applicant's face is that of the document or of the record. What is missing is not held; neither is
    what failed, came to no end, or waits for a policy's threshold. A step is no assurance level: those ask for more (the
    strength of the evidence, presentation attack detection, an address). Source: NIST SP 800-63A, identity proofing
    requirements.
    """
    known = tuple(checks)
    return frozenset(step for step in EvidenceStep if _is_held(step, known))


def _is_held(step: EvidenceStep, checks: tuple[Check, ...]) -> bool:
    names = _CHECKS[step]
    outcomes = [check.outcome for check in checks if check.name in names.get(check.kind, ())]
    return bool(outcomes) and all(outcome is CheckOutcome.PASSED for outcome in outcomes)
