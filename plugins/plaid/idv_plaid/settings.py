"""Settings of a Plaid account (plaid.com/docs/api, plaid.com/docs/identity-verification)."""

from __future__ import annotations

import attrs

from idv_core.plugin import Secret, as_tuple, is_base_url, is_text, without_slash

PRODUCTION, SANDBOX = "https://production.plaid.com", "https://sandbox.plaid.com"


_LONGEST_NAME = 30


def _is_name(_: object, attribute: attrs.Attribute[str | None], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.strip() and len(value) <= _LONGEST_NAME):
        raise ValueError(f"{attribute.name}: must be a text of at most {_LONGEST_NAME} characters")


@attrs.frozen(kw_only=True)
class PlaidSettings:
    """`client_id` and `secret` are those of the environment that `base_url` is of: `https://production.plaid.com`, or
    `https://sandbox.plaid.com`, where nothing is really checked.

    `template_id` (`idvtmp_...`, an order's `template` overrides it) names the steps, made in Plaid's dashboard.
    `gave_consent` says that your applicants have agreed already that Plaid gets their data: Plaid then does not ask.
    `client_name` is the name of your application, as Plaid Link shows it; with it each flow has a token for Link (`Flow.sdk`).
    `tolerance` is how old the signature of a webhook may be, in seconds.
    """

    client_id: str = attrs.field(validator=is_text)
    secret: Secret
    template_id: str = attrs.field(validator=is_text)
    gave_consent: bool = False
    client_name: str | None = attrs.field(default=None, validator=_is_name)
    base_url: str = attrs.field(default=PRODUCTION, converter=without_slash, validator=is_base_url)
    api_version: str = attrs.field(default="2020-09-14", validator=is_text)
    tolerance: int = attrs.field(default=300, validator=attrs.validators.gt(0))
    link_hosts: tuple[str, ...] = attrs.field(default=("*.plaid.com",), converter=as_tuple)
    media_hosts: tuple[str, ...] = attrs.field(default=("*.plaid.com",), converter=as_tuple)

    @property
    def key_mode(self) -> str | None:
        """`test` or `live`, as the environment is; None where the address is another one."""
        return {SANDBOX: "test", PRODUCTION: "live"}.get(self.base_url)
