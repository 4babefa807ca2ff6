"""What becomes of a flow after the opening: cancelled, erased, its media fetched, tried again, simulated; coverage."""

from __future__ import annotations

import io
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import attrs
import pytest

from ...errors import AuthenticationFailed, FlowNotFound, IdvError, PluginError
from ...model import CheckKind, CheckOutcome, Decision, ErasureStatus, Flow, FlowOrder
from ...model.check_names import CHECK_NAMES, OTHER
from ...plugin.protocols import (
    CancelProtocol,
    CoverageProtocol,
    EraseProtocol,
    MediaProtocol,
    ResultCapabilitiesProtocol,
    RetryProtocol,
    ReviewProtocol,
    SimulateProtocol,
)
from ..doubting import is_word, leaves
from ..fuzzing import Recorder
from ..harness import DECLINE, Driver, Harness, another_person
from .steps import offered

_SIXTY_DAYS = 60 * 86400
_ASKED = (ErasureStatus.REQUESTED, ErasureStatus.DONE, ErasureStatus.KEPT)


class LivesOnAfterwards:
    def test_cancelling_twice_is_cancelling_once(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, CancelProtocol)
        flow = idv.open(harness.order)
        first = idv.cancel(flow)
        assert first.ref == flow.ref
        assert first.status.is_settled
        assert first.link is None, "a cancelled flow has no link"
        assert first.sdk is None, "a cancelled flow has nothing to start an SDK with"
        for given in (first, flow, flow.ref):
            assert idv.cancel(given).status is first.status
        assert idv.status(flow.ref).status is first.status
        assert idv.result(flow).decision not in (Decision.APPROVED, Decision.DECLINED), (
            "a cancelled flow has a decision: it ended with FlowStatus.CANCELLED and without a verdict, for nobody looked at it"
        )

    def test_a_reviewers_decision_is_read(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, ReviewProtocol)
        flow = _finished(harness, idv)
        assert idv.review(flow, DECLINE).ref == flow.ref
        harness.clock.advance(60)
        assert idv.result(flow).decision is Decision.DECLINED, (
            "a person declined at the vendor, and the result does not say so: the reviewer's word comes before the checks"
        )

    def test_erasing_twice_is_erasing_once(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, EraseProtocol)
        flow = _finished(harness, idv)
        first = idv.erase(flow)
        assert first.status in _ASKED, f"refused: {first.reason}"
        assert idv.erase(flow).status in _at_least(first.status)
        try:
            assert idv.erase(flow.ref).status in _at_least(first.status)
        except FlowNotFound:
            # of what is gone a vendor may know no more than of what never was
            pass
        told = _words(harness, flow)
        harness.clock.advance(_SIXTY_DAYS)
        try:
            after = idv.erase(flow)
            if first.status is ErasureStatus.DONE:
                assert told == _words(harness, flow), (
                    "erasure was called done, and the vendor says something else of it later: what it has only taken is "
                    "ErasureStatus.REQUESTED, until its answer says that the data are gone"
                )
        except AuthenticationFailed:
            # a token that is given to the platform may not live that long
            after = first
        assert after.status in _at_least(first.status)
        assert not [text for text in harness.personal for one in (first, after) if text in repr(one)]
        if after.status is ErasureStatus.DONE:
            assert not _approves(idv, flow), "approved although all data are erased"

    def test_media_arrive_whole(self, harness: Harness, idv: Driver, tmp_path: Path) -> None:
        offered(idv.adapter, MediaProtocol)
        flow = _finished(harness, idv)
        found = idv.media(flow)
        if not found:
            pytest.skip("not offered: this emulator's finished flow has no media")
        assert len({media.id for media in found}) == len(found)
        # a reference does not tell which of the platform's own documents is on it
        assert [(media.id, media.kind) for media in idv.media(flow.ref)] == [(media.id, media.kind) for media in found]
        for media in found:
            path, file = tmp_path / "media", io.BytesIO()
            got = idv.download(flow, media, path)
            content = path.read_bytes()
            assert (got.size, got.sha256) == (len(content), sha256(content).hexdigest())
            assert media.size in (None, got.size)
            idv.download(flow.ref, media, file)
            assert file.getvalue() == content
            assert [*tmp_path.iterdir()] == [path], "something is left beside the file"

    def test_media_of_somebody_else_are_not_given_out(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, MediaProtocol)
        flow = _finished(harness, idv)
        other = _finished(harness, idv, another_person(_order(harness, "else"), "else"))
        theirs, ours = {media.id for media in idv.media(other)}, idv.media(flow)
        if not ours:
            pytest.skip("not offered: this emulator's finished flow has no media")
        for media in ours:
            if media.id in theirs:
                # a name within the flow, such as `report`
                continue
            file = io.BytesIO()
            try:
                idv.download(other, media, file)
            except PluginError as error:
                pytest.fail(f"the plugin broke: {error}")
            except IdvError:
                assert not file.getvalue(), "a part of it was written all the same"
            else:
                pytest.fail(f"the {media.kind} of one person was given out for another's flow")

    def test_another_attempt_has_its_own_reference(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, RetryProtocol)
        flow = harness.finish_badly(idv, idv.open(harness.order))
        idv.wait(flow)
        again = idv.retry(flow, harness.order)
        assert again.id != flow.id
        assert (again.previous_id, again.attempt) == (flow.id, 2)
        assert not again.status.is_settled
        assert idv.retry(flow, harness.order).ref == again.ref, "asked twice, a third attempt was made"
        assert idv.result(flow).decision is Decision.DECLINED
        assert idv.result(again).decision is Decision.UNDECIDED

    def test_simulations_end_as_they_say(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, SimulateProtocol)
        assert idv.adapter.simulations, "simulations: name at least one word"
        for word in idv.adapter.simulations:
            flow = idv.open(another_person(_order(harness, word), word))
            assert idv.simulate(flow, word).ref == flow.ref
            harness.clock.advance(60)
            assert word == "approved" or idv.result(flow).decision is not Decision.APPROVED, word

    def test_coverage_is_no_less_than_what_results_hold(self, harness: Harness, idv: Driver) -> None:
        """In our words; and what a result passed is among it, so that no route leaves out what the vendor does."""
        offered(idv.adapter, CoverageProtocol)
        coverage = idv.coverage()
        known = {f"{kind.value}.{name}" for kind, names in CHECK_NAMES.items() for name in (*names, OTHER)}
        known |= {kind.value for kind in CheckKind}
        covered = coverage.checks
        assert covered is None or covered <= known, covered and covered - known
        if covered is not None and isinstance(idv.adapter, ResultCapabilitiesProtocol):
            kinds = {kind.value for kind in idv.adapter.result_capabilities.checks}
            assert {check.partition(".")[0] for check in covered} <= kinds
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        passed = [check for check in result.checks if check.outcome is CheckOutcome.PASSED and check.name != OTHER]
        for check in passed:
            names = {check.kind.value, f"{check.kind.value}.{check.name}"}
            assert covered is None or names & covered, f"a result has {names}, which the coverage lacks"
        for document in result.documents:
            assert coverage.document_types is None or document.type in {*coverage.document_types, None}


def _order(harness: Harness, mark: str) -> FlowOrder:
    return attrs.evolve(harness.order, application_id=f"APP-{mark}")


def _finished(harness: Harness, idv: Driver, order: FlowOrder | None = None) -> Flow:
    flow = harness.finish(idv, idv.open(order or harness.order))
    idv.wait(flow)
    return flow


def _at_least(status: ErasureStatus) -> tuple[ErasureStatus, ...]:
    """What may be told later of an erasure that was at `status`."""
    return (ErasureStatus.DONE,) if status is ErasureStatus.DONE else _ASKED


def _approves(idv: Driver, flow: Flow) -> bool:
    try:
        return bool(idv.result(flow).decision is Decision.APPROVED)
    except PluginError as error:
        pytest.fail(f"the plugin broke: {error}")
    except IdvError:
        return False


def _words(harness: Harness, flow: Flow) -> set[object]:
    """The words in what the vendor answers when it is asked once more to erase."""
    seen: list[object] = []
    idv = Driver(attrs.evolve(harness, transport=Recorder(harness.transport, seen)), "sync")
    with suppress(IdvError):
        idv.erase(flow)
    idv.close()
    return {value for answer in seen for _, value in leaves(answer) if is_word(value)}
