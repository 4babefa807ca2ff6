"""What is wrong with a database that cannot be used, in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from .errors import LedgerError

_MISSING = "the ledger's tables are missing: run 'idv ledger migrate', or for the service 'idv server migrate'"
_OLDER = "the ledger's tables are of another release: run 'idv ledger migrate', or for the service 'idv server migrate'"
_FULL = "the disk of the ledger's database is full: free some space; nothing that was stored is lost"
_CROWDED = "the ledger's database takes no more connections: end some programs that use it, or raise max_connections"
_NAME = "the name of the ledger's database server is not known: check url of [ledger]"

# what drivers say, SQLite's and PostgreSQL's: the first line of which every word is in it
_SENTENCES = (
    (("idv_secret",), _MISSING),
    (("no such table",), _MISSING),
    (("relation", "does not exist"), _MISSING),
    (("no such column",), _OLDER),
    (("column", "does not exist"), _OLDER),
    (("disk is full",), _FULL),
    (("No space left",), _FULL),
    (
        ("disk I/O error",),
        "the disk of the ledger's database fails: look at this machine's log, and have a backup at hand",
    ),
    (("malformed",), "the ledger's file is damaged: end all that use it, and restore the last backup"),
    (("readonly database",), "the ledger's database is read-only: let this user write the file and its folder"),
    (
        ("read-only transaction",),
        "the ledger's database is read-only: name the primary server, and a user who may write",
    ),
    (
        ("unable to open database file",),
        "the ledger's file cannot be opened: make its folder, and let this user write there",
    ),
    (("file is not a database",), "the ledger's file is not an SQLite database: name another in url"),
    (("database is locked",), "the ledger's database is held by another program: end that, and try again"),
    (("permission denied",), "the ledger's database does not let this user do that: grant the right, or use the owner"),
    (
        ("authentication failed",),
        "the ledger's database refuses the user or the password: check url and password of [ledger]",
    ),
    (("no password supplied",), "the ledger's database wants a password: give password in [ledger]"),
    (("role", "does not exist"), "the ledger's database does not know this user: make it (createuser), or correct url"),
    (
        ("database", "does not exist"),
        "the ledger's database does not exist on that server: make it (createdb), or correct url of [ledger]",
    ),
    (("too many clients",), _CROWDED),
    (("connection slots",), _CROWDED),
    (("starting up",), "the ledger's database server is starting: wait a moment"),
    (("shutting down",), "the ledger's database server is stopping: start it again"),
    (("translate host name",), _NAME),
    (("resolve host",), _NAME),
    (("invalid connection option",), "url of [ledger] has an option that the driver does not know: take it out"),
)
_AWAY = "the ledger's database cannot be reached: check its address, and whether the server runs"


def trouble(error: SQLAlchemyError) -> str:
    """What is wrong, and what to do. Nothing of what the driver says, for that may hold addresses and values."""
    said = str(error.orig) if isinstance(error, DBAPIError) else ""
    for words, sentence in _SENTENCES:
        if all(word in said for word in words):
            return sentence
    if isinstance(error, DBAPIError) and not isinstance(error, (OperationalError, InterfaceError)):
        return f"the ledger's database refuses a statement ({type(error).__name__}): report it, with both versions"
    return _AWAY


@contextmanager
def reached() -> Iterator[None]:
    """Raises LedgerError in place of the driver's error, whose text may hold addresses and values."""
    try:
        yield
    except DBAPIError as error:
        failure = LedgerError(trouble(error))
    else:
        return
    raise failure from None
