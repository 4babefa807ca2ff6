"""Orders through routes: fallback, shadow, caps, explanations, a configuration exchanged under way, keys rotated."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import attrs
import httpx
import pytest
from acme import BARE, PLUGIN, SIGNING, Acme, Vendor, order

from idv_core import (
    AsyncGateway,
    ConfigError,
    Decision,
    Document,
    Flow,
    Gateway,
    OutcomeUnknown,
    Secret,
    from_json,
    to_json,
)
from idv_core.config import Account, Circuit, Configuration, Retry
from idv_core.errors import AuthenticationFailed, InvalidOrder, NoRoute, PluginError, RateLimited, VendorUnavailable
from idv_core.policy import CheckRules, Policy
from idv_core.registry import registry_of
from idv_core.routing import Route, Shadow, When
from idv_core.testing import FakeClock

REGISTRY = registry_of(PLUGIN, BARE, SIGNING)
LENDING = Policy(name="lending", checks=CheckRules(required=("liveness",)))


def account(name: str, plugin: str = "acme", **more: Any) -> Account:
    settings = {"key": Secret(f"key-of-{name}"), "base_url": f"https://{name}.example"}
    return Account(name, plugin, settings, retry=Retry(attempts=1), **more)


class Vendors:
    """A vendor for each host."""

    def __init__(self, *names: str) -> None:
        self.at = {name: Vendor() for name in names}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.at[request.url.host.removesuffix(".example")](request)

    def opened(self, name: str) -> int:
        return sum(r.method == "POST" and r.url.path == "/flows" for r in self.at[name].requests)


def configuration(*routes: Route, accounts: list[Account] | None = None, **more: Any) -> Configuration:
    accounts = accounts or [account("a"), account("b"), account("c")]
    return Configuration(accounts=accounts, routes=routes, **more)


@pytest.fixture
def vendors() -> Vendors:
    return Vendors("a", "b", "c")


@pytest.fixture
def connect(vendors: Vendors, clock: FakeClock) -> Callable[..., Gateway]:
    def connect(*routes: Route, **more: Any) -> Gateway:
        return Gateway(
            configuration(*routes, **more), transport=httpx.MockTransport(vendors), clock=clock, registry=REGISTRY
        )

    return connect


Connect = Callable[..., Gateway]


def answering(status: int, **more: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, **more)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no", request=request)


def cut_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no", request=request)


class TestRoutes:
    def test_an_order_goes_where_the_first_matching_route_sends_it(self, connect: Connect) -> None:
        idv = connect(
            Route(name="loans", when=When(product="*-loan"), to="b", policy="lending"),
            Route(name="else", to="a"),
            policies={"lending": LENDING},
        )
        flow = idv.open(order(product="msme-loan"))
        assert (flow.account, flow.policy) == ("b", LENDING)
        assert idv.open(order()).account == "a"
        assert idv.open(order(product="msme-loan"), account="c").account == "c"

    async def test_the_same_with_tasks(self, vendors: Vendors, clock: FakeClock) -> None:
        config = configuration(Route(name="x", to="a", fallback="b"))
        vendors.at["a"].answers["POST"] = unreachable
        async with AsyncGateway(config, transport=httpx.MockTransport(vendors), clock=clock, registry=REGISTRY) as idv:
            assert idv.explain(order()).account == "a"
            flow = await idv.open(order())
            assert flow.account == "b"
            idv.reload(configuration(Route(name="x", to="c")))
            assert (await idv.open(order())).account == "c"
            assert await idv.check_credentials(account="c") is True

    def test_a_route_may_refuse(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(
            Route(name="old", when=When(product="wallet"), refuse="the wallet is closed"), Route(name="else", to="a")
        )
        with pytest.raises(NoRoute, match="route 'old' refuses it: the wallet is closed"):
            idv.open(order())
        assert vendors.at["a"].requests == []
        explained = idv.explain(order())
        assert (explained.account, explained.refused) == (None, "the wallet is closed")
        assert "refused: the wallet is closed" in str(explained)
        assert idv.open(order(), account="a").account == "a"

    def test_a_flow_keeps_its_policy_and_its_explanation_through_json(self, connect: Connect) -> None:
        idv = connect(Route(name="all", to="a", policy="lending"), policies={"lending": LENDING})
        flow = idv.open(order())
        again = from_json(Flow, json.loads(json.dumps(to_json(flow, secrets=True))))
        assert again == flow
        assert again.explanation is not None
        assert (again.explanation.route, again.explanation.policy) == ("all", "lending")

    def test_a_result_is_judged_by_the_policy_of_its_route(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(
            Route(name="loans", when=When(product="loan"), to="a", policy="lending"),
            Route(name="else", to="b"),
            policies={"lending": LENDING},
        )
        for vendor in vendors.at.values():
            vendor.status = "good"
        loan, other = idv.open(order(product="loan")), idv.open(order())
        assert [reason.code for reason in idv.result(loan).reasons] == ["check.missing"]
        assert idv.result(other).decision is Decision.APPROVED
        # by their references alone: they carry the policy
        assert idv.result(loan.ref).decision is Decision.REVIEW
        assert idv.result(other.ref).decision is Decision.APPROVED

    def test_by_a_bare_reference_the_strictest_policy_counts(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(
            Route(name="loans", when=When(product="loan"), to="a", policy="lending"),
            Route(name="else", to="a"),
            policies={"lending": LENDING},
        )
        vendors.at["a"].status = "good"
        flow = idv.open(order())
        assert idv.result(flow).decision is Decision.APPROVED
        assert idv.result(flow.ref).decision is Decision.APPROVED
        assert idv.result("a/f-1").decision is Decision.REVIEW
        # an account that no route names any more
        assert idv.result("b/f-1").status is not None

    def test_a_policy_is_not_lost_by_naming_the_account_or_by_a_reload(
        self, connect: Connect, vendors: Vendors
    ) -> None:
        routes = (
            Route(name="loans", when=When(product="loan"), to="a", policy="lending"),
            Route(name="else", to="b"),
        )
        idv = connect(*routes, policies={"lending": LENDING})
        for vendor in vendors.at.values():
            vendor.status = "good"
        elsewhere = idv.open(order(product="loan"), account="b")
        began = idv.open(order(product="loan", application_id="APP-2"))
        swapped = (attrs.evolve(routes[0], to="b"), attrs.evolve(routes[1], to="a"))
        for reload in (lambda: None, lambda: idv.reload(configuration(*swapped, policies={"lending": LENDING}))):
            reload()
            for flow in (elsewhere, began):
                for name in (flow, flow.ref, f"{flow.account}/{flow.id}"):
                    assert idv.result(name).decision is Decision.REVIEW

    def test_what_was_made_in_a_test_mode_approves_only_where_that_is_meant(self, vendors: Vendors) -> None:
        @attrs.frozen
        class Testing(Acme):
            def result(self, flow: Any) -> Any:
                return attrs.evolve((yield from Acme.result(self, flow)), is_test=True)

        vendors.at["a"].status = "good"
        registry = registry_of(attrs.evolve(PLUGIN, create=Testing, adapters=(Testing,)))
        decisions = []
        for test in (False, True):
            accounts = [account("a", test=test)]
            idv = Gateway(accounts, transport=httpx.MockTransport(vendors), clock=FakeClock(), registry=registry)
            decisions.append([reason.code for reason in idv.result(idv.open(order())).reasons])
        assert decisions == [["account.test_mode"], ["evidence.passed"]]

    def test_the_policy_called_default_is_for_routes_that_name_none(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(Route(name="all", to="a"), policies={"default": attrs.evolve(LENDING, name="default")})
        vendors.at["a"].status = "good"
        assert idv.result(idv.open(order())).decision is Decision.REVIEW


class TestFallback:
    ROUTE = Route(name="all", to="a", fallback=("b", "c"))

    @pytest.mark.parametrize(
        ("call", "answer"),
        [
            ("POST /flows", unreachable),
            ("POST /flows", answering(429)),
            ("POST /flows", answering(403)),
            ("POST /token", answering(401)),
            ("POST /token", answering(503)),
            ("POST /token", cut_off),
        ],
    )
    def test_an_account_that_certainly_opened_nothing_gives_way(
        self,
        connect: Connect,
        vendors: Vendors,
        caplog: pytest.LogCaptureFixture,
        call: str,
        answer: Callable[[httpx.Request], httpx.Response],
    ) -> None:
        vendors.at["a"].answers[call] = answer
        flow = connect(self.ROUTE).open(order())
        assert flow.account == "b"
        assert flow.explanation is not None
        a, b, c = flow.explanation.candidates
        assert (a.chosen, b.chosen, b.health, c.health) == (False, True, "available", "not asked")
        assert a.health in ("VendorUnavailable", "RateLimited", "PermissionDenied", "AuthenticationFailed")
        (record,) = [r for r in caplog.records if r.getMessage().startswith("fallback: from ")]
        assert (record.idv_account, record.idv_to, record.idv_reason) == ("a", "b", a.health)

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (cut_off, OutcomeUnknown),
            (answering(500), OutcomeUnknown),
            (answering(503), OutcomeUnknown),
            (answering(200, text="rubbish"), OutcomeUnknown),
            (answering(400), InvalidOrder),
            (answering(422), InvalidOrder),
        ],
    )
    def test_what_may_have_been_opened_and_what_is_wrong_with_the_order_does_not(
        self,
        connect: Connect,
        vendors: Vendors,
        answer: Callable[[httpx.Request], httpx.Response],
        error: type[Exception],
    ) -> None:
        vendors.at["a"].answers["POST /flows"] = answer
        with pytest.raises(error):
            connect(self.ROUTE).open(order())
        assert vendors.at["b"].requests == []

    def test_the_chain_is_followed_to_its_end(self, connect: Connect, vendors: Vendors) -> None:
        for name in "ab":
            vendors.at[name].answers["POST /flows"] = unreachable
        assert connect(self.ROUTE).open(order()).account == "c"
        vendors.at["c"].answers["POST /flows"] = answering(429)
        with pytest.raises(RateLimited) as caught:
            connect(self.ROUTE).open(order())
        assert caught.value.account == "c"

    def test_an_open_circuit_is_not_even_asked(self, connect: Connect, vendors: Vendors, clock: FakeClock) -> None:
        accounts = [account("a", circuit=Circuit(failures=1, cooldown=30)), account("b"), account("c")]
        idv = connect(self.ROUTE, accounts=accounts)
        vendors.at["a"].answers["POST /flows"] = unreachable
        idv.open(order(application_id="APP-0"))
        asked = len(vendors.at["a"].requests)
        explained = idv.explain(order())
        assert [c.health for c in explained.candidates] == ["circuit open for another 30 s", "available", "available"]
        assert explained.account == "b"
        assert idv.open(order()).account == "b"
        assert len(vendors.at["a"].requests) == asked
        del vendors.at["a"].answers["POST /flows"]
        clock.advance(31)
        assert idv.open(order(application_id="APP-2")).account == "a"

    def test_a_repeatable_create_that_may_have_arrived_does_not_give_way(
        self, vendors: Vendors, clock: FakeClock
    ) -> None:
        """Safe to repeat at the same vendor is not the same as safe to ask another one."""

        def opening(self: Any, order: Any) -> Any:
            from idv_core.plugin.http import Request

            reply = yield Request.put("/flows/{}", order.application_id)
            return Flow(id=reply.json()["id"], status="open")

        once = attrs.make_class("Once", [], bases=(PLUGIN.adapters[0],), frozen=True)
        once.open_flow = opening
        registry = registry_of(attrs.evolve(PLUGIN, create=once, adapters=(once,)))
        idv = Gateway(configuration(self.ROUTE), transport=httpx.MockTransport(vendors), clock=clock, registry=registry)
        vendors.at["a"].answers["PUT"] = cut_off
        with pytest.raises(OutcomeUnknown) as caught:
            idv.open(order())
        assert caught.value.ask == "recover"
        assert not caught.value.nothing_done
        vendors.at["a"].answers["PUT"] = answering(200, text="rubbish")
        with pytest.raises(OutcomeUnknown):
            idv.open(order(application_id="APP-2"))
        vendors.at["a"].answers["PUT"] = unreachable
        vendors.at["b"].answers["PUT"] = answering(200, json={"id": "f-9"})
        assert idv.open(order(application_id="APP-3")).id == "f-9"

    def test_after_outcome_unknown_the_same_account_is_asked(self, connect: Connect, vendors: Vendors) -> None:
        vendors.at["a"].answers["POST /flows"] = cut_off
        vendors.at["a"].answers["GET /people"] = answering(200, json={"id": "f-7"})
        idv = connect(attrs.evolve(self.ROUTE, policy="lending"), policies={"lending": LENDING})
        with pytest.raises(OutcomeUnknown) as caught:
            idv.open(order())
        with pytest.raises(ConfigError, match="several accounts; name one of them"):
            idv.recover(order())
        flow = idv.recover(order(), account=caught.value.account)
        assert (flow.id, flow.policy) == ("f-7", LENDING)
        assert flow.ref == f"a/f-7;policy=lending.{LENDING.fingerprint}"


class TestCaps:
    def test_a_full_account_gives_way_until_tomorrow(
        self, connect: Connect, vendors: Vendors, clock: FakeClock
    ) -> None:
        accounts = [account("a", daily_cap=2), account("b", daily_cap=1)]
        idv = connect(Route(name="all", to="a", fallback="b"), accounts=accounts)
        opened = [idv.open(order(application_id=f"APP-{number}")).account for number in range(3, 6)]
        assert opened == ["a", "a", "b"]
        assert idv.explain(order()).candidates[0].health == "daily cap of 2 reached"
        assert {name: health.created_today for name, health in idv.health().items()} == {"a": 2, "b": 1}
        # what was opened today still counts when the account is changed
        changed = [account("a", daily_cap=2, circuit=Circuit(failures=3)), account("b", daily_cap=1)]
        idv.reload(configuration(Route(name="all", to="a", fallback="b"), accounts=changed))
        with pytest.raises(
            RateLimited, match=r"our own daily cap for this account \(2 flows, daily_cap\) is reached"
        ) as caught:
            idv.open(order())
        assert caught.value.retry_after is not None
        assert clock.now() + caught.value.retry_after == clock.now().replace(hour=0, minute=0, second=0) + timedelta(
            days=1
        )
        with pytest.raises(RateLimited):
            idv.open(order(), account="a")
        clock.advance(24 * 3600)
        assert idv.open(order()).account == "a"

    def test_only_openings_that_may_have_happened_count(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(Route(name="all", to="a"), accounts=[account("a", daily_cap=1), account("b")])
        vendors.at["a"].answers["POST /flows"] = unreachable
        with pytest.raises(VendorUnavailable):
            idv.open(order())
        vendors.at["a"].answers["POST /flows"] = cut_off
        with pytest.raises(OutcomeUnknown):
            idv.open(order())
        with pytest.raises(RateLimited):
            idv.open(order(application_id="APP-2"))


class TestLostOpenings:
    """While nobody knows whether an order was opened, nobody else is asked to open it."""

    ROUTE = Route(name="all", to="a", fallback="b")

    def lost(self, vendors: Vendors, idv: Gateway) -> None:
        vendors.at["a"].answers["POST /flows"] = cut_off
        with pytest.raises(OutcomeUnknown):
            idv.open(order())

    @pytest.mark.parametrize("answer", [answering(503), answering(401), unreachable], ids=["503", "401", "away"])
    def test_a_vendor_that_is_away_now_does_not_give_way(self, connect: Connect, vendors: Vendors, answer: Any) -> None:
        idv = connect(self.ROUTE)
        self.lost(vendors, idv)
        vendors.at["a"].answers["GET /people"] = answer
        with pytest.raises(OutcomeUnknown) as caught:
            idv.open(order())
        assert (caught.value.account, caught.value.ask) == ("a", "recover")
        assert vendors.opened("b") == 0

    def test_nor_does_a_full_account_or_another_route(self, connect: Connect, vendors: Vendors) -> None:
        accounts = [account("a", daily_cap=1), account("b")]
        idv = connect(self.ROUTE, accounts=accounts)
        self.lost(vendors, idv)
        vendors.at["a"].answers["GET /people"] = answering(404)
        for reload in (lambda: None, lambda: idv.reload(configuration(Route(name="all", to="b"), accounts=accounts))):
            reload()
            with pytest.raises(OutcomeUnknown, match="may still process"):
                idv.open(order())
        assert vendors.opened("b") == 0

    def test_one_that_was_lost_at_the_fallback_is_found_there(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(self.ROUTE)
        vendors.at["a"].answers["POST /flows"] = answering(429)
        vendors.at["b"].answers["POST /flows"] = cut_off
        with pytest.raises(OutcomeUnknown):
            idv.open(order())
        del vendors.at["a"].answers["POST /flows"]
        vendors.at["b"].answers["GET /people"] = answering(200, json={"id": "f-7"})
        flow = idv.open(order())
        assert (flow.account, flow.id) == ("b", "f-7")

    def test_a_renamed_account_is_the_same(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(Route(name="all", to="a"))
        first = idv.open(order())
        lost = order(application_id="APP-2")
        vendors.at["a"].answers["POST /flows"] = cut_off
        with pytest.raises(OutcomeUnknown):
            idv.open(lost)
        renamed = attrs.evolve(account("a"), name="new", formerly=("a",))
        idv.reload(configuration(Route(name="all", to="new"), accounts=[renamed, account("b"), account("c")]))
        assert idv.open(order()).id == first.id
        vendors.at["a"].answers["GET /people"] = answering(404)
        with pytest.raises(OutcomeUnknown, match="may still process"):
            idv.open(lost)

    def test_a_vendor_without_a_way_to_ask_is_left_alone_for_a_while(self, vendors: Vendors, clock: FakeClock) -> None:
        idv = Gateway(
            [account("a", plugin="bare")], transport=httpx.MockTransport(vendors), clock=clock, registry=REGISTRY
        )
        self.lost(vendors, idv)
        del vendors.at["a"].answers["POST /flows"]
        with pytest.raises(OutcomeUnknown, match="an application_id of its own") as caught:
            idv.open(order())
        assert caught.value.retry_after is not None
        clock.advance(caught.value.retry_after.total_seconds())
        assert idv.open(order()).id == "f-1"

    def test_a_policy_is_kept_until_the_flow_is_found(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(Route(name="all", to="a", policy="lending"), policies={"lending": LENDING})
        self.lost(vendors, idv)
        idv.reload(configuration(Route(name="all", to="a"), policies={"lending": LENDING}))
        vendors.at["a"].answers["GET /people"] = answering(200, json={"id": "f-7"})
        assert idv.recover(order(), account="a").policy == LENDING
        # and one that this process opened keeps its own
        assert idv.recover(order(), account="a").policy == LENDING

    async def test_a_cancelled_opening_is_lost_only_if_it_went_out(self, vendors: Vendors, clock: FakeClock) -> None:
        inside = asyncio.Event()

        async def hang(request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path == "/flows":
                inside.set()
                await asyncio.Event().wait()
            return vendors(request)

        async with AsyncGateway(
            configuration(), transport=httpx.MockTransport(hang), clock=clock, registry=REGISTRY
        ) as idv:
            vendors.at["a"].answers["GET /people"] = answering(404)
            opening = asyncio.ensure_future(idv.open(order(), account="a"))
            twin = asyncio.ensure_future(idv.open(order(), account="a"))
            await inside.wait()
            opening.cancel()
            with pytest.raises(OutcomeUnknown, match="may still process"):
                await twin
            assert idv.health()["a"].created_today == 1

    def test_a_plugin_that_returns_no_flow_is_found_out(self, connect: Connect, vendors: Vendors) -> None:
        @attrs.frozen
        class Careless(Acme):
            def open_flow(self, order: Any) -> Any:
                yield from Acme.open_flow(self, order)
                return {"id": "f-1"}

            def result(self, flow: Any) -> Any:
                yield from Acme.result(self, flow)

        registry = registry_of(
            attrs.evolve(PLUGIN, name="careless", create=Careless, adapters=(Careless,)), PLUGIN, BARE, SIGNING
        )
        accounts = [account("a", plugin="careless"), account("b")]
        routes = (Route(name="all", to="b", shadow=Shadow(account="a", personal_data=True)),)
        idv = Gateway(
            configuration(*routes, accounts=accounts), transport=httpx.MockTransport(vendors), registry=registry
        )
        with pytest.raises(OutcomeUnknown, match="returned a table, not a Flow"):
            idv.open(order(), account="a")
        with pytest.raises(PluginError, match="returned None, not a Result"):
            idv.result("a/f-1")
        # as a shadow it harms nobody
        assert idv.open(order(application_id="APP-2")).account == "b"


class TestShadow:
    ROUTE = Route(name="all", to="a", shadow=Shadow(account="b", personal_data=True), policy="lending")
    POLICIES: ClassVar = {"lending": Policy(name="lending")}

    def test_a_second_vendor_gets_the_order_and_the_documents_and_never_decides(
        self, connect: Connect, vendors: Vendors
    ) -> None:
        idv = connect(self.ROUTE, policies=self.POLICIES)
        flow = idv.open(order())
        assert flow.account == "a"
        assert flow.shadow is not None
        assert (flow.shadow.account, flow.shadow.is_shadow) == ("b", True)
        assert flow.explanation is not None
        assert str(flow.explanation).endswith("goes to a, with a shadow at b\npolicy lending")
        flow = idv.submit(idv.upload(flow, [Document("pan", content=b"x")]))
        assert flow.shadow is not None
        assert [u.document_id for u in flow.shadow.uploads] == ["pan"]
        assert "/flows/f-1/end" in vendors.at["b"].paths()
        for vendor in vendors.at.values():
            vendor.status = "good"
        assert idv.wait(flow).decision is Decision.APPROVED
        compared = idv.wait(flow.shadow)
        assert compared.decision is Decision.UNDECIDED
        assert [reason.code for reason in compared.reasons] == ["shadow.approved", "evidence.passed"]
        assert from_json(Flow, json.loads(json.dumps(to_json(flow, secrets=True)))) == flow

    def test_it_is_no_ordinary_flow_when_it_is_recovered(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(self.ROUTE, policies=self.POLICIES)
        shadow = idv.open(order()).shadow
        assert shadow is not None
        vendors.at["b"].status = "good"
        vendors.at["b"].answers["GET /people"] = answering(200, json={"id": shadow.id})
        for process in (idv, connect(self.ROUTE, policies=self.POLICIES)):
            found = process.recover(order(), account="b")
            for name in (found, found.ref, from_json(Flow, to_json(found, secrets=True))):
                assert process.result(name).decision is Decision.UNDECIDED

    def test_its_vendor_is_told_that_it_is_one(self, vendors: Vendors, clock: FakeClock) -> None:
        seen: list[bool] = []

        @attrs.frozen
        class Noting(Acme):
            def open_flow(self, order: Any) -> Any:
                seen.append(order.is_shadow)
                return (yield from Acme.open_flow(self, order))

        registry = registry_of(attrs.evolve(PLUGIN, create=Noting, adapters=(Noting,)))
        given = configuration(self.ROUTE, policies=self.POLICIES)
        idv = Gateway(given, transport=httpx.MockTransport(vendors), clock=clock, registry=registry)
        idv.open(order())
        assert seen == [False, True]

    @pytest.mark.parametrize("answer", [unreachable, cut_off, answering(500), answering(401), answering(200, text="?")])
    def test_whatever_happens_to_it_is_not_noticed(
        self,
        connect: Connect,
        vendors: Vendors,
        caplog: pytest.LogCaptureFixture,
        answer: Callable[[httpx.Request], httpx.Response],
    ) -> None:
        vendors.at["b"].answers["POST /flows"] = answer
        idv = connect(self.ROUTE, policies=self.POLICIES)
        with caplog.at_level(logging.INFO):
            flow = idv.open(order())
        assert (flow.account, flow.shadow) == ("a", None)
        (record,) = [r for r in caplog.records if r.getMessage().startswith("shadow failed: ")]
        assert (record.idv_account, record.idv_operation) == ("b", "open")
        assert idv.upload(flow, [Document("pan", content=b"x")]).shadow is None

    def test_an_upload_that_fails_there_is_not_noticed_either(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(self.ROUTE, policies=self.POLICIES)
        vendors.at["b"].answers["POST /flows/f-1/files"] = answering(500)
        flow = idv.open(order())
        after = idv.upload(flow, [Document("pan", content=b"x")])
        assert [u.document_id for u in after.uploads] == ["pan"]
        assert after.shadow == flow.shadow

    def test_an_account_that_is_gone_since_is_not_noticed_either(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        flow = connect(self.ROUTE, policies=self.POLICIES).open(order())
        later = connect(Route(name="all", to="a"), accounts=[account("a")])
        with caplog.at_level(logging.INFO):
            assert later.upload(flow, [Document("pan", content=b"x")]).shadow == flow.shadow
        (record,) = [r for r in caplog.records if r.getMessage().startswith("shadow failed: ")]
        assert (record.idv_operation, record.idv_error) == ("upload", "ConfigError")

    def test_a_vendor_without_uploads_is_left_alone(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(self.ROUTE, policies=self.POLICIES, accounts=[account("a"), account("b", "bare")])
        flow = idv.open(order())
        assert idv.upload(flow, [Document("pan", content=b"x")]).shadow == flow.shadow

    def test_the_applicant_does_not_wait_long_for_it(
        self, connect: Connect, vendors: Vendors, clock: FakeClock
    ) -> None:
        vendors.at["b"].answers["POST /flows"] = lambda _: httpx.Response(429, headers={"Retry-After": "12"})
        idv = connect(
            self.ROUTE, policies=self.POLICIES, accounts=[account("a"), Account("b", "acme", account("b").settings)]
        )
        before = clock.monotonic()
        assert idv.open(order()).shadow is None
        assert clock.monotonic() - before <= 10


class TestExplain:
    def test_it_says_what_open_does_and_opens_nothing(self, connect: Connect, vendors: Vendors) -> None:
        idv = connect(
            Route(name="loans", when=When(product="*-loan", country=["IN", "CO"]), to="b"),
            Route(name="wallet", when=When(product="wallet"), split={"a": 90, "c": 10}, fallback="b"),
            Route(name="else", refuse="nothing else is offered"),
        )
        explained = idv.explain(order(application_id="APP-10001"))
        assert vendors.at["a"].requests == []
        assert list(explained.lines()) == [
            "application APP-10001 at 2026-03-02T10:15:00+00:00",
            "route 'loans': does not match",
            "  product = wallet: no, wanted *-loan",
            "  country = IN: yes, wanted IN, CO",
            "route 'wallet': matches",
            "  product = wallet: yes, wanted wallet",
            "bucket 51.30 of 100, by the hash of the application id",
            "account a (split 90 %): available, chosen",
            "account b (fallback): available",
            "goes to a",
            "policy default",
        ]
        opened = idv.open(order(application_id="APP-10001")).explanation
        assert opened is not None
        assert attrs.evolve(opened, candidates=()) == attrs.evolve(explained, candidates=())

    def test_without_routes_there_is_little_to_say(self, connect: Connect) -> None:
        idv = connect(accounts=[account("a")])
        assert [c.role for c in idv.explain(order()).candidates] == ["the only one"]
        assert [c.role for c in idv.explain(order(), account="a").candidates] == ["named by the caller"]
        with pytest.raises(ConfigError, match="no account 'z'"):
            idv.explain(order(), account="z")

    def test_a_thousand_routes_are_not_all_listed(self, connect: Connect) -> None:
        many = [Route(name=f"t{i}", when=When(tenant=f"t{i}"), to="a") for i in range(1000)]
        idv = connect(*many, Route(name="else", to="b"))
        explained = idv.explain(order(tenant="t900"))
        assert [route.name for route in explained.tried] == ["t900"]
        assert explained.passed_over == 900
        assert "900 routes skipped: their first condition does not match" in str(explained)

    def test_it_can_be_asked_for_another_moment(self, connect: Connect, clock: FakeClock) -> None:
        later = clock.now() + timedelta(days=1)
        idv = connect(Route(name="new", when=When(since=later), to="b"), Route(name="else", to="a"))
        assert idv.explain(order()).account == "a"
        assert idv.explain(order(), at=later).account == "b"


class TestReload:
    def test_flows_under_way_keep_account_and_policy(self, connect: Connect, vendors: Vendors) -> None:
        stern = attrs.evolve(LENDING, checks=CheckRules(required=("liveness",), missing="decline"))
        idv = connect(Route(name="all", to="a", policy="lending"), policies={"lending": LENDING})
        flow = idv.open(order())
        vendors.at["a"].status = "good"
        idv.reload(configuration(Route(name="all", to="b", policy="lending"), policies={"lending": stern}))
        assert idv.result(flow).decision is Decision.REVIEW
        new = idv.open(order())
        assert new.account == "b"
        assert new.policy == stern

    def test_a_broken_one_is_refused_and_the_old_one_stays(self, connect: Connect) -> None:
        idv = connect(Route(name="all", to="a"))
        with pytest.raises(ConfigError, match="there is no account 'z'"):
            idv.reload(configuration(Route(name="all", to="z")))
        assert idv.open(order()).account == "a"

    def test_an_account_that_is_gone_still_serves_its_flows_and_nothing_new(
        self, connect: Connect, vendors: Vendors
    ) -> None:
        idv = connect(Route(name="all", to="a"))
        flow = idv.open(order())
        idv.reload(configuration(Route(name="all", to="b"), accounts=[account("b")]))
        assert idv.accounts == ("b",)
        assert idv.status(flow).ref == flow.ref
        assert idv.health().keys() == {"b"}
        assert idv.open(order()).account == "b"
        # and it may come back
        idv.reload(configuration(Route(name="all", to="a")))
        assert idv.open(order()).account == "a"

    def test_an_account_that_has_not_changed_keeps_its_token_and_its_count(
        self, connect: Connect, vendors: Vendors
    ) -> None:
        accounts = [account("a", daily_cap=3), account("b")]
        idv = connect(Route(name="all", to="a"), accounts=accounts)
        idv.open(order())
        idv.reload(configuration(Route(name="all", to="a", fallback="b"), accounts=accounts))
        idv.open(order())
        assert vendors.at["a"].tokens == 1
        changed = [account("a", daily_cap=3, circuit=Circuit(failures=3)), account("b")]
        idv.reload(configuration(Route(name="all", to="a", fallback="b"), accounts=changed))
        idv.open(order())
        assert vendors.at["a"].tokens == 2

    def test_the_file_is_read_again(
        self, vendors: Vendors, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "key").write_text("key-one")
        file = tmp_path / "idv.toml"
        account_ = '[accounts.{0}]\nplugin = "acme"\nkey = {{ file = "%s" }}\nbase_url = "https://{0}.example"\n'
        accounts = "".join((account_ % (tmp_path / "key")).format(name) for name in "ab")
        file.write_text(accounts + '[[routes]]\nname = "all"\nto = "a"\n')
        idv = Gateway.load(file, transport=httpx.MockTransport(vendors), clock=clock, registry=REGISTRY)
        assert idv.open(order()).account == "a"
        file.write_text(accounts + '[[routes]]\nname = "all"\nto = "b"\n')
        with caplog.at_level(logging.INFO):
            idv.reload()
        (record,) = [r for r in caplog.records if r.getMessage().startswith("configuration loaded: ")]
        assert (record.idv_accounts, record.idv_routes) == (2, 1)
        assert idv.open(order()).account == "b"
        file.write_text(accounts + '[[routes]]\nname = "all"\nto = "z"\n')
        with pytest.raises(ConfigError, match=f"{file}:11: .*there is no account 'z'"):
            idv.reload()
        assert idv.open(order()).account == "b"

    def test_without_a_file_there_is_nothing_to_read_again(self, connect: Connect) -> None:
        with pytest.raises(ConfigError, match=r"pass a Configuration to reload\(\)"):
            connect(Route(name="all", to="a")).reload()


class TestRotation:
    @pytest.fixture
    def rotating(self, vendors: Vendors, clock: FakeClock, tmp_path: Path) -> tuple[Gateway, Path]:
        key = tmp_path / "key"
        key.write_text("key-one")
        file = tmp_path / "idv.toml"
        file.write_text(f'[accounts.a]\nplugin = "acme"\nkey = {{ file = "{key}" }}\nbase_url = "https://a.example"\n')
        vendors.at["a"].answers["POST /token"] = lambda request: (
            httpx.Response(200, json={"token": "t", "lives": 60})
            if request.headers["Key"] == good["key"]
            else httpx.Response(401)
        )
        good = self.good = {"key": "key-one"}
        return Gateway.load(file, transport=httpx.MockTransport(vendors), clock=clock, registry=REGISTRY), key

    def test_a_key_that_was_exchanged_is_read_again_when_the_old_one_is_refused(
        self, rotating: tuple[Gateway, Path], clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        idv, key = rotating
        idv.open(order())
        self.good["key"] = "key-two"
        key.write_text("key-two\n")
        clock.advance(120)
        with caplog.at_level(logging.INFO):
            assert idv.open(order()).ref == "a/f-1"
        (record,) = [r for r in caplog.records if r.getMessage().startswith("secrets reloaded, they have changed: ")]
        assert record.idv_account == "a"
        assert "key-" not in caplog.text

    def test_a_key_that_is_simply_wrong_is_refused_once(
        self, rotating: tuple[Gateway, Path], vendors: Vendors, clock: FakeClock
    ) -> None:
        idv, key = rotating
        self.good["key"] = "another"
        with pytest.raises(AuthenticationFailed):
            idv.open(order())
        assert vendors.at["a"].paths() == ["/token"]
        key.unlink()
        with pytest.raises(AuthenticationFailed):
            idv.open(order())

    def test_reloading_reads_secrets_too(self, rotating: tuple[Gateway, Path], vendors: Vendors) -> None:
        idv, key = rotating
        idv.open(order())
        key.write_text("key-two")
        self.good["key"] = "key-two"
        idv.reload()
        idv.open(order())
        tokens = [r for r in vendors.at["a"].requests if r.url.path == "/token"]
        assert [r.headers["Key"] for r in tokens] == ["key-one", "key-two"]


def test_credentials_are_tried_without_opening_anything(connect: Connect, vendors: Vendors) -> None:
    idv = connect(accounts=[account("a"), account("b", "bare")])
    assert idv.check_credentials(account="a") is True
    assert idv.check_credentials(account="b") is False
    assert vendors.opened("a") == 0
    vendors.at["a"].answers["POST /token"] = answering(401)
    with pytest.raises(AuthenticationFailed):
        idv.check_credentials(account="a")
