"""Inbound calls: authenticated, bounded, deduplicated, read. They are hints; the result is always fetched."""

from .app import CallbackApp
from .desk import Inbound, Received

__all__ = ["CallbackApp", "Inbound", "Received"]
