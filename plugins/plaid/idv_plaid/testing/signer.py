"""Signs webhooks as Plaid does (ES256, RFC 7518 section 3.4), and shows the public keys as JWKs."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import Any

import attrs
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_HALF = 32


@attrs.define
class SigningKey:
    """A key pair, named `id`; `expired_at` is when it was retired."""

    created_at: datetime
    expired_at: datetime | None = None
    id: str = attrs.field(factory=lambda: f"key-{secrets.token_hex(8)}")
    _private: EllipticCurvePrivateKey = attrs.field(factory=lambda: generate_private_key(SECP256R1()), repr=False)

    def jwk(self) -> dict[str, Any]:
        point = self._private.public_key().public_numbers()
        return {
            "alg": "ES256",
            "crv": "P-256",
            "kid": self.id,
            "kty": "EC",
            "use": "sig",
            "x": _encoded(point.x.to_bytes(_HALF)),
            "y": _encoded(point.y.to_bytes(_HALF)),
            "created_at": int(self.created_at.timestamp()),
            "expired_at": int(self.expired_at.timestamp()) if self.expired_at is not None else None,
        }

    def token(self, body: bytes, now: datetime, **header: Any) -> str:
        """The value of `Plaid-Verification`. `header` replaces members of the token's header."""
        head = {"alg": "ES256", "kid": self.id, "typ": "JWT", **header}
        claims = {"iat": int(now.timestamp()), "request_body_sha256": sha256(body).hexdigest()}
        signed = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._private.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(_HALF) + s.to_bytes(_HALF))}"


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
