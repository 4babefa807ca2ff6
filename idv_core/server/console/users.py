"""Who may look at the console: users with roles, passwords by argon2, sessions that end."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256

import attrs
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigError
from ...ledger.store import Store
from ...model import Secret
from ...model.words import listed
from ..reviews import is_same_person
from ..tables import sessions, users

ROLES = ("look", "review", "operate", "personal")
"""`look` at everything without personal data, which all may. `review`: decide what waits for a person. `operate`: resolve,
redeliver, check credentials. `personal`: unmask."""

_U, _S = users.c, sessions.c
LONGEST = timedelta(hours=12)
IDLE = timedelta(minutes=45)
KNOWN = timedelta(days=90)
_LEAST = 12
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))


@attrs.frozen
class User:
    """Somebody with a name and roles."""

    name: str
    roles: frozenset[str]

    @property
    def actor(self) -> str:
        """What events call them."""
        return f"user:{self.name}"


def add(store: Store, name: str, roles: Iterable[str], password: Secret | None) -> None:
    """Make a user, or give one other roles and another password; their sessions end. Raises ConfigError."""
    wanted = {*roles, "look"}
    if not wanted <= set(ROLES):
        raise ConfigError(f"user: roles are {listed(ROLES)}")
    if not 0 < len(name) <= 80 or not name.isprintable() or name != name.strip():
        raise ConfigError("user: the name must have 1 to 80 printable characters")
    if password is not None and len(password.reveal()) < _LEAST:
        raise ConfigError(f"user: the password must have {_LEAST} characters or more")
    hashed = _HASHER.hash(password.reveal()) if password is not None else None
    # one person with two names would be four eyes
    twin = next((one.name for one in listing(store) if one.name != name and is_same_person(one.name, name)), None)
    if twin is not None:
        raise ConfigError(f"user: there is {twin!r} already, which differs only in case, blanks or the form of letters")
    values = {"password": hashed, "roles": " ".join(sorted(wanted))}
    with store.begin() as con:
        con.execute(delete(sessions).where(_S.user == name))
        row = {"name": name, "created_at": store.moment(), **values}
        con.execute(store.upsert(users, row, ["name"], values, None))


def remove(store: Store, name: str) -> None:
    """From now on they are nobody; their sessions end. Raises ConfigError where there is no such user."""
    with store.begin() as con:
        con.execute(delete(sessions).where(_S.user == name))
        if con.execute(delete(users).where(_U.name == name)).rowcount != 1:
            raise ConfigError("there is no user of that name; see: idv server user list")


def listing(store: Store) -> list[User]:
    """All users."""
    with store.engine.connect() as con:
        rows = con.execute(select(_U.name, _U.roles).order_by(_U.name)).all()
    return [User(name, frozenset(roles.split())) for name, roles in rows]


def named(store: Store, name: str) -> User | None:
    """The user whom a trusted proxy names."""
    with store.engine.connect() as con:
        roles = con.execute(select(_U.roles).where(_U.name == name)).scalar_one_or_none()
    return User(name, frozenset(roles.split())) if roles is not None else None


def with_password(store: Store, name: str, password: str) -> User | None:
    """The user, if the password is theirs. It takes as long where there is no such user."""
    with store.engine.connect() as con:
        row = con.execute(select(_U.password, _U.roles).where(_U.name == name)).one_or_none()
    hashed = row.password if row is not None else None
    is_good = _is_of(hashed or _NOBODY, password)
    if row is None or hashed is None or not is_good:
        return None
    return User(name, frozenset(row.roles.split()))


def _is_of(hashed: str, password: str) -> bool:
    try:
        return bool(_HASHER.verify(hashed, password.encode("utf-8", "surrogatepass")))
    except (VerificationError, InvalidHashError):
        return False


def begin(store: Store, user: User) -> str:
    """A new session; its secret, of which only the hash is kept."""
    token = secrets.token_urlsafe(32)
    with store.begin() as con:
        con.execute(delete(sessions).where(_S.created_at < store.moment(-LONGEST)))
        row = {"digest": _digest(token), "user": user.name, "created_at": store.moment(), "seen_at": store.moment()}
        con.execute(insert(sessions).values(row))
    return token


def of_session(store: Store, token: str, *, is_visit: bool = True) -> User | None:
    """Whose session it is, if it has not ended. A visit keeps it from ending for want of visits."""
    mine = _S.digest == _digest(token)
    found = select(_U.name, _U.roles, _S.created_at, _S.seen_at, store.moment().label("now"))
    with store.engine.connect() as con:
        row = con.execute(found.select_from(sessions.join(users, _U.name == _S.user)).where(mine)).one_or_none()
    if row is None or row.now - row.created_at > LONGEST or row.now - row.seen_at > IDLE:
        return None
    if is_visit and row.now - row.seen_at > timedelta(minutes=1):
        # who looks is let in also where nothing can be written; the session ends the sooner
        with suppress(DBAPIError), store.begin() as con:
            con.execute(update(sessions).where(mine).values(seen_at=store.moment()))
    return User(row.name, frozenset(row.roles.split()))


def end(store: Store, token: str) -> None:
    """Log out."""
    with store.begin() as con:
        con.execute(delete(sessions).where(_S.digest == _digest(token)))


def known(store: Store, name: str) -> str:
    """What a browser keeps in which that user has logged in (OWASP calls it a device cookie). It opens nothing."""
    return hmac.new(store.chain_key, b"known browser\0" + name.encode("utf-8", "surrogatepass"), sha256).hexdigest()


def is_known(store: Store, name: str, kept: str) -> bool:
    """Whether a browser keeps that of this user."""
    return hmac.compare_digest(known(store, name).encode(), kept.encode("utf-8", "surrogatepass"))


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


class Guesses:
    """Who failed to log in lately, by name or known browser, and by address. After five times within a minute they wait."""

    MOST, SECONDS, KEPT = 5, 60.0, 10_000

    def __init__(self) -> None:
        # digests, for anybody may send a long name; those who failed last stand last
        self._failed: OrderedDict[bytes, list[float]] = OrderedDict()

    def are_too_many(self, *whose: str) -> bool:
        now = time.monotonic()
        return any(len(self._lately(_digest(one), now)) >= self.MOST for one in whose)

    def note(self, *whose: str) -> None:
        now = time.monotonic()
        for digest in map(_digest, whose):
            self._failed[digest] = [*self._lately(digest, now), now]
            self._failed.move_to_end(digest)
        while self._failed and (len(self._failed) > self.KEPT or not self._lately(next(iter(self._failed)), now)):
            self._failed.popitem(last=False)

    def _lately(self, digest: bytes, now: float) -> list[float]:
        return [at for at in self._failed.get(digest, ()) if now - at < self.SECONDS]
