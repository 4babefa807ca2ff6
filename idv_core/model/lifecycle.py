"""What can be done with a verification besides opening and reading it: erase it, review it, and what comes of that."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from .validation import is_aware, text


class ErasureStatus(StrEnum):
    """How far an erasure is."""

    REQUESTED = "requested"
    DONE = "done"
    KEPT = "kept"
    REFUSED = "refused"


@attrs.frozen(kw_only=True)
class Erasure:
    """What the vendor says to a request to erase a person's data.

    Args:
        status: `requested` (ask again later), `done`, `kept` (the vendor keeps it until `kept_until`, by law or contract), or
            `refused`.
        kept_until: Until when the vendor keeps it, with a time zone.
        reason: Why it is kept or refused, or what remains to be done, in one sentence without personal data.
        shadow: The same for the copy at the shadow's vendor, None if there is no shadow.
    """

    status: ErasureStatus = attrs.field(converter=ErasureStatus)
    kept_until: datetime | None = attrs.field(default=None, validator=is_aware)
    reason: str | None = None
    shadow: Erasure | None = None


class ReviewOutcome(StrEnum):
    """What a person decided at the vendor."""

    APPROVE = "approve"
    DECLINE = "decline"
    RESUBMIT = "resubmit"


@attrs.frozen(kw_only=True)
class Review:
    """A person's decision, to be handed to the vendor.

    Args:
        outcome: `approve`, `decline`, or `resubmit` (ask the applicant for another document).
        author: Who decided, 1 to 200 characters. Vendors show it in their dashboards.
        reason: Why, 1 to 200 characters.
    """

    outcome: ReviewOutcome = attrs.field(converter=ReviewOutcome)
    author: str = attrs.field(validator=text(), repr=False)
    reason: str = attrs.field(validator=text(), repr=False)
