"""Verifik's words in our vocabulary: sections 5 and 6 of the fact sheet. An unknown word is never positive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from idv_core.plugin import Check, CheckKind, CheckOutcome, Flow, FlowStatus, Reason, Result, Score, VendorVerdict

from .claims import claims
from .documents import id_of_ours, label, read_evidence
from .facts import is_foreign, person_of
from .payloads import Said, reference_id
from .printed import error_words

_REGISTRATION = {
    "STARTED": (FlowStatus.AWAITING_APPLICANT, None),
    "ONGOING": (FlowStatus.AWAITING_APPLICANT, None),
    "COMPLETED": (FlowStatus.FINISHED, VendorVerdict.POSITIVE),
    "COMPLETED_WITHOUT_KYC": (FlowStatus.FINISHED, VendorVerdict.DOUBTFUL),
    "FAILED": (FlowStatus.FINISHED, VendorVerdict.NEGATIVE),
    "NEEDS_MANUAL_VERIFICATION": (FlowStatus.FINISHED, VendorVerdict.DOUBTFUL),
    "EXPIRED": (FlowStatus.EXPIRED, None),
}
_DOCUMENT = {
    "ASSESSING": CheckOutcome.NOT_DONE,
    "NEW": CheckOutcome.NOT_DONE,
    "PENDING": CheckOutcome.NOT_DONE,
    "ACTIVE": CheckOutcome.PASSED,
    "VALIDATED": CheckOutcome.PASSED,
    "COMPLETED": CheckOutcome.PASSED,
    "FAILED": CheckOutcome.FAILED,
    "NOT_FOUND": CheckOutcome.FAILED,
    "EXPIRED": CheckOutcome.FAILED,
}
_VALIDATION = {
    "NEW": CheckOutcome.NOT_DONE,
    "SENT": CheckOutcome.NOT_DONE,
    "PENDING": CheckOutcome.NOT_DONE,
    "VALIDATED": CheckOutcome.PASSED,
    "COMPLETED": CheckOutcome.PASSED,
    "SUCCESS": CheckOutcome.PASSED,
    "FAILED": CheckOutcome.FAILED,
    "EXPIRED": CheckOutcome.FAILED,
}
_IDENTITY = frozenset({CheckKind.DOCUMENT, CheckKind.LIVENESS, CheckKind.FACE_MATCH})
_STEPS = {"document": CheckKind.DOCUMENT, "liveness": CheckKind.LIVENESS}
_GATEWAYS = (("email", "emailGateway", CheckKind.EMAIL), ("phone", "phoneGateway", CheckKind.PHONE))
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
# Per cent of the full name from which Verifik says that names match (section 3.6.4).
_NAMES_AGREE = 90
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
_INFORMATION = frozenset({"NEW", "PENDING", "ASSESSING", *(word for word, out in _DOCUMENT.items() if out == "passed")})
_CODE = re.compile(r"[A-Z][A-Z_-]{0,39}")


def read_registration(data: Mapping[str, Any], flow: Flow, settings: Mapping[str, Any] | None = None) -> Result:
    """Read a registration with its references populated. COMPLETED counts only with the checks behind it (section 6.4).

    `settings` are those of its project flow, where they do not stand in the registration itself.
    """
    word = _word(data.get("status"))
    status, verdict = _REGISTRATION.get(word or "", (FlowStatus.PROCESSING, None))
    settings = _object(data.get("projectFlow")) if settings is None else settings
    checks = tuple(_checks(data, settings, flow))
    notes = list(_notes(data))
    if word and word not in _REGISTRATION:
        notes.append(f"unknown status {word!r}")
    if status is FlowStatus.AWAITING_APPLICANT and is_being_read(data):
        status = FlowStatus.PROCESSING
    if status is FlowStatus.FINISHED:
        wanted = _wanted(settings, checks)
        passed = {check.kind for check in checks if check.outcome is CheckOutcome.PASSED}
        if verdict is VendorVerdict.POSITIVE and not (wanted <= passed and passed & _IDENTITY):
            verdict = VendorVerdict.DOUBTFUL
            notes.append("COMPLETED, but not every mandatory step has a passed check")
        checks += tuple(_missing(wanted, checks))
        if word == "COMPLETED_WITHOUT_KYC" or not passed & _IDENTITY:
            checks += (_NOTHING_VERIFIED,)
    return Result(
        flow=attrs.evolve(flow, status=status),
        verdict=verdict,
        vendor_word=word,
        checks=checks,
        documents=tuple(read_evidence(data, flow)),
        notes=tuple(notes),
        doubts=tuple(_doubts(data)),
    )


def is_being_read(registration: Mapping[str, Any]) -> bool:
    """Whether Verifik has a document and is not done with it, in a registration that is STARTED or ONGOING alike."""
    word = _word(_object(registration.get("documentValidation")).get("status"))
    return _DOCUMENT.get(word or "") is CheckOutcome.NOT_DONE


def read_status(word: object) -> FlowStatus:
    """The flow status that a registration's word alone means."""
    return _REGISTRATION.get(_word(word) or "", (FlowStatus.PROCESSING, None))[0]


