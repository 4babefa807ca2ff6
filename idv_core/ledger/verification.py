"""What the ledger keeps, as values: a verification, its events, and what one turn changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs

from ..model import Decision, Flow, FlowOrder, Result
from ..model.redacted import not_pickled
from ..model.validation import plain_mapping


class State(StrEnum):
    """How far a verification is.

    `ordered` (nobody was asked yet), `opening` (an account was asked, and no answer is stored), `awaiting` (the applicant),
    `following` (the vendor works), then an end: `decided`, `failed` (refused before there was a flow), `expired` (our own
    deadline), `erased` (before it was decided). `unknown`: an account was asked, and nobody can tell whether it opened a flow.
    """

    ORDERED = "ordered"
    OPENING = "opening"
    AWAITING = "awaiting"
    FOLLOWING = "following"
    DECIDED = "decided"
    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"
    ERASED = "erased"

    @property
    def is_ended(self) -> bool:
        """Nothing is waited for any more. A vendor may still reopen it, and `unknown` waits for somebody's word."""
        return self in _ENDED


_ENDED = frozenset({State.DECIDED, State.FAILED, State.EXPIRED, State.ERASED})


class Role(StrEnum):
    """How a flow came to a verification."""

    CHOSEN = "chosen"
    SHADOW = "shadow"
    RECOVERED = "recovered"
    ADOPTED = "adopted"


@attrs.frozen
class Event:
    """One line of a verification's history. `data` holds codes, names of checks and scores; never personal data."""

    seq: int
    at: datetime
    actor: str
    kind: str
    data: Mapping[str, Any] = attrs.field(factory=dict, converter=plain_mapping, hash=False)


@attrs.frozen
class News:
    """An event that is still to be written."""

    kind: str
    data: Mapping[str, Any] = attrs.field(factory=dict, converter=plain_mapping, hash=False)
    actor: str = "tracker"


@not_pickled
@attrs.frozen(kw_only=True)
class Verification:
    """One application's verification.

    `account` is the one that has the flow, or was asked for it last, at `asked_at`. `round` counts the outcomes: it is 1 with
    the first, and grows when a vendor reopened the flow and it was decided anew. `due` is when it is looked at next; None where
    nothing is waited for. `order`, `flow` and `result` are None once they are erased.
    """

    id: str
    tenant: str | None
    application_id: str
    product: str
    state: State = attrs.field(converter=State)
    account: str | None = None
    ref: str | None = None
    policy: str | None = None
    decision: Decision | None = attrs.field(default=None, converter=attrs.converters.optional(Decision))
    round: int = 0
    due: datetime | None = None
    tries: int = 0
    attempts: int = 0
    asked_at: datetime | None = None
    only_account: str | None = None
    created_at: datetime
    deadline: datetime
    decided_at: datetime | None = None
    retain_until: datetime | None = None
    erasure_asked_at: datetime | None = None
    erased_at: datetime | None = None
    order: FlowOrder | None = attrs.field(default=None, repr=False)
    flow: Flow | None = attrs.field(default=None, repr=False)
    result: Result | None = attrs.field(default=None, repr=False)


class Order(StrEnum):
    """What a person (or a rule of theirs) wants done with an unknown verification."""

    ADOPT = "adopt"
    REOPEN = "reopen"
    GIVE_UP = "give_up"


@attrs.frozen(kw_only=True)
class Hint:
    """What came in about a verification and is not carried out yet: a webhook that names its flow, or a person's word.

    `proved` is what it was authenticated by: `address`, `signature`, or `person`, whose `event` is an `Order`.
    """

    digest: bytes
    account: str
    event: str
    proved: str
    ref: str | None = None


@attrs.frozen(kw_only=True)
class FlowRow:
    """One of the flows that were opened for a verification. `erasure` is what its vendor last said about erasing it."""

    n: int
    account: str
    flow_id: str
    ref: str
    role: Role = attrs.field(converter=Role)
    erasure: str | None = None
    erasure_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Claim:
    """A verification that one worker, and nobody else, works on for the time of its lease. `turn` fences it: what is written
    under an older turn is refused. `seen` counts what had come in when it was claimed; `now` is the database's time;
    `data_key` is wrapped. `is_woken` says that something came in since the last turn.

    `hints` are what is to be carried out, `flows` all that were opened; both only where the next turn needs them.
    """

    verification: Verification
    worker: str
    turn: int
    seen: int
    now: datetime
    is_woken: bool = False
    data_key: bytes | None = attrs.field(default=None, repr=False)
    hints: tuple[Hint, ...] = ()
    flows: tuple[FlowRow, ...] = ()

    @property
    def id(self) -> str:
        return self.verification.id


@attrs.frozen
class Keep:
    """A column that a change leaves as it is."""


KEEP = Keep()


@attrs.frozen(kw_only=True)
class Change:
    """What one turn makes of a verification. What is not said stays as it is.

    `delay` is when it is due next, from now on; None: never, unless something comes in. `delivery` is the type of the message
    that tells the platform, such as `verification.decided`; it is written with the change or not at all. `role` is how `flow`
    came, `done` the digest of the hint that was carried out, `erasure` what the vendor of the flow of that number said.
    `is_erased` destroys the data key.
    """

    state: State
    delay: timedelta | None
    tries: int = 0
    news: tuple[News, ...] = ()
    account: str | Keep | None = KEEP
    only_account: str | Keep | None = KEEP
    flow: Flow | None = attrs.field(default=None, repr=False)
    role: Role = Role.CHOSEN
    result: Result | None = attrs.field(default=None, repr=False)
    delivery: str | None = None
    done: bytes | None = None
    erasure: tuple[int, str] | None = None
    is_erased: bool = False
