"""The step-by-step way: codes, documents, selfie, comparison, end, all with the registration's own token (3.3.4 to 3.9)."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    Check,
    CheckKind,
    Document,
    Exchange,
    Flow,
    FlowStatus,
    InvalidOrder,
    NotAccepted,
    Request,
    Response,
    Secret,
    Upload,
    UploadKind,
    VendorUnavailable,
    structure,
)

from . import asked, document_checks, faces, mapping, screening
from .countries import country_name
from .documents import SENT_CATEGORIES
from .facts import phone
from .payloads import (
    ACCOUNT_TOKENS,
    CALLER_TOKENS,
    FACE_TEXTS,
    SETTING_TOKENS,
    UNREADABLE_TOKENS,
    Said,
    Synced,
    read_id,
    read_object,
    read_said,
    reference_id,
    unwrap,
)
from .project_flows import ProjectFlows
from .registrations import Registrations, must_be, path_id
from .settings import VerifikSettings

_READING = timedelta(seconds=5)
_UNREADABLE = frozenset({400, 409, 412, 422})


@attrs.frozen
class Steps:
    """What the applicant's page would do, done by us."""

    registrations: Registrations

    @property
    def settings(self) -> VerifikSettings:
        return self.registrations.settings

    def upload(self, flow: Flow, documents: tuple[Document, ...]) -> Exchange[Flow]:
        """Documents (front and back) and selfies as base64. A refusal about the person or the picture is evidence.

        Verifik keeps one document and one selfie of a registration. One that is there already and that `flow` does not know
        of (the answer to an earlier upload was lost) counts as taken, with `already_exists` among the reasons of its check.
        """
        without = [document.id for document in documents if document.content is None]
        if without:
            raise InvalidOrder(
                "Verifik takes the picture itself: give path or content, not a URL", fields=tuple(without)
            )
        for document in documents:
            if document.kind is UploadKind.SELFIE:
                flow = yield from self._upload_selfie(flow, document)
            else:
                flow = yield from self._upload_document(flow, document)
        return flow

    def submit(self, flow: Flow) -> Exchange[Flow]:
        """Do what the flow still asks for and end it. The status that we send is a wish; the server's answer counts.

        Doing it twice changes nothing and charges nothing. Raises VendorUnavailable (safe to repeat) while Verifik is
        still reading the document.
        """
        registration = yield from self.registrations.retrieve(flow)
        status = mapping.read_status(registration.get("status"))
        if status.is_settled:
            return mapping.become(flow, status, registration.get("status"))
        if mapping.is_being_read(registration) or status is FlowStatus.PROCESSING:
            raise VendorUnavailable(
                "Verifik is still reading the document; submit again", safe_to_retry=True, retry_after=_READING
            )
        settings = yield from ProjectFlows(self.settings).settings_of(registration)
        wants = asked.document_settings(settings)
        document = reference_id(registration.get("documentValidation"))
        selfie = reference_id(registration.get("biometricValidation"))
        information = reference_id(registration.get("informationValidation"))
        flow = yield from self.sync(flow, "signUpForm")
        if document:
            flow = yield from self.sync(flow, "document")
            if asked.is_asked(wants.get("informationVerification")) and not document_checks.is_source_checked(
                registration
            ):
                flow = yield from self.check_source(flow, document)
            if information and asked.is_searched_for(wants) and not screening.is_background_checked(registration):
                flow = yield from self.check_background(flow, information)
        if selfie:
            flow = yield from self.sync(flow, "liveness")
            if document:
                flow, _ = yield from self.compare(flow)
        return (yield from self.sync(flow, "end", "COMPLETED"))

    def sync(self, flow: Flow, step: str, status: str = "ONGOING") -> Exchange[Flow]:
        """Say that a step is done: `signUpForm`, `instructions`, `basicInformation`, `form`, `document`, `liveness`,
        `skipKYC`, `end`. Raises InvalidOrder when the server finds that it is not."""
        request = Request.put("/v2/app-registrations/{}/sync", path_id(flow), json={"step": step, "status": status})
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        synced = structure(unwrap(reply), Synced, status=reply.status)
        must_be(flow, synced.appRegistrationId, reply.status)
        secrets = (
            {**flow.secrets, "final_token": Secret(synced.token)}
            if step in ("end", "skipKYC") and synced.token
            else None
        )
        flow = mapping.become(flow, mapping.read_status(synced.status), synced.status)
        return attrs.evolve(flow, secrets=secrets or flow.secrets)

    def send_email_code(self, flow: Flow, email: str) -> Exchange[Flow]:
        """Have a one-time code sent to the applicant's mailbox (section 3.4)."""
        body = {
            "project": self.settings.project,
            "validationMethod": "verificationCode",
            "email": email,
            "type": "onboarding",
        }
        request = Request.post("/v2/email-validations/app-registration", json=body)
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        return _with_detail(flow, "email_validation", read_id(read_object(reply), reply.status))

    def check_email_code(self, flow: Flow, email: str, code: str) -> Exchange[Flow]:
        """Hand in the code. Raises PermissionDenied for a wrong one, InvalidOrder for one that is too old."""
        body = {"email": email, "otp": _code(code)}
        id = flow.details.get("email_validation")
        if id:
            request = Request.put("/v2/email-validations/{}", id, json=body, accept={404, 405})
            flow, reply = yield from self.registrations.as_applicant(flow, request)
            if reply.is_success:
                return flow
            if not (reply.status == 405 or not read_said(reply).names("email_validation_not_found")):
                raise NotAccepted(request, reply)
        request = Request.post("/v2/email-validations/validate", json=body)
        flow, _ = yield from self.registrations.as_applicant(flow, request)
        return flow

    def send_phone_code(self, flow: Flow, phone_number: str) -> Exchange[Flow]:
        """Have a one-time code sent to the applicant's phone, E.164 (section 3.5)."""
        body = {
            "project": self.settings.project,
            "validationMethod": "verificationCode",
            "type": "onboarding",
            **phone(phone_number),
        }
        request = Request.post("/v2/phone-validations/app-registration", json=body)
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        return _with_detail(flow, "phone_validation", read_id(read_object(reply), reply.status))

    def check_phone_code(self, flow: Flow, phone_number: str, code: str) -> Exchange[Flow]:
        """Hand in the code. Raises PermissionDenied for a wrong one, InvalidOrder for one that is too old."""
        body = {**phone(phone_number), "otp": _code(code), "project": self.settings.project}
        request = Request.put("/v2/phone-validations", json=body)
        flow, _ = yield from self.registrations.as_applicant(flow, request)
        return flow

    def check_source(self, flow: Flow, document_validation: str) -> Exchange[Flow]:
        """Compare the names with a government source; "not supported" is no failure (section 3.6.4)."""
        request = Request.put("/v2/document-validations/{}/validate", document_validation)
        flow, _ = yield from self.registrations.as_applicant(flow, request)
        return flow

    def check_background(self, flow: Flow, information_validation: str) -> Exchange[Flow]:
        """Criminal records and lists. Charged for each source (section 3.9)."""
        request = Request.put(
            "/v2/information-validations/{}/background-check", information_validation, json={}, idempotent=False
        )
        flow, _ = yield from self.registrations.as_applicant(flow, request)
        return flow

    def compare(self, flow: Flow) -> Exchange[tuple[Flow, Check]]:
        """Selfie against the portrait on the document (section 3.8)."""
        request = Request.post("/v2/face-recognition/compare/app-registration", json={})
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        data = read_object(reply)
        must_be(flow, data.get("appRegistration"), reply.status)
        compared = data.get("compareFaceVerification")
        return flow, faces.read_comparison(compared if isinstance(compared, dict) else {})

    def _upload_document(self, flow: Flow, document: Document) -> Exchange[Flow]:
        body: dict[str, Any] = {"image": _base64(document.content), "inputMethod": "FILE_UPLOAD"}
        body |= {"backImage": _base64(document.back_content)} if document.back_content is not None else {}
        body |= {"category": _category(document)} if document.type else {}
        body |= {"country": country_name(document.country)} if document.country else {}
        body |= {"force": True} if _takes_another_document(flow) else {}
        request = Request.post("/v2/document-validations/app-registration", json=body, accept=_UNREADABLE | {404})
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        if not reply.is_success:
            if read_said(reply).names("already_exists") and (known := (yield from self._taken(flow, "document"))):
                return _with_upload(flow, _handed_in(document, known))
            said = self._about_person(request, reply, reply.status in _UNREADABLE)
            refused = document_checks.read_refused_document(said, document.id)
            return _with_upload(flow, Upload(document_id=document.id, accepted=False, check=refused))
        data = read_object(reply)
        nested = data.get("documentValidation")
        validation = nested if isinstance(nested, dict) else data
        must_be(flow, validation.get("appRegistration"), reply.status)
        check = document_checks.read_document(validation, document.id)
        ids = {"document_validation": read_id(validation, reply.status)}
        return _with_upload(flow, Upload(document_id=document.id, vendor_ids=ids, check=check))

    def _upload_selfie(self, flow: Flow, document: Document) -> Exchange[Flow]:
        body = {"image": _data_uri(document.content), "os": str(self.settings.device)}
        request = Request.post("/v2/biometric-validations/app-registration", json=body, accept=_UNREADABLE)
        flow, reply = yield from self.registrations.as_applicant(flow, request)
        if not reply.is_success:
            if read_said(reply).names("person_already_set") and (known := (yield from self._taken(flow, "biometric"))):
                return _with_upload(flow, _handed_in(document, known))
            said = self._about_person(request, reply, reply.status == 409)
            refused = faces.read_refused_selfie(said, document.id)
            return _with_upload(flow, Upload(document_id=document.id, accepted=False, check=refused))
        data = read_object(reply)
        validation = data.get("biometricValidation")
        # the registration itself, or what was made of the selfie (section 1.7 row 21)
        must_be(flow, data if "projectFlow" in data else data.get("appRegistration"), reply.status)
        id = reference_id(validation)
        ids = {"biometric_validation": id} if id else {}
        return _with_upload(flow, Upload(document_id=document.id, vendor_ids=ids))

    def _taken(self, flow: Flow, kind: str) -> Exchange[dict[str, Any] | None]:
        """The document or selfie that was handed in through the API and that the flow does not know of."""
        if any(upload.accepted and f"{kind}_validation" in upload.vendor_ids for upload in flow.uploads):
            return None
        registration = yield from self.registrations.retrieve(flow)
        part = registration.get(f"{kind}Validation")
        by_applicant = isinstance(part, dict) and part.get("inputMethod") == "CAMERA"
        return part if isinstance(part, dict) and reference_id(part) and not by_applicant else None

    def _about_person(self, request: Request, reply: Response, is_usual: bool) -> Said:
        """What was said, if it is about person or picture; else the error it is (sections 3.0.1 and 7 row 8).

        `is_usual`: the status is one with which Verifik speaks of them. With another one only the words that are known count.
        """
        said = read_said(reply)
        is_about = is_usual or said.names(*UNREADABLE_TOKENS, *FACE_TEXTS)
        if said.names(*ACCOUNT_TOKENS, *SETTING_TOKENS, *CALLER_TOKENS) or not is_about:
            raise NotAccepted(request, reply)
        return said


