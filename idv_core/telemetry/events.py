"""The events. Frozen values; an end holds its start, so that an observer can match them by identity."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True, eq=False)
class OperationStarted:
    """An operation of the gateway (`open`, `upload`, `result`, ...) begins at an account."""

    account: str
    plugin: str
    operation: str


@attrs.frozen(kw_only=True, eq=False)
class OperationEnded:
    """It ended after `seconds`. `error` is the name of the error's class, None when all went well."""

    started: OperationStarted
    seconds: float
    error: str | None


@attrs.frozen(kw_only=True, eq=False)
class RequestStarted:
    """A call to the vendor goes out, to `scheme`, `server` and `port` of the account's base URL.

    `template` is the path without its values; `attempt` counts from 1.
    """

    operation: OperationStarted
    method: str
    template: str
    scheme: str
    server: str
    port: int
    attempt: int


@attrs.frozen(kw_only=True, eq=False)
class RequestEnded:
    """The call ended: with an HTTP `status`, or with a `fault` (the name of a class of httpx)."""

    started: RequestStarted
    seconds: float
    status: int | None
    fault: str | None
    response_bytes: int | None = None


@attrs.frozen(kw_only=True, eq=False)
class CircuitChanged:
    """The circuit breaker of an account opened or closed; `state` is `open` or `closed`."""

    account: str
    state: str
