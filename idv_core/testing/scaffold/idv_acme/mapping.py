"""Acme's words in our vocabulary. An unknown word is pending or inconclusive, never passed."""

from __future__ import annotations

from idv_core.model import Check, CheckKind, CheckOutcome, FlowStatus, VendorVerdict

from .payloads import Checked

_STATUS = {
    "waiting": FlowStatus.AWAITING_APPLICANT,
    "checking": FlowStatus.PROCESSING,
    "passed": FlowStatus.FINISHED,
    "failed": FlowStatus.FINISHED,
}
_VERDICTS = {"passed": VendorVerdict.POSITIVE, "failed": VendorVerdict.NEGATIVE}
_KINDS = {"document": CheckKind.DOCUMENT, "face": CheckKind.FACE_MATCH}
_OUTCOMES = {"ok": CheckOutcome.PASSED, "bad": CheckOutcome.FAILED}


def read_status(word: str) -> FlowStatus:
    return _STATUS.get(word, FlowStatus.PROCESSING)


def read_verdict(word: str) -> VendorVerdict | None:
    return _VERDICTS.get(word)


def read_check(checked: Checked) -> Check:
    return Check(
        kind=_KINDS.get(checked.name, CheckKind.OTHER),
        name=checked.name[:40],
        outcome=_OUTCOMES.get(checked.outcome, CheckOutcome.INCONCLUSIVE),
        vendor_word=checked.outcome[:40],
    )