def read_comparison(data: Mapping[str, Any]) -> Check:
    """Selfie against document. The outcome is the server's `passed`, never computed from the score (section 5.4)."""
    result = _object(data.get("result"))
    passed, word = result.get("passed"), _word(data.get("status"))
    if passed is False or word == "FAILED":
        outcome = CheckOutcome.FAILED
    else:
        outcome = CheckOutcome.PASSED if passed is True and word == "SUCCESS" else CheckOutcome.INCONCLUSIVE
    errors = error_words({**data, "result": result})
    return Check(
        kind=CheckKind.FACE_MATCH,
        name="selfie_to_document",
        outcome=_unless(errors, outcome),
        score=Score.read(result.get("score")),
        reasons=errors,
        vendor_word=word,
    )


def read_refused_selfie(said: Said, document_id: str) -> Check:
    """A 409 that speaks of the person is evidence; one about the picture asks for another (section 3.7)."""
    score = Score.read(said.body.get("livenessScore")) or Score.read(said.detail)
    low = (
        said.names("liveness_failed")
        and (score is not None or not said.detail)
        and said.body.get("failureKind") != "quality"
    )
    reason = said.body.get("failureReason")
    words = (said.token, None if score else said.detail, reason if isinstance(reason, str) else None)
    return Check(
        kind=CheckKind.LIVENESS,
        outcome=CheckOutcome.FAILED if low else CheckOutcome.INCONCLUSIVE,
        score=score,
        reasons=tuple(word[:80] for word in words if word),
        document_id=document_id,
        vendor_word=said.code if _CODE.fullmatch(said.code.upper()) else None,
    )


def read_refused_document(said: Said, document_id: str) -> Check:
    """A picture that could not be read is inconclusive; a number that is somebody else's has failed (section 3.6.1)."""
    foreign = said.names("existing_document_validation_with_document_number")
    return Check(
        kind=CheckKind.DOCUMENT,
        outcome=CheckOutcome.FAILED if foreign else CheckOutcome.INCONCLUSIVE,
        reasons=(said.token[:80] or said.code[:80] or "refused",),
        document_id=document_id,
        vendor_word=said.code if _CODE.fullmatch(said.code.upper()) else None,
    )


def read_document(data: Mapping[str, Any], document_id: str | None) -> Check:
    """One document validation (section 5.3)."""
    word = _word(data.get("status"))
    reasons = [
        str(data[key])[:80] for key in ("failedReason", "manualVerificationReason") if isinstance(data.get(key), str)
    ]
    if word in ("EXPIRED", "NOT_FOUND"):
        reasons.append(word.lower())
    errors = error_words(data)
    reasons += [name for name in errors if name != "failedReason" or not isinstance(data[name], str)]
    return Check(
        kind=CheckKind.DOCUMENT,
        vendor_name=label(data.get("documentType")),
        outcome=_unless(errors, _DOCUMENT.get(word or "", CheckOutcome.INCONCLUSIVE)),
        reasons=tuple(reasons),
        document_id=document_id,
        vendor_word=word,
    )


