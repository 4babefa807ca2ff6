"""What the emulated API does with an inquiry that was opened: decisions, redaction, files, a PDF, the sandbox's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idv_core.testing import EmulatedRequest, EmulatedResponse, Handler, Refused

from .state import EmulatedInquiry, EmulatedVerification, check, new_id

if TYPE_CHECKING:
    from .emulator import PersonaEmulator

_INQUIRY = "/api/v1/inquiries/{id}"
_ENDED = ("approved", "declined")
# Actions of the sandbox: the status before, the status after, the event, the time that is set.
_ACTIONS = {
    "start_inquiry": (("created",), "pending", "started", "started"),
    "complete_inquiry": (("pending",), "completed", "completed", "completed"),
    "fail_inquiry": (("pending",), "failed", "failed", "failed"),
    "mark_for_review_inquiry": (("completed", "failed"), "needs_review", "marked-for-review", "marked-for-review"),
    "approve_inquiry": (("completed", "failed", "needs_review"), "approved", "approved", "decisioned"),
    "decline_inquiry": (("completed", "failed", "needs_review"), "declined", "declined", "decisioned"),
}
_PASSED = {"create_passed_verification": True, "create_failed_verification": False}
PRINTED = b"%PDF-1.4\n% SPECIMEN: an emulated inquiry\n%%EOF\n"


class AfterEnd:
    """The handlers; `emulator` has the state."""

    def __init__(self, emulator: PersonaEmulator) -> None:
        self._emulator = emulator

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("DELETE", _INQUIRY, self._redact),
            ("POST", f"{_INQUIRY}/approve", lambda call: self._decide(call, "approved")),
            ("POST", f"{_INQUIRY}/decline", lambda call: self._decide(call, "declined")),
            ("POST", f"{_INQUIRY}/mark-for-review", self._mark_for_review),
            ("POST", f"{_INQUIRY}/perform-simulate-actions", self._simulate),
            ("GET", f"{_INQUIRY}/print", self._print),
            ("GET", "/files/{name}", self._file),
        ]

    def _redact(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self._emulator.changeable(call)
        if inquiry.is_locked:
            raise _refused(409, "Conflict", "Verification is locked for investigation")
        inquiry.times["redacted"] = self._emulator.clock.now()
        inquiry.note, inquiry.tags, inquiry.comment = None, [], None
        inquiry.fields = {name: {**field, "value": None} for name, field in inquiry.fields.items()}
        inquiry.codes.clear()
        inquiry.handed_in.clear()
        return self._emulator.shown(call, inquiry)

    def _decide(self, call: EmulatedRequest, word: str) -> EmulatedResponse:
        inquiry = self._emulator.changeable(call)
        if inquiry.status == word:
            raise _refused(409, "Conflict", f"Inquiry is already {word}")
        meta = call.json().get("meta")
        comment = meta.get("comment") if isinstance(meta, dict) else None
        self._emulator.decide(inquiry.id, word, comment=comment)
        return self._emulator.shown(call, inquiry)

    def _mark_for_review(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self._emulator.changeable(call)
        if inquiry.status in _ENDED:
            raise _refused(409, "Conflict", f"Inquiry is already {inquiry.status}")
        self._emulator.become("needs_review", inquiry, "marked-for-review", "marked-for-review")
        return self._emulator.shown(call, inquiry)

    def _simulate(self, call: EmulatedRequest) -> EmulatedResponse:
        """In the order that they are given, until one does not fit."""
        return self._emulator.kept(call, self._simulated)

    def _simulated(self, call: EmulatedRequest) -> EmulatedResponse:
        inquiry = self._emulator.changeable(call)
        if not self._emulator.api_key.startswith("persona_sandbox_"):
            raise _refused(403, "Forbidden", "Simulate actions are for the sandbox only")
        for action in call.json()["meta"]["simulate-actions"]:
            name = action["type"]
            if name == "expire_inquiry":
                self._emulator.end(inquiry)
            elif name in _PASSED:
                self._attempt(inquiry, action["data"]["verification-template-id"], has_passed=_PASSED[name])
            else:
                before, word, event, time = _ACTIONS[name]
                if inquiry.status not in before:
                    raise _refused(
                        422, "Unprocessable entity", f"{name} does not fit an inquiry that is {inquiry.status}"
                    )
                self._emulator.become(word, inquiry, event, time)
        return self._emulator.shown(call, inquiry)

    def _attempt(self, inquiry: EmulatedInquiry, template: str, *, has_passed: bool) -> None:
        """The sandbox's own person, on a government id."""
        now = self._emulator.clock.now()
        inquiry.verifications.append(
            EmulatedVerification(
                id=new_id("ver"),
                type="verification/government-id",
                template=template,
                created=now,
                completed=now,
                status="passed" if has_passed else "failed",
                country="US",
                checks=[check("id_fabrication_detection", not has_passed, "fabricated")],
                attributes={"id-class": "dl", "name-first": "ALEXANDER", "name-last": "SAMPLE"},
            )
        )

    def _print(self, call: EmulatedRequest) -> EmulatedResponse:
        self._emulator.changeable(call)
        return EmulatedResponse(200, content=PRINTED, type="application/pdf")

    def _file(self, call: EmulatedRequest) -> EmulatedResponse:
        token = call.query.get("access_token")
        for inquiry in self._emulator.inquiries.values():
            for one in inquiry.verifications:
                if one.token == token and one.picture is not None:
                    return EmulatedResponse(200, content=one.picture, type="image/png")
        return EmulatedResponse(403, content=b"Forbidden", type="text/plain")


def _refused(status: int, title: str, details: str) -> Refused:
    errors: list[dict[str, Any]] = [{"title": title, "details": details}]
    return Refused(EmulatedResponse(status, {"errors": errors}))
