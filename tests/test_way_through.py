"""From `Gateway.open` to the driver there are few frames, and each has the name of a stage. An answer is decoded once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from harnesses import HARNESSES

import idv_core
from idv_core.engine.effects import Effect, Send
from idv_core.engine.sync_driver import SyncDriver
from idv_core.plugin import decoding, http
from idv_core.testing import FakeClock
from idv_core.testing.harness import Driver

MOST = 6
CORE = Path(idv_core.__file__).parent


class Watched:
    """Steps that tell how many generators stood inside each other whenever a request went to the driver."""

    def __init__(self, steps: Any, told: list[list[str]]) -> None:
        self.steps, self.told = steps, told

    def send(self, value: Any) -> Effect:
        effect: Effect = self.steps.send(value)
        if isinstance(effect, Send):
            self.told.append(list(names_within(self.steps)))
        return effect

    def throw(self, error: Exception) -> Effect:
        effect: Effect = self.steps.throw(error)
        return effect

    def close(self) -> None:
        self.steps.close()


def names_within(steps: Any) -> Iterator[str]:
    while hasattr(steps, "gi_yieldfrom"):
        yield steps.gi_code.co_name
        steps = steps.gi_yieldfrom


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """For each request sent, the names of the generators between the driver and its `Send`."""
    told: list[list[str]] = []
    run = SyncDriver.run
    monkeypatch.setattr(SyncDriver, "run", lambda self, steps: run(self, Watched(steps, told)))  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("vendor", sorted(HARNESSES))
def test_at_most_six_generators_stand_between_the_driver_and_a_request_of_open(
    vendor: str, clock: FakeClock, told: list[list[str]]
) -> None:
    harness = HARNESSES[vendor](clock)
    idv = Driver(harness, "sync")
    idv.open(harness.order)
    # a token is obtained on the way, once
    own = [names for names in told if "_renewed_token" not in names]
    assert own
    assert all(len(names) <= MOST for names in own), own
    idv.close()


def test_the_stages_are_named(clock: FakeClock, told: list[list[str]]) -> None:
    harness = HARNESSES["verigram"](clock)
    idv = Driver(harness, "sync")
    idv.open(harness.order)
    assert told == [["open_flow", "_open_at", "execute", "perform", "call", "_attempt"]]
    idv.close()


def test_the_adapter_is_reached_through_one_lambda_at_most(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = HARNESSES["verigram"](clock)
    idv = Driver(harness, "sync")
    between: list[list[str]] = []
    real = idv.adapter.open_flow

    def stacked(frame: FrameType | None) -> Iterator[str]:
        while frame is not None:
            if Path(frame.f_code.co_filename).is_relative_to(CORE) and "testing" not in frame.f_code.co_filename:
                yield frame.f_code.co_name
            frame = frame.f_back

    def noted(order: Any) -> Any:
        between.append(list(stacked(sys._getframe(1))))
        return real(order)

    monkeypatch.setattr(type(idv.adapter), "open_flow", lambda self, order: noted(order))
    idv.open(harness.order)
    (names,) = between
    assert names.count("<lambda>") == 1, names
    assert names[:2] == ["<lambda>", "perform"]
    idv.close()


@pytest.mark.parametrize("vendor", sorted(HARNESSES))
def test_each_answer_is_decoded_once(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def counted(content: bytes) -> Any:
        read.append(content)
        return decoding.decode(content)

    monkeypatch.setattr(http, "decode", counted)
    harness = HARNESSES[vendor](FakeClock())
    idv = Driver(harness, "sync")
    try:
        idv.wait(harness.finish(idv, idv.open(harness.order)))
    finally:
        idv.close()
    assert len(read) == len({id(content) for content in read}) > 1
