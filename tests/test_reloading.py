"""The configuration changes while the program runs: accounts that go or are renamed, signals, keys that are exchanged."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import attrs
import httpx
import pytest
from acme import BARE, PLUGIN, Vendor, order

from idv_core import ConfigError, Document, Flow, Gateway, Result, Secret
from idv_core.config import Account, Configuration, Limits, Webhooks
from idv_core.engine.rotation import EVERY, Reloads, Rereads
from idv_core.errors import AuthenticationFailed
from idv_core.model import Template
from idv_core.registry import registry_of
from idv_core.testing import FakeClock
from idv_core.webhooks import WebhookRequest

WEBHOOKS = Webhooks("https://platform.example/idv", Secret("0123456789abcdef" * 4))


def account(name: str, **more: object) -> Account:
    return Account(name, "acme", {"key": Secret("key-1")}, **more)


def configuration(*accounts: Account) -> Configuration:
    return Configuration(accounts=accounts, webhooks=WEBHOOKS)


@pytest.fixture
def connect(vendor: Vendor, clock: FakeClock) -> Callable[..., Gateway]:
    def connect(*accounts: Account) -> Gateway:
        transport = httpx.MockTransport(vendor)
        return Gateway(configuration(*accounts), transport=transport, clock=clock, registry=registry_of(PLUGIN, BARE))

    return connect


Connect = Callable[..., Gateway]


def told(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith(words)]


class TestAnAccountThatIsGone:
    """Whoever takes an account out, because its key leaked or the contract ended, wants nothing new to go there."""

    @pytest.fixture
    def flow(self, connect: Connect) -> Flow:
        self.idv = connect(account("old"), account("other"))
        flow = self.idv.open(order(), account="old")
        self.address = self.idv.webhook_url("old", "done").reveal().removeprefix("https://platform.example/idv/old")
        self.idv.reload(configuration(account("other")))
        return flow

    @pytest.mark.parametrize(
        "begin",
        [
            lambda idv: idv.open(order(application_id="APP-2"), account="old"),
            lambda idv: idv.open(order(), account="old"),
            lambda idv: idv.recover(order(), account="old"),
            lambda idv: idv.provision(Template(name="t"), account="old"),
            lambda idv: idv.vendor(lambda acme: acme.break_down("nothing"), account="old"),
            lambda idv: idv.check_credentials(account="old"),
            lambda idv: idv.webhook_url("old", "done"),
            lambda idv: idv.explain(order(), account="old"),
        ],
    )
    def test_nothing_begins_there(self, flow: Flow, vendor: Vendor, begin: Callable[[Gateway], object]) -> None:
        before = len(vendor.requests)
        with pytest.raises(ConfigError, match=r"there is no account 'old' any more \(there are: other\)"):
            begin(self.idv)
        assert len(vendor.requests) == before

    def test_its_flows_go_on(self, flow: Flow, vendor: Vendor) -> None:
        idv, vendor.status = self.idv, "good"
        for known in (flow, flow.ref):
            assert idv.status(known).status == "finished"
            assert idv.result(known).status.is_settled
            assert idv.wait(known, deadline=timedelta(seconds=5)).status.is_settled
            assert idv.upload(known, [Document("pan", content=b"\xff\xd8\xff pan")]).uploads
            assert idv.submit(known).account == "old"
            assert idv.renew_link(known).link is not None
        request = WebhookRequest(method="POST", path=self.address, query={"id": flow.id})
        assert idv.receive("old", request).flow_ref is not None

    def test_it_is_logged(self, flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
        self.idv.reload(configuration(account("other"), account("old")))
        with caplog.at_level(logging.WARNING):
            self.idv.reload(configuration(account("other")))
        assert told(caplog, "account removed") == [
            "account removed from the configuration, only its existing flows continue: old"
        ]

    def test_one_that_never_was_is_told_from_it(self, flow: Flow) -> None:
        with pytest.raises(ConfigError, match=r"there is no account 'nobody' \(there are: other\)$"):
            self.idv.open(order(), account="nobody")
        with pytest.raises(ConfigError, match=r"there is no account 'nobody' .* list the old name in formerly"):
            self.idv.status("nobody/1")


class TestAnAccountThatIsRenamed:
    NEW = account("new", formerly="old")

    def test_stored_flows_reach_it_after_a_restart(self, connect: Connect, vendor: Vendor) -> None:
        before = connect(account("old"))
        flow = before.open(order())
        url = before.webhook_url("old", "done").reveal()
        idv, vendor.status = connect(self.NEW), "good"
        assert idv.accounts == ("new",)
        for known in (flow, flow.ref):
            assert idv.status(known).ref.startswith("old/"), "its reference stays what it was"
            assert idv.wait(known).status.is_settled
            assert idv.submit(known).account == "old"
        request = WebhookRequest(
            method="POST", path=url.removeprefix("https://platform.example/idv/old"), query={"id": flow.id}
        )
        assert idv.receive("old", request).fetch

    @pytest.mark.parametrize("waiting", ["old", "new"])
    @pytest.mark.parametrize("called", ["old", "new"])
    def test_an_event_wakes_whoever_waits_by_whichever_name(
        self, connect: Connect, vendor: Vendor, clock: FakeClock, waiting: str, called: str
    ) -> None:
        idv = connect(account("old"))
        addresses = {"old": idv.webhook_url("old", "done").reveal()}
        idv.reload(configuration(self.NEW))
        addresses["new"] = idv.webhook_url("new", "done").reveal()
        path = addresses[called].removeprefix(f"https://platform.example/idv/{called}")
        looks: list[str] = []

        def look(result: Result) -> None:
            looks.append(result.status.value)
            if len(looks) == 1:
                vendor.status = "good"
                idv.receive(called, WebhookRequest(method="POST", path=path, query={"id": "f-1"}))

        begun = clock.monotonic()
        assert idv.wait(f"{waiting}/f-1", progress=look).status.is_settled
        assert len(looks) == 2
        assert clock.monotonic() - begun <= 1, "it looked again as soon as it may"

    def test_an_event_wakes_one_who_began_to_wait_before_the_name_changed(
        self, connect: Connect, vendor: Vendor, clock: FakeClock
    ) -> None:
        idv = connect(account("old"))

        def look(result: Result) -> None:
            if not result.status.is_settled:
                idv.reload(configuration(self.NEW))
                vendor.status = "good"
                path = idv.webhook_url("new", "done").reveal().removeprefix("https://platform.example/idv/new")
                idv.receive("new", WebhookRequest(method="POST", path=path, query={"id": "f-1"}))

        begun = clock.monotonic()
        assert idv.wait("old/f-1", progress=look).status.is_settled
        assert clock.monotonic() - begun <= 1, "it looked again as soon as it may"

    def test_in_the_same_process_too_and_nothing_is_said(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        idv = connect(account("old"))
        flow = idv.open(order())
        with caplog.at_level(logging.WARNING):
            idv.reload(configuration(self.NEW))
        assert idv.status(flow).account == "old"
        assert told(caplog, "account removed") == []

    def test_nothing_new_begins_under_the_old_name(self, connect: Connect) -> None:
        with pytest.raises(ConfigError, match="there is no account 'old' any more"):
            connect(self.NEW, account("other")).open(order(), account="old")

    def test_it_stands_in_the_file(self, tmp_path: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_KEY", "key-1")
        file = tmp_path / "idv.toml"
        file.write_text('[accounts.new]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\nformerly = ["old", "older"]\n')
        idv = Gateway.load(file, transport=httpx.MockTransport(vendor), registry=registry_of(PLUGIN))
        assert idv.status("old/f-1").account == idv.status("older/f-1").account.replace("older", "old") == "old"

    def test_a_key_that_was_exchanged_is_found_under_the_old_name_too(
        self, vendor: Vendor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_KEY", "key-1")
        new = Account("new", "acme", {"key": {"env": "ACME_KEY"}}, formerly="old")
        idv = Gateway([new], transport=httpx.MockTransport(vendor), clock=clock, registry=registry_of(PLUGIN))
        vendor.answers["POST /token"] = lambda request: (
            httpx.Response(200, json={"token": "t"}) if request.headers["Key"] == "key-2" else httpx.Response(401)
        )
        monkeypatch.setenv("ACME_KEY", "key-2")
        assert idv.status("old/f-1").account == "old"
        assert idv.status("new/f-1").account == "new"
        keys = [r.headers["Key"] for r in vendor.requests if r.url.path == "/token"]
        assert keys == ["key-1", "key-2", "key-2"]


class Vault:
    """A source of secrets that does something while it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.secret = "key-1"
        self.meanwhile: Callable[[], object] | None = None

    def __call__(self, name: str) -> str:
        self.asked += 1
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        return self.secret


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def idv(vault: Vault, vendor: Vendor, clock: FakeClock) -> Gateway:
    """One account whose key is in the vault; the vendor takes nothing but `key-2`."""
    vendor.answers["POST /token"] = lambda request: (
        httpx.Response(200, json={"token": "t", "lives": 60})
        if request.headers["Key"] == "key-2"
        else httpx.Response(401)
    )
    registry = registry_of(PLUGIN, secret_sources={"vault": vault})
    one = Account("a", "acme", {"key": {"vault": "acme"}}, limits=Limits(operation=30))
    return Gateway([one], transport=httpx.MockTransport(vendor), clock=clock, registry=registry)


