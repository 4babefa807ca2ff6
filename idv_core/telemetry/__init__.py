"""What can be seen of the work under way: events around every operation and every call, told to observers.

An observer is any object with methods marked `@observes`, named as the hooks of `ObserverHooks`; it implements those
that it wants. Events hold no secret and no personal data. An observer that raises is reported in the log and changes
nothing.
"""

from .events import CircuitChanged, OperationEnded, OperationStarted, RequestEnded, RequestStarted
from .observers import ObserverHooks, Observers, observes

__all__ = [
    "CircuitChanged",
    "ObserverHooks",
    "Observers",
    "OperationEnded",
    "OperationStarted",
    "RequestEnded",
    "RequestStarted",
    "observes",
]
