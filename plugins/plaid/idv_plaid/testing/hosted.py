"""The page behind a shareable link: consent, what is not known of the applicant, document, selfie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    read_specimen,
    redirect,
    text_field,
)

from .attempt import Attempt, Submission

if TYPE_CHECKING:
    from .emulator import PlaidEmulator

_VENDOR = "Plaid"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class HostedPage:
    """What the applicant sees, one screen for each step; each takes what is meant for it."""

    def __init__(self, emulator: PlaidEmulator) -> None:
        self.emulator = emulator

    def show(self, call: EmulatedRequest) -> EmulatedResponse:
        return html(self._page(self._visited(call)))

    def advance(self, call: EmulatedRequest) -> EmulatedResponse:
        attempt = self._visited(call)
        fault = self._take(attempt, call)
        if fault is not None:
            return html(self._page(attempt, fault))
        return redirect(f"{call.path}?key={attempt.key}")

    def _visited(self, call: EmulatedRequest) -> Attempt:
        attempt = self.emulator.attempts.get(call.params["id"])
        if attempt is None or not attempt.is_shareable or call.query.get("key") != attempt.key:
            raise Refused(html(page(_VENDOR, "This link is not valid", paragraph("Ask for a new one.")), 404))
        return attempt

    def _take(self, attempt: Attempt, call: EmulatedRequest) -> str | None:
        """Go on by what was sent; what is wrong with it, if anything is."""
        emulator = self.emulator
        match attempt.current:
            case "accept_tos":
                if not call.form.get("consent"):
                    return "Please agree before you go on."
                emulator.finish_step(attempt, "accept_tos", "success")
            case "kyc_check":
                return self._take_person(attempt, call)
            case "documentary_verification":
                content = call.form.get("document")
                specimen = read_specimen(content)
                if specimen is None or specimen.type == "SELFIE" or not isinstance(content, bytes):
                    return "This is not a document that we can read. Please take another picture."
                emulator.take_document(attempt, Submission(specimen=specimen, content=content))
                if attempt.current == "documentary_verification":
                    return "We cannot accept this document. Please try another one."
            case "selfie_check":
                content = call.form.get("selfie")
                specimen = read_specimen(content)
                if specimen is None or specimen.type != "SELFIE" or not isinstance(content, bytes):
                    return "We see no face. Please try again."
                emulator.take_selfie(attempt, Submission(specimen=specimen, content=content))
        return None

    def _take_person(self, attempt: Attempt, call: EmulatedRequest) -> str | None:
        given = {
            name: str(call.form.get(name) or "").strip() for name in ("given_name", "family_name", "date_of_birth")
        }
        lacking = attempt.lacks()
        if "name" in lacking:
            if not given["given_name"] or not given["family_name"]:
                return "Please write your name."
            attempt.user["name"] = {"given_name": given["given_name"], "family_name": given["family_name"]}
        if "date_of_birth" in lacking:
            if not _DAY.fullmatch(given["date_of_birth"]):
                return "Please write your date of birth as year-month-day."
            attempt.user["date_of_birth"] = given["date_of_birth"]
        self.emulator.run_kyc(attempt)
        return None

    def _page(self, attempt: Attempt, error: str = "") -> str:
        match attempt.current if attempt.status == "active" else None:
            case "accept_tos":
                fields = [consent_field("consent", "Plaid may use my data to verify who I am")]
            case "kyc_check":
                fields = []
                if "name" in attempt.lacks():
                    fields += [text_field("given_name", "Given name"), text_field("family_name", "Family name")]
                if "date_of_birth" in attempt.lacks():
                    fields.append(text_field("date_of_birth", "Date of birth (year-month-day)"))
            case "documentary_verification":
                fields = [file_field("document", "Picture of your identity document")]
            case "selfie_check":
                fields = [file_field("selfie", "Picture of your face")]
            case _:
                return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        return page(_VENDOR, "Verify your identity", form(fields, "Continue"), error=error)
