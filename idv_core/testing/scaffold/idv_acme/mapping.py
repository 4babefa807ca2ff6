"""Acme's words in our vocabulary. An unknown word is pending or inconclusive, never passed."""

from __future__ import annotations

from idv_core.plugin import Check, CheckKind, CheckOutcome, FlowStatus, VendorVerdict

from .payloads import Checked

_STATUS = {
    "waiting": FlowStatus.AWAITING_APPLICANT,
    "checking": FlowStatus.PROCESSING,
    "passed": FlowStatus.FINISHED,
    "failed": FlowStatus.FINISHED,
}
_VERDICTS = {"passed": VendorVerdict.POSITIVE, "failed": VendorVerdict.NEGATIVE}
# Acme's names of checks, and ours: the kind, and what of it is looked at (`CHECK_NAMES`).
_CHECKS = {"document": (CheckKind.DOCUMENT, "authenticity"), "face": (CheckKind.FACE_MATCH, "selfie_to_document")}
_OUTCOMES = {"ok": CheckOutcome.PASSED, "bad": CheckOutcome.FAILED}


def read_status(word: str) -> FlowStatus:
    return _STATUS.get(word, FlowStatus.PROCESSING)


def read_verdict(word: str) -> VendorVerdict | None:
    return _VERDICTS.get(word)


def read_check(checked: Checked) -> Check:
    kind, name = _CHECKS.get(checked.name, (CheckKind.OTHER, "other"))
    return Check(
        kind=kind,
        name=name,
        vendor_name=checked.name[:40],
        outcome=_OUTCOMES.get(checked.outcome, CheckOutcome.INCONCLUSIVE),
        vendor_word=checked.outcome[:40],
    )
