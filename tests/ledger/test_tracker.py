"""Verifications followed to their end: opened once, recovered, decided, told; with threads and with tasks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest
from acme import order
from books import Town, account, age, later, make_async_gateway, make_gateway, raw
from sqlalchemy import Column, Connection, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import OperationalError
from standardwebhooks import Webhook

from idv_core import ConfigError, Decision, Document, Gateway, Result, Secret
from idv_core.config import Limits
from idv_core.errors import InvalidOrder
from idv_core.ledger import Endpoint, Ledger, LedgerError, Stale, State, Verification
from idv_core.ledger.tables import deliveries
from idv_core.testing import FakeClock
from idv_core.tracker import AsyncTracker, Tracker
from idv_core.tracker.turning import Context
from idv_core.webhooks import WebhookRequest

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
LOANS = Endpoint("loans", "https://loans.example/hooks", SECRET)
LEASE = 200.0

Connect = Callable[..., Ledger]
Make = Callable[..., Tracker]


class Platform:
    """The endpoint: it checks signatures, and answers what it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        id, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        good = Webhook(SECRET.reveal()).sign(id, datetime.fromtimestamp(int(sent), UTC), request.content.decode())
        assert good in request.headers["webhook-signature"].split(" ")
        self.got.append((id, json.loads(request.content)))
        return httpx.Response(self.status, headers=self.headers)

    def told(self) -> list[tuple[str, str]]:
        return [(said["type"], said["data"]["application_id"]) for _, said in self.got]


@pytest.fixture
def town() -> Town:
    return Town("a", "b")


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def ledger(connect: Connect) -> Ledger:
    return connect(endpoints=[LOANS])


@pytest.fixture
def gateways(town: Town, clock: FakeClock) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(*accounts: Any, **route: Any) -> Gateway:
        made.append(make_gateway(town, clock, *(accounts or (account("a"),)), **route))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def track(ledger: Ledger, gateways: Callable[..., Gateway], platform: Platform) -> Iterator[Make]:
    """A worker as another process would have it: a gateway that remembers nothing, and a tracker."""
    made: list[Tracker] = []

    def make(*accounts: Any, on: Ledger | None = None, on_decided: Any = None, **route: Any) -> Tracker:
        gateway = gateways(*accounts, **route)
        made.append(Tracker(gateway, on or ledger, on_decided=on_decided, transport=httpx.MockTransport(platform)))
        return made[-1]

    yield make
    for tracker in made:
        tracker.stop()


def run(tracker: Tracker, ledger: Ledger, rounds: int = 4, seconds: float = 120) -> None:
    for _ in range(rounds):
        tracker.step()
        later(ledger, seconds)
    tracker.step()


class Killed(BaseException):
    """What `kill -9` looks like from within: nothing after it is done."""


def killing(ledger: Ledger, name: str, *, after: bool = False) -> Any:
    """A patch of a method of the ledger, which dies before or after its work."""
    real = getattr(ledger, name)

    def patched(*args: Any, **options: Any) -> Any:
        if after:
            real(*args, **options)
        raise Killed

    return patched


