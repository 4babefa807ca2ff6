"""What the engine tells of its work: records of the log with stable keys, and events for observers."""

from __future__ import annotations

import logging
from datetime import timedelta

import httpx

from ..telemetry import CircuitChanged, OperationEnded, RequestEnded, RequestStarted
from ..wire import Request, Response
from .breaker import CircuitState
from .causes import cause_of
from .run import Run

log = logging.getLogger("idv_core")


def is_debugging() -> bool:
    """Whether anybody reads the records about single calls."""
    return log.isEnabledFor(logging.DEBUG)


def report_circuit(run: Run, changed: CircuitState | None) -> None:
    if changed is None:
        return
    log.warning("circuit changed", extra={"idv_account": run.session.name, "idv_circuit": str(changed)})
    if run.observers:
        run.observers.tell("circuit_changed", CircuitChanged(account=run.session.name, state=str(changed)))


def about(run: Run, request: Request) -> dict[str, object]:
    """The keys that every record about a call has."""
    return {
        "idv_account": run.session.name,
        "idv_operation": run.operation.operation,
        "idv_method": request.method,
        "idv_template": request.template,
    }


def report_operation(run: Run, begun: float, error: str | None) -> None:
    if not (run.observers or is_debugging()):
        return
    seconds = run.clock.monotonic() - begun
    log.debug(
        "operation",
        extra={
            "idv_account": run.session.name,
            "idv_operation": run.operation.operation,
            "idv_error": error,
            "idv_seconds": round(seconds, 3),
        },
    )
    if run.observers:
        run.observers.tell("operation_ended", OperationEnded(started=run.operation, seconds=seconds, error=error))


def report_request(run: Run, request: Request, attempt: int) -> RequestStarted:
    scheme, server, port = run.session.server
    event = RequestStarted(
        operation=run.operation,
        method=request.method,
        template=request.template,
        scheme=scheme,
        server=server,
        port=port,
        attempt=attempt,
    )
    run.observers.tell("request_started", event)
    return event


def report_answer(
    run: Run,
    request: Request,
    attempt: int,
    event: RequestStarted | None,
    seconds: float,
    response: Response | None,
    fault: Exception | None,
) -> None:
    status = response.status if response is not None else None
    kind = type(fault).__name__ if fault is not None else None
    cause = cause_of(fault) if isinstance(fault, httpx.TransportError) else None
    log.debug(
        "vendor call",
        extra={
            **about(run, request),
            "idv_attempt": attempt,
            "idv_status": status,
            "idv_fault": kind,
            "idv_cause": cause,
            "idv_seconds": round(seconds, 3),
        },
    )
    if event is not None:
        size = len(response.content) if response is not None else None
        run.observers.tell(
            "request_ended",
            RequestEnded(started=event, seconds=seconds, status=status, fault=kind, response_bytes=size),
        )


def report_repeat(run: Run, request: Request, attempt: int, reason: int | str) -> None:
    log.info("calling again", extra={**about(run, request), "idv_attempt": attempt, "idv_reason": reason})


def report_distrust(run: Run) -> None:
    log.warning(
        "certificate not trusted, nothing was sent",
        extra={"idv_account": run.session.name, "idv_server": run.session.server[1]},
    )


def report_kept_token(run: Run) -> None:
    log.warning("token not renewed, going on with the old one while it lasts", extra={"idv_account": run.session.name})


def report_skew(run: Run, skew: timedelta) -> None:
    log.warning("clocks differ", extra={"idv_account": run.session.name, "idv_skew": skew.total_seconds()})


def report_fallback(account: str, onward: str, why: str) -> None:
    log.warning("falling back", extra={"idv_account": account, "idv_to": onward, "idv_reason": why})


def report_shadow(account: str, operation: str, error: str) -> None:
    log.info("shadow failed", extra={"idv_account": account, "idv_operation": operation, "idv_error": error})


def report_configuration(accounts: int, routes: int) -> None:
    log.info("configuration taken", extra={"idv_accounts": accounts, "idv_routes": routes})


def report_rotation(account: str) -> None:
    log.info("secrets read again, they have changed", extra={"idv_account": account})
