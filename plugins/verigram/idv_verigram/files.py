"""Files of a flow, planted results of a step, and what Verigram can do at all (fact sheet sections 3.7, 3.8 and 6.2)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from idv_core.plugin import (
    OTHER,
    OVERALL,
    CheckOutcome,
    Coverage,
    Exchange,
    Flow,
    FlowNotFound,
    InvalidOrder,
    Media,
    MediaKind,
    NotAccepted,
    Request,
    Response,
    Result,
    UnexpectedResponse,
)

from .mapping import COMPARED, SERVICES
from .register import LABEL

SIGNED = "signed_doc"
"""What the person signed at the step `esign`."""
SIMULATIONS = {"kisc_match": (True, 99.0), "kisc_mismatch": (False, 1.0)}
"""Words of `simulate`, and what `kisc` is to say: whether the faces are alike, and how much (of 100)."""

_OF_REGISTER = "kisc_"
_NO_RECORD = base64.b64encode(b'{"person":{}}').decode()


def answered(request: Request) -> Exchange[Response]:
    """The answer. Where it says no it must be Verigram's own, and not a page or a line of text of a proxy."""
    reply = yield request
    if not reply.is_success and (reply.is_page or reply.is_line):
        raise NotAccepted(request, reply)
    return reply


def list_files(result: Result, with_register: bool) -> Iterator[Media]:
    """The files that the passed steps of a flow leave behind; no call of Verigram's lists them.

    The register's record only where the account reads the register.
    """
    passed = {check.vendor_name for check in result.checks if check.outcome is CheckOutcome.PASSED}
    if "esign" in passed:
        yield Media(id=SIGNED, kind=MediaKind.REPORT)
    if "kisc" in passed and with_register:
        yield Media(id=LABEL, kind=MediaKind.OTHER)


def download_file(flow: Flow, label: str, with_register: bool) -> Exchange[None]:
    """The bytes as they are. Raises FlowNotFound where there is no such file, InvalidOrder for one of the register's where
    the account does not read the register."""
    if label.startswith(_OF_REGISTER) and not with_register:
        raise InvalidOrder(
            "files of the population register are fetched for accounts with read_register = true only",
            fields=("media",),
        )
    query = {"label": label, "flow_id": flow.id}
    reply = yield from answered(Request.get("/resources/file", query=query, streamed=True, accept={404}))
    if reply.status == 404:
        raise FlowNotFound("Verigram has no file of this name for this flow, or none yet", status=404)
    # a failure is JSON with `error_code`, under a status that is not documented; the register's record is JSON itself
    if label != LABEL and "json" in reply.headers.get("content-type", "").lower():
        raise UnexpectedResponse(
            "Verigram answered with JSON in place of the file: it has none of this name for this flow, or none yet",
            status=reply.status,
        )


def plant_result(flow: Flow, outcome: str) -> Exchange[Flow]:
    """Plant what the step `kisc` will say of the person. The flow goes on: the applicant has to walk through it."""
    person = flow.details.get("person_id")
    if person is None:
        raise InvalidOrder(
            "Verigram plants results by person: give the Flow that open returned, its reference does not name the person",
            fields=("flow",),
        )
    alike, similarity = SIMULATIONS[outcome]
    result: dict[str, Any] = {"service_name": "kisc", "service_status": "success", "vendor": "verigram"}
    result |= {"face_match": alike, "similarity": similarity}
    body = {"person_id": person, "result": result, "files": {LABEL: _NO_RECORD, "kisc_face_image": ""}}
    yield Request.post("/mockery/result", json=body, idempotent=True)
    return flow


def known_coverage() -> Coverage:
    """The checks of the services that are known. Which documents and countries a template takes, no page tells."""
    named = {*SERVICES.values(), *COMPARED}
    return Coverage(
        checks={kind.value if name == OVERALL else f"{kind.value}.{name}" for kind, name in named if name != OTHER}
    )
