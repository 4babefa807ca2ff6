"""Turns as pure functions: whatever comes of an action, nothing is opened twice, forgotten, or told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from acme import order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import Decision, Flow, FlowStatus, IdvError, OutcomeUnknown, Reason, Result
from idv_core.errors import (
    AuthenticationFailed,
    ConfigError,
    DeadlineExceeded,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    NoRoute,
    PermissionDenied,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorUnavailable,
)
from idv_core.ledger import State, Verification
from idv_core.ledger.verification import KEEP, Change, Claim, FlowRow, Hint, Order, Role
from idv_core.model import Check, Erasure, ExtractedField, subject_of
from idv_core.tracker.tracker import pause_of
from idv_core.tracker.turns import Adopt, Apply, Compare, Erase, Look, Open, Recover, Terms, conclude, plan

NOW = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
KINDS = (
    AuthenticationFailed,
    DuplicateFlow,
    FlowNotFound,
    InvalidOrder,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    UnexpectedResponse,
    VendorUnavailable,
)
PLAIN = (ConfigError, DeadlineExceeded, NoRoute, PluginError, UnsupportedOperation)
TERMS = Terms(first=timedelta(seconds=2), ceiling=timedelta(seconds=60), others=("b",))


def error(kind: type[IdvError], *, nothing_done: bool = False, **more: Any) -> IdvError:
    made = kind("text of a vendor", account="a", operation="open", **more)
    made.nothing_done = nothing_done
    return made


def verification(state: State = State.ORDERED, **changes: Any) -> Verification:
    base = Verification(
        id="01J0000000000000000000TEST",
        tenant=None,
        application_id="APP-1",
        product="wallet",
        state=state,
        created_at=NOW - timedelta(minutes=1),
        deadline=NOW + timedelta(days=30),
        order=order(),
    )
    if state is not State.ORDERED:
        base = attrs.evolve(base, account="a", asked_at=NOW - timedelta(seconds=30), attempts=1)
    if state in (State.AWAITING, State.FOLLOWING, State.DECIDED):
        base = attrs.evolve(base, flow=flow())
    return attrs.evolve(base, **changes)


def flow(status: FlowStatus = FlowStatus.AWAITING_APPLICANT, **changes: Any) -> Flow:
    return Flow(**{"id": "f-1", "account": "a", "status": status, **changes})


def claim(state: State = State.ORDERED, *, hints: tuple[Hint, ...] = (), **changes: Any) -> Claim:
    return Claim(verification=verification(state, **changes), worker="w", turn=1, seen=0, now=NOW, hints=hints)


def result(status: FlowStatus, decision: Decision = Decision.UNDECIDED, **changes: Any) -> Result:
    return Result(flow=flow(status, **changes), decision=decision)


def came_to(claimed: Claim, finding: Any, terms: Terms = TERMS) -> Change:
    return conclude(claimed, plan(claimed), finding, terms)


ASKED = claim(State.OPENING)  # within a turn that began as `ordered`: the intent is committed


class TestOpening:
    def test_an_order_is_opened_where_the_routes_send_it(self) -> None:
        assert plan(claim()) == Open(None)
        assert plan(claim(only_account="b")) == Open("b")

    def test_an_opening_that_was_begun_is_recovered_and_never_opened(self) -> None:
        assert plan(claim(State.OPENING)) == Recover("a")
        assert plan(claim(State.OPENING, deadline=NOW)) == Recover("a")

    def test_a_flow_leads_to_following_it_with_its_shadow_in_the_books(self) -> None:
        opened = flow(shadow=flow(id="s-1", account="b", is_shadow=True))
        change = conclude(ASKED, Open(None), opened, TERMS)
        assert (change.state, change.flow, change.role) == (State.AWAITING, opened, Role.CHOSEN)
        assert change.news[0].data == {"account": "a", "ref": "a/f-1", "shadow": "shadow:b/s-1"}

    @pytest.mark.parametrize("kind", [*KINDS, DeadlineExceeded, PluginError])
    def test_after_an_answer_that_was_lost_nothing_but_recovering_follows(self, kind: type[IdvError]) -> None:
        change = conclude(ASKED, Open(None), error(kind), TERMS)
        assert change.state is State.OPENING
        assert change.delivery is None

    @pytest.mark.parametrize("kind", [AuthenticationFailed, PermissionDenied, RateLimited, VendorUnavailable])
    def test_where_certainly_nothing_was_done_it_is_opened_later(self, kind: type[IdvError]) -> None:
        change = conclude(ASKED, Open(None), error(kind, nothing_done=True, retry_after=timedelta(hours=3)), TERMS)
        assert change.state is State.ORDERED
        assert change.delay == timedelta(hours=3)

    @pytest.mark.parametrize("kind", [InvalidOrder, NoRoute, UnsupportedOperation])
    def test_an_order_that_nobody_takes_has_failed_and_that_is_told(self, kind: type[IdvError]) -> None:
        change = conclude(claim(), Open(None), error(kind, nothing_done=True), TERMS)
        assert (change.state, change.delivery, change.delay) == (State.FAILED, "verification.failed", None)
        assert "text of a vendor" not in str(change.news)

    def test_a_twin_at_the_vendor_may_be_our_own_that_was_lost(self) -> None:
        assert conclude(ASKED, Open(None), error(DuplicateFlow, nothing_done=True), TERMS).state is State.OPENING

    def test_an_order_that_nobody_could_open_in_time_expires(self) -> None:
        change = came_to(claim(deadline=NOW), None)
        assert (change.state, change.delivery) == (State.EXPIRED, "verification.expired")


class TestRecovering:
    def test_what_is_found_goes_on(self) -> None:
        change = came_to(claim(State.OPENING), flow())
        assert (change.state, change.role, change.news[0].kind) == (State.AWAITING, Role.RECOVERED, "recovered")

    def test_what_certainly_is_not_there_is_opened(self) -> None:
        assert came_to(claim(State.OPENING), error(FlowNotFound, nothing_done=True)).state is State.ORDERED
        assert came_to(claim(State.OPENING), error(FlowNotFound)).state is State.OPENING

    def test_what_may_still_be_carried_out_is_waited_for(self) -> None:
        change = came_to(claim(State.OPENING), error(OutcomeUnknown, retry_after=timedelta(seconds=140)))
        assert (change.state, change.delay) == (State.OPENING, timedelta(seconds=140))

    @pytest.mark.parametrize("kind", [UnsupportedOperation, DuplicateFlow, ConfigError])
    def test_what_nobody_can_tell_is_for_a_person_by_default(self, kind: type[IdvError]) -> None:
        change = came_to(claim(State.OPENING), error(kind))
        assert (change.state, change.delivery, change.delay) == (State.UNKNOWN, "verification.unknown", None)

    def test_a_rule_may_open_it_again_but_only_once(self) -> None:
        terms = attrs.evolve(TERMS, unknown="reopen")
        change = came_to(claim(State.OPENING), error(UnsupportedOperation), terms)
        assert (change.state, change.only_account) == (State.ORDERED, "a")
        again = claim(State.OPENING, only_account="a")
        assert came_to(again, error(UnsupportedOperation), terms).state is State.UNKNOWN

    def test_a_rule_may_go_on_at_the_next_account_as_long_as_there_is_one(self) -> None:
        terms = attrs.evolve(TERMS, unknown="next")
        change = came_to(claim(State.OPENING), error(UnsupportedOperation), terms)
        assert (change.state, change.only_account) == (State.ORDERED, "b")
        last = attrs.evolve(terms, others=())
        assert came_to(claim(State.OPENING), error(UnsupportedOperation), last).state is State.UNKNOWN


class TestUnknown:
    def hint(self, **changes: Any) -> Hint:
        base = {"digest": b"1", "account": "a", "event": "done", "proved": "address", "ref": "a/f-9;policy=x.1"}
        return Hint(**{**base, **changes})

    @pytest.mark.parametrize("state", [State.UNKNOWN, State.OPENING])
    def test_a_webhook_that_names_the_flow_resolves_it(self, state: State) -> None:
        claimed = claim(state, hints=(self.hint(),))
        action = plan(claimed)
        assert isinstance(action, Adopt)
        assert action.ref == f"a/f-9;policy=x.1;for={subject_of('CUST-1')}"
        change = conclude(claimed, action, result(FlowStatus.PROCESSING, id="f-9"), TERMS)
        assert (change.state, change.role, change.done) == (State.FOLLOWING, Role.ADOPTED, b"1")
        assert change.flow is not None
        assert (change.flow.id, change.flow.application_id) == ("f-9", "APP-1")

    @pytest.mark.parametrize("changes", [{"account": "b"}, {"proved": "visit"}, {"ref": None}, {"ref": "shadow:a/f-9"}])
    def test_no_other_webhook_does(self, changes: dict[str, Any]) -> None:
        assert isinstance(plan(claim(State.UNKNOWN, hints=(self.hint(**changes),))), Apply)

    def test_a_flow_that_the_vendor_does_not_know_is_not_adopted(self) -> None:
        claimed = claim(State.UNKNOWN, hints=(self.hint(),))
        change = came_to(claimed, error(FlowNotFound))
        assert (change.state, change.flow, change.done) == (State.UNKNOWN, None, b"1")

    def test_a_person_says_what_becomes_of_it(self) -> None:
        def said(word: Order, **more: Any) -> Claim:
            return claim(State.UNKNOWN, hints=(self.hint(proved="person", event=word.value, **more),))

        assert isinstance(plan(said(Order.ADOPT, ref="a/f-9")), Adopt)
        reopened = came_to(said(Order.REOPEN, ref=None), None)
        assert (reopened.state, reopened.only_account, reopened.done) == (State.ORDERED, "a", b"1")
        given_up = came_to(said(Order.GIVE_UP, ref=None), None)
        assert (given_up.state, given_up.delivery) == (State.FAILED, "verification.failed")


class TestFollowing:
    def test_the_outcome_is_told_with_its_evidence_and_nothing_personal(self) -> None:
        settled = attrs.evolve(
            result(FlowStatus.FINISHED, Decision.DECLINED), reasons=[Reason("check.failed", "Meera's check failed")]
        )
        change = came_to(claim(State.FOLLOWING), settled)
        assert (change.state, change.delivery, change.result) == (State.DECIDED, "verification.decided", settled)
        assert change.news[0].data["reasons"] == ["check.failed"]
        assert "Meera" not in str(change.news)

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (FlowStatus.EXPIRED, State.EXPIRED),
            (FlowStatus.CANCELLED, State.FAILED),
            (FlowStatus.FAILED, State.FAILED),
            (FlowStatus.FINISHED, State.DECIDED),
        ],
    )
    def test_a_flow_that_ended_without_a_decision_ends_as_what_it_is(self, status: FlowStatus, state: State) -> None:
        change = came_to(claim(State.FOLLOWING), result(status))
        assert (change.state, change.delivery) == (state, f"verification.{state}")
        declined = came_to(claim(State.FOLLOWING), result(status, Decision.DECLINED))
        assert declined.state is State.DECIDED

    def test_pauses_grow_to_the_ceiling_and_with_the_time_waited(self) -> None:
        def pause(tries: int, age: timedelta) -> float:
            claimed = claim(State.FOLLOWING, tries=tries, created_at=NOW - age)
            change = came_to(claimed, result(FlowStatus.AWAITING_APPLICANT))
            assert change.delay is not None
            return change.delay.total_seconds()

        assert 2 <= pause(0, timedelta(0)) <= 4
        assert 54 <= pause(50, timedelta(0)) <= 66
        assert 3240 <= pause(50, timedelta(days=9)) <= 3960

    def test_only_a_change_is_an_event(self) -> None:
        assert came_to(claim(State.AWAITING), result(FlowStatus.AWAITING_APPLICANT)).news == ()
        (news,) = came_to(claim(State.AWAITING), result(FlowStatus.PROCESSING)).news
        assert (news.kind, news.data) == ("waiting", {"status": "processing"})

    def test_our_own_deadline_ends_it_after_a_last_look(self) -> None:
        late = claim(State.AWAITING, deadline=NOW)
        assert isinstance(plan(late), Look)
        assert came_to(late, result(FlowStatus.PROCESSING)).state is State.EXPIRED
        assert came_to(late, error(VendorUnavailable)).state is State.EXPIRED
        assert came_to(late, result(FlowStatus.FINISHED, Decision.APPROVED)).state is State.DECIDED

    def test_the_link_is_kept_where_the_vendor_does_not_repeat_it(self) -> None:
        from idv_core import Link

        link = Link("https://acme.example/go")
        change = came_to(claim(State.AWAITING, flow=flow(link=link)), result(FlowStatus.PROCESSING))
        assert change.flow is not None
        assert change.flow.link == link


class TestAfterTheEnd:
    def decided(self, **changes: Any) -> Claim:
        base = {"decision": Decision.DECLINED, "flow": flow(FlowStatus.FINISHED), "round": 1}
        return claim(State.DECIDED, **{**base, **changes})

    def test_the_same_outcome_is_not_told_again(self) -> None:
        change = came_to(self.decided(), result(FlowStatus.FINISHED, Decision.DECLINED))
        assert (change.state, change.delivery, change.result, change.news) == (State.DECIDED, None, None, ())

    def test_a_changed_outcome_is_told_as_another_round(self) -> None:
        change = came_to(self.decided(), result(FlowStatus.FINISHED, Decision.APPROVED))
        assert (change.state, change.delivery) == (State.DECIDED, "verification.decided")

    @pytest.mark.parametrize(
        ("changes", "is_new"),
        [
            ({"fields": [ExtractedField(name="name", value="Meera Iyer", vendor_name="name")]}, True),
            ({"checks": [Check(kind="liveness", outcome="passed")]}, True),
            # what the vendor makes of the decision that it was told is no evidence
            ({"verdict": "positive", "decided_by": "person"}, False),
        ],
    )
    def test_people_review_what_there_is_now(self, changes: Any, is_new: bool) -> None:
        before = result(FlowStatus.FINISHED, Decision.REVIEW)
        claimed = claim(State.DECIDED, decision=Decision.REVIEW, result=before, flow=before.flow, round=1)
        change = conclude(claimed, Look(before.flow), attrs.evolve(before, **changes), TERMS)
        assert (change.delivery, change.result is not None) == ("verification.decided" if is_new else None, is_new)

    def test_a_flow_that_was_reopened_is_followed_and_decided_anew(self) -> None:
        change = came_to(self.decided(), result(FlowStatus.PROCESSING))
        assert (change.state, change.news[0].kind, change.delivery) == (State.FOLLOWING, "reopened", None)
        again = claim(State.FOLLOWING, decision=Decision.DECLINED, flow=flow(FlowStatus.PROCESSING))
        assert came_to(again, result(FlowStatus.FINISHED, Decision.DECLINED)).delivery == "verification.decided"

    def test_an_approval_with_an_end_is_looked_at_then(self) -> None:
        ends = flow(FlowStatus.FINISHED, valid_until=NOW + timedelta(days=90))
        change = came_to(claim(State.FOLLOWING), Result(flow=ends, decision=Decision.APPROVED))
        assert change.delay == timedelta(days=90)

    def test_what_the_vendor_erased_keeps_its_outcome(self) -> None:
        change = came_to(self.decided(), result(FlowStatus.ERASED))
        assert (change.state, change.delivery, change.result) == (State.DECIDED, None, None)

    def test_an_applicant_who_comes_late_is_decided_all_the_same(self) -> None:
        late = claim(State.EXPIRED, flow=flow(), round=1)
        change = came_to(late, result(FlowStatus.FINISHED, Decision.APPROVED))
        assert (change.state, change.delivery) == (State.DECIDED, "verification.decided")

    def test_a_shadow_is_compared_and_decides_nothing(self) -> None:
        shadow = flow(id="s-1", account="b", is_shadow=True)
        claimed = self.decided(flow=flow(FlowStatus.FINISHED, shadow=shadow))
        assert plan(claimed) == Compare(shadow)
        finding = Result(
            flow=attrs.evolve(shadow, status=FlowStatus.FINISHED), reasons=[Reason("shadow.approved", "x")]
        )
        change = came_to(claimed, finding)
        assert (change.state, change.result, change.delivery) == (State.DECIDED, None, None)
        assert change.news[0].data == {
            "account": "b",
            "would_be": "approved",
            "decision": "declined",
            "status": "finished",
        }
        assert change.flow is not None
        assert change.flow.shadow is None


class TestErasing:
    def row(self, **changes: Any) -> FlowRow:
        return FlowRow(**{"n": 1, "account": "a", "flow_id": "f-1", "ref": "a/f-1", "role": "chosen", **changes})

    def erased(self, *rows: FlowRow, **changes: Any) -> Claim:
        base = verification(State.DECIDED, erased_at=NOW, flow=None, order=None)
        return Claim(verification=attrs.evolve(base, **changes), worker="w", turn=1, seen=0, now=NOW, flows=rows)

    def test_each_vendor_is_asked_by_reference(self) -> None:
        done, left = self.row(erasure="done"), self.row(n=2)
        assert plan(self.erased(done, left)) == Erase(left)
        change = came_to(self.erased(done, left), Erasure(status="done"))
        assert (change.erasure, change.delay) == ((2, "done"), timedelta(0))
        assert came_to(self.erased(done), None).delay is None

    def test_one_that_is_under_way_is_asked_again_the_next_day(self) -> None:
        change = came_to(self.erased(self.row()), Erasure(status="requested"))
        assert (change.erasure, change.delay) == ((1, "requested"), timedelta(days=1))
        again = came_to(self.erased(self.row(erasure="requested")), Erasure(status="requested"))
        assert (again.news, again.delay) == ((), timedelta(days=1))

    def test_a_vendor_that_cannot_is_for_a_person(self) -> None:
        assert came_to(self.erased(self.row()), error(UnsupportedOperation)).erasure == (1, "by hand")
        late = self.erased(self.row(), erased_at=NOW - timedelta(days=61))
        assert came_to(late, error(VendorUnavailable)).erasure == (1, "by hand")

    def test_a_vendor_that_is_away_is_asked_later(self) -> None:
        change = came_to(self.erased(self.row()), error(VendorUnavailable))
        assert change.erasure is None
        assert change.delay is not None
        assert change.delay > timedelta(0)

    def test_retention_is_a_moment_when_it_is_due(self) -> None:
        kept = claim(State.DECIDED, retain_until=NOW)
        change = came_to(kept, None)
        assert (change.is_erased, change.state, change.delivery) == (True, State.DECIDED, None)


# whatever comes


def errors() -> st.SearchStrategy[IdvError]:
    pauses = st.none() | st.integers(0, 300).map(lambda count: timedelta(seconds=count))
    vendors = st.builds(
        lambda kind, nothing_done, pause: error(kind, nothing_done=nothing_done, retry_after=pause),
        st.sampled_from(KINDS),
        st.booleans(),
        pauses,
    )
    return vendors | st.builds(
        lambda kind, nothing_done: error(kind, nothing_done=nothing_done), st.sampled_from(PLAIN), st.booleans()
    )


results = st.builds(
    result,
    st.sampled_from(FlowStatus),
    st.sampled_from(Decision),
    shadow=st.none() | st.just(flow(id="s", account="b")),
)
shadows = st.none() | st.just(flow(id="s-1", account="b", is_shadow=True))
flows_ = st.builds(flow, st.sampled_from(FlowStatus), shadow=shadows)
terms_ = st.builds(
    Terms,
    unknown=st.sampled_from(["review", "reopen", "next"]),
    others=st.sampled_from([(), ("b",)]),
)


def applied(before: Claim, change: Change) -> Verification:
    """What the ledger would store."""
    now: dict[str, Any] = {"state": change.state, "tries": change.tries}
    if change.flow is not None:
        now |= {"flow": change.flow, "account": change.flow.account, "ref": change.flow.ref}
    if change.only_account is not KEEP:
        now["only_account"] = change.only_account
    if change.result is not None:
        now["decision"] = change.result.decision
    if change.delivery is not None:
        now["round"] = before.verification.round + 1
    return attrs.evolve(before.verification, **now)


@given(st.data())
def test_on_any_way_nothing_is_opened_over_what_may_be_open_nothing_is_forgotten_and_each_end_is_told(
    data: st.DataObject,
) -> None:
    terms = data.draw(terms_)
    stored = verification()
    may_be_open = False  # the vendor may have a flow that we do not know
    told: list[tuple[str, int]] = []
    for _ in range(data.draw(st.integers(1, 12))):
        claimed = Claim(verification=stored, worker="w", turn=1, seen=0, now=NOW, is_woken=data.draw(st.booleans()))
        action = plan(claimed)
        finding: Any = None
        match action:
            case Open():
                assert stored.state is State.ORDERED
                assert not may_be_open
                finding = data.draw(flows_ | errors())
                was_asked = isinstance(finding, Flow) or data.draw(st.booleans())
                if was_asked:
                    asked = attrs.evolve(stored, state=State.OPENING, account=stored.only_account or "a")
                    claimed = attrs.evolve(claimed, verification=asked)
                    may_be_open = not isinstance(finding, Flow) and not finding.nothing_done
            case Recover():
                finding = data.draw(flows_ | errors())
                certain = isinstance(finding, FlowNotFound) and finding.nothing_done
                may_be_open = may_be_open and not isinstance(finding, Flow) and not certain
            case Look() | Compare():
                finding = data.draw(results | errors())
        change = conclude(claimed, action, finding, terms)
        by_rule = any(news.kind == "opened_again" for news in change.news)
        if by_rule:
            assert terms.unknown != "review"
            may_be_open = False  # that one flow more is what the rule allows
        before, stored = claimed.verification, applied(claimed, change)
        # what is not at its end is due, and never in the past
        if change.delay is None:
            assert stored.state.is_ended or stored.state is State.UNKNOWN
        else:
            assert change.delay >= timedelta(0)
        # an end is told when it is reached or has changed, and nothing else is
        reached = stored.state.is_ended or stored.state is State.UNKNOWN
        assert (change.delivery is not None) == (
            reached and (stored.state is not before.state or stored.decision is not before.decision)
        )
        if change.delivery is not None:
            told.append((change.delivery, stored.round))
        assert (change.result is not None) <= (change.delivery is not None)
    assert len(set(told)) == len(told)


@given(errors(), st.sampled_from(State), terms_)
def test_no_error_ever_makes_a_decision(finding: IdvError, state: State, terms: Terms) -> None:
    claimed = claim(state, flow=flow() if state not in (State.ORDERED, State.OPENING) else None)
    change = came_to(claimed, finding, terms)
    assert change.result is None
    assert change.state is not State.DECIDED or state is State.DECIDED


@given(st.floats(0.1, 30))
def test_who_waits_looks_seldom_and_in_time(most: float) -> None:
    waited, looks = 0.0, 0
    while waited < most:
        pause = pause_of(waited, most)
        assert 0 < pause <= max(0.05, waited / 10)
        waited += pause
        looks += 1
        assert looks <= 60
    assert waited == pytest.approx(most)
