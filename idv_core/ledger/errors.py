"""What can go wrong with the ledger itself. No message holds personal data."""

from __future__ import annotations

from ..errors import IdvError


class LedgerError(IdvError):
    """The ledger cannot do what was asked: wrong keys, tables that are missing, an id that is not known."""


class Stale(LedgerError):
    """Somebody else has taken this verification over meanwhile. Nothing was written."""


class Tampered(LedgerError):
    """What is stored was not written by this ledger, or belongs elsewhere."""


class NewerRelease(LedgerError):
    """Stored by a newer release in a form that this one does not read. Leave it to the newer one, or update."""
