"""What a vendor's clock says: how long to wait, and how far it is from ours."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from ..plugin.http import Response

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{0,9})?")

# A difference of clocks that is worth correcting, and one that no clock has.
_SKEW, _MOST_SKEW = timedelta(seconds=30), timedelta(days=1)


def retry_after(response: Response) -> timedelta | None:
    """The `Retry-After` of an answer (RFC 9110 section 10.2.3): seconds, or a date against the time of the answer.

    Gateways also send fractions, which are rounded up, and the header twice, of which the first counts.
    """
    text = response.headers.get("retry-after", "").strip()
    seconds = _SECONDS.fullmatch(text.partition(",")[0].strip())
    if seconds is not None:
        return timedelta(seconds=math.ceil(float(seconds[0])))
    moment = _moment(text)
    if moment is None:
        return None
    return max(moment - (vendor_date(response) or response.received_at), timedelta(0))


def vendor_date(response: Response) -> datetime | None:
    """What the vendor's clock said (RFC 9110 section 6.6.1)."""
    return _moment(response.headers.get("date", ""))


def _moment(text: str) -> datetime | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
        # in UTC, so that no arithmetic with it can leave the calendar
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def skew_of(response: Response, known: timedelta) -> timedelta | None:
    """How far the vendor's clock is ahead of ours, if that differs from what is `known` by more than is worth it."""
    date = vendor_date(response)
    if date is None:
        return None
    skew = date - response.received_at
    return skew if abs(skew - known) > _SKEW and abs(skew) < _MOST_SKEW else None
