"""What the engine tells of its work: records of the log, and events for observers.

The text begins with stable words and then says the rest for people; the keys (`extra`) say it for programs and are stable.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import httpx

from ..errors import ConfigError
from ..plugin.http import Request, Response
from ..telemetry import CircuitChanged, OperationEnded, RequestEnded, RequestStarted
from ..transports.causes import cause_of
from .breaker import CircuitState
from .context import Run
from .servers import place_of

log = logging.getLogger("idv_core")


def is_debugging() -> bool:
    """Whether anybody reads the records about single calls."""
    return log.isEnabledFor(logging.DEBUG)


def log_circuit(run: Run, changed: CircuitState | None) -> None:
    if changed is None:
        return
    account = run.session.name
    log.warning("circuit %s: %s", changed, account, extra={"idv_account": account, "idv_circuit": str(changed)})
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


def log_operation(run: Run, begun: float, error: str | None) -> None:
    if not (run.observers or is_debugging()):
        return
    seconds = run.clock.monotonic() - begun
    account, operation = run.session.name, run.operation.operation
    log.debug(
        "operation: %s at %s, %s in %.3f s",
        operation,
        account,
        error or "done",
        seconds,
        extra={
            "idv_account": account,
            "idv_operation": operation,
            "idv_error": error,
            "idv_seconds": round(seconds, 3),
        },
    )
    if run.observers:
        run.observers.tell("operation_ended", OperationEnded(started=run.operation, seconds=seconds, error=error))


def log_request(run: Run, request: Request, attempt: int) -> RequestStarted:
    scheme, server, port = place_of(run.session, request)
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


def log_answer(
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
        "vendor call: %s %s at %s, %s in %.3f s, attempt %d",
        request.method,
        request.template,
        run.session.name,
        status or kind,
        seconds,
        attempt,
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


def log_retry(run: Run, request: Request, attempt: int, reason: int | str) -> None:
    log.info(
        "retry: %s %s at %s after attempt %d, %s",
        request.method,
        request.template,
        run.session.name,
        attempt,
        reason,
        extra={**about(run, request), "idv_attempt": attempt, "idv_reason": reason},
    )


def log_distrust(run: Run) -> None:
    account, server = run.session.name, run.session.server[1]
    keys = {"idv_account": account, "idv_server": server}
    log.warning("certificate not trusted, nothing was sent: %s at %s", account, server, extra=keys)


def log_kept_token(run: Run) -> None:
    account = run.session.name
    text = "token not renewed, the old one is used until it expires: %s"
    log.warning(text, account, extra={"idv_account": account})


def log_skew(run: Run, skew: timedelta) -> None:
    account, ahead = run.session.name, skew.total_seconds()
    text = "clocks differ: the clock of %s is %.0f s ahead of ours and is used from now on"
    log.warning(text, account, ahead, extra={"idv_account": account, "idv_skew": ahead})


def log_fallback(account: str, onward: str, why: str) -> None:
    keys = {"idv_account": account, "idv_to": onward, "idv_reason": why}
    log.warning("fallback: from %s to %s, %s", account, onward, why, extra=keys)


def log_shadow(account: str, operation: str, error: str) -> None:
    keys = {"idv_account": account, "idv_operation": operation, "idv_error": error}
    log.info("shadow failed: %s at %s, %s", operation, account, error, extra=keys)


def log_configuration(accounts: int, routes: int) -> None:
    keys = {"idv_accounts": accounts, "idv_routes": routes}
    log.info("configuration loaded: %d accounts, %d routes", accounts, routes, extra=keys)


def log_vanished(account: str) -> None:
    text = "account removed from the configuration, only its existing flows continue: %s"
    log.warning(text, account, extra={"idv_account": account})


def report_reload_failed(error: ConfigError) -> None:
    problems = [str(problem) for problem in error.problems] or [error.message]
    text = "configuration refused, the old one stays in use: %s"
    log.error(text, "; ".join(problems), extra={"idv_problems": len(problems)})


def log_rotation(account: str) -> None:
    log.info("secrets reloaded, they have changed: %s", account, extra={"idv_account": account})


def report_read_error(run: Run, error: str) -> None:
    account, plugin = run.session.name, run.session.plugin
    text = "read_error raised, so the HTTP status alone is used: plugin %s, %s, account %s"
    log.warning(text, plugin, error, account, extra={"idv_account": account, "idv_error": error})


def log_look_failed(account: str, error: str) -> None:
    """A wait goes on after this."""
    log.warning("status check failed: %s, %s", account, error, extra={"idv_account": account, "idv_error": error})
