"""Signed events (docs.stripe.com/webhooks/signature)."""

from __future__ import annotations

import hmac
from typing import Any

from idv_core.plugin import Secret, Webhook, WebhookEvent, WebhookRejected

from .settings import StripeSettings


def read_webhook(settings: StripeSettings, webhook: Webhook) -> WebhookEvent:
    """An event signed by the endpoint's secret. Raises WebhookRejected where the signature is missing, wrong or too old."""
    if webhook.purpose != "events" or webhook.method != "POST":
        raise WebhookRejected("no such address", status=404)
    signed = bool(settings.webhook_secret)
    if signed:
        _check_signature(settings, webhook)
    body = webhook.json_object()
    data = body.get("data")
    session = data.get("object") if isinstance(data, dict) else None
    named = session.get("id") if isinstance(session, dict) else None
    event = body.get("type")
    flow_id = named if isinstance(named, str) and named.startswith("vs_") else None
    return WebhookEvent(
        event=event[:80] if isinstance(event, str) else "unnamed",
        flow_id=flow_id,
        fetch=flow_id is not None,
        signed=signed,
    )


def _check_signature(settings: StripeSettings, call: Webhook) -> None:
    pairs = [part.partition("=")[::2] for part in call.headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, value in pairs if name.strip() == "t"), "")
    given = [value for name, value in pairs if name.strip() == "v1"]
    wanted = [sign(secret, stamp, call.body).encode() for secret in settings.webhook_secret]
    if not any(hmac.compare_digest(value.encode(errors="replace"), good) for value in given for good in wanted):
        raise WebhookRejected("the signature is missing or wrong", status=401)
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise WebhookRejected("the signature has no time", status=401)
    if call.received_at is not None:
        age = abs(call.received_at.timestamp() - int(stamp))
        if age > settings.tolerance:
            raise WebhookRejected("the signature is too old", status=401)


def sign(secret: Secret, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over time, a dot and the body, lower-case hex."""
    return hmac.digest(secret.reveal().encode(), stamp.encode(errors="replace") + b"." + body, "sha256").hex()


def signature_header(secret: Secret, stamp: str, body: bytes) -> dict[str, Any]:
    """The header as Stripe sends it."""
    return {"Stripe-Signature": f"t={stamp},v1={sign(secret, stamp, body)}"}
