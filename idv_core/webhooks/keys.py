"""The keys of vendors whose webhooks are signed with keys that have to be fetched. They are kept for each account.

Whoever knows one of our addresses can name any key. So few are kept, one that the vendor does not know is not asked for again
for a minute, and only a few are fetched in a minute.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

import attrs

from ..errors import WebhookRejected
from ..plugin.protocols import WebhookKey
from ..runtime.forks import renew_after_fork

LONGEST = timedelta(days=1)
_MOST = 16
_FETCHES = 10
_PAUSE = timedelta(minutes=1)


@attrs.define(eq=False)
class WebhookKeys:
    """Keys by account and name. Safe for threads."""

    _kept: OrderedDict[tuple[str, str], tuple[WebhookKey | None, datetime]] = attrs.field(
        factory=OrderedDict, repr=False
    )
    _fetched: list[datetime] = attrs.field(factory=list)
    _lock: Lock = attrs.field(factory=Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = Lock()

    def get(self, account: str, key_id: str, now: datetime) -> WebhookKey | None:
        """The key, None where it has to be fetched. Raises WebhookRejected where the vendor has none of that name."""
        with self._lock:
            key, until = self._kept.get((account, key_id), (None, None))
        if until is None or now >= until:
            return None
        if key is None:
            raise WebhookRejected(
                "the webhook names a signing key that the vendor does not know or that has expired", status=401
            )
        return key

    def begin(self, now: datetime) -> None:
        """A key is fetched now. Raises WebhookRejected where there were too many."""
        with self._lock:
            self._fetched = [at for at in self._fetched if now - at < _PAUSE]
            if len(self._fetched) >= _FETCHES:
                raise WebhookRejected(
                    "too many signing keys are asked for; retry later", status=429, retry_after=_PAUSE
                )
            self._fetched.append(now)

    def keep(self, account: str, key_id: str, key: WebhookKey | None, now: datetime) -> None:
        """What the vendor gave, or that it knows no such key. One that has expired is none."""
        if key is not None and key.expires_at is not None and key.expires_at <= now:
            key = None
        until = now + _PAUSE if key is None else min(key.expires_at or now + LONGEST, now + LONGEST)
        with self._lock:
            self._kept[account, key_id] = (key, until)
            self._kept.move_to_end((account, key_id))
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
