"""An account: one set of credentials and a base URL for one plugin."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import attrs

from ..engine.account import AccountSession, Limits
from ..engine.breaker import Circuit
from ..engine.retry import Retry
from ..errors import PluginError
from ..model import Secret
from ..model.validation import (
    as_secrets,
    check_base_url,
    is_a,
    is_base_url,
    is_count_or_none,
    is_not_negative,
    is_text,
    texts,
    without_slash,
)
from ..model.words import what_is
from ..plugin.protocols import Polling
from ..registry import Registry
from ..runtime.interrupts import interrupt_in
from .problems import said, without
from .settings import WRONG, SettingsReader

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class UnknownRule(StrEnum):
    """With a ledger: what happens if nobody can tell whether an account opened a flow."""

    REVIEW = "review"
    REOPEN = "reopen"
    NEXT = "next"


OF_THE_CORE = (
    "plugin",
    "limits",
    "polling",
    "retry",
    "circuit",
    "cost",
    "price",
    "daily_cap",
    "test",
    "formerly",
    "unknown",
)
"""What an account's table holds besides the settings of its plugin."""


def are_account_names(_: object, attribute: attrs.Attribute[Any], names: tuple[str, ...]) -> None:
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise ValueError(
            "an account's name must have letters, digits, '.', '_' and '-' only, because it is part of URLs"
        )


def _amount(value: Any) -> Any:
    try:
        return Decimal(value) if isinstance(value, str) else value
    except InvalidOperation:
        return value


def _is_amount(_: object, attribute: attrs.Attribute[Decimal], value: Any) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value < 1_000_000:
        raise ValueError(
            f'{attribute.name}: must be an amount in quotes, such as "0.40", because a float would lose cents'
        )


def _is_currency(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if re.fullmatch(r"[A-Z]{3}", value) is None:
        raise ValueError(f"{attribute.name}: must be a currency of ISO 4217, such as EUR")


@attrs.frozen(kw_only=True)
class Price:
    """What the vendor charges, for the report.

    Args:
        opened: For each flow that is opened, such as `"0.40"`.
        completed: For each that is completed, besides.
        currency: The currency, ISO 4217.

    Raises ValueError.
    """

    opened: Decimal = attrs.field(default=Decimal(0), converter=_amount, validator=_is_amount)
    completed: Decimal = attrs.field(default=Decimal(0), converter=_amount, validator=_is_amount)
    currency: str = attrs.field(validator=_is_currency)


# frozen, so one serves all accounts that say nothing
_LIMITS, _RETRY, _CIRCUIT = Limits(), Retry(), Circuit()


@attrs.frozen(kw_only=True)
class AccountDefaults:
    """What `[defaults]` may set for all accounts, and each account for itself.

    Args:
        limits: Timeouts, sizes, concurrency and rate.
        retry: When a failed call is made again.
        circuit: When calls to a failing vendor pause.
        polling: How often `wait` polls; the vendor's advice by default.
    """

    limits: Limits = attrs.field(default=_LIMITS, validator=is_a(Limits))
    retry: Retry = attrs.field(default=_RETRY, validator=is_a(Retry))
    circuit: Circuit = attrs.field(default=_CIRCUIT, validator=is_a(Circuit))
    polling: Polling | None = attrs.field(default=None, validator=is_a(Polling, or_none=True))


@attrs.frozen
class Account(AccountDefaults):
    """One account at a vendor: `Account("atlas-india", "atlas", {"base_url": ..., "client_secret": Secret(...)})`.

    It takes what `AccountDefaults` takes as well.

    Args:
        name: Your name for it: letters, digits, `.`, `_` and `-`. Store it as long as flows refer to it.
        plugin: The name of the vendor's plugin.
        settings: A mapping, or the plugin's settings class. A secret is a `Secret` or a reference such as `{"env": "NAME"}`.
        cost: The cost of one flow, in any currency, for routes with `cheapest`.
        price: What the vendor charges, for the report. Routes do not look at it.
        daily_cap: The most flows that one process opens in a UTC day; with a ledger, all processes together.
        unknown: With a ledger, what happens if nobody can tell whether this account opened a flow: `review` (a person decides),
            `reopen` (open it again here, once), `next` (the route's next account).
        test: Whether it belongs to the vendor's test mode. Otherwise a result of the test mode approves nobody.
        formerly: Earlier names of the account. Flows opened under them continue.

    Raises ValueError.
    """

    name: str = attrs.field()
    plugin: str = attrs.field(validator=is_text)
    settings: Any = attrs.field(factory=dict, repr=False, hash=False)
    cost: float | None = attrs.field(default=None, validator=attrs.validators.optional(is_not_negative), kw_only=True)
    price: Price | None = attrs.field(default=None, validator=is_a(Price, or_none=True), kw_only=True)
    daily_cap: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_count_or_none), kw_only=True
    )
    test: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool), kw_only=True)
    unknown: UnknownRule = attrs.field(default=UnknownRule.REVIEW, converter=UnknownRule, kw_only=True)
    formerly: tuple[str, ...] = attrs.field(default=(), converter=texts, validator=are_account_names, kw_only=True)

    @name.validator
    def _check_name(self, attribute: attrs.Attribute[str], name: str) -> None:
        are_account_names(self, attribute, (name,))


