"""A template: the steps of a flow, stored at the vendor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .secret import Secret
from .validation import plain_mapping, text


def _secret(url: str | Secret | None) -> Secret | None:
    return Secret(url) if isinstance(url, str) else url


@attrs.frozen(kw_only=True)
class Template:
    """A template that should exist at the vendor.

    Args:
        name: The name.
        settings: The vendor's own settings.
        webhook_url: Where the vendor sends webhooks. A secret: whoever knows it is taken for the vendor.
    """

    name: str = attrs.field(validator=text())
    settings: Mapping[str, Any] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    webhook_url: Secret | None = attrs.field(default=None, converter=_secret)


@attrs.frozen(kw_only=True)
class ProvisionedTemplate:
    """A template that exists at the vendor.

    Args:
        id: Pass it as `FlowOrder.template`, or set it in the account.
        name: The name.
        created: Whether this call created it.
        details: Further ids of the vendor.
    """

    id: str
    name: str
    created: bool
    details: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
