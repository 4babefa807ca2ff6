"""Settings of a Verigram account (fact sheet sections 1.2, 2 and 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from idv_core.plugin import Secret, as_tuple, is_base_url, without_slash


class Journey(StrEnum):
    """`hosted`: the applicant follows a link. `sdk`: your app runs Verigram's liveness SDK with `flow.sdk`."""

    HOSTED = "hosted"
    SDK = "sdk"


@attrs.frozen(kw_only=True)
class VerigramSettings:
    """`secret` turns signing on (production keys); without it only key and version are sent (test keys).

    `results_name_flow` is false where your account's results do not carry `flow_id`; while it is true, a result without it
    goes to review. `read_register` fetches the population register's record of the person with each result that is over and
    was not turned down. `sign_path_prefix` is false where a path prefix of `base_url` belongs to a proxy of yours.
    `link_hosts` are the hosts that an applicant may be sent to, `*` for one or more labels; the host of `base_url` always may.
    """

    base_url: str = attrs.field(converter=without_slash, validator=is_base_url)
    api_key: Secret
    secret: Secret | None = None
    api_version: str = "2.0"
    journey: Journey = Journey.HOSTED
    template: Mapping[str, Any] | None = None
    input_data: Mapping[str, Any] | None = None
    results_name_flow: bool = True
    read_register: bool = False
    sign_path_prefix: bool = True
    link_hosts: tuple[str, ...] = attrs.field(
        default=("*.verigram.kz", "*.verigram.ai", "*.verigram.cloud"), converter=as_tuple
    )
