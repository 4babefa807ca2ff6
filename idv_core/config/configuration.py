"""A whole configuration as one value: what the file says, or what a program puts together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..errors import Problem
from ..model import Policy
from ..model.validation import as_tuple, plain_mapping
from ..routing import Route
from .accounts import Account, Webhooks
from .toml_lines import Places


@attrs.frozen(kw_only=True)
class Configuration:
    """Accounts, where vendors call back to, routes, and policies by name; the policy "default" is for routes that name none.

    `webhooks` may be a mapping whose `key` is a reference. Without routes an order goes to the one account, or to the one
    that the caller names. What was read from a file has `places`, and may have `problems` that nobody has raised yet;
    `unread` are accounts and policies that are there but could not be read.
    """

    accounts: tuple[Account, ...] = attrs.field(converter=as_tuple)
    webhooks: Webhooks | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    routes: tuple[Route, ...] = attrs.field(default=(), converter=as_tuple)
    policies: Mapping[str, Policy] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    places: Places = attrs.field(factory=dict, repr=False, eq=False)
    problems: tuple[Problem, ...] = attrs.field(default=(), repr=False, eq=False)
    unread: frozenset[str] = attrs.field(default=frozenset(), repr=False, eq=False)
