"""docs/cookbook.md: each recipe is run as it is printed; the vendors' plugins meet their vendors over real sockets."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from acme import order
from acme_whole import Idv
from cookbook_vendors import (
    SECRET,
    HalyardVendor,
    QuayStorage,
    QuayVendor,
    ReturnoVendor,
    SignetVendor,
    TamarLogin,
    TamarVendor,
)
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import Decision, FlowStatus, Secret
from idv_core.clock import SystemClock
from idv_core.config import Account, Webhooks
from idv_core.errors import DuplicateFlow, UnexpectedResponse
from idv_core.model import Document
from idv_core.plugin import Plugin
from idv_core.policy import Policy
from idv_core.testing import Emulator, serve
from idv_core.webhooks import WebhookApp

PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text()
RECIPES = dict(re.findall(r'```python title="([a-z]+)\.py"\n(.*?)```', PAGE, re.DOTALL))
VENDORS = dict(re.findall(r'```python title="idv_([a-z]+)\.py"\n(.*?)```', PAGE, re.DOTALL))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe(name: str) -> None:
    exec(compile(RECIPES[name], f"cookbook/{name}.py", "exec"), {"__name__": name})


def test_every_recipe_shows_what_it_does() -> None:
    assert len(RECIPES) == PAGE.count("\n## ") - 1 == 12
    assert [name for name, code in RECIPES.items() if "assert " not in code] == []


def test_a_vendor_takes_a_page_and_a_short_plugin() -> None:
    assert len(VENDORS) == PAGE.count("\n### ") == 5
    assert {name: len(code.splitlines()) for name, code in VENDORS.items() if len(code.splitlines()) >= 80} == {}


def test_the_plugins_come_in_by_the_door() -> None:
    for code in VENDORS.values():
        assert set(re.findall(r"\bidv_core[a-z._]*", code)) == {"idv_core.plugin"}


def plugin(name: str) -> Plugin:
    """The plugin of a vendor, imported from what the page prints."""
    module = sys.modules.get(f"idv_{name}")
    if module is None:
        # annotations are looked up in the module
        module = sys.modules[f"idv_{name}"] = ModuleType(f"idv_{name}")
        exec(compile(VENDORS[name], f"cookbook/idv_{name}.py", "exec"), vars(module))
    made = module.PLUGIN
    assert isinstance(made, Plugin)
    assert made.name == name
    return made


class Place:
    """Vendors on real sockets, and a platform that knows them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._stack = ExitStack()

    def serve(self, vendor: Emulator) -> str:
        return self._stack.enter_context(serve(vendor.app)).url

    def idv(self, name: str, more: dict[str, Any] | None = None, **settings: Any) -> Idv:
        account = Account("a", name, settings)
        idv = Idv(self.kind, [account], None, plugins=(plugin(name),), clock=SystemClock(), **more or {})
        self._stack.callback(idv.shut)
        return idv

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(params=["sync", "async"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(request.param)
    yield made
    made.close()


class TestHalyard:
    """A signature over the body."""

    def test_every_call_is_signed(self, place: Place, tmp_path: Path) -> None:
        vendor = HalyardVendor()
        idv = place.idv("halyard", key="key", secret=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        (tmp_path / "large").write_bytes(b"0123456789" * 30_000)
        documents = [Document("front", content=b"--\r\nfront"), Document("back", path=tmp_path / "large")]
        uploaded = idv.upload(flow, documents)
        assert vendor.files == [b"--\r\nfront", b"0123456789" * 30_000]
        assert [upload.vendor_ids for upload in uploaded.uploads] == [{"file": "f-1"}, {"file": "f-2"}]
        assert idv.result(flow).status is FlowStatus.PROCESSING
        for word, decision in (("genuine", "approved"), ("forged", "declined"), ("splendid", "review")):
            vendor.state = {"state": "done", "document": word}
            assert idv.result(flow.ref).decision.value == decision
        assert len(vendor.nonces) == len(vendor.calls) == 7

    def test_a_retry_is_signed_anew(self, place: Place) -> None:
        vendor = HalyardVendor()
        idv = place.idv("halyard", key="key", secret=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        vendor.lost = 1
        assert idv.result(flow).status is FlowStatus.PROCESSING
        assert len(set(vendor.nonces)) == 3


class TestTamar:
    """A token on another host."""

    def test_the_token_comes_from_there(self, place: Place) -> None:
        login, vendor = TamarLogin(), TamarVendor()
        urls = {"base_url": place.serve(vendor), "login_url": place.serve(login)}
        idv = place.idv("tamar", client_id="client", client_secret=Secret(SECRET), **urls)
        flow = idv.open(order())
        assert (flow.id, flow.link.url.reveal()) == ("check-APP-1", "https://go.tamar.example/check-APP-1")
        assert idv.result(flow).status is FlowStatus.AWAITING_APPLICANT
        for word, decision in (("passed", "approved"), ("failed", "declined"), ("splendid", "review")):
            vendor.status = word
            assert idv.result(flow.ref).decision.value == decision
        vendor.good_token = "t-2"
        assert idv.result(flow).status is FlowStatus.FINISHED
        assert login.calls == ["POST /oauth/token"] * 2
        assert not any("token" in call for call in vendor.calls)


class TestQuay:
    """An upload to a pre-signed address."""

    def test_the_picture_goes_to_the_storage(self, place: Place, tmp_path: Path) -> None:
        storage, vendor = QuayStorage(), QuayVendor()
        vendor.storage_url = place.serve(storage)
        idv = place.idv("quay", key=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        (tmp_path / "large").write_bytes(b"0123456789" * 30_000)
        uploaded = idv.upload(flow, [Document("front", content=b"front"), Document.selfie(path=tmp_path / "large")])
        assert storage.stored == {"document-1": b"front", "selfie-1": b"0123456789" * 30_000}
        assert [upload.vendor_ids["upload"] for upload in uploaded.uploads] == ["document-1", "selfie-1"]
        for word, decision in (("same", "approved"), ("other", "declined"), ("splendid", "review")):
            vendor.state = {"state": "done", "face": word}
            assert idv.result(flow.ref).decision.value == decision

    @pytest.mark.parametrize("url", ["https://evil.example", "https://quay-storage.example.evil.example"])
    def test_and_nowhere_else(self, place: Place, url: str) -> None:
        vendor = QuayVendor()
        vendor.storage_url = url
        idv = place.idv("quay", key=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        with pytest.raises(UnexpectedResponse, match="not in the allowed_hosts") as caught:
            idv.upload(flow, [Document("front", content=b"front")])
        assert SECRET not in str(caught.value)


class TestSignet:
    """Webhooks signed with keys that are fetched."""

    WEBHOOKS = Webhooks("https://platform.example/idv", Secret("0123456789" * 4))

    def test_a_webhook_is_believed_by_its_signature(self, place: Place) -> None:
        vendor = SignetVendor()
        more = {"webhooks": self.WEBHOOKS, "policy": Policy(verdict="sufficient")}
        idv = place.idv("signet", more, key=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        assert idv.result(flow).status is FlowStatus.PROCESSING
        assert vendor.notify is not None
        got: list[Any] = []
        app = Starlette(routes=[Mount("/idv", app=WebhookApp(idv.gateway, got.append))])
        body = b'{"inquiry": "s-1"}'
        calls = [
            (vendor.jws(body), 200),
            (vendor.jws(body, kid="k-2"), 200),
            (vendor.jws(b"another"), 401),
            (vendor.jws(body, age=301), 401),
            (vendor.jws(body, alg="none"), 401),
            (vendor.jws(body, kid="k-1", key=vendor.keys["k-2"]), 401),
            (vendor.jws(body, kid="forged", key=b"theirs"), 401),
            (vendor.jws(body).rpartition(".")[0] + ".", 401),
            ("no jws", 401),
            ("", 401),
        ]

        async def send() -> list[int]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="https://platform.example") as client:
                return [
                    (
                        await client.post(vendor.notify or "", content=body, headers={"Signet-Verification": jws})
                    ).status_code
                    for jws, _ in calls
                ]

        assert idv._runner.run(send()) == [status for _, status in calls]
        assert [(received.flow_ref, received.proved) for received in got] == [(flow.ref, "signature")]
        assert [call for call in vendor.calls if "webhook-keys" in call] == [
            f"GET /webhook-keys/{kid}" for kid in ("k-1", "k-2", "forged")
        ]
        for word, decision in (("approved", "approved"), ("declined", "declined"), ("splendid", "review")):
            vendor.state = word
            assert idv.result(flow).decision.value == decision


class TestReturno:
    """A verification that goes on after its end."""

    def test_resubmission(self, place: Place) -> None:
        vendor = ReturnoVendor()
        idv = place.idv("returno", key=Secret(SECRET), base_url=place.serve(vendor))
        first = idv.open(order())
        vendor.found["r-1"]["state"] = "resubmit"
        seen = idv.result(first)
        assert (seen.status.is_settled, seen.flow.may_reopen, seen.decision) == (True, True, Decision.REVIEW)
        second = idv.retry(first, order())
        assert (second.id, second.attempt, second.previous_id) == ("r-2", 2, "r-1")
        assert idv.retry(first.ref, order()).id == "r-2"
        assert vendor.calls.count("POST /verifications/r-1/attempts") == 1
        other = place.idv("returno", key=Secret(SECRET), base_url=idv.gateway._state.active.session("a").base_url)
        with pytest.raises(DuplicateFlow):
            other.retry(first, order())

    def test_a_person_decides_afterwards(self, place: Place) -> None:
        vendor = ReturnoVendor()
        idv = place.idv("returno", key=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        found = vendor.found["r-1"]
        found["state"] = "approved"
        good = idv.result(flow)
        assert (good.decision, good.flow.may_reopen, good.decided_by) == (Decision.APPROVED, True, "vendor")
        found |= {"state": "declined", "final": True, "by": "person"}
        bad = idv.result(good.flow)
        assert (bad.decision, bad.flow.may_reopen, bad.decided_by) == (Decision.DECLINED, False, "person")

    def test_an_approval_ends(self, place: Place) -> None:
        vendor = ReturnoVendor()
        idv = place.idv("returno", key=Secret(SECRET), base_url=place.serve(vendor))
        flow = idv.open(order())
        today = datetime.now(UTC)
        for days, decision in ((2, Decision.APPROVED), (-2, Decision.REVIEW)):
            vendor.found["r-1"] |= {"state": "approved", "good_until": f"{today + timedelta(days=days):%Y-%m-%d}"}
            result = idv.result(flow.ref)
            assert result.decision is decision
            assert result.flow.valid_until is not None
