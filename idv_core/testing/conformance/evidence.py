"""Nothing that is not understood, missing, or about somebody else leads to an approval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from ...errors import DuplicateFlow, IdvError, PluginError
from ...model import Decision, FieldName, Result
from ...plugin.dates import read_date
from ...plugin.protocols import RecoverProtocol
from ..doubting import (
    CHANGES,
    FAMILY_NAME,
    GIVEN_NAME,
    MOVED_DATES,
    STRANGE_NAMES,
    UNREADABLE_DATES,
    UNREADABLE_SCORES,
    Misnaming,
    Overhearing,
    Replayed,
    approves,
    dates_in,
    is_borne,
    is_name,
    keys_in,
    lost_dates,
    names,
    redated,
    rescored,
    reworded,
    scores_in,
    telling,
    told_of,
)
from ..harness import Driver, Finish, Harness, another_person

_NAMES = (FieldName.NAME, FieldName.GIVEN_NAME, FieldName.MIDDLE_NAME, FieldName.FAMILY_NAME)

_TOLD: tuple[dict[str, str], ...] = (
    {"name": f"{GIVEN_NAME} {FAMILY_NAME}"},
    {"given_name": GIVEN_NAME},
    {"family_name": FAMILY_NAME},
    {"given_name": GIVEN_NAME, "family_name": FAMILY_NAME},
)


class ApprovesOnlyEvidence:
    def test_unknown_words_never_approve(self, harness: Harness, idv: Driver) -> None:
        for unknown in harness.unknown_words:
            order = attrs.evolve(harness.order, application_id=f"APP-{id(unknown)}")
            flow = harness.finish(idv, idv.open(another_person(order, str(id(unknown)))))
            harness.clock.advance(3600)
            harness.emulator.fault(unknown.match, unknown.reply(flow), times=10)
            try:
                assert idv.result(flow).decision is not Decision.APPROVED, unknown
            except IdvError as error:
                assert not isinstance(error, PluginError), unknown
            harness.emulator.clear_faults()

    def test_an_approval_rests_on_checks(self, harness: Harness) -> None:
        """Whatever key is taken out of an approving answer, renamed or emptied, no approval is left without a passed check."""
        for change, name, result in _changed(harness, harness.finish, "rests"):
            assert not approves(result) or is_borne(result), (
                f"approved without one passed identity check when the key {name!r} is {change}"
            )

    def test_what_tells_good_from_bad_is_needed(self, harness: Harness) -> None:
        """Without the keys and words in which a good answer differs from a bad one nobody is approved.

        Name in `Harness.does_without` the keys that say only what another one says too.
        """
        good, bad = Replayed(harness, harness.finish, "good"), Replayed(harness, harness.finish_badly, "bad")
        keys, words = telling(good, bad, harness.does_without)
        for name in sorted(keys):
            for change, changed in CHANGES.items():
                assert not approves(good.with_change(changed(name))), f"approved although the key {name!r} is {change}"
        for word in words:
            for other in (f"{word}-unknown", None, "", 7, [word], {"value": word}):
                result = good.with_change(reworded(word, other))
                assert not approves(result), f"approved although {word!r} is {other!r}"
        for made in (good, bad):
            made.close()

    def test_bad_evidence_stays_bad(self, harness: Harness) -> None:
        """Nothing that is missing in an answer about bad documents makes an approval of it."""
        for change, name, result in _changed(harness, harness.finish_badly, "stays-bad"):
            assert not approves(result), f"bad documents are approved when the key {name!r} is {change}"

    def test_an_answer_about_somebody_else_never_approves(self, harness: Harness) -> None:
        """The answers about one person's good documents come when another's flow is asked for."""
        good = Replayed(harness, harness.finish, "somebody")
        other = Replayed(harness, harness.finish_badly, "else")
        if approves(good.result) and names(good.answers, good.flow.id):
            assert not approves(other.with_answers_of(good)), "approved by an answer that names another flow"
        for made in (good, other):
            made.close()

    def test_an_opening_that_names_somebody_else_is_not_taken(self, harness: Harness) -> None:
        """What comes back from a create is compared with what was asked, as far as the vendor says it."""
        met = False
        for fact in ("application_id", "reference", "email"):
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-names-{fact}"), f"names-{fact}")
            asked = order.application_id if fact == "application_id" else getattr(order.applicant, fact)
            if asked is None:
                continue
            other = another_person(order, "somebody-else").applicant.email or "else"
            misnaming = Misnaming(harness.transport, reworded(asked, other))
            driver = Driver(attrs.evolve(harness, transport=misnaming), "sync")
            try:
                driver.open(order)
            except PluginError as error:
                pytest.fail(f"the plugin broke: {error}")
            except IdvError:
                pass
            else:
                assert not misnaming.met, f"a flow was taken although the vendor's answer names another {fact}"
            met = met or misnaming.met
            driver.close()
        if not met:
            pytest.skip("not offered: the answer to an opening names nobody")

    def test_the_same_order_again_is_one_flow_or_an_advice(self, harness: Harness, idv: Driver) -> None:
        """In one process the same flow; in another one the same, or an error that says that there is one."""
        first = idv.open(harness.order)
        assert idv.open(harness.order).ref == first.ref
        elsewhere = Driver(harness, idv.kind)
        if isinstance(idv.adapter, RecoverProtocol):
            try:
                assert elsewhere.recover(harness.order).ref == first.ref
            except DuplicateFlow:
                pass
            assert harness.opened is None or harness.opened(harness.order) <= 1
        elsewhere.close()

    def test_dates_that_cannot_be_read_never_approve(self, harness: Harness) -> None:
        """A document's own date that is there and cannot be read is not the same as none."""
        made = Replayed(harness, harness.finish, "dates")
        for name in sorted(dates_in(made.answers)):
            for other in UNREADABLE_DATES:
                result = made.with_change(redated(name, other))
                assert not (approves(result) and lost_dates(made.result, result)), (
                    f"approved although {name!r}, a date of the document, is {other!r}"
                )
        made.close()

    def test_scores_that_cannot_be_read_never_approve(self, harness: Harness) -> None:
        """A score that is there and no number on its scale is not the same as none."""
        made = Replayed(harness, harness.finish, "scores")
        labels = {check.label for check in made.result.checks if check.score is not None}
        for key in sorted(scores_in(made.answers, made.result)):
            for other in UNREADABLE_SCORES:
                result = made.with_change(rescored(key, other))
                is_lost = result is not None and any(
                    check.score is None for check in result.checks if check.label in labels
                )
                assert not (approves(result) and is_lost), f"approved although {key!r}, a score, is {other!r}"
        made.close()
        if not labels:
            pytest.skip("not offered: these results have no score")

    def test_what_is_told_of_a_person_is_kept_exactly_or_not_at_all(self, harness: Harness) -> None:
        """A name is never cut, turned or completed, and a birthdate that may mean another day is none."""
        made = Replayed(harness, harness.finish, "exactly")
        before = {(field.name, str(field.value)) for field in told_of(made.result, *_NAMES, FieldName.BIRTHDATE)}
        if not before:
            made.close()
            pytest.skip("not offered: these results hold no name and no birthdate")
        for text in {field.vendor_text or str(field.value) for field in told_of(made.result, *_NAMES)}:
            for other in STRANGE_NAMES:
                for field in told_of(made.with_change(reworded(text, other)), *_NAMES):
                    is_kept = field.value is None or other.strip() in str(field.value)
                    assert is_kept or (field.name, str(field.value)) in before, (
                        f"{field.name.value} is another text than the vendor wrote under {field.vendor_name!r}"
                    )
        for key in sorted(dates_in(made.answers)):
            for moment in (*UNREADABLE_DATES, *MOVED_DATES):
                days = {None, read_date(moment), read_date(moment, day_first=True)}
                for field in told_of(made.with_change(redated(key, moment)), FieldName.BIRTHDATE):
                    assert field.value in days or (field.name, str(field.value)) in before, (
                        f"the birthdate is {field.value} where the vendor wrote {moment!r}"
                    )
        made.close()

    def test_a_name_goes_out_whole_or_not_at_all(self, harness: Harness) -> None:
        """No vendor is told a name that was cut by guess, turned round, or written otherwise."""
        is_sent = False
        for number, told in enumerate(_TOLD):
            mark = f"whole-{number}"
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-{mark}"), mark)
            nobody: dict[str, Any] = dict.fromkeys(("name", "given_name", "family_name"))
            person = attrs.evolve(order.applicant, **{**nobody, **told})
            overhearing = Overhearing(harness.transport)
            driver = Driver(attrs.evolve(harness, transport=overhearing), "sync")
            try:
                driver.open(attrs.evolve(order, applicant=person))
            except PluginError as error:
                pytest.fail(f"the plugin broke: {error}")
            except IdvError:
                # it may need the parts
                pass
            driver.close()
            for text in overhearing.texts:
                if is_name(text):
                    is_sent = True
                    assert text in {*told.values(), " ".join(told.values())}, (
                        f"of a person with {' and '.join(told)} the vendor was told another name than was given"
                    )
        if not is_sent:
            pytest.skip("not offered: the vendor is told no name")


def _changed(harness: Harness, finish: Finish, mark: str) -> Iterator[tuple[str, str, Result | None]]:
    """The result with each key of the vendor's answers changed in each way."""
    made = Replayed(harness, finish, mark)
    for name in sorted(keys_in(made.answers)):
        for change, changed in CHANGES.items():
            yield change, name, made.with_change(changed(name))
    made.close()
