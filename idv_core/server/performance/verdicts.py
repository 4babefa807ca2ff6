"""Verdicts on a split and on a shadow: which account brings more verifications to an end, and which one fails.

Never about approval. Which share a vendor approves depends on who is sent there and on how closely it looks: whoever optimises
for it ends with the vendor that checks least. What is compared is completion (the vendor came to an end with the evidence
within a day of the order, whatever the decision) and technical success (nothing failed at the account).

What is taken for granted: the bucket of a split is a hash of the application's id, so who comes to which account does not
depend on the person, and applicants are independent of each other. Each verification counts for the account that the split gave
it to, also where another one has it now (intention to treat), and only once it is a day old, so that slow ones are not missed.
The shares must have been the same throughout the period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs
from sqlalchemy import func, select

from ...ledger.store import Store
from ...model import FlowStatus
from ..tables import facts
from .facts import COMPLETED, PROMPT
from .intervals import Interval, needed, newcombe, wilson
from .refreshing import refresh

_F = facts.c
DIFFERENCE = 0.05
"""The difference of completion that is worth seeing; the number that is needed follows from it."""
CONFIDENCE = 0.95
GUARD = 0.99
"""The guardrail is looked at all the time, so it asks for more certainty."""
_FEW = 30


class Word(StrEnum):
    """What a comparison comes to. `stop`: one of the two fails more often, whatever else is known."""

    STOP = "stop"
    TOO_EARLY = "too_early"
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"


@attrs.frozen(kw_only=True)
class Arm:
    """One account of a split: how many verifications it was given, how many were completed in time, at how many it failed."""

    account: str
    given: int
    completed: int
    faulty: int


@attrs.frozen(kw_only=True)
class Comparison:
    """An account of a split beside the one that was given most.

    `completion` and `faults` are the difference of the shares, this account minus the other, with their intervals. `needed` is
    how many each must have been given. `stop` names the account that fails more often.
    """

    arm: Arm
    against: Arm
    completion: Interval
    faults: Interval
    needed: int
    word: Word
    stop: str | None = None

    @property
    def text(self) -> str:
        """The verdict as a sentence."""
        account, other = self.arm.account, self.against.account
        match self.word:
            case Word.STOP:
                kept = other if self.stop == account else account
                return f"Stop {self.stop}: it fails more often than {kept}, and chance alone does not explain it."
            case Word.TOO_EARLY:
                has = min(self.arm.given, self.against.given)
                return (
                    f"Too early to tell {account} from {other}: each needs {self.needed} verifications that are a day old, "
                    f"and one has {has}."
                )
            case Word.BETTER:
                return f"{account} completes more than {other}."
            case Word.WORSE:
                return f"{account} completes less than {other}."
            case Word.NO_DIFFERENCE:
                return f"No difference between {account} and {other} is seen."


def compare(arms: Iterable[Arm]) -> tuple[Comparison, ...]:
    """Each account beside the one that was given most. With several, each comparison is the stricter (Bonferroni)."""
    ranked = sorted(arms, key=lambda arm: (-arm.given, arm.account))
    return tuple(_compared(arm, ranked[0], len(ranked) - 1) for arm in ranked[1:])


def _compared(arm: Arm, against: Arm, comparisons: int) -> Comparison:
    confidence, guard = (1 - (1 - one) / comparisons for one in (CONFIDENCE, GUARD))
    completion = newcombe(arm.completed, arm.given, against.completed, against.given, confidence)
    faults = newcombe(arm.faulty, arm.given, against.faulty, against.given, guard)
    share = against.completed / against.given if against.given else 0.5
    enough = needed(share, DIFFERENCE, confidence)
    fewest = min(arm.given, against.given)
    stop = None
    if fewest >= _FEW and not faults.low <= 0 <= faults.high:
        stop = arm.account if faults.low > 0 else against.account
    if stop is not None:
        word = Word.STOP
    elif fewest < enough:
        word = Word.TOO_EARLY
    elif completion.low > 0:
        word = Word.BETTER
    else:
        word = Word.WORSE if completion.high < 0 else Word.NO_DIFFERENCE
    return Comparison(
        arm=arm, against=against, completion=completion, faults=faults, needed=enough, word=word, stop=stop
    )


@attrs.frozen(kw_only=True)
class ShadowVerdict:
    """A shadow beside the accounts that decide: of what they completed, how much it brought to an end as well.

    A shadow is looked at once the decision is there, so nothing is known of what only the shadow would have completed: the
    share is at most 1, and tells what would be lost.
    """

    account: str
    given: int
    completed: int
    share: Interval

    @property
    def word(self) -> Word:
        if self.given == 0 or self.share.half > DIFFERENCE:
            return Word.TOO_EARLY
        return Word.WORSE if self.share.high < 1 - DIFFERENCE else Word.NO_DIFFERENCE

    @property
    def text(self) -> str:
        match self.word:
            case Word.TOO_EARLY:
                return f"Too early: the share is not known to {100 * DIFFERENCE:.0f} points yet."
            case Word.WORSE:
                return f"{self.account} would lose more than {100 * DIFFERENCE:.0f} % of what is completed today."
            case _:
                return (
                    f"{self.account} would lose at most {100 * (1 - self.share.low):.1f} % of what is completed today."
                )


def judge(account: str, given: int, completed: int) -> ShadowVerdict:
    """The verdict on a shadow of what was counted."""
    return ShadowVerdict(account=account, given=given, completed=completed, share=wilson(completed, given, CONFIDENCE))


@attrs.frozen(kw_only=True)
class Verdict:
    """What can be said of a route: its accounts as the split gave to them, compared, and its shadows."""

    route: str
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    shadows: tuple[ShadowVerdict, ...]


def verdict(store: Store, route: str, since: datetime | None = None, until: datetime | None = None) -> Verdict:
    """The verdict on the split and the shadows of a route, of what was ordered in that time."""
    refresh(store)
    where = [_F.route == route]
    where += [_F.created_at >= since] if since is not None else []
    where += [_F.created_at < until] if until is not None else []
    with store.engine.connect() as con:
        grown = _F.created_at <= store.now(con) - PROMPT
        given = select(
            _F.assigned,
            func.count(),
            func.count().filter(_F.is_prompt.is_(True)),
            func.count().filter(_F.is_faulty.is_(True)),
        ).where(*where, grown, _F.assigned.is_not(None))
        arms = [
            Arm(account=row[0], given=row[1], completed=row[2], faulty=row[3])
            for row in con.execute(given.group_by(_F.assigned).order_by(_F.assigned))
        ]
        finished = func.count().filter(_F.shadow_status == FlowStatus.FINISHED.value)
        shadowed = select(_F.shadow, func.count(), finished).where(
            *where, _F.shadow_status.is_not(None), _F.outcome.in_(COMPLETED)
        )
        shadows = [judge(*row) for row in con.execute(shadowed.group_by(_F.shadow).order_by(_F.shadow))]
    return Verdict(route=route, arms=tuple(arms), comparisons=compare(arms), shadows=tuple(shadows))


VERDICT_COLUMNS = (
    "route",
    "account",
    "against",
    "verdict",
    "given",
    "completed",
    "faulty",
    "against_given",
    "against_completed",
    "against_faulty",
    "difference",
    "difference_low",
    "difference_high",
    "fault_difference",
    "fault_difference_low",
    "fault_difference_high",
    "needed",
    "text",
)


def verdict_rows(found: Verdict) -> Iterator[dict[str, Any]]:
    """The verdict as plain rows, for JSON and CSV. The share of a shadow stands as the difference from all."""
    for one in found.comparisons:
        yield {
            "route": found.route,
            "account": one.arm.account,
            "against": one.against.account,
            "verdict": one.word.value,
            "given": one.arm.given,
            "completed": one.arm.completed,
            "faulty": one.arm.faulty,
            "against_given": one.against.given,
            "against_completed": one.against.completed,
            "against_faulty": one.against.faulty,
            **_bounds("difference", one.completion),
            **_bounds("fault_difference", one.faults),
            "needed": one.needed,
            "text": one.text,
        }
    for shadow in found.shadows:
        yield {
            **dict.fromkeys(VERDICT_COLUMNS),
            "route": found.route,
            "account": shadow.account,
            "against": "shadow",
            "verdict": shadow.word.value,
            "given": shadow.given,
            "completed": shadow.completed,
            **_bounds("difference", Interval(*(bound - 1 for bound in shadow.share))),
            "text": shadow.text,
        }


def _bounds(name: str, interval: Interval) -> dict[str, float]:
    return {
        name: round(interval.value, 4),
        f"{name}_low": round(interval.low, 4),
        f"{name}_high": round(interval.high, 4),
    }
