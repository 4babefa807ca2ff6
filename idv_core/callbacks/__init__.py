"""Inbound calls: authenticated, limited, deduplicated, read. They are hints; the result is always fetched."""

from .app import CallbackApp
from .desk import Answer, Inbound, Received

__all__ = ["Answer", "CallbackApp", "Inbound", "Received"]
