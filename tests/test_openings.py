"""One order becomes one flow; what is not a flow after a create went out is an unknown outcome; references decide no milder."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, PLUGIN, Acme, Vendor, async_gateway, gateway, order
from hypothesis import given
from hypothesis import strategies as st

from idv_core import Applicant, Decision, Flow, FlowStatus, Gateway, from_json, to_json
from idv_core.clock import SystemClock
from idv_core.errors import (
    DuplicateFlow,
    FlowNotFound,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PluginError,
    UnexpectedResponse,
)
from idv_core.model import CheckRules, FlowRef, subject_of
from idv_core.plugin.http import Request
from idv_core.policy import Policy
from idv_core.registry import registry_of
from idv_core.testing import FakeClock


@pytest.fixture
def vendor() -> Vendor:
    """Gives each opening an id of its own."""
    vendor = Vendor()
    made = iter(range(1, 1000))
    vendor.answers["POST /flows"] = lambda _: httpx.Response(201, json={"id": f"f-{next(made)}"})
    return vendor


class TestOneOrderOneFlow:
    def test_the_same_order_again_gives_the_same_flow(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        first = idv.open(order())
        assert idv.open(order()).ref == first.ref
        assert vendor.paths().count("/flows") == 1

    def test_other_orders_get_flows_of_their_own(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        other = Applicant(reference="CUST-2", name="Arjun Rao", country="IN")
        orders = [order(), order(application_id="APP-2"), order(product="loan"), order(applicant=other)]
        assert len({idv.open(one).id for one in orders}) == 4

    def test_an_order_that_says_something_else_is_refused(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        flow = idv.open(order())
        changed = attrs.evolve(order().applicant, email="another@example.org")
        with pytest.raises(DuplicateFlow, match="another application_id") as caught:
            idv.open(order(applicant=changed))
        assert flow.ref in caught.value.message
        assert "another@example.org" not in str(caught.value)

    def test_a_flow_that_has_ended_is_not_given_out_again(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        first = idv.open(order())
        vendor.status = "good"
        assert idv.open(order()).id != first.id

    def test_days_later_it_is_still_the_same(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock)
        first = idv.open(order())
        clock.advance(7 * 86400)
        assert idv.open(order()).id == first.id

    def test_one_that_the_vendor_has_lost_is_an_error(self, vendor: Vendor, clock: FakeClock) -> None:
        idv = gateway(vendor, clock)
        first = idv.open(order())
        vendor.answers["GET /flows"] = lambda _: httpx.Response(404, json={})
        # some vendors take a moment until they know their own flow
        assert idv.open(order()).id == first.id
        clock.advance(61)
        with pytest.raises(FlowNotFound):
            idv.open(order())
        assert vendor.paths().count("/flows") == 1

    def test_threads_that_come_at_once_get_one_flow(self, vendor: Vendor) -> None:
        inside, go = threading.Event(), threading.Event()
        answer = vendor.answers["POST /flows"]

        def slow(request: httpx.Request) -> httpx.Response:
            inside.set()
            go.wait(30)
            return answer(request)

        vendor.answers["POST /flows"] = slow
        idv = gateway(vendor, SystemClock())
        refs: list[str] = []
        threads = [threading.Thread(target=lambda: refs.append(idv.open(order()).ref)) for _ in range(5)]
        for thread in threads:
            thread.start()
        inside.wait(30)
        go.set()
        for thread in threads:
            thread.join(30)
        assert len(refs) == 5
        assert len(set(refs)) == 1

    async def test_tasks_too(self, vendor: Vendor) -> None:
        import asyncio

        idv = async_gateway(vendor)
        flows = await asyncio.gather(*(idv.open(order()) for _ in range(5)))
        assert len({flow.ref for flow in flows}) == 1

    def test_orders_that_failed_before_anything_was_sent_use_up_no_cap(self, vendor: Vendor) -> None:
        """Nobody can switch an account off with orders that the plugin itself refuses."""
        idv = _with(vendor, _Refuses, daily_cap=1)
        for number in range(3):
            with pytest.raises((InvalidOrder, PluginError)):
                idv.open(order(application_id=f"BAD-{number}", template="refused" if number else "broken"))
        assert idv.health()["acme-1"].created_today == 0
        assert idv.open(order()).id == "f-1"

    @pytest.mark.parametrize("error", [InvalidOrder, UnexpectedResponse, PluginError])
    def test_what_is_wrong_before_anything_is_sent_leaves_no_doubt(self, vendor: Vendor, error: type[IdvError]) -> None:
        """While a request is signed, or its address is looked at."""

        def authorize(*_: object) -> Request:
            raise error("the key has no region")

        idv = _with(vendor, type("Signs", (Acme,), {"authorize": authorize}), daily_cap=1)
        for _ in range(2):
            with pytest.raises(error) as caught:
                idv.open(order())
            assert caught.value.nothing_done
        assert idv.health()["acme-1"].created_today == 0
        assert "/flows" not in vendor.paths()


@attrs.frozen
class _Refuses(Acme):
    def open_flow(self, order: Any) -> Any:
        if order.template == "refused":
            raise InvalidOrder("the reference is not one that Acme takes", fields=("applicant.reference",))
        if order.template == "broken":
            {}["nothing"]
        return (yield from Acme.open_flow(self, order))


@attrs.frozen
class _Fails(Acme):
    """Opens, and raises afterwards what the template names."""

    def open_flow(self, order: Any) -> Any:
        yield Request.post("/flows", json={})
        raise {
            "key": KeyError("a name"),
            "deep": RecursionError(),
            "memory": MemoryError(),
            "invalid": InvalidOrder("no"),
            "plugin": PluginError("no"),
            "unexpected": UnexpectedResponse("no"),
        }[order.template]


def _with(vendor: Vendor, cls: type, **account: Any) -> Gateway:
    registry = registry_of(attrs.evolve(PLUGIN, create=cls, adapters=(cls,)))
    accounts = [attrs.evolve(ACCOUNT, **account)]
    return Gateway(accounts, transport=httpx.MockTransport(vendor), clock=FakeClock(), registry=registry)


class TestAfterACreateWentOut:
    @pytest.mark.parametrize("what", ["key", "deep", "memory", "invalid", "plugin", "unexpected"])
    def test_there_is_a_flow_or_an_unknown_outcome(self, vendor: Vendor, what: str) -> None:
        idv = _with(vendor, _Fails, daily_cap=5)
        with pytest.raises(OutcomeUnknown) as caught:
            idv.open(order(template=what))
        assert caught.value.ask == "recover"
        assert caught.value.since is not None
        assert not caught.value.nothing_done
        assert idv.health()["acme-1"].created_today == 1

    def test_a_refused_create_is_no_unknown_outcome(self, vendor: Vendor) -> None:
        vendor.answers["POST /flows"] = lambda _: httpx.Response(422, json={"code": "no"})
        with pytest.raises(InvalidOrder) as caught:
            gateway(vendor).open(order())
        assert caught.value.nothing_done

    def test_a_reader_of_errors_that_raises_is_not_asked_again(self, vendor: Vendor) -> None:
        @attrs.frozen
        class Careless(Acme):
            def read_error(self, request: Any, response: Any) -> Any:
                return response.json()["error"]

        vendor.answers["POST /flows"] = lambda _: httpx.Response(409, text="no JSON")
        with pytest.raises(DuplicateFlow):
            _with(vendor, Careless).open(order())


_texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


class TestReferences:
    @given(
        account=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True),
        id=_texts,
        policy=st.none() | _texts.map(lambda name: Policy(name=name).mark),
        subject=st.none() | _texts.map(subject_of),
        is_shadow=st.booleans(),
    )
    def test_what_is_written_is_read(
        self, account: str, id: str, policy: str | None, subject: str | None, is_shadow: bool
    ) -> None:
        ref = FlowRef(account=account, id=id, policy=policy, subject=subject, is_shadow=is_shadow)
        assert FlowRef.parse(str(ref)) == ref

    @pytest.mark.parametrize(
        "text",
        ["", "a", "a/", "/b", "a/b;", "a/b;x=1", "a/b;policy=", "a/b;for=1;for=2", "shadow:a", "a/\n", "a/\ud800"],
    )
    def test_rubbish_is_refused(self, vendor: Vendor, text: str) -> None:
        with pytest.raises(InvalidOrder) as caught:
            gateway(vendor).result(text)
        assert caught.value.fields == ("flow",)

    @pytest.mark.parametrize("text", [None, 7, b"a/b", "a/" + "x" * 100_000])
    def test_what_is_no_reference_is_refused(self, vendor: Vendor, text: Any) -> None:
        with pytest.raises(InvalidOrder):
            gateway(vendor).result(text)

    def test_a_policy_of_another_process_is_not_forgotten(self, vendor: Vendor) -> None:
        strict = Policy(name="strict", checks=CheckRules(required="phone"))
        flow = gateway(vendor, policy=strict).open(order())
        vendor.status = "good"
        assert gateway(vendor, policy=strict).result(flow.ref).decision is Decision.REVIEW
        # a process that does not know this policy any more
        other = gateway(vendor).result(flow.ref)
        assert other.decision is Decision.REVIEW
        assert [reason.code for reason in other.reasons] == ["policy.unknown"]
        assert other.flow.ref == flow.ref

    def test_a_policy_that_was_made_milder_under_its_name_is_another_one(self, vendor: Vendor) -> None:
        strict = Policy(name="lending", checks=CheckRules(required="phone"))
        flow = gateway(vendor, policy=strict).open(order())
        vendor.status = "good"
        milder = gateway(vendor, policy=Policy(name="lending"))
        assert milder.result(flow).decision is Decision.REVIEW
        assert milder.result(flow.ref).decision is Decision.REVIEW

    def test_an_old_flow_without_the_new_marks_is_read(self) -> None:
        data = to_json(Flow(id="f-1", account="a", status=FlowStatus.OPEN))
        del data["policy_mark"], data["subject"]
        assert from_json(Flow, data).ref == "a/f-1"
