"""`[ledger]`: where verifications are kept, and who is told of their outcomes."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..model import Secret
from ..model.validation import as_secrets, is_base_url, is_count, is_text, plain_mapping

_DAYS = 30


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

    url: str = attrs.field(validator=is_text)
    password: Secret | None = None
    key: tuple[Secret, ...] = attrs.field(converter=as_secrets)
    deadline_days: int = attrs.field(default=_DAYS, validator=is_count)
    retention_days: int | None = attrs.field(default=None, validator=attrs.validators.optional(is_count))
    endpoints: Mapping[str, EndpointSettings] = attrs.field(factory=dict, converter=plain_mapping, hash=False)

    @key.validator
    def _check_key(self, _: object, keys: tuple[Secret, ...]) -> None:
        if not keys or any(len(key.reveal()) < 32 for key in keys):
            raise ValueError("key: must have at least 32 characters; make one with: openssl rand -hex 32")
