"""Verifik's words in our vocabulary: sections 5 and 6 of the fact sheet. An unknown word is never positive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import Check, CheckKind, CheckOutcome, Flow, FlowStatus, Reason, Result, VendorVerdict

from .asked import missing_checks, wanted_checks
from .claims import claims
from .document_checks import read_document, read_names
from .documents import id_of_ours, read_evidence
from .faces import read_comparison, read_liveness
from .facts import is_foreign, person_of
from .payloads import reference_id
from .printed import error_words
from .screening import read_screening
from .words import DOCUMENT, VALIDATION, as_object, unless, word_of

_REGISTRATION = {
    "STARTED": (FlowStatus.AWAITING_APPLICANT, None),
    "ONGOING": (FlowStatus.AWAITING_APPLICANT, None),
    "COMPLETED": (FlowStatus.FINISHED, VendorVerdict.POSITIVE),
    "COMPLETED_WITHOUT_KYC": (FlowStatus.FINISHED, VendorVerdict.DOUBTFUL),
    "FAILED": (FlowStatus.FINISHED, VendorVerdict.NEGATIVE),
    "NEEDS_MANUAL_VERIFICATION": (FlowStatus.FINISHED, VendorVerdict.DOUBTFUL),
    "EXPIRED": (FlowStatus.EXPIRED, None),
}
_IDENTITY = frozenset({CheckKind.DOCUMENT, CheckKind.LIVENESS, CheckKind.FACE_MATCH})
_NOTHING_VERIFIED = Check(kind=CheckKind.OTHER, outcome=CheckOutcome.NOT_DONE, reasons=("nothing was verified",))
# What is dropped from `raw` by name; links, tokens and pictures are told by their values too (`without_secrets`).
NEVER_KEPT = (
    "url",
    "backUrl",
    "frontUrl",
    "images",
    "image",
    "backImage",
    "face",
    "documentFace",
    "gallery",
    "probe",
    "zelfKey",
)
_PARTS = (
    "documentValidation",
    "biometricValidation",
    "compareFaceVerification",
    "emailValidation",
    "phoneValidation",
    "informationValidation",
)
# Read by themselves, or about something else than the person.
_APART = frozenset(
    {
        *_PARTS,
        "status",
        "deleted",
        "redFlags",
        "appRegistration",
        "client",
        "project",
        "projectFlow",
        "template",
        "person",
        "face",
        "documentFace",
        "response",
        "criminalData",
        "OCRExtraction",
        "documentData",
        "ocrResults",
        "failedDocumentValidations",
        "failedBiometricValidations",
        "failedEmailValidations",
        "failedPhoneValidations",
    }
)
_CLAIMED = {
    "status": "a status word that is not known to be good",
    "denied": "that something is not so",
    "concern": "a concern",
}
_INFORMATION = frozenset({"NEW", "PENDING", "ASSESSING", *(word for word, out in DOCUMENT.items() if out == "passed")})


def read_registration(data: Mapping[str, Any], flow: Flow, settings: Mapping[str, Any] | None = None) -> Result:
    """Read a registration with its references populated. COMPLETED counts only with the checks behind it (section 6.4).

    `settings` are those of its project flow, where they do not stand in the registration itself.
    """
    word = word_of(data.get("status"))
    status, verdict = _REGISTRATION.get(word or "", (FlowStatus.PROCESSING, None))
    settings = as_object(data.get("projectFlow")) if settings is None else settings
    checks = tuple(_checks(data, settings, flow))
    notes = list(_notes(data))
    if word and word not in _REGISTRATION:
        notes.append(f"unknown status {word!r}")
    if status is FlowStatus.AWAITING_APPLICANT and is_being_read(data):
        status = FlowStatus.PROCESSING
    if status is FlowStatus.FINISHED:
        wanted = wanted_checks(settings, checks)
        passed = {check.kind for check in checks if check.outcome is CheckOutcome.PASSED}
        if verdict is VendorVerdict.POSITIVE and not (wanted <= passed and passed & _IDENTITY):
            verdict = VendorVerdict.DOUBTFUL
            notes.append("COMPLETED, but not every mandatory step has a passed check")
        checks += tuple(missing_checks(wanted, checks))
        if word == "COMPLETED_WITHOUT_KYC" or not passed & _IDENTITY:
            checks += (_NOTHING_VERIFIED,)
    return Result(
        flow=become(flow, status, word),
        verdict=verdict,
        vendor_word=word,
        checks=checks,
        documents=tuple(read_evidence(data, flow)),
        notes=tuple(notes),
        doubts=tuple(_doubts(data)),
        is_test=_is_for_show(data),
    )


def _is_for_show(data: Mapping[str, Any]) -> bool:
    """A project in demo mode takes its own code for every one-time code (section 3.1); a demo document is nobody's (3.6.2)."""
    is_demo = as_object(data.get("project")).get("demoMode") not in (None, False)
    return is_demo or word_of(as_object(data.get("documentValidation")).get("type")) == "DEMO"


def is_being_read(registration: Mapping[str, Any]) -> bool:
    """Whether Verifik has a document and is not done with it, in a registration that is STARTED or ONGOING alike."""
    word = word_of(as_object(registration.get("documentValidation")).get("status"))
    return DOCUMENT.get(word or "") is CheckOutcome.NOT_DONE


def read_status(word: object) -> FlowStatus:
    """The flow status that a registration's word alone means."""
    return _REGISTRATION.get(word_of(word) or "", (FlowStatus.PROCESSING, None))[0]


