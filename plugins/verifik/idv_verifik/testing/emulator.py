"""An emulator of Verifik Smart Enroll after its fact sheet (its checklist is section 8). Decodes the pictures it is sent.

Points that the vendor's pages leave open are `Variants`.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs
import httpx

from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Emulator,
    Handler,
    HasNow,
    Outgoing,
    Refused,
    is_picture,
    read_specimen,
)

from .hosted import HostedPage
from .kept import Kept
from .limits import Limits

_TYPES = {"CEDULA": ("CC", "IDv2", "Colombia"), "PASSPORT": ("PA", "Passport", None)}
_SUPPORTED = ("CCPA", "CC", "DRCC", "CL")
_ENDED = ("COMPLETED", "COMPLETED_WITHOUT_KYC", "FAILED")
_POPULATED = {
    "project": "projects",
    "projectFlow": "project_flows",
    "emailValidation": "email_validations",
    "phoneValidation": "phone_validations",
    "documentValidation": "documents",
    "biometricValidation": "biometrics",
    "informationValidation": "informations",
    "compareFaceVerification": "comparisons",
}
_VALIDATIONS = {"document": "documentValidation", "liveness": "biometricValidation"}

Record = dict[str, Any]


@attrs.define(kw_only=True)
class Variants:
    """What the vendor's pages contradict or leave open (fact sheet section 1.7 and 8)."""

    renew_by: Literal["GET", "POST"] = "GET"
    duplicate_status: int = 409
    expired_status: Literal[401, 403] = 403
    document_answer: Literal["nested", "flat"] = "nested"
    biometric_answer: Literal["id", "object"] = "id"
    wrapped: bool = True
    webhook_body: Literal["typed", "bare"] = "typed"
    webhook_times: int = 1
    compare_says_passed: bool = True
    email_check_by: Literal["PUT", "POST"] = "PUT"
    reading: timedelta = timedelta(0)
    wants_back: bool = False
    limited: bool = False
    otp: str = "123456"
    otp_refusal: Literal["otp_does_not_match", "Forbidden"] = "otp_does_not_match"
    page_size: int = 10
    flow_shown: Literal["published", "whole"] = "published"
    information_answer: Literal["object", "id"] = "object"
    lists_populate: bool = True
    recreate: bool = False
    report_answer: Literal["pdf", "json"] = "pdf"
    deletes: bool = True


