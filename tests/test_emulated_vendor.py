"""The kit for platforms' tests: the same controls over the vendor that obeys and over every plugin's emulator."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import attrs
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import Check, CheckKind, CheckOutcome, Decision, FlowStatus, Gateway, OutcomeUnknown, Secret, WebhookApp
from idv_core.config import Webhooks
from idv_core.errors import (
    DeadlineExceeded,
    FlowNotFound,
    InvalidOrder,
    PluginError,
    RateLimited,
    UnexpectedResponse,
    VendorUnavailable,
)
from idv_core.plugin import UnsupportedOperation
from idv_core.plugin.protocols import capabilities
from idv_core.testing import EmulatedVendor, FakeVendor, NotOffered, vendor_named, vendor_names
from idv_core.testing.harness import another_person


@pytest.fixture(params=vendor_names())
def vendor(request: pytest.FixtureRequest) -> EmulatedVendor:
    return vendor_named(request.param)


@pytest.fixture
def fake() -> FakeVendor:
    return FakeVendor()


def test_every_plugin_of_the_workspace_is_there() -> None:
    assert {"fake", "atlas", "onfido", "stripe", "verifik", "verigram"} <= set(vendor_names())


@pytest.mark.parametrize("outcome", ["approved", "declined"])
def test_every_vendor_decides_as_the_test_says(vendor: EmulatedVendor, outcome: str) -> None:
    with vendor.gateway() as idv:
        ref = idv.open(vendor.order()).ref
        flow = vendor.decide(ref, outcome)
        assert flow.ref == ref
        assert idv.result(flow).decision is Decision(outcome)


def test_the_account_may_have_another_name(vendor: EmulatedVendor) -> None:
    account = attrs.evolve(vendor.account, name="main")
    webhooks = Webhooks("https://platform.example/idv", Secret("key-of-the-platform-0123456789abcdef"))
    with Gateway([account], webhooks=webhooks, **vendor.wiring) as idv:
        flow = vendor.decide(idv.open(vendor.order()), "approved")
        assert flow.account == "main"
        assert idv.result(flow).decision is Decision.APPROVED


def test_every_vendor_decides_for_asyncio_too(vendor: EmulatedVendor) -> None:
    async def platform() -> Decision:
        async with vendor.async_gateway() as idv:
            flow = await idv.open(vendor.order())
            flow = await asyncio.to_thread(vendor.decide, flow.ref, "approved")
            return (await idv.result(flow)).decision

    assert asyncio.run(platform()) is Decision.APPROVED


def test_a_lost_answer_can_be_recovered(vendor: EmulatedVendor) -> None:
    with vendor.gateway() as idv:
        vendor.fail(next="open", error=OutcomeUnknown, done=True)
        with pytest.raises(OutcomeUnknown):
            idv.open(vendor.order())
        if vendor.harness.no_recovery is None and vendor.harness.opened is not None:
            assert vendor.harness.opened(vendor.order()) == 1
        vendor.clock.advance(3600)
        assert idv.open(another_person(vendor.order("APP-2"), "2")).id


def test_a_line_that_is_down_opens_nothing_and_comes_back(vendor: EmulatedVendor) -> None:
    with vendor.gateway() as idv:
        vendor.fail(next="open", error=VendorUnavailable)
        with pytest.raises(VendorUnavailable) as caught:
            idv.open(vendor.order())
        assert caught.value.nothing_done
        vendor.clock.advance(3600)
        assert idv.open(vendor.order()).id


@pytest.mark.parametrize("error", [RateLimited, InvalidOrder])
def test_the_next_opening_fails_as_told_and_the_one_after_it_works(
    vendor: EmulatedVendor, error: type[RateLimited]
) -> None:
    with vendor.gateway() as idv:
        vendor.fail(next="open", error=error)
        with pytest.raises(error):
            idv.open(vendor.order())
        vendor.clock.advance(3600)
        assert idv.open(vendor.order("APP-2")).id


def test_a_result_that_is_not_understood(vendor: EmulatedVendor) -> None:
    with vendor.gateway() as idv:
        flow = idv.open(vendor.order())
        vendor.fail(next="result", error=UnexpectedResponse)
        # where a response of the vendor's is often no JSON, its plugin says that it is unavailable
        with pytest.raises((UnexpectedResponse, VendorUnavailable)):
            idv.result(flow)
        assert idv.result(flow).decision is Decision.UNDECIDED


def test_webhooks_arrive_at_the_platform(vendor: EmulatedVendor) -> None:
    if not any("webhook" in capabilities(adapter) for adapter in vendor.harness.plugin.adapters):
        pytest.skip(f"{vendor.name} sends no webhooks: the browser comes back")
    arrived: list[str] = []
    with vendor.gateway() as idv:
        app = WebhookApp(idv, on_received=lambda received: arrived.append(received.account))
        vendor.deliver_to(Starlette(routes=[Mount("/idv", app=app)]))
        flow = idv.open(vendor.order())
        vendor.decide(flow, "approved")
        vendor.clock.advance(60)
    assert vendor.name in arrived


def test_what_an_emulator_cannot_do_says_so() -> None:
    stripe = vendor_named("stripe")
    with stripe.gateway() as idv:
        flow = idv.open(stripe.order())
        with pytest.raises(NotOffered, match="stripe"):
            stripe.decide(flow, "review")
        with pytest.raises(NotOffered, match="changes nothing"):
            stripe.fail(next="result", error=OutcomeUnknown)
        with pytest.raises(NotOffered, match="OutcomeUnknown"):
            stripe.fail(next="open", error=UnexpectedResponse)
        with pytest.raises(NotOffered, match="FlowNotFound"):
            stripe.fail(next="open", error=FlowNotFound)
    with pytest.raises(PluginError, match="nobody"):
        vendor_named("nobody")


class TestFakeVendor:
    def test_a_platform_with_a_configuration_of_its_own(
        self, fake: FakeVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FAKE_KEY", "key-of-the-fake-vendor")
        file = tmp_path / "idv.toml"
        file.write_text('[accounts.only]\nplugin = "fake"\ntest = true\napi_key = { env = "FAKE_KEY" }\n')
        with Gateway.load(file, **fake.wiring) as idv:
            flow = idv.open(fake.order())
            assert fake.decide(flow.ref, "approved").ref == flow.ref
            assert idv.result(fake.decide(flow, "declined")).decision is Decision.DECLINED

    def test_review(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow = idv.open(fake.order())
            fake.decide(flow, "review")
            assert idv.result(flow).decision is Decision.REVIEW

    def test_claims_are_those_of_the_order_or_of_the_test(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow, other = idv.open(fake.order()), idv.open(fake.order("APP-2"))
            fake.decide(flow, "approved")
            fake.decide(other, "approved", claims={"given_name": "Ana", "birthdate": date(1993, 7, 21)})
            assert idv.result(flow).claims.given_name.value == fake.applicant.given_name
            claims = idv.result(other).claims
            assert (claims.given_name.value, claims.birthdate.value) == ("Ana", date(1993, 7, 21))
            assert not claims.family_name

    def test_checks_of_the_test(self, fake: FakeVendor) -> None:
        forged = Check(kind=CheckKind.DOCUMENT, name="authenticity", outcome=CheckOutcome.FAILED)
        with fake.gateway() as idv:
            flow = idv.open(fake.order())
            fake.decide(flow, "approved", checks=[forged])
            result = idv.result(flow)
            assert result.decision is Decision.DECLINED
            assert [check.label for check in result.checks] == ["document.authenticity"]

    def test_a_slow_vendor(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow = idv.open(fake.order())
            fake.decide(flow, "approved", after=300)
            assert idv.status(flow).status is FlowStatus.PROCESSING
            with pytest.raises(DeadlineExceeded):
                idv.wait(flow, deadline=60)
            assert idv.wait(flow, deadline=600).approved

    def test_expired_and_reopened(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow = idv.open(fake.order())
            fake.expire(flow.ref)
            assert idv.result(flow).status is FlowStatus.EXPIRED
            fake.decide(flow, "declined")
            fake.announce_reopening(flow)
            assert idv.result(flow).flow.may_reopen
            fake.reopen(flow)
            again = idv.result(flow)
            assert (again.status, again.decision) == (FlowStatus.AWAITING_APPLICANT, Decision.UNDECIDED)

    def test_documents_that_arrived(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow = idv.upload(idv.open(fake.order()), fake.documents)
            assert fake.uploaded(flow) == ("passport", "selfie")

    def test_a_lost_answer_of_an_opening_that_was_done_or_not(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            for done, application in ((True, "APP-1"), (False, "APP-2")):
                order = fake.order(application)
                fake.fail(next="open", error=OutcomeUnknown, done=done)
                with pytest.raises(OutcomeUnknown):
                    idv.open(order)
                fake.clock.advance(3600)
                if done:
                    assert idv.recover(order).application_id == application
                else:
                    with pytest.raises(FlowNotFound):
                        idv.recover(order)

    def test_cancelled_and_erased(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow = idv.open(fake.order())
            assert idv.cancel(flow).status is FlowStatus.CANCELLED
            assert idv.erase(flow).status == "done"
            assert idv.result(flow).status is FlowStatus.ERASED

    def test_another_flow_of_the_platform_is_left_alone(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            flow, other = idv.open(fake.order()), idv.open(fake.order("APP-2"))
            fake.decide(flow, "approved")
            assert idv.result(other).decision is Decision.UNDECIDED
            with pytest.raises(KeyError):
                fake.decide("fake/v-unknown", "approved")

    def test_a_failure_that_was_prepared_can_be_taken_back(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv:
            fake.fail(next="open", error=VendorUnavailable)
            fake.recovered()
            assert idv.open(attrs.evolve(fake.order(), product="loans")).id

    def test_what_it_does_not_offer(self, fake: FakeVendor) -> None:
        with fake.gateway() as idv, pytest.raises(UnsupportedOperation):
            idv.media(idv.open(fake.order()))
