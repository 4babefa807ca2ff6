"""The gateway, blocking and async: the life of a flow, waiting, documents, and what is refused."""

from __future__ import annotations

import asyncio
import inspect
import io
import itertools
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_overloads

import acme
import attrs
import httpx
import pytest
from acme import ACCOUNT, PLUGIN, AcmeBare, AcmeSettings, Vendor, async_gateway, gateway, order

from idv_core import AsyncGateway, ConfigError, Decision, Document, FlowOrder, FlowStatus, Gateway, Result, Secret
from idv_core.config import Account
from idv_core.engine.account import Limits
from idv_core.errors import DeadlineExceeded, InvalidOrder, PermissionDenied, UnsupportedOperation
from idv_core.gateway.order_fields import OrderFields
from idv_core.model import Template
from idv_core.plugin.protocols import Polling
from idv_core.registry import registry_of
from idv_core.testing import FakeClock

BARE = Account("bare-1", "bare", {"key": Secret("key-of-bare-0001")})


def test_both_gateways_have_the_same_names_and_arguments() -> None:
    def methods(cls: type) -> dict[str, Any]:
        return {name: parameters(method) for name, method in inspect.getmembers(cls, callable) if name[0] != "_"}

    def parameters(method: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
        """All but the class of the transport, which is httpx's for one of the two."""
        return [
            (name, it.kind, it.annotation if name != "transport" else None)
            for name, it in inspect.signature(method).parameters.items()
        ]

    assert methods(Gateway) == methods(AsyncGateway)
    own = [name for name in methods(Gateway) if name in vars(Gateway) and name not in ("load", "receive", "receiving")]
    assert all(inspect.iscoroutinefunction(getattr(AsyncGateway, name)) for name in own)


def test_an_order_may_be_given_by_its_fields(vendor: Vendor, clock: FakeClock) -> None:
    wanted = order(documents=["passport"], tenant="north")
    fields = {"tenant": "north", "documents": ["passport"], "applicant": wanted.applicant}
    with gateway(vendor, clock) as idv:
        flow = idv.open(product="wallet", application_id="APP-1", **fields)
        assert idv.open(wanted) == idv.status(flow), "it is the same opening"
        assert len([request for request in vendor.requests if request.url.path == "/flows"]) == 1


async def test_an_order_may_be_given_by_its_fields_to_tasks_too(vendor: Vendor, clock: FakeClock) -> None:
    async with async_gateway(vendor, clock) as idv:
        flow = await idv.open(product="wallet", application_id="APP-1", applicant=order().applicant, account="acme-1")
        assert flow.application_id == "APP-1"


def test_an_order_and_fields_of_one_are_too_much(vendor: Vendor, clock: FakeClock) -> None:
    idv: Any = gateway(vendor, clock)
    with pytest.raises(TypeError, match="leave out product, tenant"):
        idv.open(order(), tenant="north", product="wallet")
    with pytest.raises(TypeError, match="produkt"):
        idv.open(produkt="wallet", application_id="APP-1", applicant=order().applicant)
    with pytest.raises(ValueError, match="applicant"):
        idv.open(product="wallet", application_id="APP-1", applicant="CUST-1")
    assert not vendor.requests


@pytest.mark.parametrize("cls", [Gateway, AsyncGateway])
def test_a_type_checker_can_find_a_misspelt_keyword(cls: type) -> None:
    """mypy says "unexpected keyword argument" where a signature names them all."""
    signatures = [inspect.signature(method) for method in (cls.load, *get_overloads(cls.open))]  # type: ignore[attr-defined]
    loose = [it for signature in signatures for it in signature.parameters.values() if it.kind is it.VAR_KEYWORD]
    assert [it.annotation for it in loose] == ["Unpack[OrderFields]"]


def test_the_fields_of_an_order_are_those_of_the_class() -> None:
    ours = {"urls", "is_shadow"}
    assert OrderFields.__annotations__.keys() == {field.name for field in attrs.fields(FlowOrder)} - ours
    required = {field.name for field in attrs.fields(FlowOrder) if field.default is attrs.NOTHING}
    assert {name for name, hint in OrderFields.__annotations__.items() if "Required" in str(hint)} == required


def test_a_flow_from_opening_to_result(vendor: Vendor, clock: FakeClock) -> None:
    with gateway(vendor, clock) as idv:
        flow = idv.open(order())
        assert flow.ref == "acme-1/f-1"
        assert flow.application_id == "APP-1"
        assert flow.created_at == clock.now()
        assert flow.link is not None
        assert "secret-in-link" not in repr(flow)
        assert idv.accounts == ("acme-1",)
        flow = idv.upload(flow, [Document("pan", content=b"x")])
        assert idv.submit(flow) == flow
        assert idv.renew_link(flow).link != flow.link
        vendor.status = "good"
        result = idv.result(flow)
        assert result.decision is Decision.APPROVED
        assert result.received_at == clock.now()
        assert idv.status(flow.ref).status is FlowStatus.FINISHED
        assert idv.provision(Template(name="t")).id == "t-1"


async def test_the_same_with_tasks(vendor: Vendor, clock: FakeClock) -> None:
    async with async_gateway(vendor, clock) as idv:
        flow = await idv.upload(await idv.open(order()), [Document("pan", content=io.BytesIO(b"x"))])
        assert (await idv.submit(flow)) == flow
        assert (await idv.renew_link(flow)).link != flow.link
        vendor.status = "good"
        assert (await idv.result(flow)).decision is Decision.APPROVED
        assert (await idv.status(flow.ref)).status is FlowStatus.FINISHED
        assert (await idv.provision(Template(name="t"))).id == "t-1"
        assert await idv.vendor(lambda acme: acme.submit(flow)) == flow


class TestWaiting:
    def test_it_looks_with_growing_pauses(self, vendor: Vendor, clock: FakeClock) -> None:
        seen: list[float] = []

        def progress(result: Result) -> None:
            seen.append(clock.monotonic())
            if len(seen) == 6:
                vendor.status = "good"

        idv = gateway(vendor, clock)
        assert idv.wait(idv.open(order()), progress=progress).status is FlowStatus.FINISHED
        pauses = [later - earlier for earlier, later in itertools.pairwise(seen)]
        assert seen[0] == 0
        assert 1.8 <= pauses[0] <= 2.2
        assert pauses[1] > pauses[0]
        assert max(pauses) <= 8.8

    def test_the_deadline_ends_it_and_loses_nothing(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock)
        with pytest.raises(DeadlineExceeded, match="the flow is processing") as caught:
            idv.wait("acme-1/f-1", deadline=timedelta(seconds=20))
        assert (caught.value.account, caught.value.operation) == ("acme-1", "wait")
        assert clock.monotonic() == pytest.approx(20, abs=0.1)
        vendor.status = "good"
        assert idv.wait("acme-1/f-1").decision is Decision.APPROVED

    async def test_the_deadline_ends_it_for_tasks_too(self, vendor: Vendor, clock: FakeClock) -> None:
        with pytest.raises(DeadlineExceeded):
            await async_gateway(vendor, clock).wait("acme-1/f-1", deadline=timedelta(seconds=20))
        assert clock.monotonic() == pytest.approx(20, abs=0.1)

    async def test_a_cancelled_task_stops(self, vendor: Vendor) -> None:
        from idv_core.clock import SystemClock

        task = asyncio.create_task(async_gateway(vendor, SystemClock()).wait("acme-1/f-1"))
        while len(vendor.requests) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_a_vendor_that_is_away_for_a_while_is_waited_for(self, vendor: Vendor, clock: FakeClock) -> None:
        answers = iter([httpx.Response(503), httpx.Response(429, headers={"retry-after": "30"})])

        def away(_: httpx.Request) -> httpx.Response:
            return next(answers, httpx.Response(200, json={"status": "good"}))

        vendor.answers["GET /flows"] = away
        assert gateway(vendor, clock).wait("acme-1/f-1").decision is Decision.APPROVED
        assert clock.monotonic() > 30

    def test_a_vendor_that_stays_away_is_waited_for_until_the_deadline(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(503)
        begun = clock.monotonic()
        with pytest.raises(DeadlineExceeded, match="the last status check failed"):
            gateway(vendor, clock).wait("acme-1/f-1", deadline=timedelta(hours=1))
        assert clock.monotonic() - begun >= 3600
        # the circuit keeps the vendor from being asked at each look
        assert vendor.paths().count("/flows/f-1") < 200

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(503),
            httpx.Response(429, headers={"retry-after": "7"}),
            httpx.Response(200, text="<html>we are back soon</html>"),
            httpx.ReadTimeout("x"),
            httpx.ConnectError("x"),
        ],
        ids=["503", "429", "html", "slow", "away"],
    )
    def test_five_bad_minutes_end_no_wait(self, vendor: Vendor, clock: FakeClock, answer: Any) -> None:
        def answering(_: httpx.Request) -> httpx.Response:
            if clock.monotonic() > 300:
                return httpx.Response(200, json={"status": "good"})
            if isinstance(answer, Exception):
                clock.advance(30)
                raise answer
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        vendor.answers["GET /flows"] = answering
        result = gateway(vendor, clock).wait("acme-1/f-1", deadline=1800)
        assert result.decision is Decision.APPROVED
        assert clock.monotonic() < 400

    def test_wrong_credentials_end_it_at_once(self, vendor: Vendor, clock: FakeClock) -> None:
        vendor.answers["GET /flows"] = lambda _: httpx.Response(403)
        with pytest.raises(PermissionDenied):
            gateway(vendor, clock).wait("acme-1/f-1")

    @pytest.mark.parametrize("deadline", ["10", -1, float("nan"), None, True])
    def test_a_deadline_that_is_none_is_refused(self, vendor: Vendor, deadline: Any) -> None:
        with pytest.raises(InvalidOrder) as caught:
            gateway(vendor).wait("acme-1/f-1", deadline=deadline)
        assert caught.value.fields == ("deadline",)

    def test_a_webhook_that_comes_during_a_look_is_not_missed(self, vendor: Vendor, clock: FakeClock) -> None:
        looks: list[float] = []
        idv = gateway(vendor, clock, account=attrs.evolve(ACCOUNT, polling=Polling(first=600, ceiling=600)))

        def looking(_: httpx.Request) -> httpx.Response:
            looks.append(clock.monotonic())
            if len(looks) == 1:
                idv._state.waiters.wake(("flow", "acme-1", "f-1"))
                return httpx.Response(200, json={"status": "busy"})
            return httpx.Response(200, json={"status": "good"})

        vendor.answers["GET /flows"] = looking
        idv.wait("acme-1/f-1", deadline=3600)
        assert looks[1] - looks[0] <= 1

    def test_webhooks_make_no_more_than_one_look_a_second(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock)
        looks = 0

        def looking(_: httpx.Request) -> httpx.Response:
            nonlocal looks
            looks += 1
            for _ in range(50):
                idv._state.waiters.wake(("flow", "acme-1", "f-1"))
            return httpx.Response(200, json={"status": "busy"})

        vendor.answers["GET /flows"] = looking
        with pytest.raises(DeadlineExceeded):
            idv.wait("acme-1/f-1", deadline=30)
        assert looks <= 32

    async def test_an_asynchronous_progress_is_awaited(self, vendor: Vendor) -> None:
        seen: list[str] = []

        async def progress(result: Result) -> None:
            await asyncio.sleep(0)
            seen.append(str(result.status))

        vendor.status = "good"
        await async_gateway(vendor).wait("acme-1/f-1", progress=progress)
        assert seen == ["finished"]
        with pytest.raises(InvalidOrder, match="progress and attempt must be plain functions"):
            gateway(vendor).wait("acme-1/f-1", progress=progress)

    def test_operations_may_choose_the_rhythm(self, vendor: Vendor, clock: FakeClock) -> None:
        slow = attrs.evolve(ACCOUNT, polling=Polling(first=timedelta(seconds=60), ceiling=timedelta(seconds=60)))
        with pytest.raises(DeadlineExceeded):
            gateway(vendor, clock, account=slow).wait("acme-1/f-1", deadline=timedelta(seconds=100))
        assert vendor.paths().count("/flows/f-1") == 3


