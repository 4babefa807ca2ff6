"""All errors. Each says where it happened, what the vendor said, and whether a retry is safe.

IdvError
├── ConfigError            the configuration has errors; `problems` lists each with its line
├── NoRoute                the routes refuse this order; nothing was opened
├── PluginError            a plugin is missing, cannot be loaded, or has a bug
├── UnsupportedOperation   this vendor or account does not offer the operation
├── WebhookRejected        a webhook was refused; respond with the HTTP status `status`
├── DeadlineExceeded       our own timeout; the flow continues at the vendor
└── VendorError
    ├── AuthenticationFailed   the vendor refused the key, token or signature
    ├── PermissionDenied       the account may not do this: no credit, feature disabled
    ├── InvalidOrder           the input is not valid; `fields` names the parts
    ├── FlowNotFound           the vendor does not know the flow, or no longer
    ├── DuplicateFlow          the vendor already has a flow for this order
    ├── RateLimited            too many calls; `retry_after` is the pause, if known
    ├── VendorUnavailable      no usable response; the vendor did nothing, or a retry is harmless
    ├── UnexpectedResponse     the response is not understood
    └── OutcomeUnknown         the vendor may or may not have processed the request: find out before you retry
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

_TEXT_LIMIT = 200
# Of a text that is mostly blanks, no more than this many times what is shown is looked at.
_LOOKED_AT = 50


def bounded(text: str, limit: int = _TEXT_LIMIT) -> str:
    """`text` on one line, without control characters, truncated to `limit` characters."""
    looked_at = text[: _LOOKED_AT * limit]
    cut, text = len(looked_at) < len(text), looked_at
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(text.split())
    return line if len(line) <= limit and not cut else line[: limit - 1] + "…"


class IdvError(Exception):
    """Base class of all errors of this library. No message holds personal data.

    Args:
        message: What is wrong and what to do.
        account: The name of the account, if known.
        operation: The gateway's method, such as `open`, if known.

    `nothing_done` is True if the vendor certainly did nothing.
    """

    nothing_done = False
    request: str | None = None

    def __init__(self, message: str, *, account: str | None = None, operation: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.account = account
        self.operation = operation

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        details = ", ".join(self._details())
        said = ": ".join(part for part in (where, self.request, self.message) if part)
        return f"{said} ({details})" if details else said

    def _details(self) -> list[str]:
        return []


@attrs.frozen
class Problem:
    """One problem of a configuration.

    Args:
        path: Where in the configuration, such as `accounts.atlas.base_url`.
        text: What is wrong and what to do.
        place: `file:line`, if it comes from a file.
        is_warning: Whether it works as it is, but is probably a mistake.
    """

    path: str
    text: str
    place: str | None = None
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.is_warning else ""
        return ": ".join(part for part in (self.place, kind, self.path, self.text) if part)


class ConfigError(IdvError):
    """The configuration has errors. `problems` lists all of them, each with its line and its path in the file."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), **where: Any) -> None:
        super().__init__(message, **where)
        self.problems = problems

    @classmethod
    def of(cls, problems: tuple[Problem, ...]) -> ConfigError:
        """One error that lists all problems."""
        lines = [str(problem) for problem in problems]
        return cls(lines[0] if len(lines) == 1 else "".join(f"\n  {line}" for line in lines), problems=problems)


class NoRoute(IdvError):
    """The routes refuse this order. Nothing was opened."""


class PluginError(IdvError):
    """A plugin is missing, cannot be loaded, or has a bug."""


class UnsupportedOperation(IdvError):
    """This vendor, or this account with its settings, does not offer the operation."""


