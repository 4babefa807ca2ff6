"""Whether an answer is read as it is meant: dates, scores, two tellings of one check, other people's names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from ...model import CheckOutcome, ExtractedField, FieldName, Result
from ...plugin.dates import means_expiry
from ..doubting import Change, Replayed, approves, dates_in, is_word, redated, reworded
from ..harness import Harness
from ..specimens import PEOPLE

_HALF = 0.5


class ReadsItAsMeant:
    def test_a_document_that_has_ended_never_approves(self, harness: Harness) -> None:
        """A date on which a document ended, in the form in which the vendor writes dates, is read and compared with today."""
        made = Replayed(harness, harness.finish, "ended")
        for name in sorted(filter(means_expiry, dates_in(made.answers))):
            for ended in ("2001-05-03", "03/05/2001", {"year": 2001, "month": 5, "day": 3}):
                changed = redated_alike(name, ended)
                if changed(made.answers) != made.answers:
                    assert not approves(made.with_change(changed)), (
                        f"approved although {name!r} says that the document ended in 2001: give the date to "
                        "`document_dates(expires=...)`, or a doubt where it has passed"
                    )
        made.close()

    def test_an_answer_that_names_another_person_never_approves(self, harness: Harness) -> None:
        """It names our flow, and beside it a person or an application that is not the order's."""
        made = Replayed(harness, harness.finish, "named")
        for what, ours in (
            ("application_id", made.order.application_id),
            ("applicant's reference", made.order.applicant.reference),
        ):
            changed = reworded(ours, f"{ours}-of-another")
            if changed(made.answers) != made.answers:
                assert not approves(made.with_change(changed)), (
                    f"approved although the answer names another {what}: compare it with the flow's (`Flow.application_id`, "
                    "`Flow.subject`) and raise UnexpectedResponse"
                )
        made.close()

    def test_the_worse_of_two_tellings_counts(self, harness: Harness) -> None:
        """The same check stands twice in a list, once good and once bad; one of the two orders may be a second attempt."""
        good, bad = Replayed(harness, harness.finish, "twice"), Replayed(harness, harness.finish_badly, "twice-bad")
        pairs = [
            pair for ours, theirs in zip(good.answers, bad.answers, strict=False) for pair in _differing(ours, theirs)
        ]
        for ours, theirs in pairs:
            both = [approves(good.with_change(_beside(ours, theirs, after=after))) for after in (True, False)]
            assert not all(both), (
                "approved although a list tells of a check twice, good and bad, whichever comes first: keep both, or the last "
                "attempt where the vendor's pages say how attempts are ordered; never the better one"
            )
        for made in (good, bad):
            made.close()

    def test_scores_and_dates_are_the_right_way_round(self, harness: Harness) -> None:
        good, bad = Replayed(harness, harness.finish, "scores"), Replayed(harness, harness.finish_badly, "scores-bad")
        for check in good.result.checks:
            low = check.outcome is CheckOutcome.PASSED and check.score is not None and check.score.value < _HALF
            assert not low, (
                f"the {check.kind.value} check passed with a score below a half: is the scale right? "
                "`Score.read(number, low, high)` takes the ends of the vendor's scale, worst first"
            )
        for check in bad.result.checks:
            high = check.outcome is CheckOutcome.FAILED and check.score is not None and check.score.value > _HALF
            assert not high, (
                f"the {check.kind.value} check failed with a score above a half: is the scale the right way round? "
                "`Score.read(number, low, high)` takes the ends of the vendor's scale, worst first"
            )
        checks = (*good.result.checks, *bad.result.checks)
        able = getattr(good.adapter, "result_capabilities", None)
        for kind in {check.kind for check in checks} & (able.scored if able else frozenset()):
            assert any(check.score is not None for check in checks if check.kind is kind), (
                f"no {kind.value} check has a score, and result_capabilities.scored has that kind: is the scale right? "
                "`Score.read` gives None for a number outside of it"
            )
        born = {person.birthdate for person in PEOPLE.values()}
        for field in (*_fields(good.result), *_fields(bad.result)):
            told = field.value
            if field.name is FieldName.BIRTHDATE and isinstance(told, date) and told not in born:
                assert _swapped(told) not in born, "day and month of a birthdate are swapped: read it with `read_field`"
        for made in (good, bad):
            made.close()


def redated_alike(name: str, other: Any) -> Change:
    """The dates under that key are another one, where it is written in the same form."""

    def alike(value: Any) -> bool:
        if isinstance(value, dict) or isinstance(other, dict):
            return isinstance(value, dict) and isinstance(other, dict)
        return isinstance(value, str) and re.sub(r"\d", "0", value) == re.sub(r"\d", "0", other)

    whole = redated(name, other)

    def apply(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: (whole({key: old})[key] if alike(old) else old) if key == name else apply(old)
                for key, old in value.items()
            }
        return [apply(inner) for inner in value] if isinstance(value, list) else value

    return apply


def _differing(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    """Objects at the same place of a list in two answers, in which a word differs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() & theirs.keys():
            yield from _differing(ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list):
        for one, other in zip(ours, theirs, strict=False):
            if not (isinstance(one, dict) and isinstance(other, dict)):
                continue
            if any(is_word(one[key]) and is_word(other.get(key)) and one[key] != other[key] for key in one):
                yield one, other
            yield from _differing(one, other)


def _beside(element: Any, other: Any, *, after: bool) -> Change:
    """In each list that holds `element`, `other` stands beside it."""

    def apply(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: apply(inner) for key, inner in value.items()}
        if not isinstance(value, list):
            return value
        changed = []
        for inner in value:
            pair = [inner, other] if after else [other, inner]
            changed += pair if inner == element else [apply(inner)]
        return changed

    return apply


def _fields(result: Result) -> Iterator[ExtractedField]:
    yield from result.fields
    for document in result.documents:
        yield from document.fields


def _swapped(told: date) -> date | None:
    return told.replace(month=told.day, day=told.month) if told.day <= 12 else None
