"""A worker's time limit that comes up while a webhook or a secret is read comes out itself: it is nobody's failure."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from acme import ACCOUNT, PLUGIN, Acme, Vendor, gateway

from idv_core import Gateway, Secret
from idv_core.config import Configuration, Webhooks
from idv_core.registry import registry_of
from idv_core.testing import FakeClock
from idv_core.webhooks import WebhookApp, WebhookRequest


class TimeIsUp(Exception):
    pass


@pytest.fixture
def time_is_up() -> Iterator[Any]:
    def handler(*_: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda *_: signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def idv(vendor: Vendor, clock: FakeClock) -> Gateway:
    webhooks = Webhooks("https://platform.example/idv", Secret("0123456789" * 4))
    return gateway(vendor, clock, webhooks=webhooks)


@pytest.fixture
def webhook(idv: Gateway) -> WebhookRequest:
    path = idv.webhook_url("acme-1", "done").reveal().removeprefix("https://platform.example/idv/acme-1")
    return WebhookRequest(method="POST", path=path, query={"id": "f-1"})


def test_while_a_plugin_reads_a_callback(
    idv: Gateway, webhook: WebhookRequest, time_is_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Acme, "read_webhook", time_is_up)
        with pytest.raises(TimeIsUp):
            idv.receive("acme-1", webhook)
    assert not idv.receive("acme-1", webhook).repeated


async def test_while_the_platform_handles_one(idv: Gateway, webhook: WebhookRequest, time_is_up: Any) -> None:
    async def handle(_: object) -> None:
        time_is_up()

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"/acme-1{webhook.path}", "query_string": b"id=f-1"}
    with pytest.raises(TimeIsUp):
        await WebhookApp(idv, handle)(scope, receive, send)
    assert sent == []
    assert not idv.receive("acme-1", webhook).repeated, "it was not handled"


def test_while_a_secret_is_read(time_is_up: Any) -> None:
    account = attrs.evolve(ACCOUNT, settings={"key": {"vault": "name"}})
    registry = registry_of(PLUGIN, secret_sources={"vault": time_is_up})
    with pytest.raises(TimeIsUp):
        Gateway(Configuration(accounts=[account]), registry=registry)


def test_while_an_adapter_is_made(time_is_up: Any) -> None:
    with pytest.raises(TimeIsUp):
        Gateway([ACCOUNT], registry=registry_of(attrs.evolve(PLUGIN, create=time_is_up)))
