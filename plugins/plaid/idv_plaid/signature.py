"""`Plaid-Verification`: a signed token (JWS, RFC 7515) over the time and the SHA-256 of a webhook's body.

After plaid.com/docs/api/webhooks/webhook-verification: ES256 only (RFC 7518 section 3.4), the key by its id, the signature, at
most five minutes old, and the body's own hash.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from idv_core.plugin import WebhookRejected, json_object

HEADER = "plaid-verification"
_HALF = 32
_LONGEST = 4000
_AHEAD = timedelta(seconds=60)


def key_id(token: str) -> str | None:
    """The id of the key that signed it; None for what is no token, or one of another algorithm."""
    header = _part(token.split(".")[0]) if len(token) <= _LONGEST and token.count(".") == 2 else None
    named = header.get("kid") if header is not None and header.get("alg") == "ES256" else None
    return named if isinstance(named, str) and 0 < len(named) <= 200 else None


def check_signature(
    token: str, body: bytes, key: Mapping[str, Any], now: datetime | None, tolerance: timedelta
) -> None:
    """Raises WebhookRejected (401) unless the token is this key's over this very body, and no older than `tolerance`.

    `key` is a JWK (RFC 7517) of the curve P-256. Plaid's own example refuses a key that has expired, and so does this.
    """
    signer = key_id(token)
    if signer is None or signer != key.get("kid"):
        raise WebhookRejected("the signature is missing, or of another key or algorithm", status=401)
    if key.get("expired_at") is not None:
        raise WebhookRejected("the key that signed this has expired", status=401)
    signed, _, signature = token.rpartition(".")
    if not _is_signed(signed, _decoded(signature), key):
        raise WebhookRejected("the signature is wrong", status=401)
    claims = _part(signed.partition(".")[2]) or {}
    stated = claims.get("request_body_sha256")
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode(), sha256(body).hexdigest().encode()):
        raise WebhookRejected("the signature is of another body", status=401)
    _check_time(claims.get("iat"), now, tolerance)


def _check_time(issued: object, now: datetime | None, tolerance: timedelta) -> None:
    if isinstance(issued, bool) or not isinstance(issued, (int, float)):
        raise WebhookRejected("the signature has no time", status=401)
    if now is not None and not -_AHEAD.total_seconds() <= now.timestamp() - issued <= tolerance.total_seconds():
        raise WebhookRejected("the signature is too old, or of the future", status=401)


def _is_signed(signed: str, signature: bytes | None, key: Mapping[str, Any]) -> bool:
    """ES256 has r and s as 32 bytes each, one after the other."""
    x, y = _decoded(key.get("x")), _decoded(key.get("y"))
    if (key.get("kty"), key.get("crv")) != ("EC", "P-256") or not x or not y:
        return False
    if signature is None or len(signature) != 2 * _HALF:
        return False
    r, s = (int.from_bytes(half) for half in (signature[:_HALF], signature[_HALF:]))
    try:
        point = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
        point.public_key().verify(encode_dss_signature(r, s), signed.encode(), ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _part(text: str) -> dict[str, Any] | None:
    decoded = _decoded(text)
    return json_object(decoded) if decoded is not None else None


def _decoded(text: object) -> bytes | None:
    """Base64url without padding (RFC 7515 section 2), in the one way in which it can be written; None for anything else."""
    if not isinstance(text, str) or not text.isascii():
        return None
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return content if urlsafe_b64encode(content).rstrip(b"=").decode() == text else None
