"""Webhooks: proved by their address, bounded, known again; hints that wake whoever waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import threading
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, PLUGIN, Acme, Vendor, async_gateway, gateway, order
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import ConfigError, FlowOrder, Gateway, Secret, from_json, to_json
from idv_core.config import Configuration, Webhooks, check
from idv_core.config.schema import schema_of
from idv_core.config.secrets import is_quick
from idv_core.engine.waiters import Waiters, wake_keys
from idv_core.errors import PluginError, UnsupportedOperation, WebhookRejected
from idv_core.gateway import execution
from idv_core.plugin.protocols import Webhook, WebhookEvent
from idv_core.registry import registry_of
from idv_core.routing import Route, Shadow
from idv_core.testing import FakeClock
from idv_core.webhooks import Received, WebhookApp, WebhookRequest, WebhookResponse
from idv_core.webhooks.receiver import MAX_BODY, UNSIGNED, VISITS

WEBHOOKS = Webhooks("https://platform.example/idv", Secret("0123456789" * 4))


@pytest.fixture
def idv(vendor: Vendor, clock: FakeClock) -> Gateway:
    return gateway(vendor, clock, webhooks=WEBHOOKS)


def path_of(idv: Gateway, vendor: Vendor, **changes: object) -> str:
    """The path below the account in the address that was handed out at opening."""
    idv.open(order(**changes))
    handed_out = json.loads(vendor.requests[-1].content)["callback"]
    assert handed_out.startswith("https://platform.example/idv/acme-1/")
    return handed_out.removeprefix("https://platform.example/idv/acme-1")


def address(idv: Gateway, purpose: str, application_id: str | None = "APP-1", **more: Any) -> str:
    """The path below the account of an address for that purpose."""
    receiver = idv._state.active.receiver
    assert receiver is not None
    urls = receiver.urls("acme-1", application_id, **more)
    url = urls.return_url() if purpose == "return" else urls.webhook(purpose)
    return url.removeprefix("https://platform.example/idv/acme-1")


def test_every_flow_gets_an_address_of_its_own(idv: Gateway, vendor: Vendor) -> None:
    path = path_of(idv, vendor)
    assert path != path_of(idv, vendor, application_id="APP-2")
    received = idv.receive("acme-1", WebhookRequest(method="POST", path=path, query={"id": "f-1"}))
    assert (received.application_id, received.flow_ref, received.fetch) == ("APP-1", "acme-1/f-1", True)


def test_another_process_with_the_same_key_knows_the_address(idv: Gateway, vendor: Vendor) -> None:
    other = gateway(Vendor(), webhooks=WEBHOOKS)
    path = path_of(idv, vendor)
    assert other.receive("acme-1", WebhookRequest(method="POST", path=path)).application_id == "APP-1"
    stranger = gateway(Vendor(), webhooks=Webhooks(WEBHOOKS.url, Secret("another key " * 4)))
    with pytest.raises(WebhookRejected):
        stranger.receive("acme-1", WebhookRequest(method="POST", path=path))


def test_an_address_that_was_proved_is_proved_again_by_other_keys_and_for_other_paths(
    idv: Gateway, vendor: Vendor
) -> None:
    request = WebhookRequest(method="POST", path=path_of(idv, vendor))
    assert idv.max_body("acme-1", request) == MAX_BODY
    stranger = gateway(Vendor(), webhooks=Webhooks(WEBHOOKS.url, Secret("another key " * 4)))
    other = attrs.evolve(request, path=request.path.replace("/done", "/auth"))
    for receiver, forged in ((stranger, request), (idv, other)):
        with pytest.raises(WebhookRejected):
            receiver.receive("acme-1", forged)
    assert idv.receive("acme-1", request).application_id == "APP-1"


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
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", WebhookRequest(method="POST", path=path))
        assert caught.value.status == 404
    with pytest.raises(WebhookRejected):
        idv.receive("acme-9", WebhookRequest(method="POST", path=good))


def test_a_token_is_issued_and_must_then_be_right(idv: Gateway, vendor: Vendor, clock: FakeClock) -> None:
    asked = idv.receive("acme-1", WebhookRequest(method="POST", path=address(idv, "auth")))
    grant = json.loads(asked.answer.body)
    assert not asked.fetch
    assert (grant["token_type"], grant["expires_in"]) == ("Bearer", 300)
    shown = WebhookRequest(method="POST", path=address(idv, "done"), headers={"Token": grant["access_token"]})
    assert idv.receive("acme-1", shown).fetch
    wrong = attrs.evolve(shown, headers={"Token": "made-up.token"})
    other = address(idv, "done", application_id="APP-2")
    clock.advance(timedelta(minutes=6).total_seconds())
    for webhook in (wrong, shown, attrs.evolve(shown, path=other)):
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", webhook)
        assert caught.value.status == 401


def test_a_repeated_call_is_known_again(idv: Gateway, vendor: Vendor) -> None:
    webhook = WebhookRequest(method="POST", path=path_of(idv, vendor), body=b"{}")
    assert not idv.receive("acme-1", webhook).repeated
    assert idv.receive("acme-1", webhook).repeated
    assert not idv.receive("acme-1", attrs.evolve(webhook, body=b"{ }")).repeated


def test_memory_for_repeated_calls_is_bounded(idv: Gateway, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idv_core.webhooks.deduplication.CALLS_OF_ADDRESS", 3)
    path = path_of(idv, vendor)
    for number in range(10):
        idv.receive("acme-1", WebhookRequest(method="POST", path=path, body=b"%d" % number))
    assert idv.receive("acme-1", WebhookRequest(method="POST", path=path, body=b"9")).repeated
    assert not idv.receive("acme-1", WebhookRequest(method="POST", path=path, body=b"0")).repeated


def test_an_address_for_the_whole_account_is_always_the_same(idv: Gateway) -> None:
    url = idv.webhook_url("acme-1", "done")
    assert url == idv.webhook_url("acme-1", "done")
    assert idv.webhook_url("acme-1", "done").reveal().endswith("/done")
    path = url.reveal().removeprefix("https://platform.example/idv/acme-1")
    assert idv.receive("acme-1", WebhookRequest(method="POST", path=path)).application_id is None


def test_without_callbacks_there_are_none(vendor: Vendor) -> None:
    idv = gateway(vendor)
    idv.open(order())
    assert "callback" not in json.loads(vendor.requests[-1].content)
    with pytest.raises(ConfigError, match=r"Webhooks\(url, key\)"):
        idv.receive("acme-1", WebhookRequest(method="POST", path="/a/b"))


def test_a_plugin_that_cannot_read_it_is_reported_darkly(idv: Gateway, vendor: Vendor) -> None:
    path = address(idv, "broken")
    with pytest.raises(PluginError, match=r"KeyError") as caught:
        idv.receive("acme-1", WebhookRequest(method="POST", path=path))
    assert "somebody" not in str(caught.value)


def test_a_callback_wakes_the_thread_that_waits(vendor: Vendor) -> None:
    class Called(FakeClock):
        """While somebody waits, the vendor calls."""

        def wait(self, woken, seconds):
            if vendor.status != "good":
                vendor.status = "good"
                idv.receive("acme-1", WebhookRequest(method="POST", path=path))
                assert woken.is_set()
                return
            super().wait(woken, seconds)

    clock = Called()
    idv = gateway(vendor, clock, webhooks=WEBHOOKS, account=attrs.evolve(ACCOUNT, polling=None))
    path = path_of(idv, vendor)
    flow = idv.open(order())
    assert idv.wait(flow).status.is_settled
    assert clock.monotonic() <= 1


async def test_a_callback_wakes_the_task_that_waits(vendor: Vendor) -> None:
    class Called(FakeClock):
        async def wait_async(self, woken, seconds):
            if vendor.status != "good":
                vendor.status = "good"
                await asyncio.to_thread(idv.receive, "acme-1", WebhookRequest(method="POST", path=path))
                await woken.wait()
                return
            await super().wait_async(woken, seconds)

    clock = Called()
    idv = async_gateway(vendor, clock, webhooks=WEBHOOKS)
    flow = await idv.open(order())
    path = json.loads(vendor.requests[-1].content)["callback"].removeprefix("https://platform.example/idv/acme-1")
    assert (await idv.wait(flow)).status.is_settled
    assert clock.monotonic() <= 1


def test_a_repeated_order_has_the_same_addresses_to_the_byte(idv: Gateway, vendor: Vendor) -> None:
    in_another_process = Vendor()
    assert path_of(idv, vendor) == path_of(gateway(in_another_process, webhooks=WEBHOOKS), in_another_process)
    more = {"return_url": "https://platform.example/a", "policy": "a.1a2b3c4d", "is_shadow": True}
    each = [address(idv, "done"), *(address(idv, "done", **{name: value}) for name, value in more.items())]
    assert len({*each, address(idv, "return"), address(idv, "done", application_id="APP-2")}) == 6


def test_an_address_is_good_for_its_purpose_only(idv: Gateway) -> None:
    token = address(idv, "return").split("/")[1]
    for purpose in ("done", "auth", "broken", "returns", "Return", "RETURN", "re turn", ""):
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", WebhookRequest(method="POST", path=f"/{token}/{purpose}"))
        assert caught.value.status == 404


def test_what_the_browser_says_is_nobodys_word(idv: Gateway) -> None:
    visit = WebhookRequest(method="POST", path=address(idv, "return"), query={"id": "f-2"}, body=b'{"id": "f-2"}')
    received = idv.receive("acme-1", visit)
    assert (received.application_id, received.flow_ref, received.event) == ("APP-1", None, "return")
    assert (received.proved, received.fetch) == ("visit", True)
    nobodys = idv.receive("acme-1", attrs.evolve(visit, path=address(idv, "return", application_id=None)))
    assert (nobodys.fetch, nobodys.proved) == (False, "visit")


def test_a_plugin_does_not_even_see_it(clock: FakeClock) -> None:
    seen: list[Webhook] = []

    class Curious(Acme):
        def read_webhook(self, call: Webhook) -> WebhookEvent:
            seen.append(call)
            return WebhookEvent(event="back")

    plugin = attrs.evolve(PLUGIN, create=Curious, adapters=(Curious,))
    idv = Gateway([ACCOUNT], webhooks=WEBHOOKS, clock=clock, registry=registry_of(plugin))
    visit = WebhookRequest(
        method="POST", path=address(idv, "return"), headers={"A": "b"}, query={"id": "f-2"}, body=b"{}"
    )
    idv.receive("acme-1", visit)
    assert not seen
    idv.receive("acme-1", attrs.evolve(visit, path=address(idv, "done")))
    assert (seen[0].headers, seen[0].query, seen[0].body) == ({"a": "b"}, {"id": "f-2"}, b"{}")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"body": "decoded"}, "body: must be the bytes"),
        ({"body": None}, "body"),
        ({"method": b"POST"}, "method"),
        ({"path": None}, "path"),
        ({"headers": {"Signature": ["a", "b"]}}, "headers"),
        ({"headers": {b"Signature": b"a"}}, "headers"),
        ({"headers": None}, "headers"),
        ({"query": {"id": ["f-1", "f-2"]}}, "query"),
    ],
)
def test_what_a_framework_hands_over_otherwise_is_told_to_the_platform(wrong: dict[str, Any], field: str) -> None:
    """It is no bug of the plugin that would read it."""
    with pytest.raises(ValueError, match=field):
        WebhookRequest(**{"method": "POST", "path": "/a/b", **wrong})


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_bytes_may_come_in_any_form(idv: Gateway, kind: type) -> None:
    path, headers = address(idv, "done"), {"Signature": "right"}
    webhook = WebhookRequest(method="POST", path=path, headers=headers, body=kind(b"1"))
    assert idv.receive("acme-1", webhook).proved == "signature"
    assert idv.receive("acme-1", attrs.evolve(webhook, body=b"1")).repeated


def test_it_is_said_what_a_call_rests_on(idv: Gateway) -> None:
    webhook = WebhookRequest(method="POST", path=address(idv, "done"), query={"id": "f-1"})
    assert idv.receive("acme-1", webhook).proved == "address"
    signed = attrs.evolve(webhook, headers={"Signature": "right"}, body=b"1")
    assert idv.receive("acme-1", signed).proved == "signature"


def test_a_shadow_is_no_reason_to_fetch(idv: Gateway) -> None:
    woken: list[int] = []
    webhook = WebhookRequest(method="POST", path=address(idv, "done", is_shadow=True), query={"id": "f-1"})
    with idv._state.waiters.waiting(wake_keys("acme-1", "f-1", None), lambda: woken.append(1)):
        received = idv.receive("acme-1", webhook)
    assert (received.is_shadow, received.fetch, woken) == (True, False, [1])
    assert not idv.receive("acme-1", WebhookRequest(method="POST", path=address(idv, "done"))).is_shadow


def test_the_callback_of_a_shadow_says_that_it_is_one(vendor: Vendor) -> None:
    accounts = [ACCOUNT, attrs.evolve(ACCOUNT, name="acme-2")]
    routes = [Route(name="all", to="acme-1", shadow=Shadow(account="acme-2", personal_data=True))]
    idv = Gateway(
        Configuration(accounts=accounts, webhooks=WEBHOOKS, routes=routes),
        transport=httpx.MockTransport(vendor),
        clock=FakeClock(),
        registry=registry_of(PLUGIN),
    )
    flow = idv.open(order())
    assert flow.shadow is not None
    addresses = [
        json.loads(webhook.content)["callback"] for webhook in vendor.requests if webhook.url.path.endswith("/flows")
    ]
    told = []
    for where in addresses:
        account, path = where.removeprefix("https://platform.example/idv/").split("/", 1)
        received = idv.receive(account, WebhookRequest(method="POST", path=path, query={"id": "f-1"}))
        told.append((received.account, received.is_shadow, received.fetch))
    assert told == [("acme-1", False, True), ("acme-2", True, False)]


def test_a_reference_has_what_the_address_was_marked_with(idv: Gateway) -> None:
    refs = []
    for more in ({"policy": "lending.1a2b3c4d"}, {"is_shadow": True}, {}):
        webhook = WebhookRequest(method="POST", path=address(idv, "done", **more), query={"id": "f-1"})
        refs.append(idv.receive("acme-1", webhook).flow_ref)
    assert refs == ["acme-1/f-1;policy=lending.1a2b3c4d", "shadow:acme-1/f-1", "acme-1/f-1"]


def test_addresses_are_not_stored_with_an_order(idv: Gateway) -> None:
    receiver = idv._state.active.receiver
    assert receiver is not None
    with_them = attrs.evolve(order(), urls=receiver.urls("acme-1", "APP-1"))
    assert with_them == attrs.evolve(order(), urls=receiver.urls("acme-1", "APP-1"))
    for secrets in (True, False):
        assert "webhooks" not in to_json(with_them, secrets=secrets)
    assert from_json(FlowOrder, to_json(with_them, secrets=True)) == order()


class TestKeys:
    def test_they_can_be_exchanged(self, vendor: Vendor) -> None:
        new, old = Secret("abcdefghij" * 4), WEBHOOKS.key[0]
        before, meanwhile, after = (
            gateway(vendor, webhooks=Webhooks(WEBHOOKS.url, keys)) for keys in (old, [new, old], new)
        )
        handed_out = WebhookRequest(method="POST", path=address(before, "done"))
        fresh = WebhookRequest(method="POST", path=address(meanwhile, "done"))
        assert fresh.path == address(after, "done")
        assert not meanwhile.receive("acme-1", handed_out).repeated
        # the same address, whoever has signed it
        assert meanwhile.receive("acme-1", fresh).repeated
        with pytest.raises(WebhookRejected):
            after.receive("acme-1", handed_out)
        asked = before.receive("acme-1", WebhookRequest(method="POST", path=address(before, "auth")))
        shown = {"Token": json.loads(asked.answer.body)["access_token"]}
        assert meanwhile.receive("acme-1", attrs.evolve(fresh, headers=shown, body=b"1")).fetch

    def test_a_reload_keeps_what_is_known(self, idv: Gateway) -> None:
        webhook = WebhookRequest(method="POST", path=address(idv, "done"))
        idv.receive("acme-1", webhook)
        keys = [Secret("abcdefghij" * 4), *WEBHOOKS.key]
        idv.reload(Configuration(accounts=[ACCOUNT], webhooks=Webhooks(WEBHOOKS.url, keys)))
        assert idv.receive("acme-1", webhook).repeated

    @pytest.mark.parametrize(
        ("keys", "why"),
        [
            ([Secret("0123456789" * 4), Secret("short")], "32 characters"),
            ([], "at least one"),
            ("not a secret", "Secret"),
        ],
    )
    def test_plain_ones_are_refused_with_advice(self, keys: Any, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            Webhooks(WEBHOOKS.url, keys)

    @pytest.mark.parametrize("key", ["a" * 32, "password" * 8])
    def test_one_that_can_be_guessed_is_warned_of(self, clock: FakeClock, key: str) -> None:
        given = Configuration(accounts=[ACCOUNT], webhooks=Webhooks(WEBHOOKS.url, Secret(key)))
        (problem,) = check(given, registry_of(PLUGIN), clock.now()).problems
        assert problem.is_warning
        assert "has few different characters" in problem.text
        assert key not in str(problem)

    def test_the_schema_takes_one_or_several(self) -> None:
        (one, several) = schema_of(registry_of(PLUGIN))["properties"]["webhooks"]["properties"]["key"]["anyOf"]
        assert (one["type"], several) == ("object", {"type": "array", "items": one})

    def test_they_are_read_from_the_file(self, tmp_path: Path) -> None:
        for name in ("new", "old"):
            (tmp_path / name).write_text(f"{name}-0123456789abcdef-0123456789abcdef")
        (tmp_path / "key").write_text("key-of-acme-0001")
        file = tmp_path / "idv.toml"

        def with_keys(text: str) -> Gateway:
            file.write_text(
                f'[accounts.acme-1]\nplugin = "acme"\nkey = {{ file = "{tmp_path}/key" }}\n'
                f'[webhooks]\nurl = "https://platform.example/idv"\nkey = {text}\n'
            )
            return Gateway.load(file, registry=registry_of(PLUGIN))

        old = f'{{ file = "{tmp_path}/old" }}'
        webhook = WebhookRequest(method="POST", path=address(with_keys(old), "done"))
        several = with_keys(f'[{{ file = "{tmp_path}/new" }}, {old}]')
        assert several.receive("acme-1", webhook).application_id == "APP-1"
        with pytest.raises(ConfigError, match=r"webhooks.key: a secret must be a reference"):
            with_keys('"0123456789-0123456789-0123456789-0123456789"')


class TestNewSecrets:
    """A vendor's webhook secret is exchanged by exchanging its file."""

    class Strict(Acme):
        def read_webhook(self, call: Webhook) -> WebhookEvent:
            if call.headers.get("signature") != self.settings.key.reveal():
                raise WebhookRejected("the signature is wrong", status=401)
            return WebhookEvent(event="done", signed=True)

    plugin = attrs.evolve(PLUGIN, create=Strict, adapters=(Strict,))

    @pytest.fixture
    def idv(self, clock: FakeClock) -> Gateway:
        account = attrs.evolve(ACCOUNT, settings={"key": {"env": "ACME_KEY"}})
        return Gateway([account], webhooks=WEBHOOKS, clock=clock, registry=registry_of(self.plugin))

    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_KEY", "secret-1")

    def signed(self, idv: Gateway, secret: str) -> WebhookRequest:
        return WebhookRequest(method="POST", path=address(idv, "done"), headers={"Signature": secret})

    def test_a_new_one_is_found_at_once(self, idv: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        assert idv.receive("acme-1", self.signed(idv, "secret-1")).fetch
        monkeypatch.setenv("ACME_KEY", "secret-2")
        assert idv.receive("acme-1", attrs.evolve(self.signed(idv, "secret-2"), body=b"2")).fetch

    def test_it_is_not_looked_for_again_and_again(
        self, idv: Gateway, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[str] = []
        real = execution.read_secrets
        monkeypatch.setattr(execution, "read_secrets", lambda state, s: looks.append(s.name) or real(state, s))
        for _ in range(20):
            with pytest.raises(WebhookRejected):
                idv.receive("acme-1", self.signed(idv, "made-up"))
        assert looks == ["acme-1"]
        monkeypatch.setenv("ACME_KEY", "secret-2")
        clock.advance(10)
        assert idv.receive("acme-1", self.signed(idv, "secret-2")).fetch

    def test_nobody_waits_for_a_source_that_takes_its_time(self, clock: FakeClock) -> None:
        asked, go = threading.Event(), threading.Event()
        secrets = ["secret-1", "secret-2"]

        def vault(name: str) -> str:
            if len(secrets) == 1:
                asked.set()
                assert go.wait(30)
                return secrets[0]
            return secrets.pop(0)

        registry = attrs.evolve(registry_of(self.plugin), secret_sources={"vault": vault})
        account = attrs.evolve(ACCOUNT, settings={"key": {"vault": "acme"}})
        idv = Gateway([account], webhooks=WEBHOOKS, clock=clock, registry=registry)
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", self.signed(idv, "secret-2"))
        answer = WebhookResponse.of(caught.value)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert asked.wait(30)
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", self.signed(idv, "secret-2"))
        assert caught.value.status == 401
        go.set()
        with idv._state.rereads._readers["acme-1"].lock:
            pass
        assert idv.receive("acme-1", self.signed(idv, "secret-2")).fetch

    def test_what_takes_its_time(self) -> None:
        sources = {"vault": str}
        assert is_quick(
            {"a": {"file": "x"}, "b": [{"env": "Y"}], "c": {"d": 1}, "e": {"f": {"vault": 1, "g": 2}}}, sources
        )
        assert not is_quick({"a": [{"file": "x"}, {"vault": "y"}]}, sources)


class TestHandling:
    """A call counts as known once it was handled, never before."""

    @pytest.fixture
    def webhook(self, idv: Gateway) -> WebhookRequest:
        return WebhookRequest(method="POST", path=address(idv, "done"), query={"id": "f-1"}, body=b"{}")

    def test_a_twin_waits_until_the_first_is_handled(self, idv: Gateway, webhook: WebhookRequest) -> None:
        with idv.receiving("acme-1", webhook) as first:
            assert not first.repeated
            with pytest.raises(WebhookRejected) as caught, idv.receiving("acme-1", webhook):
                pass
            assert WebhookResponse.of(caught.value).status == 503
            assert int(WebhookResponse.of(caught.value).headers["retry-after"]) > 0
        with idv.receiving("acme-1", webhook) as again:
            assert again.repeated

    @pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_what_failed_in_any_way_is_new_again(
        self, idv: Gateway, webhook: WebhookRequest, failure: type[BaseException]
    ) -> None:
        with pytest.raises(failure), idv.receiving("acme-1", webhook):
            raise failure
        with idv.receiving("acme-1", webhook) as again:
            assert not again.repeated

    def test_a_repeated_one_that_fails_is_still_known(self, idv: Gateway, webhook: WebhookRequest) -> None:
        idv.receive("acme-1", webhook)
        with pytest.raises(OSError), idv.receiving("acme-1", webhook) as again:
            assert again.repeated
            raise OSError
        assert idv.receive("acme-1", webhook).repeated

    def test_the_query_belongs_to_the_call(self, idv: Gateway, webhook: WebhookRequest) -> None:
        idv.receive("acme-1", webhook)
        assert not idv.receive("acme-1", attrs.evolve(webhook, query={"id": "f-2"})).repeated
        assert idv.receive("acme-1", attrs.evolve(webhook, headers={"X-Try": "2"})).repeated

    def test_a_visit_is_news_each_time(self, idv: Gateway) -> None:
        visit = WebhookRequest(method="GET", path=address(idv, "return"))
        assert [idv.receive("acme-1", visit).repeated for _ in range(3)] == [False] * 3
        assert not idv.receive("acme-1", attrs.evolve(visit, method="HEAD")).fetch

    def test_a_repeated_call_wakes_nobody(self, idv: Gateway, webhook: WebhookRequest) -> None:
        woken: list[str] = []
        waiters = idv._state.waiters
        with waiters.waiting(wake_keys("acme-1", "f-1", None), lambda: woken.append("f-1")):
            idv.receive("acme-1", webhook)
            idv.receive("acme-1", webhook)
        assert woken == ["f-1"]

    def test_a_call_wakes_those_it_is_about_and_nobody_else(self, idv: Gateway, webhook: WebhookRequest) -> None:
        woken: list[str] = []
        waiters = idv._state.waiters
        with (
            waiters.waiting(wake_keys("acme-1", "f-2", None), lambda: woken.append("by reference")),
            waiters.waiting(wake_keys("acme-1", "f-3", "APP-3"), lambda: woken.append("another application")),
            waiters.waiting(wake_keys("acme-2", "f-1", "APP-1"), lambda: woken.append("another account")),
            waiters.waiting(wake_keys("acme-1", "f-1", "APP-1"), lambda: woken.append("it")),
        ):
            idv.receive("acme-1", attrs.evolve(webhook, path=address(idv, "done", application_id=None)))
            idv.receive("acme-1", WebhookRequest(method="GET", path=address(idv, "return")))
            idv.receive("acme-1", webhook)
        assert woken == ["it"] * 3

    def test_what_names_no_flow_is_no_id(self, idv: Gateway, webhook: WebhookRequest) -> None:
        for id in ("x" * 201, "f\r\n1", "f\ud800", " ", "f-1 "):
            with pytest.raises(WebhookRejected) as caught:
                idv.receive("acme-1", attrs.evolve(webhook, query={"id": id}))
            assert caught.value.status == 400


class TestLimits:
    def test_visits_of_one_address(self, idv: Gateway, clock: FakeClock) -> None:
        visit = WebhookRequest(method="GET", path=address(idv, "return"))
        woken: list[int] = []
        with idv._state.waiters.waiting(wake_keys("acme-1", None, "APP-1"), lambda: woken.append(1)):
            for number in range(VISITS):
                idv.receive("acme-1", attrs.evolve(visit, method="POST", body=b"%d" % number))
            clock.advance(20)
            with pytest.raises(WebhookRejected) as caught:
                idv.receive("acme-1", visit)
        answer = WebhookResponse.of(caught.value)
        assert (answer.status, answer.headers["retry-after"], len(woken)) == (429, "40", VISITS)
        assert b"wait" in answer.body
        assert idv.receive("acme-1", attrs.evolve(visit, path=address(idv, "return", application_id="APP-2"))).fetch
        clock.advance(40)
        assert idv.receive("acme-1", visit).fetch

    def test_unsigned_calls_of_one_application(self, idv: Gateway, clock: FakeClock) -> None:
        call = WebhookRequest(method="POST", path=address(idv, "done"))
        for number in range(UNSIGNED):
            idv.receive("acme-1", attrs.evolve(call, body=b"%d" % number))
        one_more = attrs.evolve(call, body=b"one more")
        with pytest.raises(WebhookRejected) as caught:
            idv.receive("acme-1", one_more)
        assert caught.value.status == 429
        assert idv.receive("acme-1", attrs.evolve(one_more, headers={"Signature": "right"}, query={"a": "b"})).fetch
        assert idv.receive("acme-1", attrs.evolve(one_more, path=address(idv, "done", application_id=None))).fetch
        clock.advance(60)
        assert not idv.receive("acme-1", one_more).repeated

    def test_nobody_pushes_out_what_is_known_of_others(self, idv: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idv_core.webhooks.deduplication.CALLS_OF_ADDRESS", 3)
        signed = {"Signature": "right"}
        others = [
            WebhookRequest(method="POST", path=address(idv, "done", application_id=application), headers=signed)
            for application in (None, "APP-2")
        ]
        mine = WebhookRequest(method="POST", path=address(idv, "done"), headers=signed)
        for webhook in others:
            idv.receive("acme-1", webhook)
        for number in range(100):
            idv.receive("acme-1", attrs.evolve(mine, body=b"%d" % number))
        assert all(idv.receive("acme-1", webhook).repeated for webhook in others)

    def test_the_number_of_addresses_is_bounded(self, idv: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idv_core.webhooks.deduplication.ADDRESSES", 3)
        for number in range(10):
            idv.receive(
                "acme-1", WebhookRequest(method="POST", path=address(idv, "done", application_id=f"APP-{number}"))
            )
        again = WebhookRequest(method="POST", path=address(idv, "done", application_id="APP-9"))
        assert idv.receive("acme-1", again).repeated
        assert not idv.receive(
            "acme-1", attrs.evolve(again, path=address(idv, "done", application_id="APP-0"))
        ).repeated


def test_there_are_no_addresses_for_what_a_plugin_does_not_know(idv: Gateway) -> None:
    with pytest.raises(ConfigError, match=r"'nonsense' \(there are: auth, done\)"):
        idv.webhook_url("acme-1", "nonsense")
    bare = gateway(Vendor(), account=attrs.evolve(ACCOUNT, plugin="bare"), webhooks=WEBHOOKS)
    with pytest.raises(UnsupportedOperation, match="sends no webhooks"):
        bare.webhook_url("acme-1", "done")


class TestWakers:
    def test_what_happens_while_somebody_looks_is_not_lost(self) -> None:
        waiters, woken = Waiters(), []
        with waiters.waiting(("a", "b")) as waiting:
            seen = waiting.count
            waiters.wake("b", "a")
            with waiting.calling(lambda: woken.append("late"), seen):
                assert woken == ["late"]
            with waiting.calling(lambda: woken.append("again"), waiting.count):
                assert woken == ["late"]
                waiters.wake("a")
        waiters.wake("a")
        assert woken == ["late", "again"]

    def test_one_who_is_gone_keeps_nobody_from_waking(self) -> None:
        async def loop() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        closed = asyncio.run(loop())
        waiters, woken = Waiters(), []
        with (
            waiters.waiting(("a",), lambda: closed.call_soon_threadsafe(woken.append, "closed")),
            waiters.waiting(("a",), lambda: woken.append("alive")),
        ):
            waiters.wake("a")
        assert woken == ["alive"]


class TestApp:
    """The ASGI app, mounted in Starlette, over HTTP."""

    @pytest.fixture
    def seen(self) -> list[Received]:
        return []

    @pytest.fixture
    def client(self, idv: Gateway, seen: list[Received]) -> httpx.AsyncClient:
        app = Starlette(routes=[Mount("/idv", app=WebhookApp(idv, seen.append))])
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
        answer = await client.get("/idv/acme-1" + path_of(idv, vendor, application_id="APP-2"))
        assert answer.text == "Thank you. You can close this window."

    async def test_what_could_not_be_handled_may_come_again(self, idv: Gateway, vendor: Vendor) -> None:
        tries: list[Received] = []

        async def handle(received: Received) -> None:
            tries.append(received)
            if len(tries) == 1:
                raise OSError("the database is away")

        app = WebhookApp(idv, handle)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://platform.example")
        path = "/acme-1" + path_of(idv, vendor)
        assert [(await client.post(path)).status_code for _ in range(3)] == [500, 200, 200]
        assert len(tries) == 2

    async def test_other_protocols_are_left_alone(self, idv: Gateway) -> None:
        sent: list[object] = []
        await WebhookApp(idv)({"type": "lifespan"}, None, sent.append)  # type: ignore[arg-type]
        assert sent == []

    @staticmethod
    def over(app: WebhookApp) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://platform.example")

    async def test_the_first_must_end_before_its_twin_is_answered(self, idv: Gateway) -> None:
        tries: list[Received] = []
        go, begun = asyncio.Event(), asyncio.Event()

        async def handle(received: Received) -> None:
            tries.append(received)
            if len(tries) == 1:
                begun.set()
                await go.wait()
                raise OSError("the database is away")

        client, path = self.over(WebhookApp(idv, handle)), "/acme-1" + address(idv, "done")
        first = asyncio.create_task(client.post(path))
        await begun.wait()
        twin = await client.post(path)
        go.set()
        assert ((await first).status_code, twin.status_code) == (500, 503)
        assert int(twin.headers["retry-after"]) > 0
        assert [(await client.post(path)).status_code for _ in range(2)] == [200, 200]
        assert len(tries) == 2

    @pytest.mark.parametrize(
        "error",
        [
            StopIteration,
            StopAsyncIteration,
            concurrent.futures.CancelledError,
            asyncio.CancelledError,
            TimeoutError,
            SystemExit,
        ],
    )
    async def test_whatever_a_plain_function_raises_is_a_failure(
        self, idv: Gateway, error: type[BaseException], caplog: pytest.LogCaptureFixture
    ) -> None:
        tries: list[Received] = []

        def handle(received: Received) -> None:
            tries.append(received)
            if len(tries) == 1:
                raise error("Meera Iyer")

        client, path = self.over(WebhookApp(idv, handle)), "/acme-1" + address(idv, "done")
        answers = [await asyncio.wait_for(client.post(path), 10) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [500, 200, 200]
        assert len(tries) == 2
        assert f"{error.__name__} at {__file__}:{handle.__code__.co_firstlineno + 3} in handle" in caplog.text
        assert "Meera" not in caplog.text

    async def test_of_a_task_group_the_first_error_is_told(
        self, idv: Gateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def store() -> None:
            raise KeyError("Meera Iyer")

        async def handle(received: Received) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(store())

        client, path = self.over(WebhookApp(idv, handle)), "/acme-1" + address(idv, "done")
        assert (await client.post(path)).status_code == 500
        assert f"caused by KeyError at {__file__}:{store.__code__.co_firstlineno + 1} in store" in caplog.text
        assert "Meera" not in caplog.text

    async def test_a_cancelled_handler_has_not_handled(self, idv: Gateway) -> None:
        tries: list[Received] = []
        begun = asyncio.Event()

        async def handle(received: Received) -> None:
            tries.append(received)
            begun.set()
            if len(tries) == 1:
                await asyncio.Event().wait()

        client, path = self.over(WebhookApp(idv, handle)), "/acme-1" + address(idv, "done")
        first = asyncio.create_task(client.post(path))
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await client.post(path)).status_code == 200
        assert len(tries) == 2

    async def test_a_plain_function_goes_on_without_its_caller(self, idv: Gateway) -> None:
        tries: list[Received] = []
        begun, go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def handle(received: Received) -> None:
            tries.append(received)
            loop.call_soon_threadsafe(begun.set)
            assert go.wait(20)

        app = WebhookApp(idv, handle)
        client, path = self.over(app), "/acme-1" + address(idv, "done")
        first = asyncio.create_task(client.post(path))
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await client.post(path)).status_code == 503, "it is still being handled"
        go.set()
        await asyncio.wait(app._tasks)
        assert (await client.post(path)).status_code == 200
        assert len(tries) == 1

    async def test_each_visit_is_told(self, client, idv: Gateway, seen: list[Received]) -> None:
        path = "/idv/acme-1" + address(idv, "return")
        assert [(await client.get(path)).status_code for _ in range(VISITS + 1)] == [200] * VISITS + [429]
        assert len(seen) == VISITS

    async def test_half_a_body_is_no_body(self, idv: Gateway, seen: list[Received]) -> None:
        for purpose in ("done", "return"):
            half = [
                {"type": "http.request", "body": b"half", "more_body": True},
                {"type": "http.disconnect"},
            ]
            assert await call(WebhookApp(idv, seen.append), "POST", "/acme-1" + address(idv, purpose), half) == []
        assert seen == []

    async def test_the_address_comes_before_the_body(self, idv: Gateway) -> None:
        good = "/acme-1" + address(idv, "done")
        for method, path, status in (
            ("POST", good[:-7] + "xx/done", 404),
            ("POST", good.replace("acme-1", "acme-9"), 404),
            ("POST", good.replace("/done", "/return"), 404),
            ("PUT", good, 405),
            ("GET", "/acme-1" + address(idv, "return"), 200),
        ):
            # whoever asks for the body finds none
            start, _ = await call(WebhookApp(idv), method, path, [])
            assert start["status"] == status

    async def test_a_body_has_its_time(self, idv: Gateway, seen: list[Received]) -> None:
        app = WebhookApp(idv, seen.append, body_timeout=timedelta(0))
        start, _ = await call(app, "POST", "/acme-1" + address(idv, "done"), None)
        assert (start["status"], seen) == (408, [])

    async def test_other_methods(self, client, idv: Gateway, seen: list[Received]) -> None:
        path = "/idv/acme-1" + address(idv, "return", return_url="https://platform.example/a")
        refused = await client.options(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")
        head = await client.head(path)
        assert (head.status_code, head.headers["location"], head.content) == (303, "https://platform.example/a", b"")
        assert seen == []

    async def test_a_plain_function_does_not_hold_up_the_loop(self, idv: Gateway) -> None:
        told = threading.Event()

        def handle(received: Received) -> None:
            # returns only when the loop has gone on meanwhile
            assert told.wait(30)

        client = self.over(WebhookApp(idv, handle))
        answer = asyncio.create_task(client.post("/acme-1" + address(idv, "done")))
        while not idv._state.active.receiver.memory._under_way:
            await asyncio.sleep(0)
        told.set()
        assert (await answer).status_code == 200

    @pytest.mark.parametrize("kind", ["method", "callable", "partial", "lambda"])
    async def test_any_kind_of_coroutine_function_will_do(self, idv: Gateway, kind: str) -> None:
        seen: list[object] = []

        class Handler:
            async def handle(self, received: Received, *more: object) -> None:
                seen.append(asyncio.current_task())

            __call__ = handle

        handler = Handler()
        kinds: dict[str, Any] = {
            "method": handler.handle,
            "callable": handler,
            "partial": partial(handler.handle),
            "lambda": lambda received: handler.handle(received),
        }
        client = self.over(WebhookApp(idv, kinds[kind]))
        assert (await client.post("/acme-1" + address(idv, "done"))).status_code == 200
        assert len(seen) == 1

    @pytest.mark.parametrize(
        ("root_path", "before"),
        [("", ""), ("/v", ""), ("/acme-1", ""), ("/a", ""), ("/v", "/v"), ("/acme-1", "/acme-1"), ("/api/idv", "/idv")],
    )
    async def test_a_root_path_is_taken_off_by_segments(self, idv: Gateway, root_path: str, before: str) -> None:
        path = f"{before}/acme-1{address(idv, 'return')}"
        start, _ = await call(WebhookApp(idv), "GET", path, [], root_path=root_path)
        assert start["status"] == 200

    @settings(deadline=None)
    @given(
        path=st.text(st.characters(exclude_categories=()), max_size=40),
        root_path=st.sampled_from(["", "/", "/idv", "/\udcff"]),
    )
    async def test_any_path_is_answered(self, path: str, root_path: str) -> None:
        idv = gateway(Vendor(), webhooks=WEBHOOKS)
        good = "/acme-1" + address(idv, "return")
        for made in (path, f"/acme-1/{path}/return", f"{good}{path}x", f"/{path}{good[1:]}/x", f"/x{path}{good}"):
            start, _ = await call(WebhookApp(idv), "GET", made, [], root_path=root_path)
            assert start["status"] == 404

    async def test_headers_that_come_twice_are_one(self, idv: Gateway) -> None:
        asked = idv.receive("acme-1", WebhookRequest(method="POST", path=address(idv, "auth")))
        token = json.loads(asked.answer.body)["access_token"].encode()
        body = [{"type": "http.request"}]
        path = "/acme-1" + address(idv, "done")
        twice = [(b"token", token), (b"Token", b"x")]
        statuses = [
            (await call(WebhookApp(idv), "POST", path, [*body], headers=headers))[0]["status"]
            for headers in (twice[:1], twice, [(b"t\xff", b"\xff")])
        ]
        assert statuses == [200, 401, 200]

    @pytest.mark.parametrize(
        ("return_url", "location"),
        [
            (
                "https://platform.example/спасибо?a=%20&b=1#c",
                "https://platform.example/%D1%81%D0%BF%D0%B0%D1%81%D0%B8%D0%B1%D0%BE?a=%20&b=1#c",
            ),
            ("myapp://done?a=1", "myapp://done?a=1"),
            ("https://p.example/\r\nSet-Cookie: a=b", None),
            ("https://p.example/\ud800", None),
            ("javascript:alert(1)", None),
            ("JavaScript:alert(1)", None),
            ("data:text/html,x", None),
            ("//platform.example/x", None),
            ("https://[x", None),
            ("", None),
        ],
    )
    async def test_only_a_good_address_is_gone_on_to(
        self, client, idv: Gateway, return_url: str, location: str
    ) -> None:
        answer = await client.get("/idv/acme-1" + address(idv, "return", return_url=return_url))
        assert answer.status_code == (303 if location else 200)
        assert answer.headers.get("location") == location
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_a_broken_plugin_is_asked_again(self, client, idv: Gateway) -> None:
        assert (await client.post("/idv/acme-1" + address(idv, "broken"))).status_code == 500

    async def test_an_operator_sees_what_is_refused_and_why(
        self, client, idv: Gateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = "/idv/acme-1" + address(idv, "done")
        with caplog.at_level(logging.INFO, logger="idv_core"):
            await client.post(path, headers={"Signature": "wrong"})
            await client.post("/idv/somebody/x/" + path.split("/")[3])
        assert [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "idv_core"] == [
            ("WARNING", "webhook refused: acme-1, done: the signature is wrong (401)"),
            ("INFO", "webhook refused: unknown account, no purpose: there is no webhook URL with this path (404)"),
        ]

    async def test_a_handlers_author_can_find_the_error(self, idv: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        def look_up(column: str) -> str:
            return {}[column]

        def handle(received: Received) -> None:
            try:
                look_up("Meera Iyer")
            except KeyError as error:
                raise ValueError("Meera Iyer") from error

        client = self.over(WebhookApp(idv, handle))
        assert (await client.post("/acme-1" + address(idv, "done"))).status_code == 500
        (text,) = [record.getMessage() for record in caplog.records if "handler failed" in record.getMessage()]
        assert text.startswith("webhook handler failed: acme-1, done: ValueError at ")
        assert f"{__file__}:{handle.__code__.co_firstlineno + 4} in handle" in text
        assert f"caused by KeyError at {__file__}:{look_up.__code__.co_firstlineno + 1} in look_up" in text
        assert "Meera" not in caplog.text


async def call(
    app: WebhookApp,
    method: str,
    path: str,
    body: list[dict[str, Any]] | None,
    headers: Iterable[tuple[bytes, bytes]] = (),
    root_path: str = "",
) -> list[Any]:
    """What the app sends. `body` are the messages that it may ask for; None: nothing ever comes."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if body is None:
            await asyncio.Event().wait()
        assert body is not None
        return body.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": headers}
    await app(scope, receive, send)
    return sent