def again(name: str = "a", **more: object) -> Configuration:
    return Configuration(accounts=[Account(name, "acme", {"key": {"vault": "acme"}}, **more)])


class TestSignals:
    """A handler runs in the midst of whatever the main thread does, also of a reload."""

    def test_a_reload_in_a_reload_is_done_at_its_end(self, idv: Gateway, vault: Vault) -> None:
        inner: list[str] = []

        def handler() -> None:
            idv.reload(again("b"))
            inner.extend(idv.accounts)

        vault.meanwhile = handler
        idv.reload(again("a", daily_cap=3))
        assert inner == ["a"], "it came back at once"
        assert idv.accounts == ("b",)

    def test_what_is_wrong_with_the_first_does_not_stop_the_second(self, idv: Gateway, vault: Vault) -> None:
        broken = Configuration(accounts=[*again("c").accounts, Account("d", "nobody")])
        vault.meanwhile = lambda: idv.reload(again("b"))
        idv.reload(broken)
        assert idv.accounts == ("b",)
        vault.meanwhile = lambda: idv.reload(broken)
        with pytest.raises(ConfigError, match="there is no plugin 'nobody'"):
            idv.reload(again("a"))
        assert idv.accounts == ("a",)

    def test_a_reload_while_a_refused_key_is_read_again(self, idv: Gateway, vault: Vault) -> None:
        vault.secret, vault.meanwhile = "key-2", lambda: idv.reload(again("a", daily_cap=7))
        assert idv.status("a/f-1").account == "a"
        assert idv._state.active.sessions["a"].daily_cap == 7, "what the reload brought is not lost"

    @pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
    @pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
    )
    def test_the_recipe_of_the_documents(
        self, vault: Vault, vendor: Vendor, tmp_path: Path, caplog: pytest.LogCaptureFixture, handlers: None
    ) -> None:
        file = tmp_path / "idv.toml"
        written = '[accounts.{}]\nplugin = "acme"\nkey = {{ vault = "acme" }}\n'
        file.write_text(written.format("a"))
        registry = registry_of(PLUGIN, secret_sources={"vault": vault})
        idv = Gateway.load(file, transport=httpx.MockTransport(vendor), registry=registry)
        done = threading.Event()
        logging.getLogger("idv_core").addFilter(waiter := _Waiter(done))
        try:
            with caplog.at_level(logging.INFO):
                idv.reload_on(signal.SIGHUP)
                vault.meanwhile = lambda: os.kill(os.getpid(), signal.SIGHUP)
                wrong = f"{file}:1: acounts: there is no such section; did you mean 'accounts'?"
                for text, fits in (
                    (
                        written.format("b"),
                        lambda said: said.startswith("configuration loaded") and idv.accounts == ("b",),
                    ),
                    (
                        "[acounts.a]",
                        lambda said: said.startswith("configuration refused, the old one") and wrong in said,
                    ),
                    (
                        written.format("c"),
                        lambda said: said.startswith("configuration loaded") and idv.accounts == ("c",),
                    ),
                ):
                    done.clear()
                    waiter.fits = fits
                    file.write_text(text)
                    signal.raise_signal(signal.SIGHUP)
                    assert done.wait(30)
        finally:
            logging.getLogger("idv_core").removeFilter(waiter)

    @pytest.fixture
    def handlers(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGHUP)
        yield
        signal.signal(signal.SIGHUP, before)

    def test_reloads_of_several_threads_come_one_after_the_other(self, idv: Gateway) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: idv.reload(again(f"a{number}")), range(40)))
        (name,) = idv.accounts
        assert name.startswith("a")

    def test_another_thread_waits_for_its_turn(self) -> None:
        reloads, order_, inside = Reloads(), [], threading.Event()
        with ThreadPoolExecutor(1) as pool:

            def outer() -> None:
                waiting = pool.submit(lambda: (inside.set(), reloads.run(lambda: order_.append("second"))))
                assert inside.wait(30)
                order_.append("first")
                self.waiting = waiting

            reloads.run(outer)
            self.waiting.result(30)
        assert order_ == ["first", "second"]


