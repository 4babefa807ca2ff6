"""Nothing that is not understood, missing, or about somebody else leads to an approval."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from ...errors import DuplicateFlow, IdvError, PluginError
from ...model import Decision, Result
from ...plugin.protocols import RecoverProtocol
from ..doubting import (
    CHANGES,
    UNREADABLE_DATES,
    Misnaming,
    Replayed,
    approves,
    dates_in,
    is_borne,
    keys_in,
    lost_dates,
    names,
    redated,
    reworded,
    telling,
)
from ..harness import Driver, Finish, Harness, another_person


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


def _changed(harness: Harness, finish: Finish, mark: str) -> Iterator[tuple[str, str, Result | None]]:
    """The result with each key of the vendor's answers changed in each way."""
    made = Replayed(harness, finish, mark)
    for name in sorted(keys_in(made.answers)):
        for change, changed in CHANGES.items():
            yield change, name, made.with_change(changed(name))
    made.close()
