"""Messages to the platform: signed, tried again, given up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
from acme import order
from books import Town, later
from ledger.following import SECRET, Connect, Make, Platform, run
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from idv_core import ConfigError, Secret
from idv_core.ledger import Endpoint, Ledger, LedgerError
from idv_core.ledger.tables import deliveries
from idv_core.tracker import Tracker


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
