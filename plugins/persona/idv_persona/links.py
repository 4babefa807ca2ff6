"""How an applicant comes to an inquiry: a one-time link, or a session of Persona's SDK."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from idv_core.plugin import (
    Exchange,
    Flow,
    FlowStatus,
    Link,
    NotAccepted,
    Request,
    Response,
    SdkSession,
    Secret,
    UnexpectedResponse,
    trusted_link,
)

from .inquiries import INQUIRY, Readings, inquiry_of
from .json_api import as_object, as_text

_LONGEST_TOKEN = 10_000


def linked(readings: Readings, flow: Flow, inquiry: Mapping[str, Any]) -> Exchange[Flow | None]:
    """The flow as it is; where it waits for the applicant with a new link, and a session of the SDK if the account wants one.

    Another link leaves those before as they are. `inquiry` may have been answered a while ago: where Persona makes no link,
    it is looked at. None where Persona does not know it any more.
    """
    flow = attrs.evolve(readings.flow(flow, inquiry), link=None, sdk=None)
    if flow.status is not FlowStatus.AWAITING_APPLICANT:
        return flow
    settings = readings.settings
    life = {"meta": {"expires-in-seconds": settings.link_life}}
    request = Request.post(
        f"{INQUIRY}/generate-one-time-link", flow.id, json=life, idempotent=True, accept={404, 409, 422}
    )
    reply = yield request
    if not reply.is_success:
        now = yield Request.get(INQUIRY, flow.id, accept={404})
        if now.status == 404:
            return None
        flow = readings.flow(flow, inquiry_of(flow, now))
        if flow.status is FlowStatus.AWAITING_APPLICANT:
            raise NotAccepted(request, reply)
        return flow
    flow = readings.flow(flow, inquiry_of(flow, reply))
    if flow.status is not FlowStatus.AWAITING_APPLICANT:
        return flow
    url = trusted_link(_told(reply, "one-time-link"), settings.base_url, settings.link_hosts)
    link = Link(url, reply.received_at + timedelta(seconds=settings.link_life))
    if not settings.sdk_session:
        return attrs.evolve(flow, link=link)
    reply = yield Request.post(f"{INQUIRY}/resume", flow.id, idempotent=True)
    flow = readings.flow(flow, inquiry_of(flow, reply))
    token = _told(reply, "session-token")
    return attrs.evolve(
        flow, link=link, sdk=SdkSession(kind="persona", token=Secret(token), expires_at=end_of_token(token))
    )


def _told(reply: Response, name: str) -> str:
    told = as_text(as_object((reply.json_object() or {}).get("meta")).get(name))
    if told is None:
        raise UnexpectedResponse(f"the answer has no {name}", status=reply.status)
    return told


def end_of_token(token: str) -> datetime | None:
    """The end that a session token tells of itself (a JSON Web Token, RFC 7519 section 4.1.4); None if it tells none.

    Nothing is verified: the token is Persona's to check.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST_TOKEN:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = as_object(claims).get("exp")
        return datetime.fromtimestamp(end, UTC) if type(end) is int else None
    except (ValueError, OverflowError, OSError, RecursionError, binascii.Error):
        return None
