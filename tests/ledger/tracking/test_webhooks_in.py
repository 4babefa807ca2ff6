"""Webhooks of vendors wake their verification, in any process."""

from __future__ import annotations

from typing import Any

import attrs
import httpx
from acme import order
from books import Town, account, later
from ledger.following import Connect, Make, Platform, cut_off, run

from idv_core import Gateway
from idv_core.ledger import Ledger, State
from idv_core.testing import FakeClock
from idv_core.webhooks import WebhookRequest


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
