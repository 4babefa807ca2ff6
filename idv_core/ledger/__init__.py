"""The ledger: every verification as a row, its events in a chain, personal data sealed (extra `ledger`)."""

from .errors import LedgerError, NewerRelease, Stale, Tampered
from .ledger import Ledger
from .migrating import migrate
from .outbox import Delivery, Endpoint
from .verification import Event, State, Verification

__all__ = [
    "Delivery",
    "Endpoint",
    "Event",
    "Ledger",
    "LedgerError",
    "NewerRelease",
    "Stale",
    "State",
    "Tampered",
    "Verification",
    "migrate",
]
