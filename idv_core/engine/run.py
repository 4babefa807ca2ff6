"""One operation under way: what all parts of the engine are told about it."""

from __future__ import annotations

import attrs

from ..clock import Clock
from ..errors import DeadlineExceeded
from ..telemetry import Observers, OperationStarted
from .account import AccountSession


@attrs.frozen
class Run:
    """One operation under way: whose, until when (monotonic), and which personal words no error may repeat."""

    session: AccountSession
    operation: OperationStarted
    clock: Clock
    deadline: float
    personal: tuple[str, ...] = attrs.field(repr=False)
    observers: Observers

    def left(self) -> float:
        """Seconds until the deadline. Raises DeadlineExceeded when there are none."""
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the time for the whole operation was up before the next call could be made")
        return left