def read_liveness(data: Mapping[str, Any], document_id: str | None) -> Check:
    """One biometric validation (section 5.4)."""
    word = _word(data.get("status"))
    # `response` is what the engine for faces answered, in its own words
    errors = error_words({key: value for key, value in data.items() if key != "response"})
    return Check(
        kind=CheckKind.LIVENESS,
        outcome=_unless(errors, _VALIDATION.get(word or "", CheckOutcome.INCONCLUSIVE)),
        score=Score.read(data.get("livenessScore")),
        reasons=(("expired",) if word == "EXPIRED" else ()) + errors,
        document_id=document_id,
        vendor_word=word,
    )


def document_settings(project_flow: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which checks of the document a project flow asks for."""
    return _section(project_flow, "documents")


def is_asked(setting: object) -> bool:
    """Whether a project flow asks for something: whatever stands there, unless it is no."""
    return setting not in (None, False)


def is_searched_for(documents: Mapping[str, Any]) -> bool:
    """Whether these settings ask for criminal records or lists."""
    return is_asked(documents.get("criminalHistoryVerification")) or is_asked(documents.get("screening"))


def is_source_checked(registration: Mapping[str, Any]) -> bool:
    """Whether the names were compared with a source already."""
    return isinstance(_object(registration.get("documentValidation")).get("infoValidationSupported"), bool)


def is_background_checked(registration: Mapping[str, Any]) -> bool:
    """Whether records and lists were searched already, which is charged each time."""
    return bool(_object(_object(registration.get("informationValidation")).get("criminalData")))


def are_settings(project_flow: object) -> bool:
    """Whether a project flow tells its settings. The pages populate it with `_id`, `type` and `target` only (3.3.2)."""
    flow = _object(project_flow)
    return bool(_section(flow, "steps")) and bool(_section(flow, "documents"))


def _checks(data: Mapping[str, Any], settings: Mapping[str, Any], flow: Flow) -> Iterator[Check]:
    document = _object(data.get("documentValidation"))
    if document:
        yield _owned(read_document(document, id_of_ours(flow, "document_validation", document)), document, data)
        yield from _names(document, settings)
    elif data.get("failedDocumentValidations"):
        yield _failed_earlier(CheckKind.DOCUMENT)
    liveness = _object(data.get("biometricValidation"))
    if liveness:
        yield _owned(read_liveness(liveness, id_of_ours(flow, "biometric_validation", liveness)), liveness, data)
    elif data.get("failedBiometricValidations"):
        yield _failed_earlier(CheckKind.LIVENESS)
    comparison = _object(data.get("compareFaceVerification"))
    if comparison:
        yield _owned(read_comparison(comparison), comparison, data)
    for key, kind in (("emailValidation", CheckKind.EMAIL), ("phoneValidation", CheckKind.PHONE)):
        validation = _object(data.get(key))
        if validation:
            word = _word(validation.get("status"))
            outcome = _VALIDATION.get(word or "", CheckOutcome.INCONCLUSIVE)
            errors = error_words(validation)
            check = Check(
                kind=kind, name="possession", outcome=_unless(errors, outcome), reasons=errors, vendor_word=word
            )
            yield _owned(check, validation, data)
    information = _object(data.get("informationValidation"))
    for check in _screening(information, settings):
        yield _owned(check, information, data)


def _names(document: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Check]:
    """Names against the source, unless the flow's settings say that it does not ask (section 3.6.4).

    A source that does not know the document is no failure of the person. Where the settings cannot be read, names that
    differ are doubtful, and those that the source was asked about count.
    """
    asked = _section(settings, "documents").get("informationVerification")
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


def _screening(information: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Check]:
    """A hit is a name match, so it goes to a person: inconclusive, not failed (section 3.9)."""
    wanted = is_searched_for(_section(settings, "documents"))
    told = information.get("criminalData")
    criminal = _object(told)
    if not criminal and told not in (None, {}):
        yield Check(
            kind=CheckKind.SCREENING,
            name="background",
            outcome=CheckOutcome.INCONCLUSIVE,
            reasons=("the search's answer is not understood",),
        )
        return
    if not criminal:
        if wanted:
            yield Check(kind=CheckKind.SCREENING, name="background", outcome=CheckOutcome.NOT_DONE)
        return
    found, word = criminal.get("foundKeys"), _word(information.get("status"))
    clear = found == [] and word == "ACTIVE"
    hits = tuple(label(key) or "hit" for key in found) if isinstance(found, list) else ()
    outcome = CheckOutcome.PASSED if clear else CheckOutcome.INCONCLUSIVE
    yield Check(kind=CheckKind.SCREENING, name="background", outcome=outcome, reasons=hits, vendor_word=word)


def _wanted(settings: Mapping[str, Any], checks: tuple[Check, ...]) -> set[CheckKind]:
    """The checks that must have passed. Where the steps cannot be read, document and liveness count as mandatory.

    The comparison is no step of its own, but a selfie proves nothing about a document without it.
    """
    steps = _section(settings, "steps") or {"document": "mandatory", "liveness": "mandatory"}
    form = _section(settings, "signUpForm")
    wanted = {kind for step, kind in _STEPS.items() if _is_mandatory(steps.get(step))}
    if _is_mandatory(steps.get("signUpForm")):
        wanted |= {
            kind
            for asked, gateway, kind in _GATEWAYS
            if is_asked(form.get(asked)) and form.get(gateway) not in (None, "none")
        }
    if wanted.union(check.kind for check in checks).issuperset(_STEPS.values()):
        wanted.add(CheckKind.FACE_MATCH)
    return wanted


def _is_mandatory(step: object) -> bool:
    """A word that is neither optional nor skip is not understood, and counts as mandatory."""
    return step is not None and _word(step) not in ("OPTIONAL", "SKIP")


def _missing(wanted: set[CheckKind], checks: tuple[Check, ...]) -> Iterator[Check]:
    there = {check.kind for check in checks}
    for kind in sorted(wanted - there):
        yield Check(kind=kind, outcome=CheckOutcome.NOT_DONE, reasons=("mandatory",))


def _failed_earlier(kind: CheckKind) -> Check:
    return Check(kind=kind, outcome=CheckOutcome.FAILED, reasons=("every attempt failed",))


def _unless(errors: tuple[str, ...], outcome: CheckOutcome) -> CheckOutcome:
    """A part that passed and tells of an error is not understood."""
    return CheckOutcome.INCONCLUSIVE if errors and outcome is CheckOutcome.PASSED else outcome


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
        for claim in sorted(set(claims(_object(data.get(name)), known))):
            yield Reason(f"part.{claim}", f"{name} says {_CLAIMED[claim]}")
    information = _object(data.get("informationValidation"))
    if (_word(information.get("status")) or "NEW") not in _INFORMATION:
        yield Reason("part.status", "informationValidation has a status that is not known to be good")
    document = _object(data.get("documentValidation"))
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


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a project flow, in the new shape or under `onboardingSettings` (section 1.7 row 12)."""
    old = _object(settings.get("onboardingSettings"))
    if name == "documents" and not settings.get(name) and old:
        document = _object(old.get("document"))
        return {
            "informationVerification": document.get("verifyNames"),
            "criminalHistoryVerification": document.get("verifyCriminalHistory"),
        }
    return _object(settings.get(name)) or _object(old.get(name))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _word(value: object) -> str | None:
    """A status word in upper case. What is no word (a sentence may tell of somebody) is unknown, what is absent is None."""
    if value is None:
        return None
    word = value.strip().upper() if isinstance(value, str) else "?"
    return word if not word or _CODE.fullmatch(word) else "?"
