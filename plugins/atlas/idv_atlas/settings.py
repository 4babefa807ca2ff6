"""Settings of an Atlas account (fact sheet sections 1.2, 1.3, 1.5 and 2)."""

from __future__ import annotations

from enum import StrEnum

import attrs

from idv_core.plugin import Secret, as_tuple, is_base_url, is_text, without_slash


class Family(StrEnum):
    """Which of Atlas's API families the account uses."""

    VERIFICATION = "verification"
    ONBOARDING = "onboarding"
    IDP = "idp"
    BULK = "bulk"


_HOSTS = {Family.IDP: "https://docstream.dev.kreditmind.com"}
# The FAQ shows a pre-signed address of S3; that the region is India's is assumed.
_MEDIA_HOSTS = ("*.helloatlas.in", "*.kreditmind.com", "*.s3.amazonaws.com", "*.s3.ap-south-1.amazonaws.com")
_VERSIONS = {Family.VERIFICATION: "v3", Family.ONBOARDING: "v2"}
_TOKEN_PATHS = {
    Family.VERIFICATION: "/v3/verification/authtoken",
    Family.ONBOARDING: "/v1/verification/authtoken",
    Family.IDP: "/v1/docstream/authtoken",
    Family.BULK: "/v1/bulk/authtoken",
}


@attrs.frozen(kw_only=True)
class AtlasSettings:
    """`product_type` is Atlas's name of the configured product; an order's `template` overrides it.

    `base_url`, `api_version` and `auth_path` have the documented default of the family. `refresh` (onboarding only) asks
    for a new token with the refresh token before it uses the credentials again. The address match has credentials of
    its own, by default the same. Set `extracts_name_flow` to false where Atlas's `extracts` never name the flow they are of:
    such an answer is doubtful otherwise. `media_hosts` are the hosts that pictures are fetched from, `*` for one or more
    labels; the host of `base_url` always is.
    """

    client_id: Secret
    client_secret: Secret
    family: Family = Family.VERIFICATION
    product_type: str | None = None
    base_url: str = attrs.field(converter=without_slash, validator=is_base_url)
    api_version: str = attrs.field(validator=is_text)
    auth_path: str = attrs.field(validator=is_text)
    refresh: bool = False
    extracts_name_flow: bool = True
    address_client_id: Secret | None = None
    address_client_secret: Secret | None = None
    media_hosts: tuple[str, ...] = attrs.field(default=_MEDIA_HOSTS, converter=as_tuple)

    @base_url.default
    def _base_url(self) -> str:
        return _HOSTS.get(self.family, "https://api.helloatlas.in")

    @api_version.default
    def _api_version(self) -> str:
        return _VERSIONS.get(self.family, "v1")

    @auth_path.default
    def _auth_path(self) -> str:
        return _TOKEN_PATHS[self.family]
