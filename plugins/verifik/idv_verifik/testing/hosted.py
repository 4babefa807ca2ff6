"""The hosted page of the emulator, at `/sign-up/{project}`: form and consent, code, document, selfie, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Refused,
    consent_field,
    file_field,
    form,
    html,
    page,
    paragraph,
    redirect,
    text_field,
)

if TYPE_CHECKING:
    from .emulator import VerifikEmulator

_VENDOR = "Verifik"
_PAGES = ("signUpForm", "code", "document", "liveness")

Record = dict[str, Any]


class HostedPage:
    """What an applicant sees; what he hands in goes where the API's calls go too."""

    def __init__(self, emulator: VerifikEmulator) -> None:
        self.emulator = emulator

    def show(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._visitor(call)
        return html(self._page(registration))

    def advance(self, call: EmulatedRequest) -> EmulatedResponse:
        registration = self._visitor(call)
        if registration is None:
            return html(self._page(None, "Please use the link that was sent to you."), 400)
        try:
            done = self._take_page(registration, call)
        except Refused as refused:
            data = refused.reply.data if isinstance(refused.reply.data, dict) else {}
            text = str(data.get("message", "refused")).removeprefix(f"{refused.reply.status}:").partition("@")[0]
            return html(self._page(registration, f"{text.replace('_', ' ').capitalize()}. Please try again."))
        return done or redirect(f"{call.path}?token={call.query.get('token', '')}")

    def _visitor(self, call: EmulatedRequest) -> Record | None:
        claims = self.emulator.read_token(call.query.get("token", "..")) or {}
        valid = claims.get("exp", 0) > self.emulator.clock.now().timestamp()
        return self.emulator.registrations.get(str(claims.get("appRegistrationId"))) if valid else None

    def _take_page(self, registration: Record, call: EmulatedRequest) -> EmulatedResponse | None:
        current = self._current_page(registration)
        match current:
            case "signUpForm":
                if call.form.get("terms") != "yes":
                    raise Refused(EmulatedResponse(409, {"message": "please_agree_to_the_terms"}))
                registration["pageConsent"] = True
                if self._wants_code(registration):
                    self.emulator.send_code(
                        self.emulator.email_validations, registration, "email", {"email": registration["email"]}
                    )
                else:
                    self.emulator.sync(registration, "signUpForm", "ONGOING")
            case "code":
                validation = self.emulator.email_validations[registration["emailValidation"]]
                self.emulator.validate_code(validation, "email", str(call.form.get("code", "")))
                self.emulator.sync(registration, "signUpForm", "ONGOING")
            case "document":
                again = bool(registration.get("documentValidation"))
                self.emulator.take_document(registration, _bytes(call.form.get("document")), again)
                self.emulator.sync(registration, "document", "ONGOING")
            case "liveness":
                self.emulator.take_selfie(registration, _bytes(call.form.get("selfie")))
                self.emulator.sync(registration, "liveness", "ONGOING")
                self.emulator.compare_faces(registration)
                return self._finish(registration)
        return None

    def _finish(self, registration: Record) -> EmulatedResponse | None:
        synced = self.emulator.sync(registration, "end", "COMPLETED")
        url = self.emulator.settings_of(registration).get("integrations", {}).get("redirectUrl")
        return redirect(f"{url}{'&' if '?' in url else '?'}type=onboarding&token={synced['token']}") if url else None

    def _wants_code(self, registration: Record) -> bool:
        asked = self.emulator.settings_of(registration).get("signUpForm", {})
        return bool(asked.get("email") and asked.get("emailGateway", "none") != "none")

    def _current_page(self, registration: Record) -> str:
        if registration["status"] not in ("STARTED", "ONGOING"):
            return "end"
        if not registration.get("pageConsent"):
            return "signUpForm"
        if not self.emulator.form_is_done(registration):
            return "code"
        return "document" if not self.emulator.is_done(registration, "document") else "liveness"

    def _page(self, registration: Record | None, error: str = "") -> str:
        current = self._current_page(registration) if registration else "signUpForm"
        if current == "end":
            return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        step = f"Step {_PAGES.index(current) + 1} of {len(_PAGES)}"
        match current:
            case "signUpForm":
                email = text_field("email", "E-mail", kind="email", value=str((registration or {}).get("email") or ""))
                fields = [email, consent_field("terms", "I agree to the terms and the privacy notice.")]
                return page(_VENDOR, "Sign up", form(fields, "Continue"), step=step, error=error)
            case "code":
                hint = paragraph(
                    f"We sent a code to your mailbox. (This emulator always sends {self.emulator.variants.otp}.)"
                )
                body = hint + form([text_field("code", "Code")], "Continue")
                return page(_VENDOR, "Confirm your e-mail", body, step=step, error=error)
            case "document":
                body = form([file_field("document", "Picture of your identity document")], "Continue")
                return page(_VENDOR, "Your document", body, step=step, error=error)
            case _:
                body = form([file_field("selfie", "Picture of your face")], "Finish")
                return page(_VENDOR, "Your face", body, step=step, error=error)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value if isinstance(value, bytes) else None
