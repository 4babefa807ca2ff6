"""Callbacks: proved by their address, bounded, known again; hints that wake whoever waits."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import CallbackRejected, Callbacks, ConfigError, Gateway, PluginError, Secret
from idv_core.callbacks import CallbackApp, Inbound, Received
from idv_core.callbacks.desk import MAX_BODY
from idv_core.testing import FakeClock

CALLBACKS = Callbacks("https://platform.example/idv", Secret("0123456789" * 4))


@pytest.fixture
def idv(vendor: Vendor, clock: FakeClock) -> Gateway:
    return gateway(vendor, clock, callbacks=CALLBACKS)


def path_of(idv: Gateway, vendor: Vendor, **changes: object) -> str:
    """The path below the account in the address that was handed out at opening."""
    idv.open(order(**changes))
    handed_out = json.loads(vendor.requests[-1].content)["callback"]
    assert handed_out.startswith("https://platform.example/idv/acme-1/")
    return handed_out.removeprefix("https://platform.example/idv/acme-1")


def address(idv: Gateway, purpose: str, application_id: str | None = "APP-1", **more: Any) -> str:
    """The path below the account of an address for that purpose."""
    desk = idv._operations.live.desk
    assert desk is not None
    return desk.urls("acme-1", application_id, **more).url(purpose).removeprefix("https://platform.example/idv/acme-1")


def test_every_flow_gets_an_address_of_its_own(idv: Gateway, vendor: Vendor) -> None:
    assert path_of(idv, vendor) != path_of(idv, vendor, application_id="APP-2")
    received = idv.receive("acme-1", Inbound(method="POST", path=path_of(idv, vendor), query={"id": "f-1"}))
    assert (received.application_id, received.flow_ref, received.fetch) == ("APP-1", "acme-1/f-1", True)


def test_another_process_with_the_same_key_knows_the_address(idv: Gateway, vendor: Vendor) -> None:
    other = gateway(Vendor(), callbacks=CALLBACKS)
    assert other.receive("acme-1", Inbound(method="POST", path=path_of(idv, vendor))).application_id == "APP-1"
    stranger = gateway(Vendor(), callbacks=Callbacks(CALLBACKS.url, Secret("another key " * 4)))
    with pytest.raises(CallbackRejected):
        stranger.receive("acme-1", Inbound(method="POST", path=path_of(idv, vendor)))


def test_forged_addresses_are_refused(idv: Gateway, vendor: Vendor) -> None:
    good = path_of(idv, vendor)
    token = good.split("/")[1]
    for path in (
        "",
        "/",
        "/x",
        "/x/done",
        f"/{token[:-1]}/done",
        f"/{token}x/done",
        "/./done",
        f"/{token.split('.')[0]}./done",
    ):
        with pytest.raises(CallbackRejected) as caught:
            idv.receive("acme-1", Inbound(method="POST", path=path))
        assert caught.value.status == 404
    with pytest.raises(CallbackRejected):
        idv.receive("acme-9", Inbound(method="POST", path=good))


def test_a_token_is_issued_and_must_then_be_right(idv: Gateway, vendor: Vendor, clock: FakeClock) -> None:
    asked = idv.receive("acme-1", Inbound(method="POST", path=address(idv, "auth")))
    grant = json.loads(asked.answer.body)
    assert not asked.fetch
    assert (grant["token_type"], grant["expires_in"]) == ("Bearer", 300)
    shown = Inbound(method="POST", path=address(idv, "done"), headers={"Token": grant["access_token"]})
    assert idv.receive("acme-1", shown).fetch
    wrong = attrs.evolve(shown, headers={"Token": "made-up.token"})
    other = address(idv, "done", application_id="APP-2")
    clock.advance(timedelta(minutes=6).total_seconds())
    for inbound in (wrong, shown, attrs.evolve(shown, path=other)):
        with pytest.raises(CallbackRejected) as caught:
            idv.receive("acme-1", inbound)
        assert caught.value.status == 401


def test_a_repeated_call_is_known_again_and_can_be_forgotten(idv: Gateway, vendor: Vendor) -> None:
    inbound = Inbound(method="POST", path=path_of(idv, vendor), body=b"{}")
    first = idv.receive("acme-1", inbound)
    assert not first.repeated
    assert idv.receive("acme-1", inbound).repeated
    assert not idv.receive("acme-1", attrs.evolve(inbound, body=b"{ }")).repeated
    idv.forget(first)
    assert not idv.receive("acme-1", inbound).repeated


def test_memory_for_repeated_calls_is_bounded(idv: Gateway, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idv_core.callbacks.memory.CALLS_OF_ADDRESS", 3)
    path = path_of(idv, vendor)
    for number in range(10):
        idv.receive("acme-1", Inbound(method="POST", path=path, body=b"%d" % number))
    assert idv.receive("acme-1", Inbound(method="POST", path=path, body=b"9")).repeated
    assert not idv.receive("acme-1", Inbound(method="POST", path=path, body=b"0")).repeated


def test_an_address_for_the_whole_account_is_always_the_same(idv: Gateway) -> None:
    url = idv.callback_url("acme-1", "done")
    assert url == idv.callback_url("acme-1", "done")
    assert idv.callback_url("acme-1", "done").reveal().endswith("/done")
    path = url.reveal().removeprefix("https://platform.example/idv/acme-1")
    assert idv.receive("acme-1", Inbound(method="POST", path=path)).application_id is None


def test_without_callbacks_there_are_none(vendor: Vendor) -> None:
    idv = gateway(vendor)
    idv.open(order())
    assert "callback" not in json.loads(vendor.requests[-1].content)
    with pytest.raises(ConfigError, match=r"Callbacks\(url, key\)"):
        idv.receive("acme-1", Inbound(method="POST", path="/a/b"))
    idv.forget(Received(account="acme-1", event="x", fetch=False))


def test_a_plugin_that_cannot_read_it_is_reported_darkly(idv: Gateway, vendor: Vendor) -> None:
    path = address(idv, "broken")
    with pytest.raises(PluginError, match=r"KeyError") as caught:
        idv.receive("acme-1", Inbound(method="POST", path=path))
    assert "somebody" not in str(caught.value)


def test_a_callback_wakes_the_thread_that_waits(vendor: Vendor) -> None:
    class Called(FakeClock):
        """While somebody waits, the vendor calls."""

        def wait(self, woken, seconds):
            if self.monotonic() == 0:
                vendor.status = "good"
                idv.receive("acme-1", Inbound(method="POST", path=path))
                assert woken.is_set()
                return
            super().wait(woken, seconds)

    clock = Called()
    idv = gateway(vendor, clock, callbacks=CALLBACKS, account=attrs.evolve(ACCOUNT, polling=None))
    path = path_of(idv, vendor)
    flow = idv.open(order())
    assert idv.wait(flow).status.is_final
    assert clock.monotonic() == 0


async def test_a_callback_wakes_the_task_that_waits(vendor: Vendor) -> None:
    from idv_core.clock import SystemClock

    idv = async_gateway(vendor, SystemClock(), callbacks=CALLBACKS)
    flow = await idv.open(order())
    path = json.loads(vendor.requests[-1].content)["callback"].removeprefix("https://platform.example/idv/acme-1")
    seen = asyncio.Event()
    waiting = asyncio.create_task(idv.wait(flow, progress=lambda _: seen.set()))
    await seen.wait()
    vendor.status = "good"
    await asyncio.to_thread(idv.receive, "acme-1", Inbound(method="POST", path=path))
    assert (await waiting).status.is_final


class TestApp:
    """The ASGI app, mounted in Starlette, over HTTP."""

    @pytest.fixture
    def seen(self) -> list[Received]:
        return []

    @pytest.fixture
    def client(self, idv: Gateway, seen: list[Received]) -> httpx.AsyncClient:
        app = Starlette(routes=[Mount("/idv", app=CallbackApp(idv, seen.append))])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://platform.example")

    async def test_it_takes_what_is_right(self, client, idv: Gateway, vendor: Vendor, seen: list[Received]) -> None:
        path = "/idv/acme-1" + path_of(idv, vendor)
        assert (await client.post(path, content=b"{}", params={"id": "f-1"})).status_code == 200
        assert [received.flow_ref for received in seen] == ["acme-1/f-1"]
        assert (await client.post(path, content=b"{}", params={"id": "f-1"})).status_code == 200
        assert len(seen) == 1

    async def test_it_refuses_the_rest_and_nothing_changes(
        self, client, idv: Gateway, vendor: Vendor, seen: list[Received], caplog: pytest.LogCaptureFixture
    ) -> None:
        path = "/idv/acme-1" + path_of(idv, vendor)
        vendor.requests.clear()
        with caplog.at_level(logging.DEBUG, logger="idv_core"):
            for method, target, body, status in (
                ("POST", path[:-6] + "x/done", b"", 404),
                ("POST", "/idv/nobody/a/b", b"", 404),
                ("POST", "/idv/acme-1", b"", 404),
                ("PUT", path, b"", 405),
                ("POST", path, b"x" * (MAX_BODY + 1), 413),
                ("POST", path.replace("/done", "/broken"), b"", 404),
            ):
                assert (await client.request(method, target, content=body)).status_code == status
        assert seen == []
        assert vendor.requests == []
        assert path.split("/")[3] not in str([vars(record) for record in caplog.records])

    async def test_a_browser_goes_on_to_the_platform(self, client, idv: Gateway, vendor: Vendor) -> None:
        back = "https://platform.example/thanks?a=1"
        answer = await client.get("/idv/acme-1" + path_of(idv, vendor, return_url=back))
        assert (answer.status_code, answer.headers["location"]) == (303, back)
        answer = await client.get("/idv/acme-1" + path_of(idv, vendor))
        assert answer.text == "Thank you. You can close this window."

    async def test_what_could_not_be_handled_may_come_again(self, idv: Gateway, vendor: Vendor) -> None:
        tries: list[Received] = []

        async def handle(received: Received) -> None:
            tries.append(received)
            if len(tries) == 1:
                raise OSError("the database is away")

        app = CallbackApp(idv, handle)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://platform.example")
        path = "/acme-1" + path_of(idv, vendor)
        assert [(await client.post(path)).status_code for _ in range(3)] == [500, 200, 200]
        assert len(tries) == 2

    async def test_other_protocols_are_left_alone(self, idv: Gateway) -> None:
        sent: list[object] = []
        await CallbackApp(idv)({"type": "lifespan"}, None, sent.append)  # type: ignore[arg-type]
        assert sent == []
