"""The one tree of errors. Every leaf says where it happened, what the vendor said, and whether a repeat is safe.

IdvError
├── ConfigError            the configuration is wrong; `problems` has each with its place
├── NoRoute                no route serves this order
├── PluginError            a plugin is missing, broken or misbehaves
├── UnsupportedOperation   this vendor does not offer it
├── WebhookRejected       a webhook was refused; `status` is the HTTP status to answer
├── DeadlineExceeded       our own time was up; the flow lives on at the vendor
├── WaitCancelled          the caller asked to stop waiting
└── VendorError
    ├── AuthenticationFailed   key, token or signature refused
    ├── PermissionDenied       the account may not do this (also: unpaid, switched off)
    ├── InvalidOrder           what was asked for is not acceptable; `fields` names what
    ├── FlowNotFound           the vendor does not know the flow (any more)
    ├── DuplicateFlow          the vendor has a flow for this already
    ├── RateLimited            too many calls; `retry_after` says how long to wait, if the vendor does
    ├── VendorUnavailable      no usable answer; the call did not happen, or repeating it does no harm
    ├── UnexpectedResponse     an answer that is not understood
    └── OutcomeUnknown         the request may or may not have been carried out: find out before you repeat it
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

_TEXT_LIMIT = 200


def bounded(text: str, limit: int = _TEXT_LIMIT) -> str:
    """`text` on one line, without control characters, cut to `limit` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class IdvError(Exception):
    """Root of all errors of this library. `account` and `operation` say where; no message holds personal data.

    `nothing_done` is true where it is certain that the vendor carried nothing out.
    """

    nothing_done = False

    def __init__(self, message: str, *, account: str | None = None, operation: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.account = account
        self.operation = operation

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        details = ", ".join(self._details())
        return (f"{where}: " if where else "") + self.message + (f" ({details})" if details else "")

    def _details(self) -> list[str]:
        return []


@attrs.frozen
class Problem:
    """One thing that is wrong with a configuration. `place` is `file:line` where it comes from a file.

    A warning is something that works as it stands and is probably not meant.
    """

    path: str
    text: str
    place: str | None = None
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.is_warning else ""
        return ": ".join(part for part in (self.place, kind, self.path, self.text) if part)


class ConfigError(IdvError):
    """The configuration is wrong. `problems` are all of them, each with its place and its path in the file."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), **where: Any) -> None:
        super().__init__(message, **where)
        self.problems = problems

    @classmethod
    def of(cls, problems: tuple[Problem, ...]) -> ConfigError:
        """One error for all of them."""
        return cls("".join(f"\n  {problem}" for problem in problems), problems=problems)


class NoRoute(IdvError):
    """The routes refuse this order. Nothing was opened."""


class PluginError(IdvError):
    """A plugin is missing, could not be loaded, or broke its contract."""


class UnsupportedOperation(IdvError):
    """This vendor, or this account's setting of it, does not offer the operation."""


class WebhookRejected(IdvError):
    """A webhook was refused and changed nothing. WebhookResponse it with the HTTP `status` (`WebhookResponse.of(error)` does).

    `retry_after` is set where the same call may be taken later (503: a twin of it is being handled; 429: too many).
    """

    def __init__(self, message: str, *, status: int = 400, retry_after: timedelta | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.status = status
        self.retry_after = retry_after


class DeadlineExceeded(IdvError):
    """Our own deadline passed. Nothing is lost: the flow goes on at the vendor and can be waited for again."""


class WaitCancelled(IdvError):
    """The caller asked to stop waiting. The flow goes on at the vendor."""


class VendorError(IdvError):
    """A call to a vendor did not end well.

    `status` is the HTTP status, `code` and `vendor_message` the vendor's own words (bounded, redacted), `request_id`
    the id to quote to the vendor's support, `safe_to_retry` whether the same call may be made again as it is,
    `retry_after` how long to wait first. `nothing_done` is true where it is certain that the vendor did not carry it out, so
    that another vendor may be asked.
    """

    def __init__(
        self,
        message: str,
        *,
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
            "fields": self.fields and "/".join(self.fields),
            "request": self.request_id,
            "retry after": self.retry_after and f"{self.retry_after.total_seconds():g} s",
        }
        repeat = "safe to repeat" if self.safe_to_retry else "not safe to repeat as it is"
        return [f"{name} {value}" for name, value in said.items() if value] + [repeat]


class AuthenticationFailed(VendorError):
    """Key, token or signature were refused: check the account's credentials. Never a statement about the applicant."""


class PermissionDenied(VendorError):
    """The account may not do this: a feature switched off, credit used up, another client's object."""


class InvalidOrder(VendorError):
    """What was asked for is not acceptable. `fields` names the parts, where the vendor (or we) can tell."""

    def _details(self) -> list[str]:
        # what we refuse ourselves was never sent, so nothing need be said about a repeat
        return super()._details() if self.status is not None or self.safe_to_retry else super()._details()[:-1]


class FlowNotFound(VendorError):
    """The vendor does not know this flow, or no longer."""


class DuplicateFlow(VendorError):
    """The vendor has a flow for this order already; nothing was opened."""


class RateLimited(VendorError):
    """Too many calls. Nothing was done."""


class VendorUnavailable(VendorError):
    """The vendor could not be reached, or said that it cannot serve now."""


class UnexpectedResponse(VendorError):
    """An answer that is not understood: not JSON, a field missing, another flow's data."""


class OutcomeUnknown(VendorError):
    """The request went out and no usable answer came back: it may have been carried out. Repeating it may do it twice.

    `ask` is the operation of the gateway that clears it up (`recover`, `status`, ...), None where the vendor offers none.
    `since` is when the operation began: hand it to `recover`, so that no flow is taken that is older.
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
    """What a plugin reads out of an error answer. `kind` None: by HTTP status (see `kind_of_status`).

    Give what stands in the body, whatever it is: what is no text becomes None, and of `fields` (a text, a list, the keys of an
    object) the texts are kept.
    """

    kind: type[VendorError] | None = None
    code: str | None = attrs.field(default=None, converter=_text)
    message: str | None = attrs.field(default=None, converter=_text)
    fields: tuple[str, ...] = attrs.field(default=(), converter=_names)
    retry_after: timedelta | None = None


def kind_of_status(status: int) -> type[VendorError]:
    """The error that an HTTP status means unless a vendor means something else by it (RFC 9110 section 15)."""
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
        case 408 | 425:
            return VendorUnavailable
        case _ if status >= 500:
            return VendorUnavailable
        case _:
            return UnexpectedResponse
