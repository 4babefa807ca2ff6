"""The addresses and tokens that we hand out. They prove themselves by an HMAC (RFC 2104), so any process can check them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime, timedelta
from typing import Any

import attrs

from ..model import CallbackUrls, Secret

BEARER_LIFETIME = timedelta(minutes=5)


@attrs.frozen
class Addressee:
    """What an address was made for: an application (None: the whole account), and where its browser goes afterwards."""

    application_id: str | None
    return_url: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Addresses:
    """Makes and checks addresses `{url}/{account}/{token}/{purpose}` and short-lived bearer tokens."""

    url: str
    key: Secret

    def make(self, account: str, addressee: Addressee) -> CallbackUrls:
        """Addresses that nobody can guess: the token is signed and, for one application, made with fresh random bits.

        For the whole account it is always the same, because it is registered at the vendor once.
        """
        nonce = secrets.token_urlsafe(12) if addressee.application_id is not None else ""
        token = self._sign("address", account, [addressee.application_id, addressee.return_url, nonce])
        return CallbackUrls(Secret(f"{self.url}/{account}/{token}"))

    def read(self, account: str, token: str) -> Addressee | None:
        """What the token was made for, or None if it was not made by us for this account."""
        payload = self._check("address", account, token)
        return Addressee(payload[0], payload[1]) if isinstance(payload, list) and len(payload) == 3 else None

    def make_bearer(self, account: str, token: str, now: datetime) -> Secret:
        """A token that the vendor shows us when it calls the address with `token` within `BEARER_LIFETIME`."""
        return Secret(self._sign("bearer", f"{account}\0{token}", int((now + BEARER_LIFETIME).timestamp())))

    def is_bearer(self, account: str, token: str, bearer: Secret, now: datetime) -> bool:
        until = self._check("bearer", f"{account}\0{token}", bearer.reveal())
        return isinstance(until, int) and now.timestamp() < until

    def _sign(self, use: str, scope: str, payload: Any) -> str:
        body = _encode(json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode())
        return f"{body}.{self._mac(use, scope, body)}"

    def _check(self, use: str, scope: str, token: str) -> Any:
        body, _, mac = token.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(use, scope, body).encode()):
            return None
        return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

    def _mac(self, use: str, scope: str, body: str) -> str:
        message = f"{use}\0{scope}\0{body}".encode()
        return _encode(hmac.new(self.key.reveal().encode(), message, hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
