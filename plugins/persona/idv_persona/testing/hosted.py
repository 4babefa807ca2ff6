"""The hosted flow of the emulator: consent and document, then the face."""

from __future__ import annotations

from collections.abc import Callable

from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Refused,
    file_field,
    form,
    html,
    page,
    paragraph,
    read_specimen,
    redirect,
)

from .state import EmulatedInquiry

_VENDOR = "Persona"


class HostedFlow:
    """Pages behind one-time links. `visited` finds the inquiry of a code, `submit` takes what was handed in."""

    def __init__(
        self,
        visited: Callable[[str], EmulatedInquiry | None],
        submit: Callable[[EmulatedInquiry], None],
        begin: Callable[[EmulatedInquiry], None],
    ) -> None:
        self._find = visited
        self._submit = submit
        self._begin = begin

    def show(self, call: EmulatedRequest) -> EmulatedResponse:
        return html(self._page(self._visited(call)))

    def advance(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self._visited(call)
        given = call.form.get("selfie" if "document" in inquiry.handed_in else "document")
        specimen = read_specimen(given)
        if inquiry.status not in ("created", "pending"):
            return html(self._page(inquiry))
        self._begin(inquiry)
        if "document" not in inquiry.handed_in:
            if specimen is None or specimen.type == "SELFIE" or not isinstance(given, bytes):
                return html(self._page(inquiry, "This is no id that we can read. Please take another picture."))
            inquiry.handed_in["document"] = given
            return redirect(call.target)
        if specimen is None or specimen.type != "SELFIE" or not isinstance(given, bytes):
            return html(self._page(inquiry, "We see no face. Please take another picture."))
        inquiry.handed_in["selfie"] = given
        self._submit(inquiry)
        return redirect(inquiry.redirect_uri or call.target)

    def _visited(self, call: EmulatedRequest) -> EmulatedInquiry:
        inquiry = self._find(call.query.get("code", ""))
        if inquiry is None:
            raise Refused(html(page(_VENDOR, "This link is not valid", paragraph("Ask for a new one.")), 404))
        return inquiry

    def _page(self, inquiry: EmulatedInquiry, error: str = "") -> str:
        if inquiry.status not in ("created", "pending") or inquiry.submitted_at is not None:
            return page(_VENDOR, "Thank you", paragraph("You are done and can close this page."))
        if "document" not in inquiry.handed_in:
            name, label, step = "document", "Picture of your identity document", "1 of 2"
        else:
            name, label, step = "selfie", "Picture of your face", "2 of 2"
        return page(
            _VENDOR, "Verify your identity", form([file_field(name, label)], "Continue"), step=step, error=error
        )
