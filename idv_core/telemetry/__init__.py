"""Events about every operation and call, for observers.

An observer is an object with methods marked `@observes` and named like the hooks of `ObserverHooks`; it may leave hooks out.
Events hold no secrets and no personal data. If an observer raises, the error is logged and the operation continues.
"""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .events import CircuitChanged, Decided, OperationEnded, OperationStarted, RequestEnded, RequestStarted
    from .observers import ObserverHooks, observes
    from .telling import Observers

__all__ = [
    "CircuitChanged",
    "Decided",
    "ObserverHooks",
    "Observers",
    "OperationEnded",
    "OperationStarted",
    "RequestEnded",
    "RequestStarted",
    "observes",
]

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, __all__, (".events", ".telling", ".observers"))
