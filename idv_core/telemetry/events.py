"""The events: frozen values. An end event holds its start event, so observers can match them by identity."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True, eq=False)
class OperationStarted:
    """An operation (`open`, `upload`, `result`, ...) starts at an account."""

    account: str
    plugin: str
    operation: str


@attrs.frozen(kw_only=True, eq=False)
class OperationEnded:
    """An operation ended after `seconds`. `error` is the name of the error class; None if it succeeded."""

    started: OperationStarted
    seconds: float
    error: str | None


@attrs.frozen(kw_only=True, eq=False)
class RequestStarted:
    """A call to the vendor starts.

    Args:
        operation: The operation that it belongs to.
        method: The HTTP method.
        template: The path without its values.
        scheme: The scheme of the account's base URL.
        server: The host of the account's base URL.
        port: The port of the account's base URL.
        attempt: The number of the attempt, from 1.
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
    """A call ended.

    Args:
        started: Its start event.
        seconds: How long it took.
        status: The HTTP status; None if there was no response.
        fault: The name of the httpx error class; None if there was a response.
        response_bytes: The size of the response body.
    """

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
