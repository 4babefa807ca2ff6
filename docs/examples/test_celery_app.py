"""The Celery tasks, tested without a broker that runs and without waiting: `countdown` moves the vendor's clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import celery_app
import pytest
from celery import Task
from celery.exceptions import Retry
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import OutcomeUnknown, Received, Result, Secret, WebhookApp
from idv_core.errors import AuthenticationFailed, RateLimited, VendorUnavailable
from idv_core.ledger import Ledger, Verification
from idv_core.testing import FakeVendor
from idv_core.tracker import Tracker


@pytest.fixture(autouse=True)
def outcomes(fake_vendor: FakeVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was decided; and a gateway, a ledger and a tracker with the vendor's clock."""
    told: list[str] = []

    def decided(connection: object, verification: Verification, result: Result | None) -> None:
        told.append(f"{verification.application_id} {verification.decision}")

    celery_app.app.conf.broker_url = "memory://"
    gateway = fake_vendor.gateway()
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", keys=[Secret("k" * 32)], clock=fake_vendor.clock)
    tracker = Tracker(gateway, ledger, on_decided=decided)
    for name, made in (("gateway", gateway), ("ledger", ledger), ("tracker", tracker)):
        monkeypatch.setattr(celery_app, name, lambda made=made: made)
    yield told
    tracker.stop()
    ledger.close()


def once(task: Task, argument: str, retries: int = 0) -> float | None:
    """What a worker does with one message: run it. Returns the countdown of the retry that it asks for, in seconds."""
    task.push_request(id="1", args=(argument,), kwargs={}, retries=retries, called_directly=False)
    try:
        task.run(argument)
    except Retry as later:
        return float(later.when)
    finally:
        task.pop_request()
    return None


def test_the_order_is_followed_to_its_decision(fake_vendor: FakeVendor, outcomes: list[str]) -> None:
    taken = celery_app.start(fake_vendor.order("APP-1"))
    pause = once(celery_app.turn, taken.id)
    assert pause is not None
    (id,) = fake_vendor.verifications
    fake_vendor.decide(f"fake/{id}", "approved")
    fake_vendor.clock.advance(pause)
    once(celery_app.turn, taken.id)
    assert outcomes == ["APP-1 approved"]


def test_a_webhook_starts_a_turn(fake_vendor: FakeVendor, outcomes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake_vendor.deliver_to(
        Starlette(routes=[Mount("/idv", WebhookApp(celery_app.gateway(), on_received=celery_app.on_received))])
    )
    taken = celery_app.start(fake_vendor.order("APP-1"))
    once(celery_app.turn, taken.id)
    sent: list[str] = []
    monkeypatch.setattr(celery_app.turn, "delay", sent.append)
    (id,) = fake_vendor.verifications
    fake_vendor.decide(f"fake/{id}", "approved")
    assert sent == [taken.id]
    celery_app.on_received(Received(account="fake", event="finished", flow_ref=f"fake/{id}", fetch=True))
    celery_app.on_received(Received(account="fake", event="ping", fetch=False))
    assert sent == [taken.id, taken.id]
    once(celery_app.turn, taken.id)
    assert outcomes == ["APP-1 approved"]


def test_an_application_that_comes_twice_is_opened_once(fake_vendor: FakeVendor) -> None:
    first = celery_app.start(fake_vendor.order("APP-1"))
    again = celery_app.start(fake_vendor.order("APP-1"))
    assert first.id == again.id
    for _ in range(3):
        once(celery_app.turn, first.id)
    assert len(fake_vendor.verifications) == 1


def test_a_lost_answer_opens_nothing_twice(fake_vendor: FakeVendor) -> None:
    taken = celery_app.start(fake_vendor.order("APP-1"))
    fake_vendor.fail(next="open", error=OutcomeUnknown, done=True)
    for _ in range(4):
        fake_vendor.clock.advance(once(celery_app.turn, taken.id) or 0)
    assert len(fake_vendor.verifications) == 1


def test_a_task_that_was_lost_is_swept_up(fake_vendor: FakeVendor) -> None:
    celery_app.ledger().take(fake_vendor.order("APP-1"))
    celery_app.sweep.run()
    assert len(fake_vendor.verifications) == 1


def test_without_a_ledger_it_waits_politely(fake_vendor: FakeVendor) -> None:
    flow = celery_app.gateway().open(fake_vendor.order("APP-1"))
    assert once(celery_app.look, flow.ref) == celery_app.LOOK_EVERY
    fake_vendor.decide(flow, "declined")
    for retries, expected in ((0, 60), (1, 120), (20, celery_app.LONGEST)):
        fake_vendor.fail(next="result", error=VendorUnavailable)
        assert once(celery_app.look, flow.ref, retries) == expected
    assert celery_app.look.run(flow.ref) == "declined"


def test_the_vendors_own_advice_is_followed(fake_vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(ref: str) -> None:
        raise RateLimited("too many calls", safe_to_retry=True, retry_after=timedelta(seconds=17))

    monkeypatch.setattr(celery_app.gateway(), "result", refuse)
    assert once(celery_app.look, "fake/v-1") == 17


def test_a_wrong_key_is_not_tried_for_ever(fake_vendor: FakeVendor) -> None:
    flow = celery_app.gateway().open(fake_vendor.order("APP-1"))
    fake_vendor.fail(next="result", error=AuthenticationFailed)
    with pytest.raises(AuthenticationFailed):
        celery_app.look.run(flow.ref)
