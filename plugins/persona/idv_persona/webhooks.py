"""Webhooks: their signature and what they name (docs.withpersona.com/webhooks-best-practices)."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator

from idv_core.plugin import Secret, Webhook, WebhookEvent, WebhookRejected

from .json_api import as_object, as_text, attributes_of, related

_LONGEST_NAME, _LONGEST_TIME = 80, 12


def read_event(webhook: Webhook, secrets: Collection[Secret], tolerance: int) -> WebhookEvent:
    """An event, signed by one of the secrets; it names an inquiry, or a verification of one."""
    if webhook.purpose != "events" or webhook.method != "POST":
        raise WebhookRejected("no such address", status=404)
    if secrets:
        _check_signature(webhook, secrets, tolerance)
    event = attributes_of(as_object(webhook.json_object().get("data")))
    about = as_object(as_object(event.get("payload")).get("data"))
    inquiry = about if about.get("type") == "inquiry" else related(about, "inquiry")
    named = as_text(inquiry.get("id"))
    flow_id = named if named and named.startswith("inq_") else None
    name = as_text(event.get("name")) or "unnamed"
    return WebhookEvent(event=name[:_LONGEST_NAME], flow_id=flow_id, fetch=flow_id is not None, signed=bool(secrets))


def _check_signature(webhook: Webhook, secrets: Collection[Secret], tolerance: int) -> None:
    header = webhook.headers.get("persona-signature", "")
    right = [stamp for stamp, given in _signatures(header) if _is_signed(stamp, given, webhook.body, secrets)]
    if not right:
        raise WebhookRejected("the signature is missing or wrong", status=401)
    times = [int(stamp) for stamp in right if stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_TIME]
    if not times:
        raise WebhookRejected("the signature has no time", status=401)
    now = webhook.received_at
    if now is not None and not any(abs(now.timestamp() - time) <= tolerance for time in times):
        raise WebhookRejected("the signature is too old", status=401)


def _signatures(header: str) -> Iterator[tuple[str, str]]:
    """Time and signature of each `v1` in the header. While a secret is rotated there are several, each behind its time."""
    stamp = ""
    for part in header.replace(" ", ",").split(","):
        name, _, value = part.partition("=")
        if name == "t":
            stamp = value
        elif name == "v1":
            yield stamp, value


def _is_signed(stamp: str, given: str, body: bytes, secrets: Iterable[Secret]) -> bool:
    wanted = (sign(secret, stamp, body).encode() for secret in secrets)
    return any(hmac.compare_digest(given.encode(errors="replace"), good) for good in wanted)


def sign(secret: Secret, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over time, a dot and the body, lower-case hex."""
    return hmac.digest(secret.reveal().encode(), stamp.encode(errors="replace") + b"." + body, "sha256").hex()


def signature_header(secrets: Iterable[Secret], stamp: str, body: bytes) -> dict[str, str]:
    """The header as Persona sends it: a pair for each secret that is valid."""
    return {"Persona-Signature": " ".join(f"t={stamp},v1={sign(secret, stamp, body)}" for secret in secrets)}
