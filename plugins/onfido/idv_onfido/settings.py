"""Settings of an Onfido account (documentation.onfido.com/api/latest, API v3.6)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import attrs

from idv_core.plugin import Secret, as_secrets, as_tuple, is_base_url, without_slash


class Region(StrEnum):
    """Where the account and its data are; a token is good in its own region only."""

    EU = "eu"
    US = "us"
    CA = "ca"


class Family(StrEnum):
    WORKFLOWS = "workflows"
    CHECKS = "checks"


_TOKEN = re.compile(r"api_(live|sandbox)(?:_([a-z]{2}))?\.")


def _are_some(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError(f"{attribute.name}: name at least one report, such as 'document'")


@attrs.frozen(kw_only=True)
class OnfidoSettings:
    """`api_token` begins with `api_live` or `api_sandbox`; in the sandbox nothing is really checked.

    `workflow_id` names the workflow made in the dashboard (an order's `template` overrides it). `report_names` are asked for
    when documents are handed in by API. `webhook_token` is that of the webhook whose address is
    `gateway.webhook_url(account, "events")`, or a list of them while it is exchanged; without it only the address proves a
    webhook. `base_url` replaces the region's. With `sdk_referrer` (web, `https://app.example/*`) or `sdk_application_id` (iOS,
    Android) a token for the SDK is fetched when an applicant of the family `checks` is made; a workflow run has one anyway.
    """

    api_token: Secret
    region: Region = Region.EU
    family: Family = Family.WORKFLOWS
    workflow_id: str | None = None
    report_names: tuple[str, ...] = attrs.field(
        default=("document", "facial_similarity_photo"), converter=as_tuple, validator=_are_some
    )
    webhook_token: tuple[Secret, ...] = attrs.field(default=(), converter=as_secrets)
    sdk_referrer: str | None = None
    sdk_application_id: str | None = None
    base_url: str | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(without_slash),
        validator=attrs.validators.optional(is_base_url),
    )
    link_hosts: tuple[str, ...] = attrs.field(default=("onfido.app", "*.onfido.app"), converter=as_tuple)

    def __attrs_post_init__(self) -> None:
        if self.base_url is None and self.token_region not in (None, self.region):
            raise ValueError(
                f"the token is one of region {self.token_region} and the region is {self.region}: Onfido takes a token "
                "in its own region only"
            )

    @property
    def key_mode(self) -> str | None:
        """`test` (Onfido's sandbox) or `live`, as the token says (`api_live.…`, `api_sandbox_us.…`)."""
        found = _TOKEN.match(self.api_token.reveal())
        return {"live": "live", "sandbox": "test"}[found[1]] if found else None

    @property
    def token_region(self) -> str | None:
        """The region that the token names, if it names one."""
        found = _TOKEN.match(self.api_token.reveal())
        return found[2] if found else None

    @property
    def is_live(self) -> bool:
        return self.key_mode == "live"
