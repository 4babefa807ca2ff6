"""`Gateway` and `AsyncGateway`, the platform's API, and the operations that both run."""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .aio import AsyncGateway
    from .sync import Gateway

__all__ = ["AsyncGateway", "Gateway"]

# asyncio is loaded only by those who use it
if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, __all__, (".sync", ".aio"))
