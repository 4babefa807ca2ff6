"""A template: the steps of a flow, kept at the vendor."""

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
    """What is to exist at the vendor. `settings` are the vendor's own, typed by the plugin where it can.

    `webhook_url` (a text will do) is a secret: who knows it is taken for the vendor.
    """

    name: str = attrs.field(validator=text())
    settings: Mapping[str, Any] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    webhook_url: Secret | None = attrs.field(default=None, converter=_secret)


@attrs.frozen(kw_only=True)
class ProvisionedTemplate:
    """What exists at the vendor now: give `id` as `FlowOrder.template` or in the account's settings."""

    id: str
    name: str
    created: bool
    details: Mapping[str, str] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