def become(flow: Flow, status: FlowStatus, word: object) -> Flow:
    """The flow as far as it is. After a manual review another word comes (sections 4.3 and 5.2)."""
    return attrs.evolve(flow, status=status, may_reopen=word_of(word) == "NEEDS_MANUAL_VERIFICATION")


def _checks(data: Mapping[str, Any], settings: Mapping[str, Any], flow: Flow) -> Iterator[Check]:
    document = as_object(data.get("documentValidation"))
    if document:
        yield _owned(read_document(document, id_of_ours(flow, "document_validation", document)), document, data)
        yield from read_names(document, settings)
    elif data.get("failedDocumentValidations"):
        yield _failed_earlier(CheckKind.DOCUMENT)
    liveness = as_object(data.get("biometricValidation"))
    if liveness:
        yield _owned(read_liveness(liveness, id_of_ours(flow, "biometric_validation", liveness)), liveness, data)
    elif data.get("failedBiometricValidations"):
        yield _failed_earlier(CheckKind.LIVENESS)
    comparison = as_object(data.get("compareFaceVerification"))
    if comparison:
        yield _owned(read_comparison(comparison), comparison, data)
    for key, kind in (("emailValidation", CheckKind.EMAIL), ("phoneValidation", CheckKind.PHONE)):
        validation = as_object(data.get(key))
        if validation:
            word = word_of(validation.get("status"))
            outcome = VALIDATION.get(word or "", CheckOutcome.INCONCLUSIVE)
            errors = error_words(validation)
            check = Check(
                kind=kind,
                name="possession",
                vendor_name=key,
                outcome=unless(errors, outcome),
                reasons=(("expired",) if word == "EXPIRED" else ()) + errors,
                vendor_word=word,
            )
            yield _owned(check, validation, data)
    information = as_object(data.get("informationValidation"))
    for check in read_screening(information, settings):
        yield _owned(check, information, data)


def _failed_earlier(kind: CheckKind) -> Check:
    return Check(kind=kind, outcome=CheckOutcome.FAILED, reasons=("every attempt failed",))


def _owned(check: Check, part: Mapping[str, Any], registration: Mapping[str, Any]) -> Check:
    """The check, unless the part is deleted, of another registration, or about another e-mail or phone (section 3.6.2)."""
    id = reference_id(dict(registration))
    if part.get("deleted") not in (None, False):
        why = "deleted"
    elif (id is not None and is_foreign(part, id)) or (
        check.kind in (CheckKind.EMAIL, CheckKind.PHONE) and _is_about_another(part, registration)
    ):
        why = "of another registration"
    else:
        return check
    return attrs.evolve(check, outcome=CheckOutcome.INCONCLUSIVE, reasons=(*check.reasons, why), score=None)


def _is_about_another(part: Mapping[str, Any], registration: Mapping[str, Any]) -> bool:
    theirs, ours = (
        person_of({name: part.get(name) for name in ("email", "phone", "countryCode")}),
        person_of(registration),
    )
    other_email = theirs.email is not None and ours.email not in (None, theirs.email)
    return other_email or (theirs.phone is not None and ours.phone is not None and not ours.has_number(theirs))


def _doubts(data: Mapping[str, Any]) -> Iterator[Reason]:
    if data.get("deleted") not in (None, False):
        yield Reason("flow.deleted", "the registration is deleted at Verifik")
    for name in _PARTS:
        part = data.get(name)
        if isinstance(part, str) and part:
            yield Reason("part.unread", f"{name} is there, and Verifik did not show it")
        elif part is not None and not isinstance(part, (str, dict)):
            yield Reason("part.unread", f"{name} is there and not understood")
    flags = data.get("redFlags")
    if flags not in (None, 0, "", "0", [], {}) or flags is False:
        yield Reason("flow.red_flags", "Verifik counts concerns about this registration")
    if error_words({key: value for key, value in data.items() if key not in _APART}):
        yield Reason("flow.error", "the registration tells of an error")
    for claim in sorted(set(claims(data, _APART))):
        yield Reason(f"flow.{claim}", f"the registration says {_CLAIMED[claim]}")
    for name in _PARTS:
        # the names of a document are a check of their own
        known = _APART | {"namesMatch"} if name == "documentValidation" else _APART
        for claim in sorted(set(claims(as_object(data.get(name)), known))):
            yield Reason(f"part.{claim}", f"{name} says {_CLAIMED[claim]}")
    information = as_object(data.get("informationValidation"))
    if (word_of(information.get("status")) or "NEW") not in _INFORMATION:
        yield Reason("part.status", "informationValidation has a status that is not known to be good")
    document = as_object(data.get("documentValidation"))
    read = {name: document.get(name) for name in ("OCRExtraction", "documentData", "ocrResults")}
    for claim in sorted(set(claims(read, is_print=True))):
        yield Reason(f"document.{claim}", f"what was read of the document says {_CLAIMED[claim]}")
    for name in ("OCRExtraction", "documentData"):
        if document.get(name) is not None and not isinstance(document[name], dict):
            yield Reason("document.unread", f"{name} of the document is there and not understood")


def _notes(data: Mapping[str, Any]) -> Iterator[str]:
    flags = data.get("redFlags")
    if isinstance(flags, (int, float)) and not isinstance(flags, bool) and flags > 0:
        yield f"{flags:g} red flags"
    for key in ("Document", "Biometric", "Email", "Phone"):
        attempts = data.get(f"failed{key}Validations")
        if isinstance(attempts, list) and attempts:
            yield f"{len(attempts)} failed {key.lower()} attempts"
