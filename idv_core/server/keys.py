"""Keys of the API: `idv_<id>_<secret>`, with scopes. Only the SHA-256 of the secret is kept: it is random, so no slow hash is
needed."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from weakref import WeakKeyDictionary

import attrs
from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from ..errors import ConfigError
from ..ledger.store import Store
from ..model import Secret
from ..model.words import listed
from .tables import keys

SCOPES = ("verify", "read", "personal", "operate")
"""`verify`: order, hand documents in, get the link. `read`: look, without personal data. `personal`: with it. `operate`:
resolve and erase."""

_K = keys.c
_NOBODY = bytes(32)
_TOKEN = re.compile(r"idv_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_USED = timedelta(minutes=1)
FORGOTTEN = 0.5
"""How many seconds a process knows a key without asking the database again."""
_BY_ID = select(keys).where(_K.id == bindparam("of"))


@attrs.frozen(kw_only=True)
class Key:
    """One key. `used_at` is exact to a minute."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def actor(self) -> str:
        """What events call it."""
        return f"key:{self.id}"


_known: WeakKeyDictionary[Store, dict[str, tuple[Key, bytes, float]]] = WeakKeyDictionary()


def add(store: Store, name: str, scopes: Iterable[str]) -> Secret:
    """Make a key, and give it this once. Raises ConfigError for a scope that there is not."""
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise ConfigError(f"key: give one or more scopes of {listed(SCOPES)}")
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ConfigError("key: give it a name of 1 to 100 characters, such as that of the program that uses it")
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with store.begin() as con:
        row = {"id": id, "name": name, "scopes": " ".join(wanted), "digest": _digest(secret)}
        con.execute(insert(keys).values(**row, created_at=store.moment()))
    return Secret(f"idv_{id}_{secret}")


def listing(store: Store) -> list[Key]:
    """All keys, also those that were revoked."""
    with store.engine.connect() as con:
        rows = con.execute(select(keys).order_by(_K.created_at)).mappings().all()
    names = [field.name for field in attrs.fields(Key)]
    return [Key(**{name: row[name] for name in names} | {"scopes": frozenset(row["scopes"].split())}) for row in rows]


def are_there(store: Store) -> bool:
    """Whether any key is in use."""
    with store.engine.connect() as con:
        return bool(con.execute(select(func.count()).select_from(keys).where(_K.revoked_at.is_(None))).scalar_one())


def revoke(store: Store, id: str) -> None:
    """From now on it opens nothing, and after `FORGOTTEN` seconds nothing in other processes either.

    Raises ConfigError where there is no such key in use.
    """
    with store.begin() as con:
        changed = update(keys).where(_K.id == id, _K.revoked_at.is_(None)).values(revoked_at=store.moment())
        if con.execute(changed).rowcount != 1:
            raise ConfigError("there is no key in use of that id; see: idv server key list")
    _known.pop(store, None)


def recall(store: Store, token: str) -> Key | None:
    """The key that somebody presents, if it was found a moment ago. Asks no database."""
    read = _TOKEN.fullmatch(token)
    if read is None:
        return None
    id, secret = read.groups()
    key, digest, until = _known.get(store, {}).get(id, (None, _NOBODY, 0.0))
    is_same = hmac.compare_digest(digest, _digest(secret))
    return key if is_same and store.clock.monotonic() < until else None


def find(store: Store, token: str) -> Key | None:
    """The key that somebody presents, if it is one and not revoked."""
    read = _TOKEN.fullmatch(token)
    if read is None:
        return None
    id, secret = read.groups()
    until = store.clock.monotonic() + FORGOTTEN
    with store.reading() as con:
        row = con.execute(_BY_ID, {"of": id}).mappings().one_or_none()
    # compared also where there is no such id, so that the time tells nothing
    is_same = hmac.compare_digest(row["digest"] if row is not None else _NOBODY, _digest(secret))
    if row is None or not is_same or row["revoked_at"] is not None:
        return None
    now = store.clock.now()
    if row["used_at"] is None or now - row["used_at"] > _USED:
        # who looks is let in also where nothing can be written
        with suppress(DBAPIError), store.begin() as con:
            old = and_(_K.id == id, or_(_K.used_at.is_(None), _K.used_at == row["used_at"]))
            con.execute(update(keys).where(old).values(used_at=store.moment()))
    key = Key(id=id, name=row["name"], scopes=frozenset(row["scopes"].split()), created_at=row["created_at"])
    _known.setdefault(store, {})[id] = (key, row["digest"], until)
    return key


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
