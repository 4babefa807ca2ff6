"""The circuit breaker around one try of a request, and what observers and logs are told of it."""

from __future__ import annotations

from datetime import timedelta

from ..errors import UnexpectedResponse, VendorUnavailable
from ..plugin.http import Request, Response
from ..telemetry.events import RequestStarted
from ..transports.causes import NOT_TRUSTED, cause_of
from .breaker import Admission
from .context import Run
from .log import is_debugging, log_answer, log_circuit, log_distrust, log_request


class Guard:
    """The circuit breaker around one try: asks it before, and tells it afterwards what came of the try."""

    def __init__(self, run: Run, request: Request, attempt: int) -> None:
        self.response: Response | None = None
        self.fault: Exception | None = None
        self._run, self._request, self._attempt = run, request, attempt
        self._event: RequestStarted | None = None
        self._admission: Admission | None = None
        self._begun = run.clock.monotonic()

    def admit(self) -> None:
        """Raises VendorUnavailable while the circuit is open."""
        session = self._run.session
        admission = session.breaker.admit(self._begun)
        if not admission.granted:
            raise VendorUnavailable(
                f"circuit open: the vendor failed {session.breaker.failures} times in a row, last with "
                f"{session.last_failure}; calls resume after the cooldown",
                safe_to_retry=True,
                nothing_done=True,
                retry_after=timedelta(seconds=admission.wait),
            )
        self._admission = admission

    def begin(self) -> None:
        if self._run.observers:
            self._event = log_request(self._run, self._request, self._attempt)

    def settle(self) -> None:
        """To be called whatever happens: an admission that is not settled would keep others out."""
        run = self._run
        if self._admission is None:
            return
        now = run.clock.monotonic()
        log_circuit(run, run.session.breaker.settle(self._admission, self._is_alive(), now))
        if self._event is not None or is_debugging():
            seconds = run.clock.monotonic() - self._begun
            log_answer(run, self._request, self._attempt, self._event, seconds, self.response, self.fault)

    def _is_alive(self) -> bool | None:
        """Whether the vendor serves; None where the try says nothing about that, because it was cancelled or never begun."""
        session = self._run.session
        if self.response is not None:
            if self.response.status >= 500:
                session.last_failure = f"HTTP {self.response.status}"
            return self.response.status < 500
        if self.fault is None:
            return None
        if isinstance(self.fault, UnexpectedResponse):
            return True
        cause = cause_of(self.fault)
        session.last_failure = f"{type(self.fault).__name__}: {cause}"
        if cause == NOT_TRUSTED:
            log_distrust(self._run)
        return False