@attrs.frozen
class Webhooks:
    """Where vendors send webhooks.

    Args:
        url: The public base URL under which the webhook app is mounted.
        key: Signs the URLs; at least 32 characters, the same in every process. To rotate it, pass several: the first signs,
            all are accepted. Remove the old key when no URL signed with it is in use.

    Raises ValueError.
    """

    url: str = attrs.field(converter=without_slash, validator=is_base_url)
    key: tuple[Secret, ...] = attrs.field(converter=as_secrets)

    @key.validator
    def _check_key(self, _: object, keys: tuple[Secret, ...]) -> None:
        advice = "make one with: openssl rand -hex 32"
        if not keys:
            raise ValueError(f"key: must hold at least one secret; {advice}")
        for key in keys:
            if len(key.reveal()) < 32:
                raise ValueError(f"key: must have at least 32 characters; {advice}")


@attrs.frozen(kw_only=True)
class ResolvedAccount:
    """An account with its settings read and its adapter created."""

    account: Account
    plugin: str
    settings: Any = attrs.field(repr=False)
    adapter: Any

    def session(self, before: AccountSession | None = None) -> AccountSession:
        """The account ready for use. `before` is the same account as it was until now: what it opened today still counts."""
        session = self.known_as(self.account.name)
        if before is not None:
            session.cap.go_on(before.cap)
        return session

    def known_as(self, name: str) -> AccountSession:
        """The account under a name, which may be one that it had before."""
        account = self.account
        return AccountSession(
            name=name,
            plugin=self.plugin,
            adapter=self.adapter,
            limits=account.limits,
            retry=account.retry,
            circuit=account.circuit,
            polling_override=account.polling,
            daily_cap=account.daily_cap,
            is_test=account.test,
        )


def resolve_account(account: Account, registry: Registry, reader: SettingsReader) -> ResolvedAccount | None:
    """Read the settings, follow references to secrets, make the adapter; or tell the reader's problems what is wrong."""
    path = ("accounts", account.name)
    try:
        plugin = registry.plugin(account.plugin)
    except PluginError as error:
        reader.problems.add((*path, "plugin"), without(error.message, account.plugin))
        return None
    settings = reader.read(plugin.settings, account.settings, path, ignore=OF_THE_CORE)
    if settings is WRONG:
        return None
    try:
        adapter = plugin.create(settings)
        _check_adapter(adapter)
    except (ValueError, TypeError) as error:
        reader.problems.add(path, without(said(error), [account.settings, _values(settings)]))
        return None
    except Exception as error:
        interrupt = interrupt_in(error)
        if interrupt is not None:
            raise interrupt from None
        text = (
            f"bug in plugin '{plugin.name}': {type(error).__name__} while its adapter was made from these settings. "
            "Please report it to the plugin's authors"
        )
        reader.problems.add(path, text)
        return None
    return ResolvedAccount(account=account, plugin=plugin.name, settings=settings, adapter=adapter)


def _check_adapter(adapter: Any) -> None:
    """Raises whatever shows that no account could work with it: better now than at the first applicant."""
    for url in (adapter.base_url, *dict(getattr(adapter, "servers", {})).values()):
        check_base_url("base_url", url)
    polling = getattr(adapter, "polling", None)
    if polling is not None and not isinstance(polling, Polling):
        raise TypeError(f"the plugin's polling must be a Polling, not {what_is(polling)}")


def _values(settings: Any) -> list[Any]:
    return [getattr(settings, field.name) for field in attrs.fields(type(settings)) if field.init]
