"""Settings of a Stripe account (docs.stripe.com/api/identity, docs.stripe.com/identity/verification-flows)."""

from __future__ import annotations

import re
from enum import StrEnum

import attrs

from idv_core.plugin import Secret, as_secrets, as_tuple, is_base_url, is_text, without_slash


class DocumentType(StrEnum):
    DRIVING_LICENSE = "driving_license"
    ID_CARD = "id_card"
    PASSPORT = "passport"


@attrs.frozen(kw_only=True)
class StripeSettings:
    """`api_key` is a secret or restricted key; one that begins with `sk_test_` or `rk_test_` is of the test mode.

    `verification_flow` (`vf_...`, an order's `template` overrides it) names a flow made in the dashboard; without it a document
    is asked for, as the other settings say. `webhook_secret` (`whsec_...`) is that of the endpoint whose address is
    `gateway.webhook_url(account, "events")`, or a list of them while it is exchanged; without it only the address proves a
    webhook. `tolerance` is how old its signature may be, in seconds. With `read_sensitive` date of
    birth, numbers and date of expiry are asked for too, which Stripe gives to restricted keys (`rk_...`) only. Pictures are
    fetched from `file_hosts`.
    """

    api_key: Secret
    webhook_secret: tuple[Secret, ...] = attrs.field(default=(), converter=as_secrets)
    verification_flow: str | None = None
    require_matching_selfie: bool = True
    require_live_capture: bool = True
    require_id_number: bool = False
    read_sensitive: bool = False
    allowed_types: tuple[DocumentType, ...] = attrs.field(default=(), converter=as_tuple)
    base_url: str = attrs.field(default="https://api.stripe.com", converter=without_slash, validator=is_base_url)
    api_version: str = attrs.field(default="2024-06-20", validator=is_text)
    tolerance: int = attrs.field(default=300, validator=attrs.validators.gt(0))
    link_hosts: tuple[str, ...] = attrs.field(default=("*.stripe.com",), converter=as_tuple)
    file_hosts: tuple[str, ...] = attrs.field(default=("files.stripe.com",), converter=as_tuple)

    @property
    def key_mode(self) -> str | None:
        """`test` or `live`, as the key says (docs.stripe.com/keys)."""
        found = re.match(r"[sr]k_(test|live)_", self.api_key.reveal())
        return found[1] if found else None

    @property
    def is_live(self) -> bool:
        return self.key_mode == "live"
