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
class Decided:
    """A verification was decided.

    With a tracker it comes once the decision is stored, again if a vendor reopened it and it was decided anew, and not at all
    if the process dies in between. Without one it comes with the first `result` or `wait` of a process that sees the decision.

    Args:
        account: The account that verified.
        route: The route; None if the flow came as a reference alone.
        product: The order's product; None without a tracker.
        country: The applicant's country, ISO 3166-1 alpha-2; None without a tracker.
        decision: `approved`, `declined` or `review`.
        seconds: How long after the flow was opened; None if that is not known.
        reasons: The codes of the reasons.
    """

    account: str
    route: str | None
    product: str | None
    country: str | None
    decision: str
    seconds: float | None
    reasons: tuple[str, ...]


@attrs.frozen(kw_only=True, eq=False)
class CircuitChanged:
    """The circuit breaker of an account opened or closed; `state` is `open` or `closed`."""

    account: str
    state: str
