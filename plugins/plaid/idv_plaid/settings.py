"""Settings of a Plaid account (plaid.com/docs/api, plaid.com/docs/identity-verification)."""

from __future__ import annotations

import attrs

from idv_core.plugin import Secret, as_tuple, is_base_url, is_text, without_slash

PRODUCTION, SANDBOX = "https://production.plaid.com", "https://sandbox.plaid.com"


@attrs.frozen(kw_only=True)
class PlaidSettings:
    """`client_id` and `secret` are those of the environment that `base_url` is of: `https://production.plaid.com`, or
    `https://sandbox.plaid.com`, where nothing is really checked.

    `template_id` (`idvtmp_...`, an order's `template` overrides it) names the steps, made in Plaid's dashboard.
    `gave_consent` says that your applicants have agreed already that Plaid gets their data: Plaid then does not ask.
    """

    client_id: str = attrs.field(validator=is_text)
    secret: Secret
    template_id: str = attrs.field(validator=is_text)
    gave_consent: bool = False
    base_url: str = attrs.field(default=PRODUCTION, converter=without_slash, validator=is_base_url)
    api_version: str = attrs.field(default="2020-09-14", validator=is_text)
    link_hosts: tuple[str, ...] = attrs.field(default=("*.plaid.com",), converter=as_tuple)

    @property
    def key_mode(self) -> str | None:
        """`test` or `live`, as the environment is; None where the address is another one."""
        return {SANDBOX: "test", PRODUCTION: "live"}.get(self.base_url)
