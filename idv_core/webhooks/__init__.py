"""Webhooks: authenticate, limit, deduplicate, parse. A webhook is a hint: fetch the result."""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .asgi import WebhookApp
    from .receiver import Received, WebhookRequest, WebhookResponse

__all__ = ["Received", "WebhookApp", "WebhookRequest", "WebhookResponse"]

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, __all__, (".receiver", ".asgi"))