class WebhookRejected(IdvError):
    """A webhook was refused and changed nothing. Respond with `WebhookResponse.of(error)`.

    Args:
        status: The HTTP status to respond with.
        retry_after: Set if a later retry may be accepted: 503 (the same call is being handled), 429 (rate limit).
    """

    def __init__(self, message: str, *, status: int = 400, retry_after: timedelta | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.status = status
        self.retry_after = retry_after


class DeadlineExceeded(IdvError):
    """Our own deadline passed. Nothing is lost: the flow continues at the vendor, and you can wait for it again."""


class VendorError(IdvError):
    """A call to a vendor failed.

    Args:
        request: The method and the path's template of the call, such as `GET /cases/{}`; None if none was made.
        status: The HTTP status; None if there was no response.
        code: The vendor's error code.
        vendor_message: The vendor's message, bounded and redacted.
        request_id: The id to quote to the vendor's support.
        safe_to_retry: Whether you may make the same call again unchanged.
        retry_after: How long to wait before a retry.
        fields: The names of the wrong fields, if known.
        nothing_done: Whether the vendor certainly did nothing, so that another vendor may be used.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str | None = None,
        status: int | None = None,
        code: str | None = None,
        vendor_message: str | None = None,
        request_id: str | None = None,
        safe_to_retry: bool = False,
        retry_after: timedelta | None = None,
        fields: tuple[str, ...] = (),
        nothing_done: bool = False,
        **where: Any,
    ) -> None:
        super().__init__(message, **where)
        self.nothing_done = nothing_done
        self.request = request
        self.status = status
        self.code = code
        self.vendor_message = vendor_message
        self.request_id = request_id
        self.safe_to_retry = safe_to_retry
        self.retry_after = retry_after
        self.fields = fields

    def _details(self) -> list[str]:
        said = {
            "HTTP": self.status,
            "code": self.code,
            "vendor says": self.vendor_message and repr(self.vendor_message),
            "field" if len(self.fields) == 1 else "fields": ", ".join(self.fields),
            "request id": self.request_id,
            "retry after": self.retry_after and f"{self.retry_after.total_seconds():g} s",
        }
        retry = "safe to retry" if self.safe_to_retry else "not safe to retry unchanged"
        return [f"{name} {value}" for name, value in said.items() if value] + [retry]


class AuthenticationFailed(VendorError):
    """The vendor refused the key, token or signature. Check the account's credentials. It says nothing about the applicant."""


class PermissionDenied(VendorError):
    """The account may not do this: the feature is disabled, the credit is used up, or the object is another client's."""


class InvalidOrder(VendorError):
    """The input is not valid. `fields` names the parts, if the vendor or the core can tell."""

    def _details(self) -> list[str]:
        # what the core refuses was never sent, so a hint about retries would be noise
        return super()._details() if self.status is not None or self.safe_to_retry else super()._details()[:-1]


class FlowNotFound(VendorError):
    """The vendor does not know this flow, or no longer."""


class DuplicateFlow(VendorError):
    """The vendor already has a flow for this order. Nothing was opened."""


class RateLimited(VendorError):
    """Too many calls. The vendor did nothing. Wait for `retry_after`, if it is set."""


class VendorUnavailable(VendorError):
    """The vendor cannot be reached, or reports that it is unavailable."""


class UnexpectedResponse(VendorError):
    """The response is not understood: not JSON, a field is missing, or it is about another flow."""


class OutcomeUnknown(VendorError):
    """The request was sent and no usable response came: the vendor may or may not have processed it. A retry may do it twice.

    Args:
        ask: The gateway's method that finds out (`recover`, `status`, ...); None if the vendor offers none.
        since: When the operation began. Pass it to `recover`, so that it takes no older flow.
    """

    def __init__(self, message: str, *, ask: str | None = None, since: datetime | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.ask = ask
        self.since = since

    def _details(self) -> list[str]:
        began = [f"begun {self.since:%Y-%m-%dT%H:%M:%S} UTC"] if self.since is not None else []
        return [*began, *super()._details()]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _names(value: object) -> tuple[str, ...]:
    several = [value] if isinstance(value, str) else value if isinstance(value, Iterable) else ()
    return tuple(name for name in several if isinstance(name, str) and name)


@attrs.frozen(kw_only=True)
class Refusal:
    """What a plugin reads from an error response.

    Pass whatever the body holds. A value that is not a string becomes None.

    Args:
        kind: The class of the error; None to choose it by HTTP status (see `kind_of_status`).
        code: The vendor's error code.
        message: The vendor's message. The core bounds and redacts it.
        fields: The names of the wrong fields: a string, a list, or an object whose keys are the names.
        retry_after: How long the vendor wants us to wait.
    """

    kind: type[VendorError] | None = None
    code: str | None = attrs.field(default=None, converter=_text)
    message: str | None = attrs.field(default=None, converter=_text)
    fields: tuple[str, ...] = attrs.field(default=(), converter=_names)
    retry_after: timedelta | None = None


def kind_of_status(status: int) -> type[VendorError]:
    """The class of error for an HTTP status, unless the vendor means something else by it (RFC 9110 section 15)."""
    match status:
        case 401:
            return AuthenticationFailed
        case 402 | 403 | 423:
            return PermissionDenied
        case 400 | 411 | 412 | 413 | 414 | 415 | 422:
            return InvalidOrder
        case 404 | 410:
            return FlowNotFound
        case 409:
            return DuplicateFlow
        case 429:
            return RateLimited
        case 408 | 425 | 499:
            return VendorUnavailable
        case _ if status >= 500:
            return VendorUnavailable
        case _:
            return UnexpectedResponse