def _code(code: str) -> int:
    if not (code.isascii() and code.isdigit()):
        raise InvalidOrder("a one-time code has digits only", fields=("code",))
    return int(code)


def _base64(content: object) -> str:
    return base64.b64encode(content).decode() if isinstance(content, bytes) else ""


def _data_uri(content: object) -> str:
    """Selfies go as data URIs, documents as plain base64 (section 1.5)."""
    kind = "png" if isinstance(content, bytes) and content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{_base64(content)}"


def _handed_in(document: Document, known: dict[str, Any]) -> Upload:
    selfie = document.kind is UploadKind.SELFIE
    check = (faces.read_liveness if selfie else document_checks.read_document)(known, document.id)
    ids = {"biometric_validation" if selfie else "document_validation": read_id(known)}
    return Upload(
        document_id=document.id,
        vendor_ids=ids,
        check=attrs.evolve(check, reasons=(*check.reasons, "already_exists")),
    )


def _with_upload(flow: Flow, upload: Upload) -> Flow:
    return attrs.evolve(flow, uploads=(*flow.uploads, upload))


def _with_detail(flow: Flow, name: str, value: str) -> Flow:
    return attrs.evolve(flow, details={**flow.details, name: value})


def _takes_another_document(flow: Flow) -> bool:
    """Whether the last document of this flow was refused or lacks its back, so that another one takes its place."""
    told = [
        (upload.accepted, upload.check.reasons)
        for upload in flow.uploads
        if upload.check is not None and upload.check.kind is CheckKind.DOCUMENT
    ]
    return any(not accepted or document_checks.BACK_NEEDED in reasons for accepted, reasons in told[-1:])


def _category(document: Document) -> str:
    category = SENT_CATEGORIES.get(document.type) if document.type is not None else None
    if category is None:
        what = f"document {document.id!r}: Verifik has no category for the type {document.type!s}; leave type out"
        raise InvalidOrder(what, fields=("documents",))
    return category
