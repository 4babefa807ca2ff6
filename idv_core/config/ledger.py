"""`[ledger]`: where verifications are kept, and who is told of their outcomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from ..model import Secret
from ..model.validation import as_secrets, is_base_url, is_count, is_text, plain_mapping

_DAYS = 30
# in memory it would be gone with the process
_IN_MEMORY = re.compile(r"sqlite(?:\+pysqlite)?://(?:/(?::memory:)?)?", re.IGNORECASE)
_CENTURY = 36_500


def _are_days(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    is_count(_, attribute, value)
    if value > _CENTURY:
        raise ValueError(f"{attribute.name}: must be {_CENTURY} days at most, which is a century")


@attrs.frozen(kw_only=True)
class EndpointSettings:
    """Where the platform is told of outcomes, by Standard Webhooks.

    Args:
        url: The address, https.
        secret: What signs the messages: 24 to 64 random bytes in base64, with or without `whsec_` in front. To rotate it, give
            several: all of them sign.
    """

    url: str = attrs.field(validator=is_base_url)
    secret: tuple[Secret, ...] = attrs.field(converter=as_secrets)


@attrs.frozen(kw_only=True)
class LedgerSettings:
    """Where verifications are kept.

    Args:
        url: `sqlite:///idv.db` or `postgresql://user@host/name`.
        password: The password for PostgreSQL.
        key: What encrypts the rows, 32 characters or more. To rotate it, give several: the first encrypts, all decrypt.
        deadline_days: How long a verification is followed before it expires.
        retention_days: How long personal data is kept after the end; without it, until somebody erases it.
        endpoints: Where the platform is told of outcomes, by name.
    """

    # it may hold a password
    url: str = attrs.field(validator=is_text, repr=False)
    password: Secret | None = None
    key: tuple[Secret, ...] = attrs.field(converter=as_secrets)
    deadline_days: int = attrs.field(default=_DAYS, validator=_are_days)
    retention_days: int | None = attrs.field(default=None, validator=attrs.validators.optional(_are_days))
    endpoints: Mapping[str, EndpointSettings] = attrs.field(factory=dict, converter=plain_mapping, hash=False)

    @url.validator
    def _check_url(self, _: object, url: str) -> None:
        if _IN_MEMORY.fullmatch(url.partition("?")[0]):
            raise ValueError(
                "url: must name a file, such as sqlite:///idv.db: in memory all would be lost with the process"
            )

    @key.validator
    def _check_key(self, _: object, keys: tuple[Secret, ...]) -> None:
        if not keys or any(len(key.reveal()) < 32 for key in keys):
            raise ValueError("key: must have at least 32 characters; make one with: openssl rand -hex 32")
