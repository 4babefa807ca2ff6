"""`Gateway` and `AsyncGateway`, the platform's API, and the operations that both run."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aio import AsyncGateway
    from .sync import Gateway

__all__ = ["AsyncGateway", "Gateway"]

_PLACES = {"AsyncGateway": "aio", "Gateway": "sync"}


def __getattr__(name: str) -> Any:
    # asyncio is loaded only by those who use it
    if name in _PLACES:
        return globals().setdefault(name, getattr(import_module(f"{__name__}.{_PLACES[name]}"), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
