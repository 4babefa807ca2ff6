"""How messages are sent: by Standard Webhooks (https://www.standardwebhooks.com), at least once, with one id for ever."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import attrs
import httpx
from standardwebhooks import Webhook

from ..errors import ConfigError
from ..ledger import Delivery, Endpoint
from ..model import Secret
from ..model.words import quoted

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pauses between tries, as the specification has them. After the last a message is a dead letter."""
SECONDS = 15.0
"""How long an endpoint may take to answer."""
MOST_BYTES = 65_536
"""How many bytes of its answer are read, so that the connection can serve again. Only the status counts."""
LEASE = timedelta(seconds=45)
UNSENT = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ValueError)
"""What clients raise for a message that nobody answered. ValueError: for a host with a label that no name server takes."""
_GONE = 410
_LONGEST = timedelta(days=1)


@attrs.frozen
class Letter:
    """One HTTP POST."""

    url: str = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    content: bytes = attrs.field(repr=False)


@attrs.frozen
class Reply:
    """How it was answered; no status where nobody answered."""

    status: int | None
    retry_after: str | None = None


def letter(delivery: Delivery, endpoint: Endpoint, now: datetime) -> Letter:
    """The message, signed by each secret of the endpoint. `now` is the time of sending, which is signed too."""
    # the library reads a moment's fields as UTC
    moment = now.replace(microsecond=0)
    signatures = [_signer(secret).sign(delivery.id, moment, delivery.body) for secret in endpoint.secret]
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return Letter(endpoint.url, headers, delivery.body.encode())


def check_endpoint(endpoint: Endpoint) -> None:
    """Raises ConfigError where a secret is none of Standard Webhooks: 24 to 64 bytes."""
    for secret in endpoint.secret:
        try:
            size = len(b64decode(secret.reveal().removeprefix("whsec_"), validate=True))
        except ValueError:
            size = 0
        if not 24 <= size <= 64:
            raise ConfigError(
                f"endpoint {quoted(endpoint.name)}: its secret must be 24 to 64 random bytes in base64, with or without whsec_ "
                "in front; make one with: openssl rand -base64 32"
            )


def _signer(secret: Secret) -> Webhook:
    return Webhook(secret.reveal())


def again_after(delivery: Delivery, reply: Reply, now: datetime) -> timedelta | None:
    """The pause until the next try; None where there is none: 410 says that nobody wants it, or all tries are used up."""
    if reply.status == _GONE or delivery.tries >= len(SCHEDULE):
        return None
    return max(SCHEDULE[delivery.tries], _asked(reply.retry_after, now))


def is_taken(reply: Reply) -> bool:
    """Whether the message was accepted. A redirect is none."""
    return reply.status is not None and 200 <= reply.status < 300


def _asked(text: str | None, now: datetime) -> timedelta:
    """`Retry-After` (RFC 9110 section 10.2.3), a day at most."""
    asked = timedelta(0)
    if text is not None:
        try:
            asked = timedelta(seconds=int(text)) if text.isdigit() else parsedate_to_datetime(text) - now
        except (ValueError, TypeError, OverflowError):
            pass
    return min(max(asked, timedelta(0)), _LONGEST)
