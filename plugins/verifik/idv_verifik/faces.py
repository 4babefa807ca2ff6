"""Checks of a face: liveness, and selfie against document (sections 3.7, 3.8 and 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idv_core.plugin import Check, CheckKind, CheckOutcome, Score

from .payloads import Said
from .printed import error_words
from .words import CODE, VALIDATION, as_object, unless, word_of


def read_liveness(data: Mapping[str, Any], document_id: str | None) -> Check:
    """One biometric validation (section 5.4)."""
    word = word_of(data.get("status"))
    # `response` is what the engine for faces answered, in its own words
    errors = error_words({key: value for key, value in data.items() if key != "response"})
    errors += ("livenessScore",) if Score.is_unread(data.get("livenessScore")) else ()
    return Check(
        kind=CheckKind.LIVENESS,
        vendor_name="biometricValidation",
        outcome=unless(errors, VALIDATION.get(word or "", CheckOutcome.INCONCLUSIVE)),
        score=Score.read(data.get("livenessScore")),
        reasons=(("expired",) if word == "EXPIRED" else ()) + errors,
        document_id=document_id,
        vendor_word=word,
    )


def read_refused_selfie(said: Said, document_id: str) -> Check:
    """A 409 that speaks of the person is evidence; one about the picture asks for another (section 3.7)."""
    score = Score.read(said.body.get("livenessScore")) or Score.read(said.detail)
    kind, reason = said.body.get("failureKind"), said.body.get("failureReason")
    # without a score only words that say nothing else: `unknown`, `poor_lighting` and `liveness_error` are not about the person
    is_bare = kind in (None, "score") and not said.detail and "@" not in said.token
    is_of_score = kind == "score" or (kind != "quality" and reason in (None, "liveness_failed"))
    low = said.names("liveness_failed") and is_of_score and (score is not None or is_bare)
    words = (said.token, None if score else said.detail, reason if isinstance(reason, str) else None)
    return Check(
        kind=CheckKind.LIVENESS,
        vendor_name="biometricValidation",
        outcome=CheckOutcome.FAILED if low else CheckOutcome.INCONCLUSIVE,
        score=score,
        reasons=tuple(word[:80] for word in words if word),
        document_id=document_id,
        vendor_word=said.code if CODE.fullmatch(said.code.upper()) else None,
    )


def read_comparison(data: Mapping[str, Any]) -> Check:
    """Selfie against document. The outcome is the server's `passed`, never computed from the score (section 5.4)."""
    result = as_object(data.get("result"))
    passed, word = result.get("passed"), word_of(data.get("status"))
    if passed is False or word == "FAILED":
        outcome = CheckOutcome.FAILED
    else:
        outcome = CheckOutcome.PASSED if passed is True and word == "SUCCESS" else CheckOutcome.INCONCLUSIVE
    errors = error_words({**data, "result": result})
    if data.get("type") not in (None, "compare"):
        # a search in a collection says nothing of the document
        errors = (*errors, "type")
    errors += ("score",) if Score.is_unread(result.get("score")) else ()
    return Check(
        kind=CheckKind.FACE_MATCH,
        name="selfie_to_document",
        vendor_name="compareFaceVerification",
        outcome=unless(errors, outcome),
        score=Score.read(result.get("score")),
        reasons=errors,
        vendor_word=word,
    )
