"""Webhook and return addresses with signed tokens (HMAC, RFC 2104). Any process with the same key can verify them."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import datetime, timedelta

import attrs

from ..model import FlowUrls, Secret

BEARER_LIFETIME = timedelta(minutes=5)
_write = json.JSONEncoder(separators=(",", ":")).encode
_PURPOSE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@attrs.frozen
class Addressee:
    """What an address was made for.

    Args:
        application_id: Your id of the application; None for the whole account.
        return_url: Where the browser is redirected to.
        policy: Name and fingerprint of the flow's policy, such as `lending.1a2b3c4d`.
        is_shadow: Whether the flow is a shadow, which decides nothing.
    """

    application_id: str | None
    return_url: str | None = attrs.field(default=None, repr=False)
    policy: str | None = None
    is_shadow: bool = False

    @property
    def text(self) -> str:
        """The addressee as the first part of a token, in URL-safe characters."""
        payload = [self.application_id, self.return_url, self.policy, self.is_shadow]
        return _encode(_write(payload).encode())

    @classmethod
    def parse(cls, text: str) -> Addressee | None:
        payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return cls(*payload) if isinstance(payload, list) and len(payload) == 4 else None


@attrs.frozen
class Addresses:
    """Creates and verifies addresses `{url}/{account}/{token}/{purpose}` and short-lived bearer tokens.

    A token is signed for one account, one addressee and one purpose. It holds nothing random, so a retried order is
    identical to the byte.

    Args:
        url: The public URL under which the webhook app is mounted, without a slash at the end.
        keys: The first key signs; all of them verify.
    """

    url: str
    keys: tuple[Secret, ...]

    def make(self, account: str, addressee: Addressee) -> FlowUrls:
        """The addresses for an addressee. Each is signed when its purpose is asked for."""
        return FlowUrls(_Signer(self, account, addressee))

    def address(self, account: str, addressee: Addressee, purpose: str) -> Secret:
        """The address for one purpose.

        Raises:
            ValueError: The purpose has other characters than `a-z`, `0-9`, `_` and `-`.
        """
        if not _PURPOSE.fullmatch(purpose):
            raise ValueError("a webhook purpose must have 1 to 32 characters: a-z, 0-9, '_' and '-'")
        token = self._sign("address", f"{account}\0{purpose}", addressee.text)
        return Secret(f"{self.url}/{account}/{token}/{purpose}")

    def read(self, account: str, token: str, purpose: str) -> Addressee | None:
        """What the token was made for; None if none of our keys signed it for this account and purpose."""
        text = self._check("address", f"{account}\0{purpose}", token)
        return None if text is None else Addressee.parse(text)

    def make_bearer(self, account: str, addressee: Addressee, now: datetime) -> Secret:
        """A bearer token for calls to the other addresses of the same addressee, valid for `BEARER_LIFETIME` (5 minutes)."""
        until = _encode(json.dumps(int((now + BEARER_LIFETIME).timestamp())).encode())
        return Secret(self._sign("bearer", f"{account}\0{addressee.text}", until))

    def is_bearer(self, account: str, addressee: Addressee, bearer: Secret, now: datetime) -> bool:
        """Whether the bearer token is ours, for this account and addressee, and has not expired."""
        text = self._check("bearer", f"{account}\0{addressee.text}", bearer.reveal())
        return text is not None and now.timestamp() < int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    def _sign(self, use: str, scope: str, text: str) -> str:
        return f"{text}.{_mac(self.keys[0], use, scope, text)}"

    def _check(self, use: str, scope: str, token: str) -> str | None:
        """The signed text; None if none of our keys signed it."""
        text, _, mac = token.partition(".")
        if not token.isascii():
            return None
        good = [hmac.compare_digest(mac, _mac(key, use, scope, text)) for key in self.keys]
        return text if any(good) else None


@attrs.frozen
class _Signer:
    addresses: Addresses
    account: str
    addressee: Addressee

    def __call__(self, purpose: str) -> Secret:
        return self.addresses.address(self.account, self.addressee, purpose)


def _mac(key: Secret, use: str, scope: str, text: str) -> str:
    message = f"{use}\0{scope}\0{text}".encode("utf-8", "surrogatepass")
    return _encode(hmac.digest(key.reveal().encode(), message, "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
