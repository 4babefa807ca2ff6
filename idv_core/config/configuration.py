"""A whole configuration as one value, read from a file or made in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import Problem
from ..model import Policy
from ..model.validation import are, as_tuple, plain_mapping
from ..routing import Route
from .accounts import Account, Webhooks
from .places import Places

if TYPE_CHECKING:
    from .ledger import LedgerSettings


def _are_policies(_: object, attribute: attrs.Attribute[Any], policies: Mapping[str, Policy]) -> None:
    if not all(isinstance(policy, Policy) for policy in policies.values()):
        raise ValueError(f"{attribute.name}: must hold a Policy under each name")


@attrs.frozen(kw_only=True)
class Configuration:
    """Accounts, webhooks, routes and policies.

    Without routes, an order goes to the only account, or to the account that the caller names.

    Args:
        accounts: The accounts. Each name occurs once.
        webhooks: Where vendors reach you: a `Webhooks`, or a mapping whose `key` is a secret reference.
        ledger: Where verifications are kept: a `LedgerSettings`, or a mapping whose `key` is a secret reference.
        routes: Which orders go to which account; see `Route`.
        policies: Policies by name. "default" is for routes that name none.
        places: The line of each part, if it was read from a file.
        problems: What is wrong with the file. The gateway raises them as one `ConfigError`.
        unread: The accounts and policies that are in the file and could not be read.

    Raises ValueError that names the field.
    """

    accounts: tuple[Account, ...] = attrs.field(converter=as_tuple, validator=are(Account))
    webhooks: Webhooks | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    ledger: LedgerSettings | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    routes: tuple[Route, ...] = attrs.field(default=(), converter=as_tuple, validator=are(Route))
    policies: Mapping[str, Policy] = attrs.field(
        factory=dict, converter=plain_mapping, validator=_are_policies, hash=False
    )
    places: Places = attrs.field(factory=dict, repr=False, eq=False)
    problems: tuple[Problem, ...] = attrs.field(default=(), repr=False, eq=False)
    unread: frozenset[str] = attrs.field(default=frozenset(), repr=False, eq=False)
