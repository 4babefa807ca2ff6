"""Tokens of Verifik: the account's, and each registration's own (fact sheet section 2)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

from idv_core.plugin import Grant, Secret

from .settings import VerifikSettings

_TOKEN_LIFE = timedelta(days=30)


def bearer(settings: VerifikSettings, token: Secret) -> dict[str, str | Secret]:
    """The header that shows a token."""
    return {"Authorization": Secret(f"{settings.auth_scheme} {token.reveal()}")}


def grant(token: Secret) -> Grant:
    """The end of life is read out of the JWT only to plan the renewal, in the last tenth of it (section 2.8)."""
    try:
        part = token.reveal().split(".")[1]
        expires_at = datetime.fromtimestamp(
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"], UTC
        )
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError):
        expires_at = None
    return Grant(access_token=token, expires_at=expires_at, renew_before=_TOKEN_LIFE / 10)
