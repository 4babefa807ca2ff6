"""What the emulator keeps of a registration: pictures behind pre-signed addresses, stored images, a report; and deletion."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from idv_core.testing import EmulatedRequest, EmulatedResponse, Handler

if TYPE_CHECKING:
    from .emulator import VerifikEmulator

Record = dict[str, Any]


class Kept:
    """Pictures outlive the deletion of what they were handed in for: no page says what becomes of them (section 7 row 11)."""

    def __init__(self, emulator: VerifikEmulator) -> None:
        self.emulator = emulator
        self.images: dict[str, Record] = {}
        self.pictures: dict[str, tuple[str, bytes]] = {}

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("DELETE", "/v2/app-registrations/{id}", self._delete_registration),
            ("DELETE", "/v2/document-validations/{id}", self._delete_validation),
            ("DELETE", "/v2/biometric-validations/{id}", self._delete_validation),
            ("POST", "/v2/app-registrations/{id}/export-cv", self._report),
            ("GET", "/v2/identity-images/{id}", self._get_image),
            ("GET", "/pictures/{name}", self._get_picture),
        ]

    def keep_picture(self, content: bytes, own_url: str) -> str:
        """Its pre-signed address."""
        name, signature = f"{secrets.token_hex(12)}.png", secrets.token_hex(8)
        self.pictures[name] = (signature, content)
        return f"{own_url}/pictures/{name}?signature={signature}"

    def keep_image(self, category: str, content: bytes) -> str:
        """Its id. Section 3.6.6."""
        image = {"category": category, "base64": base64.b64encode(content).decode()}
        return str(self.emulator.store(self.images, image)["_id"])

    def _delete_registration(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self.emulator.found(self.emulator.registrations, call, "AppRegistration_not_found")
        del self.emulator.registrations[registration["_id"]]
        return self.emulator.data(registration)

    def _delete_validation(self, call: EmulatedRequest) -> EmulatedResponse:
        is_document = "document" in call.path
        place = self.emulator.documents if is_document else self.emulator.biometrics
        name = "DocumentValidation" if is_document else "BiometricValidation"
        validation = self.emulator.found(place, call, f"{name}_not_found")
        if self.emulator.variants.deletes:
            del place[validation["_id"]]
        return EmulatedResponse(200, {"success": self.emulator.variants.deletes, "message": f"{name} deleted"})

    def _report(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self.emulator.found(self.emulator.registrations, call, "AppRegistration_not_found")
        if self.emulator.variants.report_answer == "json":
            return self.emulator.data({"status": "queued"})
        printed = f"%PDF-1.4\n% {registration['_id']} {registration['status']}\n%%EOF\n"
        return EmulatedResponse(200, content=printed.encode(), type="application/pdf")

    def _get_image(self, call: EmulatedRequest) -> EmulatedResponse:
        return self.emulator.data(self.emulator.found(self.images, call, "IdentityImage_not_found"))

    def _get_picture(self, call: EmulatedRequest) -> EmulatedResponse:
        signature, content = self.pictures.get(call.params["name"], ("", b""))
        if not signature or call.query.get("signature") != signature:
            return EmulatedResponse(403, content=b"<Error><Code>AccessDenied</Code></Error>", type="application/xml")
        return EmulatedResponse(200, content=content, type="image/png")
