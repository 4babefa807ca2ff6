"""Acme as its pages describe it: state, handlers, and a page for the applicant."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import attrs
import httpx

from idv_core.testing import (
    EmulatedRequest,
    EmulatedResponse,
    Emulator,
    Handler,
    HasNow,
    Refused,
    Specimen,
    file_field,
    form,
    html,
    page,
    paragraph,
    read_specimen,
    redirect,
)


@attrs.define(kw_only=True)
class Emulated:
    """State of one verification."""

    id: str
    application: str
    document: Specimen | None = None
    face: Specimen | None = None


class AcmeEmulator(Emulator):
    """What is printed on the specimens decides."""

    def __init__(
        self, clock: HasNow, *, api_key: str = "key-of-acme", client: Callable[[], httpx.Client] | None = None
    ) -> None:
        self.api_key = api_key
        self.verifications: dict[str, Emulated] = {}
        super().__init__(clock, client)

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("POST", "/verifications", self._create),
            ("GET", "/verifications/{id}", self._read),
            ("GET", "/go/{id}", self._show),
            ("POST", "/go/{id}", self._take),
        ]

    def _create(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        body = call.json()
        if not body.get("reference"):
            raise _error(422, "REFERENCE_MISSING", "reference is required")
        made = Emulated(id=f"v-{secrets.token_hex(8)}", application=str(body.get("application")))
        self.verifications[made.id] = made
        return EmulatedResponse(201, {"id": made.id, "url": f"{call.base_url}/go/{made.id}"})

    def _read(self, call: EmulatedRequest) -> EmulatedResponse:
        self._authenticated(call)
        found = self._found(call)
        return EmulatedResponse(200, {"id": found.id, **_outcome(found)})

    def _show(self, call: EmulatedRequest) -> EmulatedResponse:
        found = self._found(call)
        if found.face is not None:
            return html(page("Acme", "Thank you", paragraph("You can close this page.")))
        name = "document" if found.document is None else "face"
        return html(page("Acme", "Verify your identity", form([file_field(name, f"Picture: {name}")], "Continue")))

    def _take(self, call: EmulatedRequest) -> EmulatedResponse:
        found = self._found(call)
        for name in ("document", "face"):
            content = call.form.get(name)
            if isinstance(content, bytes):
                setattr(found, name, read_specimen(content))
        return redirect(call.path)

    def _found(self, call: EmulatedRequest) -> Emulated:
        found = self.verifications.get(call.params["id"])
        if found is None:
            raise _error(404, "NOT_FOUND", "no such verification")
        return found

    def _authenticated(self, call: EmulatedRequest) -> None:
        if call.headers.get("authorization") != f"Bearer {self.api_key}":
            raise _error(401, "KEY_WRONG", "the key is missing or wrong")


def _outcome(found: Emulated) -> dict[str, Any]:
    if found.document is None or found.face is None:
        return {"status": "waiting"}
    good = found.document.flaw is None
    same = found.document.face == found.face.face
    checks = [
        {"name": "document", "outcome": "ok" if good else "bad"},
        {"name": "face", "outcome": "ok" if same else "bad"},
    ]
    return {"status": "passed" if good and same else "failed", "checks": checks}


def _error(status: int, code: str, message: str) -> Refused:
    return Refused(EmulatedResponse(status, {"code": code, "message": message}))
