"""Webhooks: authenticate, limit, deduplicate, parse. A webhook is a hint: fetch the result."""

from .asgi import WebhookApp
from .receiver import Received, WebhookRequest, WebhookResponse

__all__ = ["Received", "WebhookApp", "WebhookRequest", "WebhookResponse"]
