"""Webhooks: authenticated, limited, deduplicated, read. They are hints; the result is always fetched."""

from .asgi import WebhookApp
from .receiver import Received, WebhookRequest, WebhookResponse

__all__ = ["Received", "WebhookApp", "WebhookRequest", "WebhookResponse"]