class VerifikEmulator(Emulator):
    """One client of Verifik with one project. `token` is the account token that the emulator handed out."""

    def __init__(
        self,
        clock: HasNow,
        *,
        project: str = "6b1f0a2c9d3e4f5061728394",
        client: Callable[[], httpx.Client] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.project = project
        self.variants = variants or Variants()
        self._key = secrets.token_bytes(32)
        self._client_id = _id()
        self.project_flows: dict[str, Record] = {}
        self.registrations: dict[str, Record] = {}
        self.email_validations: dict[str, Record] = {}
        self.phone_validations: dict[str, Record] = {}
        self.documents: dict[str, Record] = {}
        self.biometrics: dict[str, Record] = {}
        self.informations: dict[str, Record] = {}
        self.comparisons: dict[str, Record] = {}
        self.webhooks: dict[str, Record] = {}
        self.kept = Kept(self)
        self.limits = Limits(clock)
        self._own_url = ""
        self.deliveries: list[tuple[str, int]] = []
        self._faces: dict[str, str | None] = {}
        self.hosted = HostedPage(self)
        super().__init__(clock, client)
        self.token = self.issue_token()
        self.projects = {project: {"_id": project, "name": "Emulated project", "status": "active"}}

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [(method, path, self._limited(run)) for method, path, run in self._routes()]

    def _limited(self, run: Handler) -> Handler:
        def limited(call: EmulatedRequest) -> EmulatedResponse:
            if self.variants.limited:
                self.limits.count(call.path)
            return run(call)

        return limited

    def _routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/v2/auth/session", self._renew),
            ("POST", "/v2/auth/session", self._renew),
            ("POST", "/v2/project-flows", self._create_flow),
            ("GET", "/v2/project-flows", self._list_flows),
            ("GET", "/v3/project-flows/{id}", self._get_flow),
            ("GET", "/v2/project-flows/{id}", self._get_flow),
            ("PUT", "/v3/project-flows/{id}", self._update_flow),
            ("POST", "/v2/app-registrations", self._register),
            ("GET", "/v2/app-registrations", self._list_registrations),
            ("GET", "/v2/app-registrations/{id}", self._get_registration),
            ("PUT", "/v2/app-registrations/{id}/sync", self._sync),
            ("POST", "/v2/app-registrations/{id}/resend-link", self._resend_link),
            *self.kept.routes(),
            ("DELETE", "/v3/project-flows/{id}", self._delete_flow),
            ("POST", "/v2/email-validations/app-registration", self._send_email_code),
            ("PUT", "/v2/email-validations/{id}", self._check_email_code),
            ("POST", "/v2/email-validations/validate", self._check_email_code),
            ("POST", "/v2/phone-validations/app-registration", self._send_phone_code),
            ("PUT", "/v2/phone-validations", self._check_phone_code),
            ("POST", "/v2/phone-validations/validate", self._check_phone_code),
            ("POST", "/v2/document-validations/app-registration", self._create_document),
            ("GET", "/v2/document-validations/{id}", self._get_document),
            ("PUT", "/v2/document-validations/{id}/validate", self._check_source),
            ("PUT", "/v2/information-validations/{id}/background-check", self._check_background),
            ("POST", "/v2/biometric-validations/app-registration", self._create_biometric),
            ("POST", "/v2/face-recognition/compare/app-registration", self._compare),
            ("POST", "/v2/webhooks", self._create_webhook),
            ("GET", "/v2/webhooks", self._list_webhooks),
            ("PUT", "/v2/webhooks/{id}", self._update_webhook),
            ("GET", "/sign-up/{project}", self.hosted.show),
            ("POST", "/sign-up/{project}", self.hosted.advance),
        ]

    # What tests and the demo set by hand

    def issue_token(self, lifetime: timedelta = timedelta(days=30)) -> str:
        """A fresh account token."""
        return self._jwt({"clientId": self._client_id}, lifetime)

    def add_project_flow(self, **settings: Any) -> str:
        """An active project flow for onboarding; its id."""
        flow = self.store(self.project_flows, {**_flow_defaults(self.project), **settings})
        return str(flow["_id"])

    def override(self, registration: str, status: str) -> None:
        """What Verifik's staff do after a manual review."""
        self.registrations[registration]["status"] = status
        self._announce(f"app_registration_{status.lower()}", self.registrations[registration])

    # Account token (section 2)

    def _renew(self, call: EmulatedRequest) -> EmulatedResponse:
        if call.method != self.variants.renew_by:
            raise _said(405, "MethodNotAllowed", "method not allowed")
        if "authorization" not in call.headers:
            raise _said(409, "MissingParameter", "missing Authorization header")
        self._as_client(call)
        return EmulatedResponse(200, {"accessToken": self.issue_token(), "tokenType": "bearer"})

    def _as_client(self, call: EmulatedRequest) -> None:
        claims = self._claims(call)
        if "appRegistrationId" in claims:
            raise _said(403, "Forbidden", "Access forbidden")

    def _as_applicant(self, call: EmulatedRequest) -> Record:
        id = self._claims(call).get("appRegistrationId", "")
        registration = self.registrations.get(id)
        if registration is None or self._expired(registration)["status"] in (*_ENDED, "EXPIRED"):
            raise _coded(404, "appRegistration_not_found")
        return registration

    def _claims(self, call: EmulatedRequest) -> Record:
        scheme, _, token = call.headers.get("authorization", "").rpartition(" ")
        if scheme.lower() not in ("bearer", "jwt", ""):
            token = ""
        claims = self.read_token(token)
        if claims is None:
            raise _said(401, "Unauthorized", "Invalid or expired token.")
        if claims["exp"] <= self.clock.now().timestamp():
            if self.variants.expired_status == 403:
                raise _said(403, "FORBIDDEN", "token_expired")
            raise _said(401, "Unauthorized", "Invalid or expired token.")
        return claims

    def _jwt(self, claims: Record, lifetime: timedelta) -> str:
        body = {**claims, "exp": int((self.clock.now() + lifetime).timestamp()), "jti": secrets.token_hex(4)}
        head, payload = (_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, body))
        return f"{head}.{payload}.{self._mac(head, payload)}"

    def _mac(self, head: str, payload: str) -> str:
        return _encode(hmac.new(self._key, f"{head}.{payload}".encode(), hashlib.sha256).digest())

    def read_token(self, token: str) -> Record | None:
        head, _, rest = token.partition(".")
        payload, _, mac = rest.partition(".")
        if not hmac.compare_digest(mac, self._mac(head, payload)):
            return None
        claims: Record = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims

    # Project flows (section 3.2)

    def _create_flow(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        body = _required(call, "project", "type", "name", "target", "status")
        if body["project"] != self.project:
            raise _said(400, "BadRequest", "Invalid project ID format")
        return self.data(self.store(self.project_flows, {**body, "version": 1}))

    def _list_flows(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        return self._listed(self.project_flows, call, "project", "type", "status")

    def _get_flow(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        return self.data(_found(self.project_flows, call, "ProjectFlow_not_found"))

    def _update_flow(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        flow = _found(self.project_flows, call, "ProjectFlow_not_found")
        flow.update({key: value for key, value in call.json().items() if key != "_id"}, version=3)
        return self.data(self._touched(flow))

    def _delete_flow(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        flow = _found(self.project_flows, call, "ProjectFlow_not_found")
        if any(self._is_under_way(one, flow["_id"]) for one in self.registrations.values()):
            raise _said(409, "Conflict", "Cannot delete project flow with active users")
        del self.project_flows[flow["_id"]]
        return self.data({"_id": flow["_id"], "type": flow["type"], "target": flow["target"], "status": "deleted"})

    def _is_under_way(self, registration: Record, project_flow: str) -> bool:
        is_of_flow = registration["projectFlow"] == project_flow
        return is_of_flow and self._expired(registration)["status"] in ("STARTED", "ONGOING")

    # Registrations (section 3.3)

    def _register(self, call: EmulatedRequest) -> EmulatedResponse:
        self._own_url = call.base_url
        if "authorization" in call.headers:
            self._as_client(call)
        body = _required(call, "project", "projectFlow")
        email = str(body.get("email", "")).lower() or None
        if not email and not body.get("phone"):
            raise _said(409, "MissingParameter", "Needs an email or a phone at least", status=True)
        if body.get("phone") and not body.get("countryCode"):
            raise _said(409, "MissingParameter", "missing countryCode", status=True)
        flow = self.project_flows.get(body["projectFlow"])
        if flow is None:
            raise _coded(404, "projectFlow_not_found")
        if flow["status"] != "active":
            raise _coded(409, "Project_not_active")
        for other in self.registrations.values():
            same = [
                name
                for name, value in (("email", email), ("phone", body.get("phone")))
                if value and other.get(name) == value
            ]
            if same and self._expired(other)["status"] != "EXPIRED":
                if self.variants.recreate:
                    return self.data(self._created(other))
                raise _said(self.variants.duplicate_status, "Conflict", f"{same[0]}_is_registered_already", status=True)
        return self.data(self._new_registration(body, email))

    def _new_registration(self, body: Mapping[str, Any], email: str | None) -> Record:
        names = {key: body[key] for key in ("firstName", "lastName") if body.get(key)}
        full = body.get("fullName") or " ".join(names.values())
        information = self.store(self.informations, {"fullName": full, **names, "status": "ASSESSING"})
        registration = self.store(
            self.registrations,
            {
                "client": self._client_id,
                "project": body["project"],
                "projectFlow": body["projectFlow"],
                "status": "STARTED",
                "email": email,
                "phone": body.get("phone"),
                "countryCode": body.get("countryCode"),
                "currentStep": "1",
                "language": body.get("language", "en"),
                "informationValidation": information["_id"],
                "redFlags": 0,
                "failedDocumentValidations": [],
                "failedBiometricValidations": [],
            },
        )
        information["appRegistration"] = registration["_id"]
        self._announce("app_registration_created", registration)
        return self._created(registration)

    def _created(self, registration: Record) -> Record:
        token = self._applicant_token(registration, timedelta(minutes=120))
        information = self.informations[registration["informationValidation"]]
        public = {key: information[key] for key in ("_id", "fullName", "firstName", "lastName") if key in information}
        shown = public if self.variants.information_answer == "object" else information["_id"]
        return {"appRegistration": registration, "informationValidation": shown, "token": token}

    def _applicant_token(self, registration: Record, lifetime: timedelta) -> str:
        return self._jwt({"appRegistrationId": registration["_id"]}, lifetime)

    def _list_registrations(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        reply = self._listed(self.registrations, call, "email", "phone", "status", "project", "projectFlow")
        if self.variants.lists_populate:
            reply.data["data"] = [self._populated(registration, call) for registration in reply.data["data"]]
        return reply

    def _get_registration(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        registration = self._expired(_found(self.registrations, call, "AppRegistration_not_found"))
        return self.data(self._populated(registration, call))

    def _populated(self, registration: Record, call: EmulatedRequest) -> Record:
        """With the references that were asked for as objects. Of the project flow the pages show three keys (3.3.2)."""
        shown = dict(registration)
        for name in call.query_lists.get("populates[]", []):
            if name in _POPULATED and name in shown:
                stored: dict[str, Record] = getattr(self, _POPULATED[name])
                shown[name] = stored.get(str(shown[name]))
        if isinstance(shown.get("documentValidation"), dict):
            shown["documentValidation"] = self._read_yet(shown["documentValidation"])
        if isinstance(shown.get("projectFlow"), dict) and self.variants.flow_shown == "published":
            shown["projectFlow"] = {key: shown["projectFlow"].get(key) for key in ("_id", "type", "target")}
        return shown

    def _expired(self, registration: Record) -> Record:
        idle = self.clock.now() - datetime.fromisoformat(registration["updatedAt"])
        if registration["status"] in ("STARTED", "ONGOING") and idle > timedelta(hours=24):
            registration["status"] = "EXPIRED"
        return registration

    def _resend_link(self, call: EmulatedRequest) -> EmulatedResponse:
        if "appRegistrationId" in self._claims(call):
            raise _coded(403, "access_denied")
        registration = _found(self.registrations, call, "AppRegistration_not_found")
        if registration["status"] in _ENDED:
            raise _coded(409, "cannot_resend_link_for_this_status")
        token = self._applicant_token(registration, timedelta(minutes=30))
        return self.data(
            {
                "token": token,
                "link": f"{call.base_url}/sign-up/{self.project}?token={token}",
                "appRegistrationId": registration["_id"],
                "status": registration["status"],
                "expiresAt": f"{self.clock.now() + timedelta(minutes=30):%Y-%m-%d %H:%M:%S}",
                "accessType": "app_registration_initiated",
                "emailSent": None,
            }
        )

    def _sync(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        if registration["_id"] != call.params["id"]:
            raise _coded(404, "AppRegistration_not_found")
        return self.data(self.sync(registration, str(call.json().get("step")), str(call.json().get("status"))))

    def sync(self, registration: Record, step: str, wish: str) -> Record:
        steps = self._steps(registration)
        match step:
            case "signUpForm":
                if not self.form_is_done(registration):
                    raise _said(409, "Conflict", "signUpForm_validation_not_passed")
                registration["status"] = "ONGOING"
            case "instructions" | "basicInformation" | "form":
                registration["status"] = "ONGOING"
            case "document" | "liveness":
                if steps.get(step) == "mandatory" and not registration.get(_VALIDATIONS[step]):
                    raise _said(409, "Conflict", f"{step}_validation_not_passed")
                registration["status"] = "ONGOING"
            case "skipKYC":
                if "mandatory" in [steps.get(name) for name in ("basicInformation", "document", "form", "liveness")]:
                    raise _said(409, "Conflict", "skipKYC_validation_not_passed")
                registration["status"] = "COMPLETED_WITHOUT_KYC"
            case "end":
                registration["status"] = self._end(registration, wish)
            case _:
                raise _coded(500, "step_not_supported")
        registration["currentStep"] = step
        self._touched(registration)
        ended = registration["status"] != "ONGOING"
        self._announce(
            f"app_registration_{registration['status'].lower()}" if ended else f"app_registration_sync_{_snake(step)}",
            registration,
        )
        token = (
            self._jwt({"final": registration["_id"]}, timedelta(hours=1))
            if ended
            else self._applicant_token(registration, timedelta(minutes=120))
        )
        return {
            "token": token,
            "step": step,
            "steps": steps,
            "appRegistrationId": registration["_id"],
            "status": registration["status"],
        }

    def _end(self, registration: Record, wish: str) -> str:
        """The server decides by completeness (section 3.3.4)."""
        if wish in ("FAILED", "NEEDS_MANUAL_VERIFICATION", "ONGOING"):
            return wish
        steps = self._steps(registration)
        for step in ("document", "liveness"):
            if steps.get(step) == "mandatory" and not self.is_done(registration, step):
                used_up = self._attempts_left(registration, step) <= 0
                return "FAILED" if used_up else "NEEDS_MANUAL_VERIFICATION"
        comparison = self.comparisons.get(registration.get("compareFaceVerification", ""))
        both = self.is_done(registration, "document") and self.is_done(registration, "liveness")
        if both and (comparison is None or comparison["status"] != "success"):
            return "NEEDS_MANUAL_VERIFICATION"
        return "COMPLETED"

    def form_is_done(self, registration: Record) -> bool:
        asked = self.settings_of(registration).get("signUpForm", {})
        for kind, gateway, stored in (
            ("email", "emailGateway", self.email_validations),
            ("phone", "phoneGateway", self.phone_validations),
        ):
            if asked.get(kind) and asked.get(gateway, "none") != "none":
                validation = stored.get(registration.get(f"{kind}Validation", ""))
                if validation is None or validation["status"] != "validated":
                    return False
        return True

    def is_done(self, registration: Record, step: str) -> bool:
        if step == "document":
            document = self.documents.get(registration.get("documentValidation", ""))
            if document is None or document["requiresBackSide"]:
                return False
            return bool(self._read_yet(document)["status"] == "ACTIVE")
        biometric = self.biometrics.get(registration.get("biometricValidation", ""))
        return biometric is not None and biometric["status"] == "validated"

    def _steps(self, registration: Record) -> Mapping[str, str]:
        defaults = {
            "signUpForm": "mandatory",
            "basicInformation": "skip",
            "document": "optional",
            "liveness": "optional",
            "form": "skip",
        }
        return {**defaults, **self.settings_of(registration).get("steps", {})}

    def settings_of(self, registration: Record) -> Record:
        return self.project_flows[registration["projectFlow"]]

    def _attempts_left(self, registration: Record, step: str) -> int:
        settings, key = {"document": ("documents", "Document"), "liveness": ("liveness", "Biometric")}[step]
        limit = self.settings_of(registration).get(settings, {}).get("attemptLimit", 3)
        return int(limit) - len(registration[f"failed{key}Validations"])

    # Codes (sections 3.4 and 3.5)

    def _send_email_code(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        body = _required(call, "project", "validationMethod", "email", "type")
        return self.data(
            self.send_code(self.email_validations, registration, "email", {"email": body["email"].lower()})
        )

    def _send_phone_code(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        body = _required(call, "project", "validationMethod", "phone", "countryCode", "type")
        contact = {"phone": body["phone"], "countryCode": body["countryCode"]}
        return self.data(self.send_code(self.phone_validations, registration, "phone", contact))

    def send_code(self, stored: dict[str, Record], registration: Record, kind: str, contact: Record) -> Record:
        expires_at = (self.clock.now() + timedelta(minutes=10)).isoformat()
        more = {"status": "sent", "type": "onboarding", "otp": "$2b$10$hash", "expiresAt": expires_at}
        validation = self.store(stored, {**contact, **more, "appRegistration": registration["_id"]})
        registration[f"{kind}Validation"] = validation["_id"]
        self._announce(f"{kind}_validation_created", validation)
        return validation

    def _check_email_code(self, call: EmulatedRequest) -> EmulatedResponse:
        if call.method != self.variants.email_check_by:
            raise _said(405, "MethodNotAllowed", "method not allowed")
        return self._check_code(call, self.email_validations, "email")

    def _check_phone_code(self, call: EmulatedRequest) -> EmulatedResponse:
        return self._check_code(call, self.phone_validations, "phone")

    def _check_code(self, call: EmulatedRequest, stored: dict[str, Record], kind: str) -> EmulatedResponse:
        registration = self._as_applicant(call)
        body = call.json()
        if not body.get(kind) or not body.get("otp"):
            raise _said(409, "MissingParameter", f"missing_{kind}_and_otp")
        id = call.params.get("id", registration.get(f"{kind}Validation", ""))
        validation = stored.get(id)
        if validation is None or validation[kind] != body[kind]:
            raise _coded(404, f"{kind}_validation_not_found")
        self.validate_code(validation, kind, str(body["otp"]))
        return self.data({"_id": id, "status": "validated", kind: validation[kind], "type": "onboarding"})

    def validate_code(self, validation: Record, kind: str, otp: str) -> None:
        if self.clock.now() > datetime.fromisoformat(validation["expiresAt"]):
            raise _said(412, "PreconditionFailed", f"{kind}Validation_has_expired")
        if otp != self.variants.otp:
            if self.variants.otp_refusal == "Forbidden":
                raise _said(403, "Forbidden", "403:otp_does_not_match")
            raise _coded(403, "otp_does_not_match")
        validation["status"] = "validated"
        self._announce(f"{kind}_validation_validated", validation)

    # Documents (section 3.6)

    def _create_document(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        body = call.json()
        if not body.get("image") and not body.get("backImage"):
            raise _said(422, "MissingParameter", "missing image")
        back = _decoded(body["backImage"]) if body.get("backImage") else None
        front = _decoded(body["image"]) if body.get("image") else back
        document = self.take_document(registration, front, body.get("force") is True, back)
        shown = self._read_yet(document)
        return self.data({"documentValidation": shown} if self.variants.document_answer == "nested" else shown)

    def take_document(
        self, registration: Record, content: bytes | None, force: bool, back: bytes | None = None
    ) -> Record:
        earlier = self.documents.get(registration.get("documentValidation", ""))
        if earlier is not None and not force:
            raise _coded(409, "already_exists")
        if earlier is not None and earlier["status"] in ("FAILED", "EXPIRED"):
            # the attempt counts, also where another document takes its place (section 8)
            registration["failedDocumentValidations"].append(earlier["_id"])
        if self._attempts_left(registration, "document") <= 0:
            raise _coded(409, "attempts_limit_reached")
        if content is None or not is_picture(content):
            raise _said(412, "ERROR", "only_images_in_base64")
        specimen = read_specimen(content)
        if specimen is None or specimen.type == "SELFIE":
            registration["failedDocumentValidations"].append(self._failed(self.documents, "document_type_not_detected"))
            raise _coded(409, "document_type_not_detected")
        type_, category, country = _TYPES.get(specimen.type, ("CUSTOM", "ID", None))
        status = {None: "ACTIVE", "expired": "EXPIRED"}.get(specimen.flaw, "FAILED")
        read = {key: value for key, value in specimen.fields.items() if key != "mrz"}
        full = read.get("fullName") or read.get("name") or ""
        name = self.informations[registration["informationValidation"]]["fullName"]
        percentage = _alike(full, name)
        document = self.store(
            self.documents,
            {
                "appRegistration": registration["_id"],
                "documentType": type_,
                "documentCategory": category,
                "documentNumber": read.get("documentNumber") or read.get("passport_number"),
                "country": country,
                "status": status,
                "failedReason": specimen.flaw,
                "validationMethod": "SCAN_PROMPT",
                "inputMethod": "FILE_UPLOAD",
                "imageValidated": specimen.flaw is None,
                "OCRExtraction": read,
                "namesMatch": percentage >= 90,
                "fullNameMatchPercentage": percentage,
                "url": self.kept.keep_picture(content, self._own_url),
                "requiresBackSide": self.variants.wants_back and back is None,
                **({"backUrl": self.kept.keep_picture(back, self._own_url)} if back is not None else {}),
                "type": "validation",
            },
        )
        if specimen.face is not None:
            registration["documentFace"] = self.kept.keep_image("documentFace", content)
        self._faces[document["_id"]] = specimen.face
        registration["documentValidation"] = document["_id"]
        self._touched(registration)
        self._announce("document_validation_created", document)
        return document

    def _read_yet(self, document: Record) -> Record:
        age = self.clock.now() - datetime.fromisoformat(document["createdAt"])
        return document if age >= self.variants.reading else {**document, "status": "ASSESSING"}

    def _get_document(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        return self.data(self._read_yet(_found(self.documents, call, "DocumentValidation_not_found")))

    def _check_source(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_applicant(call)
        document = _found(self.documents, call, "document_validation_not_found")
        if document["documentType"] not in _SUPPORTED:
            document.update(infoValidationSupported=False, infoValidationSupportedReason="document_not_supported")
            data = {key: document[key] for key in ("documentType", "infoValidationSupported")}
            return self.data(
                {
                    "isSupported": False,
                    "notSupportedData": data,
                    "infoValidationSupportedReason": "document_not_supported",
                }
            )
        document.update(infoValidationSupported=True)
        self._announce("document_validation_source_lookup", document)
        return self.data(self._touched(document))

    def _check_background(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        information = _found(self.informations, call, "InformationValidation_not_found")
        if information["_id"] != registration["informationValidation"]:
            raise _said(403, "Forbidden", "Access forbidden")
        found = ["world_api_interpol"] if "wanted" in information["fullName"].lower() else []
        sources = {name: {"status": "done"} for name in ("world_api_interpol", "world_api_fbi", "world_api_ofac")}
        information.update(
            status="ACTIVE", criminalData={"requestedAt": self.clock.now().isoformat(), "foundKeys": found, **sources}
        )
        self._announce("information_validation_background_check", information)
        return self.data(self._touched(information))

    # Selfie (sections 3.7 and 3.8)

    def _create_biometric(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        if registration["status"] not in ("STARTED", "ONGOING"):
            raise _coded(404, "appRegistration_not_found")
        body = _required(call, "image", "os")
        if body["os"] not in ("DESKTOP", "IOS", "ANDROID"):
            raise _said(409, "MissingParameter", '"os" is required')
        if registration.get("biometricValidation") and body.get("force") is not True:
            told = {"error": True, "statusCode": "409", "message": "person_already_set"}
            self._announce("app_registration_person_already_set", {**told, **registration})
            raise _coded(409, "person_already_set")
        biometric = self.take_selfie(registration, _decoded(body["image"]))
        shown = dict(registration)
        if self.variants.biometric_answer == "object":
            shown["biometricValidation"] = biometric
        return self.data(shown)

    def take_selfie(self, registration: Record, content: bytes | None) -> Record:
        if self._attempts_left(registration, "liveness") <= 0:
            raise _coded(409, "attempts_limit_reached")
        if content is None or not is_picture(content):
            raise _said(412, "ERROR", "only_images_in_base64")
        specimen = read_specimen(content)
        if specimen is None or specimen.face is None:
            raise _coded(409, "liveness_failed", "ERR_NO_FACE_DETECTED")
        least = self.settings_of(registration).get("liveness", {}).get("minScore", 0.65)
        score = 0.31 if specimen.flaw else 0.93 if specimen.type == "SELFIE" else 0.42
        if score <= least:
            registration["failedBiometricValidations"].append(self._failed(self.biometrics, f"score {score}"))
            self._announce("biometric_validation_liveness_failed", registration)
            raise _coded(409, "liveness_failed", str(score))
        more = {
            "appRegistration": registration["_id"],
            "status": "validated",
            "livenessScore": score,
            "type": "onboarding",
        }
        biometric = self.store(self.biometrics, more)
        self._faces[biometric["_id"]] = specimen.face
        # it stays STARTED: only a sync moves it on (section 5.2)
        face = self.kept.keep_image("face", content)
        registration.update(biometricValidation=biometric["_id"], person=_id(), face=face)
        self._announce("biometric_validation_validated", self._touched(registration))
        return biometric

    def _compare(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._as_applicant(call)
        return self.data(
            {"appRegistration": registration["_id"], "compareFaceVerification": self.compare_faces(registration)}
        )

    def compare_faces(self, registration: Record) -> Record:
        ids = [registration.get(f"{kind}Validation") for kind in ("document", "biometric")]
        if not all(ids):
            raise _said(409, "Conflict", "document_and_biometric_needed")
        same = self._faces[str(ids[0])] == self._faces[str(ids[1])]
        score = 0.91 if same else 0.22
        result: Record = {"score": score, "compare_min_score": 0.85, "faces": []}
        if self.variants.compare_says_passed:
            result["passed"] = same
        status = "success" if same else "failed"
        comparison = self.store(
            self.comparisons,
            {"type": "compare", "status": status, "gallery": ["aW1n"], "probe": ["aW1n"], "result": result},
        )
        registration["compareFaceVerification"] = comparison["_id"]
        self._announce("face_verification_compare", {**registration, "compareResult": {"score": score, "passed": same}})
        return comparison

    # Webhooks (section 4)

    def register_webhook(self, url: str) -> None:
        self.store(self.webhooks, {"url": url, "isActive": True, "projectFlow": list(self.project_flows)})

    def _create_webhook(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        body = call.json()
        missing = [name for name in ("url", "name", "isActive") if body.get(name) is None]
        if missing:
            raise _said(409, "MissingParameter", "".join(f"missing {name}\n" for name in missing))
        link = list(body.pop("link", []))
        return self.data(self.store(self.webhooks, {**body, "projectFlow": link, "client": self._client_id}))

    def _list_webhooks(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        return self._listed(self.webhooks, call, "url")

    def _update_webhook(self, call: EmulatedRequest) -> EmulatedResponse:
        self._as_client(call)
        webhook = _found(self.webhooks, call, "Record not found.")
        body = call.json()
        linked = [id for id in webhook["projectFlow"] if id not in body.get("unlink", [])]
        webhook["projectFlow"] = linked + [id for id in body.get("link", []) if id not in linked]
        return self.data(self._touched(webhook))

    def _announce(self, suffix: str, entity: Record) -> None:
        registration = self.registrations.get(str(entity.get("appRegistration") or entity.get("_id")), entity)
        shown = {key: value for key, value in entity.items() if key != "otp"}
        # the older body has no step in it (section 1.7 row 31)
        bare = {key: value for key, value in shown.items() if key != "currentStep"}
        body = {"type": f"onboarding_{suffix}", "object": shown} if self.variants.webhook_body == "typed" else bare
        for webhook in self.webhooks.values():
            if webhook["isActive"] and registration.get("projectFlow") in webhook["projectFlow"]:
                for _ in range(self.variants.webhook_times):
                    self._deliver(suffix, webhook["url"], json.loads(json.dumps(body)), 3)

    def _deliver(self, suffix: str, url: str, body: Record, tries: int) -> None:
        def attempt(client: httpx.Client, left: int = tries) -> Outgoing | None:
            try:
                status = client.post(url, json=body).status_code
            except httpx.HTTPError:
                status = 0
            self.deliveries.append((suffix, status))
            if left <= 1 or 0 < status < 500:
                return None
            return Outgoing(self.clock.now() + timedelta(seconds=5), lambda again: attempt(again, left - 1))

        self.later(self.clock.now(), attempt)

    # Storing and answering

    def store(self, place: dict[str, Record], data: Mapping[str, Any]) -> Record:
        now = self.clock.now().isoformat()
        record = {"_id": _id(), **data, "createdAt": now, "updatedAt": now, "__v": 0}
        place[record["_id"]] = record
        return record

    def _touched(self, record: Record) -> Record:
        record["updatedAt"] = self.clock.now().isoformat()
        return record

    def _failed(self, place: dict[str, Record], reason: str) -> str:
        return str(self.store(place, {"status": "FAILED", "failedReason": reason})["_id"])

    def _listed(self, place: dict[str, Record], call: EmulatedRequest, *filters: str) -> EmulatedResponse:
        """Newest first, in pages of `page_size` at most, whatever is asked for (section 1.7 row 27)."""
        wanted = {name: call.query.get(f"where_{name}", call.query.get(name)) for name in filters}
        found = [
            record
            for record in reversed(place.values())
            if all(value is None or record.get(name) == value for name, value in wanted.items())
        ]
        number, limit = int(call.query.get("page", "1")), int(call.query.get("limit", "10"))
        if not 1 <= limit <= 100:
            raise _said(409, "MissingParameter", "Invalid parameter: limit must be between 1 and 100")
        limit = min(limit, self.variants.page_size)
        pages = max(1, -(-len(found) // limit))
        shown = found[(number - 1) * limit : number * limit]
        return EmulatedResponse(
            200, {"data": shown, "total": len(found), "limit": limit, "page": number, "pages": pages}
        )

    def found(self, place: dict[str, Record], call: EmulatedRequest, token: str) -> Record:
        """What the account asks for by its id."""
        self._as_client(call)
        return _found(place, call, token)

    def data(self, data: Record) -> EmulatedResponse:
        shown = {key: value for key, value in data.items() if key != "pageConsent"}
        return EmulatedResponse(200, {"data": shown} if self.variants.wrapped else shown)


def _flow_defaults(project: str) -> Record:
    return {
        "project": project,
        "type": "onboarding",
        "name": "Smart Enroll",
        "target": "personal",
        "status": "active",
        "version": 1,
        "signUpForm": {"email": True, "emailGateway": "none", "phone": False, "phoneGateway": "none"},
        "documents": {
            "attemptLimit": 3,
            "informationVerification": True,
            "criminalHistoryVerification": True,
            "screening": True,
        },
        "liveness": {"attemptLimit": 3, "minScore": 0.65, "searchMinScore": 0.8, "searchMode": "FAST"},
        "steps": {"document": "mandatory", "liveness": "mandatory"},
    }


def _required(call: EmulatedRequest, *names: str) -> Record:
    body = call.json()
    missing = [name for name in names if not body.get(name)]
    if missing:
        raise _said(409, "MissingParameter", "\n. ".join(f"missing {name}" for name in missing))
    return body


def _found(place: dict[str, Record], call: EmulatedRequest, token: str) -> Record:
    record = place.get(call.params["id"])
    if record is None:
        raise _said(404, "NotFound", token)
    return record


def _decoded(text: object) -> bytes | None:
    """Plain base64 or a data URI."""
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except ValueError:
        return None


def _alike(left: str, right: str) -> int:
    return round(difflib.SequenceMatcher(None, left.casefold(), right.casefold()).ratio() * 100)


def _snake(step: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in step).replace("_k_y_c", "_kyc")


def _id() -> str:
    return secrets.token_hex(12)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _said(http: int, code: str, message: str, *, status: bool = False) -> Refused:
    """Error shapes 1 and 3 (section 3.0.1)."""
    return Refused(EmulatedResponse(http, {"message": message, "code": code} | ({"status": http} if status else {})))


def _coded(http: int, token: str, detail: str = "") -> Refused:
    """Error shape 2."""
    return Refused(
        EmulatedResponse(http, {"code": token, "message": f"{http}:{token}" + (f"@{detail}" if detail else "")})
    )
