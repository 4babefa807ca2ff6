"""Which calls have been handled, and how often each address is used. Accounts are separate: none can evict another's."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from enum import Enum

import attrs

from ..runtime.forks import renew_after_fork

# Sizes per account: calls to an address of the whole account, addresses of single applications, and calls to each of
# these. The oldest are evicted.
CALLS_OF_ACCOUNT = 10_000
ADDRESSES = 10_000
CALLS_OF_ADDRESS = 100


class Met(Enum):
    """What is known of an incoming call."""

    NEW = "new"
    UNDER_WAY = "under way"
    HANDLED = "handled"


@attrs.frozen
class Place:
    """One address, whichever key signed it."""

    account: str
    address: str
    is_of_account: bool


@attrs.frozen
class Ticket:
    """One call: its address and the digest of its content."""

    place: Place
    digest: bytes


@attrs.define
class _Address:
    handled: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict)
    times: deque[float] = attrs.field(factory=deque)


@attrs.define(eq=False)
class Memory:
    """The calls and addresses that this process remembers. Safe for threads; never blocks for long."""

    _addresses: dict[tuple[str, bool], OrderedDict[str, _Address]] = attrs.field(factory=dict, repr=False)
    _under_way: set[Ticket] = attrs.field(factory=set, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In the child process nothing is in progress."""
        self._lock = threading.Lock()
        self._under_way = set()

    def begin(self, ticket: Ticket) -> Met:
        """Start a call. If it is NEW, it is in progress until `end` or `forget`."""
        with self._lock:
            handled = self._at(ticket.place).handled
            if ticket.digest in handled:
                handled.move_to_end(ticket.digest)
                return Met.HANDLED
            if ticket in self._under_way:
                return Met.UNDER_WAY
            self._under_way.add(ticket)
            return Met.NEW

    def end(self, ticket: Ticket) -> None:
        """Mark the call as handled: the same call is HANDLED next time."""
        with self._lock:
            self._under_way.discard(ticket)
            handled = self._at(ticket.place).handled
            handled[ticket.digest] = None
            if len(handled) > (CALLS_OF_ACCOUNT if ticket.place.is_of_account else CALLS_OF_ADDRESS):
                handled.popitem(last=False)

    def forget(self, ticket: Ticket) -> None:
        """Drop the call: the same call is NEW next time."""
        with self._lock:
            self._under_way.discard(ticket)
            self._at(ticket.place).handled.pop(ticket.digest, None)

    def wait(self, place: Place, most: int, now: float) -> float:
        """Count one use of the address and return 0; or return the seconds to wait if it was used `most` times in a minute."""
        with self._lock:
            times = self._at(place).times
            while times and now - times[0] >= 60:
                times.popleft()
            if len(times) >= most:
                return 60 - (now - times[0])
            times.append(now)
            return 0

    def _at(self, place: Place) -> _Address:
        key = (place.account, place.is_of_account)
        addresses = self._addresses.get(key)
        if addresses is None:
            addresses = self._addresses[key] = OrderedDict()
        address = addresses.get(place.address)
        if address is None:
            address = addresses[place.address] = _Address()
        addresses.move_to_end(place.address)
        if len(addresses) > ADDRESSES:
            addresses.popitem(last=False)
        return address