class TestToTheEnd:
    def test_an_order_is_opened_decided_and_told_once(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        opened = ledger.get(taken.id)
        assert opened.state is State.AWAITING
        assert opened.flow is not None
        assert opened.flow.link is not None
        assert opened.flow.link.url.reveal() == "https://acme.example/go?t=secret-f-1"
        town.shops["a"].status = "good"
        run(tracker, ledger)
        done = ledger.get(taken.id)
        assert (done.state, done.decision, done.round, done.due) == (State.DECIDED, Decision.APPROVED, 1, None)
        assert platform.told() == [("verification.decided", "APP-1")]
        assert town.shops["a"].opened == ["CUST-1"]
        kinds = [event.kind for event in ledger.events(taken.id)]
        assert kinds == ["ordered", "opening", "opened", "decided", "delivered"]
        assert ledger.verify().problems == ()

    def test_what_is_told_has_no_personal_data_and_no_link(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        ledger.take(order())
        town.shops["a"].status = "good"
        run(track(), ledger)
        text = json.dumps(platform.got)
        assert "decided" in text
        for secret in ("Meera", "secret-", "meera@"):
            assert secret not in text

    def test_a_refused_order_fails_and_that_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(
            422, json={"code": "bad", "message": "Meera?"}
        )
        tracker = track()
        tracker.step()
        assert ledger.get(taken.id).state is State.FAILED
        assert platform.told() == [("verification.failed", "APP-1")]
        assert "Meera" not in str(ledger.events(taken.id))

    def test_a_vendor_that_is_away_is_asked_again_and_the_fallback_meanwhile(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        taken = ledger.take(order())
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(503)
        town.shops["a"].answers["POST /token"] = unreachable
        track(account("a"), account("b")).step()
        opened = ledger.get(taken.id)
        assert (opened.state, opened.account) == (State.AWAITING, "b")
        asked = [event.data["account"] for event in ledger.events(taken.id) if event.kind == "opening"]
        assert asked == ["a", "b"]

    def test_a_shadow_is_followed_beside_and_compared(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        from idv_core.routing import Shadow

        taken = ledger.take(order())
        town.shops["a"].status = town.shops["b"].status = "good"
        run(
            track(account("a"), account("b"), fallback=[], shadow=Shadow(account="b", personal_data=True)),
            ledger,
            rounds=6,
        )
        assert [row.role.value for row in ledger.flows(taken.id)] == ["chosen", "shadow"]
        compared = [event for event in ledger.events(taken.id) if event.kind == "compared"]
        assert [event.data["would_be"] for event in compared] == ["approved"]
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_documents_are_handed_in_through_the_books(self, ledger: Ledger, track: Make) -> None:
        taken = ledger.take(order())
        tracker = track()
        with pytest.raises(InvalidOrder, match="it has no flow to upload to"):
            tracker.upload(taken.id, [Document("pan", content=b"picture")])
        tracker.step()
        after = tracker.upload(taken.id, [Document("pan", content=b"\x89PNG picture")])
        assert after.flow is not None
        assert [upload.document_id for upload in after.flow.uploads] == ["pan"]
        assert tracker.renew_link(taken.id).flow.link.url.reveal() == "https://acme.example/again"  # type: ignore[union-attr]
        tracker.submit(taken.id)
        kinds = [event.kind for event in ledger.events(taken.id)]
        assert kinds[-3:] == ["uploaded", "link_renewed", "submitted"]

    def test_a_renewed_link_outlives_a_database_that_is_away_for_a_moment(
        self, ledger: Ledger, track: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        monkeypatch.setattr("idv_core.tracker.turning._COMMITS", (0.0,))
        commit, failures = ledger.commit, [OperationalError("UPDATE", {}, Exception("away"))]

        def failing(*args: Any, **more: Any) -> Verification:
            if failures:
                raise failures.pop()
            return commit(*args, **more)

        monkeypatch.setattr(ledger, "commit", failing)
        after = tracker.renew_link(taken.id)
        assert after.flow is not None
        assert after.flow.link is not None
        assert after.flow.link.url.reveal() == "https://acme.example/again"
        assert ledger.get(taken.id).flow == after.flow


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no", request=request)


def cut_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no", request=request)


class TestKilled:
    """`kill -9` at every commit and call of a turn (the same with real processes: test_crash)."""

    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    @pytest.mark.parametrize(
        ("method", "after"), [("claim", True), ("intend", False), ("intend", True), ("commit", False), ("commit", True)]
    )
    def test_nothing_is_lost_and_nothing_opened_twice(
        self,
        ledger: Ledger,
        track: Make,
        town: Town,
        platform: Platform,
        monkeypatch: pytest.MonkeyPatch,
        plugin: str,
        method: str,
        after: bool,
    ) -> None:
        shop = town.shops["a"]
        shop.status = "good"
        taken = ledger.take(order())
        first = track(account("a", plugin))
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(ledger, method, killing(ledger, method, after=after))
            first.step()
        run(track(account("a", plugin)), ledger, rounds=8, seconds=LEASE)
        assert shop.twice == []
        done = ledger.get(taken.id)
        kinds = [event.kind for event in ledger.events(taken.id)]
        # between the vendor's answer and our record, at a vendor that cannot be asked, nobody can tell
        hole = plugin == "bare" and (method, after) in {("intend", True), ("commit", False)}
        assert done.state is (State.UNKNOWN if hole else State.DECIDED)
        assert len(platform.got) == 1
        assert ("recovered" in kinds) == (plugin == "acme" and (method, after) == ("commit", False))
        assert ("not_opened" in kinds) == (plugin == "acme" and (method, after) == ("intend", True))
        assert ledger.verify().problems == ()

    def test_a_result_whose_commit_was_killed_is_fetched_again(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        track().step()
        town.shops["a"].status = "good"
        later(ledger, 60)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(ledger, "commit", killing(ledger, "commit"))
            track().step()
        run(track(), ledger, seconds=LEASE)
        assert ledger.get(taken.id).round == 1
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_a_message_that_was_sent_and_not_noted_comes_again_under_the_same_id(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger.take(order())
        town.shops["a"].status = "good"

        def dies(*args: Any, **options: Any) -> None:
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr("idv_core.tracker.turning.settle", dies)
            run(track(), ledger)
        run(track(), ledger)
        assert len(platform.got) == 2
        assert len({id for id, _ in platform.got}) == 1


class TestTwoWorkers:
    """Both believe that they hold the lease."""

    def taken_over(self, ledger: Ledger, other: Tracker) -> Callable[[], None]:
        def take_over() -> None:
            age(ledger, LEASE)
            other.step()

        return take_over

    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    def test_the_late_answer_to_an_opening_still_counts(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, plugin: str
    ) -> None:
        shop = town.shops["a"]
        taken = ledger.take(order())
        first, second = track(account("a", plugin)), track(account("a", plugin))
        shop.on_open = self.taken_over(ledger, second)
        first.step()
        opened = ledger.get(taken.id)
        assert opened.state is State.AWAITING
        assert opened.ref is not None
        assert shop.opened == ["CUST-1"]
        shop.status = "good"
        run(second, ledger)
        assert ledger.get(taken.id).state is State.DECIDED
        assert ledger.verify().problems == ()

    def test_who_lost_the_lease_before_he_asked_does_not_ask(
        self, ledger: Ledger, track: Make, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        first, second = track(), track()
        real = ledger.intend

        def slow(claim: Any, *args: Any, **options: Any) -> Any:
            if claim.worker == first.worker:
                age(ledger, LEASE)
                second.step()
            return real(claim, *args, **options)

        monkeypatch.setattr(ledger, "intend", slow)
        first.step()
        assert town.shops["a"].opened == ["CUST-1"]
        assert [event.kind for event in ledger.events(taken.id)] == ["ordered", "opening", "opened"]

    def test_one_outcome_of_two_that_were_fetched_is_written(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        first, second = track(), track()
        first.step()
        shop = town.shops["a"]
        shop.status = "good"

        def slowly(request: httpx.Request) -> httpx.Response:
            del shop.answers["GET /flows"]
            age(ledger, LEASE)
            second.step()
            return httpx.Response(200, json={"status": "good"})

        shop.answers["GET /flows"] = slowly
        later(ledger, 60)
        first.step()
        run(first, ledger)
        assert ledger.get(taken.id).round == 1
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_the_lease_is_longer_than_anything_that_is_done_under_it(self, ledger: Ledger, gateways: Any) -> None:
        slow = account("a", limits=Limits(operation=300))
        assert Context(gateways(slow, account("b")), ledger).lease > timedelta(seconds=310)


class TestUnknown:
    def lost(self, ledger: Ledger, track: Make, town: Town, **more: Any) -> str:
        """An opening at a vendor that cannot be asked, whose answer was cut off."""
        taken = ledger.take(order())
        shop = town.shops["a"]
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        tracker = track(account("a", "bare", **more), account("b"))
        tracker.step()
        later(ledger, 10)
        tracker.step()
        shop.on_open = lambda: None
        return taken.id

    def test_it_waits_for_a_person_and_that_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        id = self.lost(ledger, track, town)
        run(track(account("a", "bare"), account("b")), ledger)
        unknown = ledger.get(id)
        assert (unknown.state, unknown.due, unknown.account) == (State.UNKNOWN, None, "a")
        assert platform.told() == [("verification.unknown", "APP-1")]
        assert [one.id for one in ledger.listed(State.UNKNOWN)] == [id]
        assert town.shops["a"].opened == ["CUST-1"]
        assert town.shops["b"].opened == []

    def test_a_person_opens_it_again(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town)
        ledger.resolve(id, reopen=True, actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger, rounds=1, seconds=0)
        again = ledger.get(id)
        assert (again.state, again.account, again.ref) == (State.AWAITING, "a", "a/f-2;policy=" + again.policy)  # type: ignore[operator]
        said = [(event.actor, event.data) for event in ledger.events(id) if event.kind == "resolution"]
        assert said == [("user:ana", {"resolution": "reopen"})]

    def test_a_person_names_the_flow(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town)
        town.shops["a"].status = "good"
        ledger.resolve(id, adopt="f-1", actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger)
        done = ledger.get(id)
        assert (done.state, done.round) == (State.DECIDED, 2)
        assert done.flow is not None
        assert done.flow.id == "f-1"
        assert len(town.shops["a"].opened) == 1

    def test_a_flow_of_another_verification_is_not_named(self, ledger: Ledger, track: Make, town: Town) -> None:
        from idv_core.ledger import LedgerError

        person = attrs.evolve(order().applicant, reference="CUST-2")
        theirs = ledger.take(order(application_id="APP-2", applicant=person))
        track(account("a", "bare")).step()
        mine = self.lost(ledger, track, town)
        with pytest.raises(LedgerError, match=f"f-1 at a is that of verification {theirs.id} already"):
            ledger.resolve(mine, adopt="f-1", actor="user:ana")
        assert "resolution" not in [event.kind for event in ledger.events(mine)]
        ledger.resolve(mine, adopt="f-2", actor="user:ana")

    def test_a_person_gives_it_up(self, ledger: Ledger, track: Make, town: Town, platform: Platform) -> None:
        id = self.lost(ledger, track, town)
        ledger.resolve(id, give_up=True, actor="user:ana")
        run(track(account("a", "bare"), account("b")), ledger)
        assert ledger.get(id).state is State.FAILED
        assert platform.told() == [("verification.unknown", "APP-1"), ("verification.failed", "APP-1")]

    def test_only_what_is_unknown_can_be_resolved(self, ledger: Ledger, track: Make) -> None:
        from idv_core.ledger import LedgerError

        id = ledger.take(order()).id
        with pytest.raises(LedgerError, match="is ordered, not unknown"):
            ledger.resolve(id, reopen=True, actor="user:ana")
        with pytest.raises(LedgerError, match="exactly one"):
            ledger.resolve(id, actor="user:ana")
        with pytest.raises(LedgerError, match="there is no verification"):
            ledger.resolve("01NOTHING", give_up=True, actor="user:ana")

    def test_the_rule_reopen_opens_it_once_more(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town, unknown="reopen")
        track(account("a", "bare", unknown="reopen"), account("b")).step()
        assert ledger.get(id).state is State.AWAITING
        assert len(town.shops["a"].opened) == 2

    @pytest.mark.parametrize("by", ["rule", "person"])
    def test_the_process_that_lost_the_answer_opens_it_again_too(
        self, ledger: Ledger, track: Make, town: Town, by: str
    ) -> None:
        """Its gateway remembers the lost opening, and would ask nobody else for a while."""
        id, shop = ledger.take(order()).id, town.shops["a"]
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        tracker = track(account("a", "bare", unknown="reopen" if by == "rule" else "review"), account("b"))
        tracker.step()
        shop.on_open = lambda: None
        for _ in range(2):
            later(ledger, 10)
            tracker.step()
        if by == "person":
            assert ledger.get(id).state is State.UNKNOWN
            ledger.resolve(id, reopen=True, actor="user:ana")
            tracker.step()
            tracker.step()
        assert ledger.get(id).state is State.AWAITING
        assert len(shop.opened) == 2

    def test_the_rule_next_goes_to_the_next_account_of_the_route(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = self.lost(ledger, track, town, unknown="next")
        track(account("a", "bare", unknown="next"), account("b")).step()
        now = ledger.get(id)
        assert (now.state, now.account) == (State.AWAITING, "b")
        assert town.shops["b"].opened == ["CUST-1"]


class TestWebhooks:
    def call(self, gateway: Gateway, url: str, id: str, on: Ledger, body: bytes = b"{}") -> bool:
        path = url.removeprefix("https://platform.example/idv/").split("/", 1)
        request = WebhookRequest(method="POST", path=path[1], query={"id": id}, body=body)
        with gateway.receiving(path[0], request) as received:
            return on.hint(received)

    def test_one_wakes_its_verification_at_once(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town, platform: Platform
    ) -> None:
        ledger.take(order())
        tracker = track()
        tracker.step()
        assert tracker.step() == 0
        town.shops["a"].status = "good"
        assert self.call(gateways(), town.shops["a"].callbacks["f-1"], "f-1", ledger)
        tracker.step()
        assert platform.told() == [("verification.decided", "APP-1")]

    def test_the_same_call_counts_once_in_all_processes(
        self, connect: Connect, ledger: Ledger, track: Make, gateways: Any, town: Town
    ) -> None:
        id = ledger.take(order()).id
        track().step()
        url = town.shops["a"].callbacks["f-1"]
        said = [self.call(gateways(), url, "f-1", connect()) for _ in range(3)]
        assert said == [True, False, False]
        assert [event.kind for event in ledger.events(id)].count("webhook") == 1
        assert self.call(gateways(), url, "f-1", connect(), b'{"n":2}')

    def test_one_that_comes_while_a_turn_is_under_way_is_not_missed(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town
    ) -> None:
        taken = ledger.take(order())
        tracker, shop = track(), town.shops["a"]
        tracker.step()
        later(ledger, 60)

        def answer(_: httpx.Request) -> httpx.Response:
            del shop.answers["GET /flows"]
            self.call(gateways(), shop.callbacks["f-1"], "f-1", ledger)
            shop.status = "good"
            return httpx.Response(200, json={"status": "busy"})

        shop.answers["GET /flows"] = answer
        tracker.step()
        tracker.step()
        assert ledger.get(taken.id).state is State.DECIDED

    def test_one_never_takes_a_verification_away_from_its_worker(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town
    ) -> None:
        id = ledger.take(order()).id
        first, second, shop = track(), track(), town.shops["a"]
        found: list[int] = []

        def while_opening() -> None:
            self.call(gateways(), shop.callbacks["f-1"], "f-1", ledger)
            found.append(second.step())

        shop.on_open = while_opening
        first.step()
        assert found == [0]
        assert ledger.get(id).state is State.AWAITING

    def test_one_resolves_what_was_unknown_if_it_came_to_the_address_of_that_application(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town, clock: FakeClock
    ) -> None:
        taken = ledger.take(order())
        shop = town.shops["a"]
        # an account without a call to recover, that does call back
        plain = account("a", "calling")
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        tracker = track(plain)
        run(tracker, ledger, rounds=2)
        assert ledger.get(taken.id).state is State.UNKNOWN
        shop.status = "good"
        self.call(gateways(plain), shop.callbacks["f-1"], "f-1", ledger)
        run(track(plain), ledger)
        done = ledger.get(taken.id)
        assert (done.state, done.round) == (State.DECIDED, 2)
        assert done.policy is not None
        assert done.policy.startswith("registered.")
        assert shop.opened == ["CUST-1"]
        assert "adopted" in [event.kind for event in ledger.events(taken.id)]

    def test_a_flow_of_somebody_else_is_never_adopted(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town
    ) -> None:
        person = attrs.evolve(order().applicant, reference="CUST-2")
        theirs = ledger.take(order(application_id="APP-2", applicant=person))
        shop, plain = town.shops["a"], account("a", "calling")
        track(plain).step()
        mine = ledger.take(order())
        shop.on_open = lambda: cut_off(httpx.Request("POST", "https://a.example"))
        run(track(plain), ledger, rounds=2)
        assert ledger.get(mine.id).state is State.UNKNOWN
        theirs_id = ledger.get(theirs.id).flow.id  # type: ignore[union-attr]
        self.call(gateways(plain), shop.callbacks["f-2"], theirs_id, ledger)
        run(track(plain), ledger)
        assert ledger.get(mine.id).state is State.UNKNOWN

    def test_a_decision_that_a_vendor_reopens_is_followed_and_told_again(
        self, ledger: Ledger, track: Make, gateways: Any, town: Town, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        tracker, shop = track(), town.shops["a"]
        shop.status = "good"
        run(tracker, ledger)
        shop.status = "busy"
        self.call(gateways(), shop.callbacks["f-1"], "f-1", ledger, b"reopened")
        tracker.step()
        assert ledger.get(taken.id).state is State.FOLLOWING
        shop.status = "good"
        run(tracker, ledger)
        assert (ledger.get(taken.id).state, ledger.get(taken.id).round) == (State.DECIDED, 2)
        assert [said["data"]["round"] for _, said in platform.got] == [1, 2]


class TestHandlers:
    table = Table("loan", MetaData(), Column("id", String(40), primary_key=True), Column("decision", String(20)))

    def decided(self, con: Connection, verification: Verification, result: Result | None) -> None:
        con.execute(
            insert(self.table).values(id=verification.application_id, decision=result and result.decision.value)
        )

    def count(self, ledger: Ledger) -> int:
        with ledger.store.engine.connect() as con:
            return con.execute(select(func.count()).select_from(self.table)).scalar_one()

    def test_what_they_write_is_there_with_the_outcome(self, ledger: Ledger, track: Make, town: Town) -> None:
        self.table.create(ledger.store.engine)
        ledger.take(order())
        town.shops["a"].status = "good"
        run(track(on_decided=self.decided), ledger)
        assert self.count(ledger) == 1

    def test_where_one_fails_nothing_is_written_and_it_is_tried_again(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.table.create(ledger.store.engine)
        taken = ledger.take(order())
        town.shops["a"].status = "good"
        broken = [True]

        def decided(con: Connection, verification: Verification, result: Result | None) -> None:
            self.decided(con, verification, result)
            if broken:
                raise KeyError("Meera's loan")

        tracker = track(on_decided=decided)
        run(tracker, ledger)
        assert (self.count(ledger), platform.got) == (0, [])
        assert ledger.get(taken.id).state is State.AWAITING
        assert "its turn failed with KeyError at" in caplog.text
        assert "Meera" not in caplog.text
        broken.clear()
        run(tracker, ledger, seconds=900)
        assert self.count(ledger) == 1
        assert platform.told() == [("verification.decided", "APP-1")]


class TestDelivery:
    def decided(self, ledger: Ledger, track: Make, town: Town) -> Tracker:
        ledger.take(order())
        town.shops["a"].status = "good"
        tracker = track()
        run(tracker, ledger, rounds=2, seconds=60)
        return tracker

    def test_it_is_tried_by_the_schedule_and_then_is_a_dead_letter(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        platform.status = 500
        tracker = self.decided(ledger, track, town)
        id = ledger.find(application_id="APP-1").id  # type: ignore[union-attr]
        for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, 86400, 86400):
            later(ledger, seconds + 1)
            tracker.step()
        assert len(platform.got) == 10
        assert len({id for id, _ in platform.got}) == 1
        (dead,) = ledger.deliveries(id)
        assert dead.dead_at is not None
        assert (dead.due, dead.last_status) == (None, 500)
        assert ledger.events(id)[-1].kind == "undeliverable"
        platform.status = 204
        assert ledger.redeliver(dead=True, actor="user:ana") == 1
        tracker.step()
        (done,) = ledger.deliveries(id)
        assert done.done_at is not None
        assert [event.kind for event in ledger.events(id)][-2:] == ["redelivered", "delivered"]

    def test_410_ends_it(self, ledger: Ledger, track: Make, town: Town, platform: Platform) -> None:
        platform.status = 410
        tracker = self.decided(ledger, track, town)
        later(ledger, 100)
        tracker.step()
        assert len(platform.got) == 1

    def test_retry_after_is_waited_for(self, ledger: Ledger, track: Make, town: Town, platform: Platform) -> None:
        platform.status, platform.headers = 503, {"retry-after": "3600"}
        tracker = self.decided(ledger, track, town)
        later(ledger, 3000)
        tracker.step()
        assert len(platform.got) == 1
        later(ledger, 700)
        tracker.step()
        assert len(platform.got) == 2

    def test_the_address_of_an_endpoint_is_not_logged(
        self, ledger: Ledger, track: Make, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        self.decided(ledger, track, town)
        assert "loans.example" not in caplog.text

    def test_a_redirect_is_not_followed(self, ledger: Ledger, track: Make, town: Town, platform: Platform) -> None:
        platform.status, platform.headers = 302, {"location": "https://elsewhere.example/"}
        self.decided(ledger, track, town)
        (sent,) = ledger.deliveries(ledger.find(application_id="APP-1").id)  # type: ignore[union-attr]
        assert (sent.last_status, sent.done_at) == (302, None)

    def test_of_an_answer_without_end_only_the_beginning_is_read(
        self, ledger: Ledger, gateways: Any, town: Town, platform: Platform
    ) -> None:
        sent: list[int] = []

        class Endless(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                while len(sent) < 1_000:
                    sent.append(8192)
                    yield bytes(8192)

        def endless(request: httpx.Request) -> httpx.Response:
            return httpx.Response(platform(request).status_code, stream=Endless())

        town.shops["a"].status = "good"
        ledger.take(order())
        tracker = Tracker(gateways(), ledger, transport=httpx.MockTransport(endless))
        run(tracker, ledger, rounds=2, seconds=60)
        tracker.stop()
        (letter,) = ledger.deliveries(ledger.find(application_id="APP-1").id)  # type: ignore[union-attr]
        assert letter.done_at is not None
        assert 0 < len(sent) <= 10

    def test_both_secrets_of_a_rotation_sign(
        self, connect: Connect, track: Make, town: Town, platform: Platform
    ) -> None:
        other = Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
        ledger = connect(endpoints=[Endpoint("loans", "https://loans.example/hooks", (other, SECRET))])
        ledger.take(order())
        town.shops["a"].status = "good"
        run(track(on=ledger), ledger)
        assert platform.told() == [("verification.decided", "APP-1")]

    @pytest.mark.parametrize("given", ["no base64 at all é", "whsec_", "c2hvcnQ=", f"{SECRET.reveal()}!", "A" * 88])
    def test_a_secret_that_cannot_sign_is_refused_at_the_start(
        self, connect: Connect, gateways: Any, given: str
    ) -> None:
        ledger = connect(endpoints=[Endpoint("loans", "https://loans.example", Secret(given))])
        with pytest.raises(ConfigError, match="endpoint 'loans': its secret must be 24 to 64 random bytes in base64"):
            Tracker(gateways(), ledger)

    @pytest.mark.parametrize("failure", [UnicodeError("label too long"), httpx.InvalidURL("no URL")])
    def test_an_address_that_nobody_can_call_counts_as_a_try(
        self, ledger: Ledger, gateways: Any, town: Town, failure: Exception
    ) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise failure

        town.shops["a"].status = "good"
        taken = ledger.take(order())
        tracker = Tracker(gateways(), ledger, transport=httpx.MockTransport(refuse))
        run(tracker, ledger, rounds=2, seconds=60)
        tracker.stop()
        (message,) = ledger.deliveries(taken.id)
        assert message.tries > 0

    def test_what_waits_for_an_endpoint_that_is_gone_is_not_taken_off_the_dead_letters(
        self, connect: Connect, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        platform.status = 410
        self.decided(ledger, track, town)
        renamed = connect(endpoints=[attrs.evolve(ledger.endpoints["loans"], name="other")])
        (dead,) = renamed.deliveries(ledger.find(application_id="APP-1").id)  # type: ignore[union-attr]
        assert renamed.redeliver(dead=True, actor="user:ana") == 0
        for which in ({"message_id": dead.id}, {"endpoint": "loans"}, {"endpoint": "loans", "dead": True}):
            with pytest.raises(LedgerError, match="there is no endpoint 'loans' any more: add it"):
                renamed.redeliver(**which, actor="user:ana")
        assert renamed.deliveries(dead.verification_id) == (dead,)
        assert dead.dead_at is not None

    def test_a_message_is_written_with_the_outcome_or_not_at_all(
        self, ledger: Ledger, track: Make, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OperationalError("INSERT", {}, Exception("disk full"))

        taken = ledger.take(order())
        town.shops["a"].status = "good"
        with monkeypatch.context() as patch:
            patch.setattr("idv_core.ledger.leases.post", full)
            run(track(), ledger)
        with ledger.store.engine.connect() as con:
            assert con.execute(select(func.count()).select_from(deliveries)).scalar_one() == 0
        assert ledger.get(taken.id).decision is None


class TestDatabaseAway:
    def test_a_flow_that_was_opened_is_kept_while_the_database_is_away(
        self, ledger: Ledger, track: Make, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track(account("a", "bare"))
        tracker._stopping.set()  # its rests end at once
        real, failures = ledger.commit, [1, 2]

        def commit(*args: Any, **options: Any) -> Any:
            if failures:
                failures.pop()
                raise OperationalError("UPDATE", {}, Exception("connection lost"))
            return real(*args, **options)

        monkeypatch.setattr(ledger, "commit", commit)
        tracker.step()
        assert ledger.get(taken.id).state is State.AWAITING

    def test_a_commit_whose_answer_was_lost_is_not_made_twice(
        self, ledger: Ledger, track: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker._stopping.set()
        real, lost = ledger.commit, [1]

        def commit(*args: Any, **options: Any) -> Any:
            done = real(*args, **options)
            if lost:
                lost.pop()
                raise OperationalError("COMMIT", {}, Exception("connection lost"))
            return done

        monkeypatch.setattr(ledger, "commit", commit)
        tracker.step()
        assert [event.kind for event in ledger.events(taken.id)] == ["ordered", "opening", "opened"]
        assert len(ledger.flows(taken.id)) == 1

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    @pytest.mark.parametrize("plugin", ["acme", "bare"])
    def test_connections_that_are_cut_while_a_vendor_is_asked_lose_nothing(
        self, ledger: Ledger, connect: Connect, track: Make, town: Town, plugin: str
    ) -> None:
        from sqlalchemy import text

        taken, other = ledger.take(order()), connect()
        cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

        def cut_all() -> None:
            with other.store.engine.connect() as con:
                assert len(con.execute(cut).all()) > 0

        town.shops["a"].on_open = cut_all
        track(account("a", plugin)).step()
        assert ledger.get(taken.id).state is State.AWAITING
        assert town.shops["a"].opened == ["CUST-1"]

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_full_disk_stops_orders_and_loses_nothing(self, ledger: Ledger, track: Make, town: Town) -> None:
        from sqlalchemy import event, text

        def small(connection: Any, _: object) -> None:
            connection.execute("PRAGMA max_page_count = 1")

        first = ledger.take(order())
        engine = ledger.store.engine
        engine.dispose()
        event.listen(engine, "connect", small)
        with pytest.raises(OperationalError, match="full"):
            for number in range(200):
                ledger.take(order(application_id=f"FILLING-{number}"))
        tracker = track()
        tracker._stopping.set()
        for _ in range(3):
            try:
                tracker.step()
            except OperationalError:
                pass
            later(ledger, LEASE)
        event.remove(engine, "connect", small)
        engine.dispose()
        town.shops["a"].status = "good"
        run(tracker, ledger, rounds=6, seconds=900)
        assert ledger.get(first.id).state is State.DECIDED
        assert town.shops["a"].twice == [] or len(set(town.shops["a"].opened)) == 1
        with engine.connect() as con:
            assert con.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert ledger.verify().problems == ()

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_a_clock_that_jumps_loses_nothing(
        self, ledger: Ledger, track: Make, town: Town, clock: FakeClock, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        tracker = track()
        tracker.step()
        clock.advance(-7200)
        town.shops["a"].status = "good"
        assert tracker.step() == 0
        clock.advance(7200 + 86400)
        run(tracker, ledger)
        assert ledger.get(taken.id).state is State.DECIDED
        assert len(platform.got) == 1
        assert ledger.verify().problems == ()


class TestCaps:
    def test_a_daily_cap_of_all_processes_sends_the_rest_to_the_fallback(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        for number in range(4):
            person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
            ledger.take(order(application_id=f"APP-{number}", applicant=person))
        accounts = account("a", daily_cap=3), account("b")
        for _ in range(2):
            # each process counts to two only
            for claim in [1, 2]:
                assert claim
                track(*accounts).step(most=1)
        assert (len(town.shops["a"].opened), len(town.shops["b"].opened)) == (3, 1)

    def test_an_opening_that_was_refused_is_not_counted(self, ledger: Ledger, track: Make, town: Town) -> None:
        town.shops["a"].answers["POST /flows"] = lambda _: httpx.Response(429)
        taken = ledger.take(order())
        tracker = track(account("a", daily_cap=1))
        tracker.step()
        assert ledger.get(taken.id).state is State.ORDERED
        del town.shops["a"].answers["POST /flows"]
        run(tracker, ledger)
        assert ledger.get(taken.id).state is State.FOLLOWING

    def test_a_rate_is_kept_by_all_processes_together(
        self, ledger: Ledger, track: Make, town: Town, clock: FakeClock
    ) -> None:
        for number in range(3):
            person = attrs.evolve(order().applicant, reference=f"CUST-{number}")
            ledger.take(order(application_id=f"APP-{number}", applicant=person))
        slow = account("a", "bare", limits=Limits(rate=1 / 60))
        for _ in range(3):
            track(slow).step(most=1)
        assert len(town.shops["a"].opened) == 1


class TestRunning:
    def test_in_threads_an_order_comes_to_its_end_by_itself(
        self, ledger: Ledger, gateways: Any, town: Town, platform: Platform
    ) -> None:
        town.shops["a"].status = "good"
        heard = threading.Event()

        def told(*_: Any) -> None:
            heard.set()

        slow_poll = 30.0  # what is taken here wakes the tracker of this process
        with Tracker(
            gateways(), ledger, on_decided=told, poll=slow_poll, transport=httpx.MockTransport(platform)
        ) as tracker:
            opened = tracker.opened(ledger.take(order()), within=20)
            assert opened.flow is not None
            ledger.wake(opened.id)
            assert heard.wait(20)
        assert ledger.get(opened.id).state is State.DECIDED

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_another_process_is_told_by_the_database(
        self, ledger: Ledger, connect: Connect, gateways: Any, town: Town
    ) -> None:
        with Tracker(gateways(), ledger, poll=30.0, transport=httpx.MockTransport(Platform())) as tracker:
            # the first one is found at the start
            tracker.opened(ledger.take(order()), within=20)
            person = attrs.evolve(order().applicant, reference="CUST-2")
            other = connect().take(order(application_id="APP-2", applicant=person))
            assert tracker.opened(other, within=20).flow is not None

    async def test_in_tasks_too(self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform) -> None:
        town.shops["a"].status = "good"
        heard = threading.Event()
        async with (
            make_async_gateway(town, clock, account("a")) as gateway,
            AsyncTracker(
                gateway,
                ledger,
                on_decided=lambda *_: heard.set(),
                poll=30.0,
                transport=httpx.MockTransport(platform),
            ) as tracker,
        ):
            taken = await asyncio.to_thread(ledger.take, order())
            opened = await tracker.opened(taken, within=20)
            assert opened.flow is not None
            after = await tracker.upload(taken.id, [Document("pan", content=b"\x89PNG picture")])
            assert after.flow is not None
            assert len(after.flow.uploads) == 1
            await asyncio.to_thread(ledger.wake, taken.id)
            assert await asyncio.to_thread(heard.wait, 20)
        assert ledger.get(taken.id).state is State.DECIDED
        assert [event.kind for event in ledger.events(taken.id)][:3] == ["ordered", "opening", "opened"]

    async def test_tasks_step_through_what_is_due(
        self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform
    ) -> None:
        taken = ledger.take(order())
        async with make_async_gateway(town, clock, account("a", "bare")) as gateway:
            tracker = AsyncTracker(gateway, ledger, transport=httpx.MockTransport(platform))
            assert await tracker.step() == 1
            town.shops["a"].status = "good"
            ledger.wake(taken.id)
            assert await tracker.turn(taken.id) is None
            assert await tracker.step() == 1
            await tracker.stop()
        assert platform.told() == [("verification.decided", "APP-1")]

    async def test_tasks_wait_for_an_endpoint_no_longer_than_is_allowed(
        self, ledger: Ledger, town: Town, clock: FakeClock, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("idv_core.tracker.aio.SECONDS", 0.05)

        class Dripping(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.Event().wait()

        def dripping(request: httpx.Request) -> httpx.Response:
            return httpx.Response(platform(request).status_code, stream=Dripping())

        taken = ledger.take(order())
        town.shops["a"].status = "good"
        async with make_async_gateway(town, clock, account("a", "bare")) as gateway:
            tracker = AsyncTracker(gateway, ledger, transport=httpx.MockTransport(dripping))
            for _ in range(3):
                await tracker.step()
                ledger.wake(taken.id)
            await tracker.stop()
        (letter,) = ledger.deliveries(taken.id)
        assert letter.done_at is not None

    def test_a_job_queue_may_drive_single_turns(self, ledger: Ledger, track: Make, town: Town) -> None:
        taken = ledger.take(order())
        tracker = track()
        due = tracker.turn(taken.id)
        assert due is not None
        assert timedelta(0) < due < timedelta(seconds=10)
        before = raw(ledger, taken.id)
        assert tracker.turn(taken.id) is not None  # too early: nothing is done
        assert raw(ledger, taken.id)["turn"] == before["turn"]
        town.shops["a"].status = "good"
        later(ledger, 60)
        assert tracker.turn(taken.id) is None
        assert ledger.get(taken.id).state is State.DECIDED

    def test_workers_have_names_of_their_own(self, track: Make) -> None:
        assert track().worker != track().worker


class TestErasing:
    def test_vendors_that_cannot_erase_are_left_for_a_person(self, ledger: Ledger, track: Make, town: Town) -> None:
        id = ledger.take(order()).id
        town.shops["a"].status = "good"
        tracker = track()
        run(tracker, ledger)
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger)
        (row,) = ledger.flows(id)
        assert row.erasure == "by hand"
        assert ledger.get(id).due is None

    def test_a_vendor_is_asked_by_reference_until_it_says_that_it_is_done(
        self, ledger: Ledger, track: Make, town: Town
    ) -> None:
        id = ledger.take(order()).id
        shop, said = town.shops["a"], ["requested", "requested", "done"]
        shop.status = "good"
        shop.answers["DELETE /flows/f-1"] = lambda _: httpx.Response(200, json={"erasure": said.pop(0)})
        tracker = track(account("a", "calling"))
        run(tracker, ledger)
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger, rounds=5, seconds=86400 + 60)
        assert said == []
        assert ledger.flows(id)[0].erasure == "done"
        assert [event.data["status"] for event in ledger.events(id) if event.kind == "erasure"] == ["requested", "done"]
        assert ledger.get(id).due is None
        assert ledger.verify().problems == ()

    def test_retention_erases_by_itself(self, connect: Connect, track: Make, town: Town) -> None:
        ledger = connect(retention=timedelta(days=90))
        id = ledger.take(order()).id
        town.shops["a"].status = "good"
        tracker = track(on=ledger)
        run(tracker, ledger)
        assert ledger.get(id).order is not None
        run(tracker, ledger, seconds=91 * 86400)
        gone = ledger.get(id)
        assert (gone.state, gone.order, gone.decision) == (State.DECIDED, None, Decision.APPROVED)

    def test_what_is_erased_before_its_end_is_told(
        self, ledger: Ledger, track: Make, town: Town, platform: Platform
    ) -> None:
        id = ledger.take(order()).id
        tracker = track()
        tracker.step()
        ledger.erase(id, actor="user:ana")
        run(tracker, ledger)
        assert ledger.get(id).state is State.ERASED
        assert platform.told() == [("verification.erased", "APP-1")]


def test_who_is_stale_says_so_without_values() -> None:
    assert str(Stale("verification 01J was taken over by another worker")) == (
        "verification 01J was taken over by another worker"
    )
