"""What is wrong with a database that cannot be used, in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from .errors import LedgerError

_SENTENCES = (
    # what the driver says, as SQLite and as PostgreSQL have it
    (
        "idv_secret",
        "the ledger's tables are missing: run 'idv ledger migrate', or for the service 'idv server migrate'",
    ),
    ("readonly database", "the ledger's database is read-only: let this user write the file and its folder"),
    ("read-only transaction", "the ledger's database is read-only: name the primary server, and a user who may write"),
    (
        "unable to open database file",
        "the ledger's file cannot be opened: make its folder, and let this user write there",
    ),
    ("file is not a database", "the ledger's file is not an SQLite database: name another in url"),
    ("database is locked", "the ledger's database is held by another program: end that, and try again"),
    ("permission denied", "the ledger's database does not let this user do that: grant the right, or use the owner"),
    (
        "authentication failed",
        "the ledger's database refuses the user or the password: check url and password of [ledger]",
    ),
    ("no password supplied", "the ledger's database wants a password: give password in [ledger]"),
    (
        "does not exist",
        "the ledger's database does not exist on that server: make it (createdb), or correct url of [ledger]",
    ),
)
_AWAY = "the ledger's database cannot be reached: check its address, and whether the server runs"


@contextmanager
def reached() -> Iterator[None]:
    """Raises LedgerError in place of the driver's error, whose text may hold addresses and values."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig)
        failure = LedgerError(next((sentence for words, sentence in _SENTENCES if words in said), _AWAY))
    else:
        return
    raise failure from None
