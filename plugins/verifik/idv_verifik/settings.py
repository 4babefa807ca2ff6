"""Settings of a Verifik account (fact sheet sections 1.2, 1.3 and 2)."""

from __future__ import annotations

from enum import StrEnum

import attrs

from idv_core.plugin import Secret, as_tuple, is_base_url, is_text, without_slash


class Device(StrEnum):
    """What took the selfie, as Verifik wants to be told."""

    DESKTOP = "DESKTOP"
    IOS = "IOS"
    ANDROID = "ANDROID"


@attrs.frozen(kw_only=True)
class VerifikSettings:
    """`token` is the account ("client") token. It is renewed while it lives; the new one is kept in memory only.

    `project` is the project's id, `project_flow` the id of the Smart Enroll flow that an order uses unless its `template`
    names another. `hosted_url` is where applicants go. `media_hosts` are the hosts that pictures are fetched from, `*` for one
    or more labels; the host of `base_url` always is.
    """

    token: Secret
    project: str = attrs.field(validator=is_text)
    project_flow: str | None = None
    base_url: str = attrs.field(default="https://api.verifik.co", converter=without_slash, validator=is_base_url)
    hosted_url: str = attrs.field(default="https://access.verifik.co", converter=without_slash, validator=is_base_url)
    auth_scheme: str = attrs.field(default="Bearer", validator=is_text)
    device: Device = Device.DESKTOP
    media_hosts: tuple[str, ...] = attrs.field(default=("*.verifik.co",), converter=as_tuple)