class TestDocuments:
    def test_they_are_read_from_anywhere(self, vendor: Vendor, tmp_path: Path) -> None:
        path = tmp_path / "pan.png"
        path.write_bytes(b"picture")
        idv = gateway(vendor)
        handed_in = [
            Document("a", path=path, back_path=str(path)),
            Document("b", content=io.BytesIO(b"x")),
            Document("c", url="https://files.example/c"),
        ]
        flow = idv.upload("acme-1/f-1", handed_in)
        assert [upload.document_id for upload in flow.uploads] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("document", "problem"),
        [
            (Document("a", path="/no/such/file"), "cannot be read"),
            (Document("a", content=b""), "is empty"),
            (Document("a", content=b"x" * 101), "larger than 100 bytes"),
            (Document("a", content=io.BytesIO(b"x" * 101)), "larger than 100 bytes"),
            (Document("a", content=io.StringIO("text")), "binary mode"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said(self, vendor: Vendor, document: Document, problem: str) -> None:
        account = attrs.evolve(ACCOUNT, limits=Limits(max_upload=100))
        with pytest.raises(InvalidOrder, match=problem) as caught:
            gateway(vendor, account=account).upload("acme-1/f-1", [document])
        assert caught.value.fields == ("a",)
        assert vendor.requests == []

    def test_ids_are_unique_in_a_flow(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        one = Document("a", content=b"x")
        with pytest.raises(InvalidOrder, match="must be unique"):
            idv.upload("acme-1/f-1", [one, one])
        flow = idv.upload("acme-1/f-1", [one])
        with pytest.raises(InvalidOrder, match="'a' is already used"):
            idv.upload(flow, [one])
        with pytest.raises(InvalidOrder, match="at least one Document"):
            idv.upload(flow, [])


class TestAccounts:
    def test_one_of_several_must_be_named(self, vendor: Vendor) -> None:
        accounts = [ACCOUNT, attrs.evolve(ACCOUNT, name="acme-2")]
        idv = Gateway(accounts, transport=httpx.MockTransport(vendor), clock=FakeClock(), registry=registry_of(PLUGIN))
        with pytest.raises(ConfigError, match="name one of them: acme-1, acme-2"):
            idv.open(order())
        with pytest.raises(ConfigError, match="no account 'acme-3'"):
            idv.open(order(), account="acme-3")
        assert idv.open(order(), account="acme-2").ref == "acme-2/f-1"

    def test_all_that_is_wrong_is_said_at_once(self) -> None:
        accounts = [
            ACCOUNT,
            ACCOUNT,
            Account("b", "acme", {"kee": Secret("x"), "retries": "many"}),
            Account("c", "acmee"),
            Account("d", "acme", {"key": "literal"}),
            Account("e", "acme", {"key": Secret("x"), "base_url": "http://acme.example"}),
            Account("f", "acme", 7),
        ]
        with pytest.raises(ConfigError) as caught:
            Gateway(accounts, registry=registry_of(PLUGIN))
        assert [str(problem) for problem in caught.value.problems] == [
            "accounts.acme-1: is listed twice; remove one",
            "accounts.b.kee: there is no such setting; did you mean 'key'?",
            "accounts.b.key: is missing",
            "accounts.b.retries: must be a whole number, not a string",
            "accounts.c.plugin: there is no plugin 'acmee'; did you mean 'acme'? (installed: acme; try: pip install idv-acmee)",
            'accounts.d.key: a secret must be a reference: write { env = "NAME" } or { file = "/run/secrets/name" } '
            "in idv.toml, Secret(...) in Python",
            "accounts.e.base_url: must begin with https://; http is allowed for localhost only",
            "accounts.f: must be a table",
        ]
        with pytest.raises(ConfigError, match="at least one account"):
            Gateway([], registry=registry_of(PLUGIN))

    @pytest.mark.parametrize("url", ["https://a:b@x.example", "https://x.example/?a=1", "ftp://x.example", "x.example"])
    def test_a_base_url_is_an_address_and_no_more(self, url: str) -> None:
        with pytest.raises(ValueError, match="base_url"):
            AcmeSettings(key=Secret("k"), base_url=url)

    def test_settings_may_be_the_plugins_own_class(self, vendor: Vendor) -> None:
        account = Account("mine", "acme", AcmeSettings(key=Secret("k"), base_url="http://127.0.0.1:9/v1/"))
        idv = gateway(vendor, account=account)
        idv.open(order())
        assert str(vendor.requests[-1].url) == "http://127.0.0.1:9/v1/flows"

    def test_names_are_simple(self) -> None:
        with pytest.raises(ValueError, match="name"):
            Account("a/b", "acme")


class TestWhatIsNotOffered:
    def test_it_is_said(self, vendor: Vendor) -> None:
        idv = gateway(vendor, account=BARE)
        for call in (
            lambda: idv.upload("bare-1/f-1", [Document("a", content=b"x")]),
            lambda: idv.renew_link("bare-1/f-1"),
            lambda: idv.provision(Template(name="t")),
        ):
            with pytest.raises(UnsupportedOperation, match="does not offer"):
                call()
        assert vendor.requests == []

    def test_submitting_where_nobody_asks_is_nothing(self, vendor: Vendor) -> None:
        idv = gateway(vendor, account=BARE)
        assert idv.submit("bare-1/f-1").id == "f-1"
        assert vendor.requests == []

    def test_a_reference_must_look_like_one(self, vendor: Vendor) -> None:
        with pytest.raises(InvalidOrder, match="account/vendor-id"):
            gateway(vendor).status("nonsense")


def test_one_gateway_serves_many_threads(vendor: Vendor) -> None:
    vendor.status = "good"
    idv = gateway(vendor)
    results: list[Result] = []
    threads = [threading.Thread(target=lambda: results.append(idv.wait("acme-1/f-1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert vendor.tokens == 1


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda _: None, "bug in plugin 'bare': AttributeError"),
        (lambda settings: _adapter(base_url=property(lambda _: 1 / 0))(settings), "bug in plugin 'bare': ZeroDivision"),
        (lambda settings: _adapter(base_url=None)(settings), "base_url: must be a URL"),
        (lambda settings: _adapter(base_url="http://vendor.example")(settings), "base_url: must begin with https"),
        (lambda settings: _adapter(servers={"login": 5})(settings), "base_url: must be a URL"),
        (lambda settings: _adapter(polling=5)(settings), "polling must be a Polling, not a whole number"),
    ],
)
def test_an_adapter_that_cannot_work_is_told_when_the_gateway_is_made(made: Callable[[Any], Any], told: str) -> None:
    plugin = attrs.evolve(acme.BARE, create=made)
    with pytest.raises(ConfigError, match=told):
        Gateway([attrs.evolve(ACCOUNT, plugin="bare")], registry=registry_of(plugin))


def _adapter(**members: Any) -> type:
    return type("Broken", (AcmeBare,), members)