class _Waiter(logging.Filter):
    """Tells when a record with a fitting text comes."""

    def __init__(self, done: threading.Event) -> None:
        super().__init__()
        self.done = done
        self.fits: Callable[[str], bool] = lambda said: False

    def filter(self, record: logging.LogRecord) -> bool:
        if self.fits(record.getMessage()):
            self.done.set()
        return True


class TestRefusedKeys:
    """A key that is refused under load must not become a storm on the vault, nor keep anybody waiting."""

    def test_many_refused_calls_read_it_once_in_ten_seconds(self, idv: Gateway, vault: Vault, clock: FakeClock) -> None:
        def refused(_: int) -> bool:
            with pytest.raises(AuthenticationFailed):
                idv.status("a/f-1")
            return True

        assert vault.asked == 1
        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(refused, range(60)))
        assert vault.asked == 2
        clock.advance(EVERY - 0.1)
        assert refused(0)
        assert vault.asked == 2
        vault.secret = "key-2"
        clock.advance(0.1)
        assert idv.status("a/f-1").account == "a"
        assert vault.asked == 3

    def test_all_who_wait_take_the_one_answer(self, idv: Gateway, vault: Vault) -> None:
        vault.secret = "key-2"
        with ThreadPoolExecutor(20) as pool:
            assert {flow.account for flow in pool.map(lambda _: idv.status("a/f-1"), range(60))} == {"a"}
        assert vault.asked == 2

    def test_a_slow_vault_does_not_hold_a_reload_up(self, idv: Gateway, vault: Vault, vendor: Vendor) -> None:
        asked, opened = threading.Event(), threading.Event()
        vault.secret = "key-2"
        vault.meanwhile = lambda: (asked.set(), opened.wait(30))
        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(idv.status, "a/f-1")
            assert asked.wait(30)
            idv.reload(again("b"))
            assert idv.accounts == ("b",)
            opened.set()
            with pytest.raises(AuthenticationFailed):
                under_way.result(30)
        assert idv.accounts == ("b",), "the account that is gone does not come back"

    def test_who_waits_for_another_reader_waits_no_longer_than_the_operation_may_take(self) -> None:
        rereads, read = Rereads(), []
        rereads.run("a", lambda: True, lambda: read.append(1), lambda: 0.0, 1.0)
        reader = rereads._readers["a"]
        with reader.lock:
            rereads.run("a", lambda: True, lambda: read.append(2), lambda: EVERY, 0.001)
        assert read == [1]

    def test_a_source_that_fails_is_not_asked_again_at_once(self, idv: Gateway, vault: Vault) -> None:
        def fail() -> None:
            raise OSError("the vault is sealed")

        for _ in range(3):
            vault.meanwhile = fail
            with pytest.raises(AuthenticationFailed):
                idv.status("a/f-1")
        assert vault.asked == 2


def test_a_configuration_in_python_may_be_exchanged_for_one_with_other_limits(idv: Gateway) -> None:
    idv.reload(again("a", limits=Limits(operation=timedelta(seconds=5))))
    assert attrs.asdict(idv._state.active.sessions["a"].limits)["operation"] == 5.0
