"""One operation under way: what all parts of the engine are told about it."""

from __future__ import annotations

import attrs

from ..clock import Clock
from ..errors import DeadlineExceeded
from ..plugin.http import Request
from ..telemetry import Observers, OperationStarted
from ..transports.sinks import Sink
from .account import AccountSession


@attrs.define(eq=False, repr=False)
class Trail:
    """What is left of an operation that ended without a word, because it was cancelled or interrupted."""

    run: Run | None = None

    @property
    def went_out(self) -> bool:
        """Whether a request that does something had gone out and was not refused."""
        return self.run is not None and self.run.unsure is not None


@attrs.define(eq=False, repr=False)
class Run:
    """One operation under way: whose, until when (monotonic), and which personal words no error may repeat.

    `request` is the last one that was asked for, `unsure` the last one that does something and went out, unless the vendor
    certainly refused it. `sink` takes the body of a request that is `streamed`.
    """

    session: AccountSession
    operation: OperationStarted
    clock: Clock
    deadline: float
    personal: tuple[str, ...] = attrs.field(repr=False)
    observers: Observers
    request: Request | None = None
    unsure: Request | None = None
    sink: Sink | None = None

    @property
    def is_opening(self) -> bool:
        return self.operation.operation in ("open", "recover", "retry")

    def sent(self, request: Request) -> None:
        """The request, which does something, goes out now. One that must not be repeated is kept before one that may."""
        if self.unsure is None or self.unsure.idempotent:
            self.unsure = request

    def refused(self, request: Request) -> None:
        """It is certain that the vendor did nothing of what the request asked for."""
        if self.unsure is request:
            self.unsure = None

    def left(self) -> float:
        """Seconds until the deadline. Raises DeadlineExceeded when there are none."""
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the deadline passed before the next call could be made")
        return left
