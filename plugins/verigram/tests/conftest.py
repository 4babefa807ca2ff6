"""Fixtures: Verigram's plugin and its emulator on an in-process network."""

from __future__ import annotations

import pytest
from idv_verigram import idv_plugin
from idv_verigram.emulator import VerigramEmulator
from verigram_bench import AIGERIM, DANIYAR, HOST, order, refused, walker

from idv_core import AuthenticationFailed, InvalidOrder, PermissionDenied, Secret
from idv_core.callbacks import Inbound
from idv_core.errors import OutcomeUnknown, RateLimited, VendorUnavailable
from idv_core.testing import FakeClock, Network
from idv_core.testing.conformance import Bench, DocumentedError, UnknownWord, answers
from idv_core.testing.fixtures import clock, network


@pytest.fixture
def emulator(clock: FakeClock, network: Network) -> VerigramEmulator:
    made = VerigramEmulator(clock, client=network.client)
    network.add(HOST, made.app)
    clock.on_advance.append(made.tick)
    return made


@pytest.fixture
def settings() -> dict[str, object]:
    return {
        "base_url": f"https://{HOST}",
        "api_key": Secret("production-key-1"),
        "secret": Secret("s3cr3t-for-tests"),
    }


@pytest.fixture
def bench(clock: FakeClock, network: Network, emulator: VerigramEmulator, settings: dict[str, object]) -> Bench:
    errors = (
        (401, "UNAUTHORIZED", AuthenticationFailed),
        (403, "FORBIDDEN", PermissionDenied),
        (422, "VALIDATION_ERROR", InvalidOrder),
        (429, "TOO_MANY_REQUESTS", RateLimited),
        (500, "INTERNAL_ERROR", OutcomeUnknown),
    )
    results = (
        {"flow_status": "excellent"},
        {},
        {"flow_status": "pass", "end_cause": "interrupted"},
        {"flow_status": True},
    )
    return Bench(
        plugin=idv_plugin(),
        settings=settings,
        emulator=emulator,
        clock=clock,
        transport=network,
        order=order(),
        finish=walker(network, AIGERIM, AIGERIM),
        finish_badly=walker(network, AIGERIM, DANIYAR),
        errors=(
            *(DocumentedError("open", "POST /flow", refused(status, code), kind) for status, code, kind in errors),
            DocumentedError("result", "GET /flow/", refused(401, "UNAUTHORIZED"), AuthenticationFailed),
            DocumentedError("result", "GET /flow/", refused(403, "FORBIDDEN"), PermissionDenied),
            DocumentedError("result", "GET /flow/", refused(429, "TOO_MANY_REQUESTS"), RateLimited),
            DocumentedError("status", "GET /flow/", refused(500, "INTERNAL_ERROR"), VendorUnavailable),
        ),
        unknown_words=tuple(UnknownWord("GET /flow/", answers(result)) for result in results),
        personal=(AIGERIM.name, "aigerim@example.org"),
        callback=lambda path: Inbound(method="GET", path=f"{path}/return"),
    )
