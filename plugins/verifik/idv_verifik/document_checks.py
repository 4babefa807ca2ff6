"""Checks of a document: what Verifik made of it, and its names against a source (sections 3.6 and 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idv_core.plugin import Check, CheckKind, CheckOutcome, Score

from .asked import section
from .documents import label
from .payloads import Said
from .printed import error_words
from .words import CODE, DOCUMENT, as_object, unless, word_of

BACK_NEEDED = "requiresBackSide"
"""Among the reasons of a document whose back Verifik still wants (section 3.6.2)."""
# Per cent of the full name from which Verifik says that names match (section 3.6.4).
_NAMES_AGREE = 90


def read_document(data: Mapping[str, Any], document_id: str | None) -> Check:
    """One document validation (section 5.3)."""
    word = word_of(data.get("status"))
    reasons = [
        str(data[key])[:80] for key in ("failedReason", "manualVerificationReason") if isinstance(data.get(key), str)
    ]
    if word in ("EXPIRED", "NOT_FOUND"):
        reasons.append(word.lower())
    needed = (BACK_NEEDED,) if data.get(BACK_NEEDED) not in (None, False) and not data.get("backUrl") else ()
    errors = error_words(data)
    reasons += [*needed, *(name for name in errors if name != "failedReason" or not isinstance(data[name], str))]
    return Check(
        kind=CheckKind.DOCUMENT,
        vendor_name=label(data.get("documentType")),
        outcome=unless((*needed, *errors), DOCUMENT.get(word or "", CheckOutcome.INCONCLUSIVE)),
        reasons=tuple(reasons),
        document_id=document_id,
        vendor_word=word,
    )


def read_refused_document(said: Said, document_id: str) -> Check:
    """A picture that could not be read is inconclusive; a number that is somebody else's has failed (section 3.6.1)."""
    foreign = said.names("existing_document_validation_with_document_number")
    return Check(
        kind=CheckKind.DOCUMENT,
        outcome=CheckOutcome.FAILED if foreign else CheckOutcome.INCONCLUSIVE,
        reasons=(said.token[:80] or said.code[:80] or "refused",),
        document_id=document_id,
        vendor_word=said.code if CODE.fullmatch(said.code.upper()) else None,
    )


def read_names(document: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Check]:
    """Names against the source, unless the flow's settings say that it does not ask (section 3.6.4).

    A source that does not know the document is no failure of the person. Where the settings cannot be read, names that
    differ are doubtful, and those that the source was asked about count.
    """
    asked = section(settings, "documents").get("informationVerification")
    if asked is False:
        return
    supported, match = document.get("infoValidationSupported"), document.get("namesMatch")
    told = document.get("fullNameMatchPercentage")
    score = Score.read(told, 0, 100)
    # a percentage that contradicts the yes, or that cannot be read
    is_doubtful = score.raw < _NAMES_AGREE if score is not None else told not in (None, "")
    if (match is not None and not isinstance(match, bool)) or (
        is_doubtful and match is not False and not (supported is True and match is None)
    ):
        outcome = CheckOutcome.INCONCLUSIVE
    elif supported is True:
        outcome = CheckOutcome.PASSED if match else CheckOutcome.FAILED
    elif supported is not None:
        outcome = CheckOutcome.INCONCLUSIVE
    elif asked is not None:
        outcome = CheckOutcome.NOT_DONE
    elif match is False:
        outcome = CheckOutcome.INCONCLUSIVE
    else:
        return
    reason = document.get("infoValidationSupportedReason")
    yield Check(
        kind=CheckKind.NAME_MATCH,
        vendor_name="namesMatch",
        outcome=outcome,
        score=score,
        reasons=(reason[:80],) if isinstance(reason, str) and reason else (),
    )


def is_source_checked(registration: Mapping[str, Any]) -> bool:
    """Whether the names were compared with a source already."""
    return isinstance(as_object(registration.get("documentValidation")).get("infoValidationSupported"), bool)
