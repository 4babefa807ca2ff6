"""Errors as RFC 9457 problems: `type` is the name of the error, a program decides by it; `detail` is for people."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import (
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    NoRoute,
    OutcomeUnknown,
    PermissionDenied,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorUnavailable,
)
from ..ledger import LedgerError, NewerRelease, Stale, Tampered
from ..ledger.reaching import trouble

log = logging.getLogger("idv_core")

MEDIA_TYPE = "application/problem+json"
_CHALLENGE = 'Bearer realm="idv"'


class ApiError(IdvError):
    """A request that the service itself refuses."""

    status = 400
    safe_to_retry = False
    retry_after: timedelta | None = None
    nothing_done = True

    @property
    def headers(self) -> dict[str, str]:
        """What the answer tells besides."""
        return {}


class BadRequest(ApiError):
    """It cannot be read: not JSON, a wrong parameter, a wrong header."""


class Ambiguous(ApiError):
    """A proxy could see the end of the request elsewhere. RFC 9112 section 6.1: the connection ends with it."""

    @property
    def headers(self) -> dict[str, str]:
        return {"connection": "close"}


class Unauthorized(ApiError):
    """There is no key, or none that is known. `is_wrong`: one was given."""

    status = 401

    def __init__(self, message: str, *, is_wrong: bool = False) -> None:
        super().__init__(message)
        self.is_wrong = is_wrong

    @property
    def headers(self) -> dict[str, str]:
        # RFC 6750 section 3.1: who gave none is told no error
        return {"www-authenticate": _CHALLENGE + (', error="invalid_token"' if self.is_wrong else "")}


class Forbidden(ApiError):
    """The key lacks the scope: one of `scopes`."""

    status = 403

    def __init__(self, message: str, *, scopes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.scopes = tuple(scopes)

    @property
    def headers(self) -> dict[str, str]:
        said = f'{_CHALLENGE}, error="insufficient_scope", scope="{" ".join(self.scopes)}"'
        return {"www-authenticate": said} if self.scopes else {}


class NotFound(ApiError):
    """There is no such thing."""

    status = 404


class Conflict(ApiError):
    """It does not fit what the verification is by now."""

    status = 409


class BeingAnswered(ApiError):
    """The same Idempotency-Key is being answered."""

    status = 409
    safe_to_retry = True
    retry_after = timedelta(seconds=1)


class KeptAnswerUnreadable(ApiError):
    """The answer kept for an Idempotency-Key was sealed by a key of the ledger that is gone. What was asked for was done."""

    status = 409
    nothing_done = False


class Erased(ApiError):
    """The personal data was erased."""

    status = 410


class TooLarge(ApiError):
    """The body is too large."""

    status = 413


class UnsupportedMediaType(ApiError):
    """The body has another content type or coding than those `taken`."""

    status = 415

    def __init__(self, message: str, taken: Sequence[str]) -> None:
        super().__init__(message)
        self.taken = tuple(taken)

    @property
    def headers(self) -> dict[str, str]:
        # RFC 9110 section 15.5.16
        return {"accept": ", ".join(self.taken), "accept-encoding": "identity"}


class KeyReused(ApiError):
    """The Idempotency-Key belongs to another request."""

    status = 422


class TooManyAttempts(ApiError):
    """Somebody guesses."""

    status = 429
    safe_to_retry = True
    retry_after = timedelta(minutes=1)


_AWAY = (OperationalError, InterfaceError, PoolTimeout)

# the first that fits; what is not here is ours, 500
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (InvalidOrder, 422),
    (NoRoute, 422),
    (UnsupportedOperation, 422),
    (FlowNotFound, 404),
    (DuplicateFlow, 409),
    (RateLimited, 429),
    (VendorUnavailable, 503),
    (OutcomeUnknown, 504),
    (DeadlineExceeded, 504),
    # the vendor refused our credentials, not the caller's
    (AuthenticationFailed, 502),
    (PermissionDenied, 502),
    (UnexpectedResponse, 502),
    (Stale, 503),
    (NewerRelease, 503),
    (Tampered, 500),
    (LedgerError, 409),
    (ConfigError, 500),
    (PluginError, 500),
)


def status_of(error: IdvError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, ApiError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: IdvError) -> Response:
    """The answer for an error. It says whether a repeat is safe, and how long to wait (`retry_after`, in seconds)."""
    status = status_of(error)
    retry_after: timedelta | None = getattr(error, "retry_after", None)
    body: dict[str, Any] = {
        "type": type(error).__name__,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "safe_to_retry": bool(getattr(error, "safe_to_retry", isinstance(error, (Stale, DeadlineExceeded)))),
        "nothing_done": error.nothing_done,
    }
    more = {
        "account": error.account,
        "operation": error.operation,
        "fields": list(getattr(error, "fields", ())) or None,
        "code": getattr(error, "code", None),
        "retry_after": retry_after.total_seconds() if retry_after is not None else None,
    }
    body |= {name: value for name, value in more.items() if value is not None}
    headers = {"cache-control": "no-store", **(error.headers if isinstance(error, ApiError) else {})}
    if retry_after is not None:
        headers["retry-after"] = str(max(1, round(retry_after.total_seconds())))
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def plain_problem(status: int, detail: str, *, kind: str, retry_after: int | None = None) -> Response:
    """The same for what is no error of ours. `retry_after`, in seconds: it may be sent again."""
    body: dict[str, Any] = {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "safe_to_retry": retry_after is not None,
        "nothing_done": False,
    }
    headers = {"cache-control": "no-store"}
    if retry_after is not None:
        body["retry_after"] = retry_after
        headers["retry-after"] = str(retry_after)
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def unexpected(request: Request, error: Exception) -> Response:
    """A bug, or a database that cannot be reached. The log says where; nobody is shown a value."""
    if isinstance(error, _AWAY):
        log.error("%s", trouble(error))
        detail = "the service cannot reach its database; try again in a moment"
        return plain_problem(503, detail, kind="DatabaseUnavailable", retry_after=5)
    frame, line = error.__traceback__, 0
    place = "an unknown place"
    while frame is not None:
        code, line = frame.tb_frame.f_code, frame.tb_lineno
        place, frame = f"{code.co_filename}:{line} in {code.co_name}", frame.tb_next
    # the route, not the address: that may hold what somebody searched for, or the secret of a webhook's address
    path = getattr(request.scope.get("route"), "path", "a request")
    log.error("%s %s failed: %s at %s", request.method, path, type(error).__name__, place)
    return plain_problem(500, "the service failed; its log says where", kind="InternalError")
