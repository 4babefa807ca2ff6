"""Encryption of what is stored: AES-256-GCM under a data key of each verification, itself wrapped by a configured key.

Both are bound to their place by associated data, so that nothing can be moved to another row or column and still be read.
To destroy a data key is to erase everything that was sealed under it, in backups too.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from typing import Any

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import ConfigError
from ..model import Secret
from .errors import NewerRelease, Tampered

_FORM = b"\x01"
_NONCE = 12
_ID = 4
_LEAST = 32


def place(table: str, column: str, id: str) -> bytes:
    """Where a sealed text belongs, as associated data."""
    return f"{table}\0{column}\0{id}".encode()


def new_key() -> bytes:
    """A data key: 256 random bits."""
    return AESGCM.generate_key(256)


def seal(key: bytes, where: bytes, data: Any) -> bytes:
    """JSON data, compressed and encrypted under a data key for the place `where`."""
    plain = zlib.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    return _encrypt(key, where, plain)


def unseal(key: bytes, where: bytes, sealed: bytes) -> Any:
    """What `seal` sealed. Raises Tampered where it was changed, or sealed for another place; NewerRelease for a later form."""
    return json.loads(zlib.decompress(_decrypt(key, where, sealed)).decode("utf-8", "surrogatepass"))


@attrs.frozen
class Keyring:
    """The configured keys: the first wraps, all of them unwrap. Each wrapped key says which one wrapped it."""

    _keys: dict[bytes, bytes] = attrs.field(repr=False)
    _first: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, keys: Iterable[Secret]) -> Keyring:
        """From secrets of 32 characters or more each. Raises ConfigError."""
        derived: dict[bytes, bytes] = {}
        for key in keys:
            text = key.reveal()
            if len(text) < _LEAST:
                advice = "make one with: openssl rand -hex 32"
                raise ConfigError(f"ledger key: at least {_LEAST} characters are needed; {advice}")
            made = HKDF(SHA256(), _ID + 32, salt=None, info=b"idv-core ledger key").derive(text.encode())
            derived[made[:_ID]] = made[_ID:]
        if not derived:
            raise ConfigError("ledger key: at least one is needed; make one with: openssl rand -hex 32")
        return cls(derived, next(iter(derived)))

    def wrap(self, data_key: bytes, where: bytes) -> bytes:
        """The data key, encrypted by the first key."""
        return self._first + _encrypt(self._keys[self._first], where, data_key)

    def unwrap(self, wrapped: bytes, where: bytes) -> bytes:
        """The data key. Raises Tampered where none of the keys wrapped it."""
        key = self._keys.get(wrapped[:_ID])
        if key is None:
            raise Tampered(
                "a stored key was wrapped by a ledger key that is not configured: give that key too, behind the first"
            )
        return _decrypt(key, where, wrapped[_ID:])

    def has_key_of(self, wrapped: bytes) -> bool:
        """Whether one of the keys wrapped it."""
        return wrapped[:_ID] in self._keys

    def is_current(self, wrapped: bytes) -> bool:
        """Whether the first key wrapped it."""
        return wrapped[:_ID] == self._first


def _encrypt(key: bytes, where: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, plain, _FORM + where)


def _decrypt(key: bytes, where: bytes, sealed: bytes) -> bytes:
    if sealed[:1] != _FORM:
        raise NewerRelease(
            "a sealed text has a form that this release does not read: it was stored by a newer one, or is damaged"
        )
    nonce, text = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    try:
        return AESGCM(key).decrypt(nonce, text, _FORM + where)
    except (InvalidTag, ValueError):
        pass
    raise Tampered("a sealed text was changed, or belongs to another place")
