"""The circuit breaker of an account. No I/O: time is an argument."""

from __future__ import annotations

import threading
from enum import StrEnum

import attrs

from ..model.validation import as_seconds, is_count, is_some_time


@attrs.frozen(kw_only=True)
class Circuit:
    """The settings of a circuit breaker.

    Args:
        failures: Failed calls in a row that open the circuit.
        cooldown: How long no call is sent then, in seconds or as `timedelta`. After that, one call probes.

    Raises ValueError.
    """

    failures: int = attrs.field(default=10, validator=is_count)
    cooldown: float = attrs.field(default=30.0, converter=as_seconds, validator=is_some_time)


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.frozen
class Admission:
    """Whether a call may go out. A refused one may come back after `wait` seconds; a probe decides about the circuit."""

    granted: bool
    probe: bool = False
    wait: float = 0.0


_ADMITTED = Admission(True)
_PROBE = Admission(True, probe=True)


class Breaker:
    """Closed: all calls go out. Open: none. Half open: one probe. Safe for threads."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self._lock = threading.Lock()

    @property
    def failures(self) -> int:
        """Failed calls in a row."""
        return self._failures

    def after_fork(self) -> None:
        """What is known of the vendor holds in the child too; a probe under way is the parent's."""
        self._lock = threading.Lock()
        self._probing = False

    def state(self, now: float) -> CircuitState:
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self._open_until else CircuitState.HALF_OPEN

    def wait(self, now: float) -> float:
        """Seconds until a probe may go out; 0 when calls do."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def admit(self, now: float) -> Admission:
        """Ask before each call, and `settle` afterwards whatever happens."""
        with self._lock:
            if self._open_until is None:
                return _ADMITTED
            if now >= self._open_until and not self._probing:
                self._probing = True
                return _PROBE
            return Admission(False, wait=max(0.0, self._open_until - now) or self._circuit.cooldown)

    def settle(self, admission: Admission, alive: bool | None, now: float) -> CircuitState | None:
        """What became of an admitted call: the vendor answered, it failed, or nobody knows (None: it was cancelled).

        The new state if it changed. A call that was admitted before the circuit opened says nothing about it any more.
        """
        if alive and not admission.probe and not self._failures:
            return None
        with self._lock:
            if admission.probe:
                self._probing = False
            elif self._open_until is not None:
                return None
            if alive is None:
                return None
            if alive:
                self._failures, self._open_until = 0, None
                return CircuitState.CLOSED if admission.probe else None
            self._failures += 1
            if admission.probe or self._failures >= self._circuit.failures:
                self._open_until = now + self._circuit.cooldown
                return CircuitState.OPEN
            return None
