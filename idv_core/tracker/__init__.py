"""The tracker: follows every verification of a ledger to its end (extra `ledger`)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aio import AsyncTracker
    from .tracker import Tracker

__all__ = ["AsyncTracker", "Tracker"]

_PLACES = {"AsyncTracker": "aio", "Tracker": "tracker"}


def __getattr__(name: str) -> Any:
    # asyncio is loaded only by those who use it
    if name in _PLACES:
        return globals().setdefault(name, getattr(import_module(f"{__name__}.{_PLACES[name]}"), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
