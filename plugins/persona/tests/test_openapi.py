"""Judged by Persona's own OpenAPI: what we send, what the emulator answers, and the bodies of webhooks.

The document is Persona's and lies beside the project (see `idv_persona.testing.openapi`); without it nothing here is judged.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import attrs
import httpx
import pytest
from idv_persona import Persona, PersonaSettings, idv_plugin
from idv_persona.testing.emulator import PersonaEmulator, event_of
from idv_persona.testing.harness import INQUIRIES, MEERA, ROHAN, order, pictures
from idv_persona.testing.judged import judged_by_openapi
from idv_persona.testing.openapi import Judge, Judged, find, judge, missing

from idv_core import Applicant, Decision, Flow, FlowStatus, Gateway, IdvError, Secret
from idv_core.config import Account
from idv_core.errors import FlowNotFound
from idv_core.model.fields import Address
from idv_core.plugin import Review
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.exchange import reply, run_exchange

ADAPTER = Persona(PersonaSettings(api_key=Secret("persona_sandbox_1"), template_id="itmpl_1"))

pytestmark = pytest.mark.skipif(find() is None, reason=missing())


@pytest.fixture
def by() -> Judge:
    return judge()


@pytest.fixture
def judged(network: Network, by: Judge, emulator: PersonaEmulator) -> Judged:
    return Judged(network, by)


@pytest.fixture
def idv(judged: Judged, clock: FakeClock, settings: dict[str, object]) -> Iterator[Gateway]:
    more = {"simulated_verifications": ["vtmpl_1"], "sdk_session": True}
    account = Account("persona", "persona", {**settings, **more}, test=True)
    with Gateway([account], transport=judged, clock=clock, registry=registry_of(idv_plugin())) as made:
        yield made


def walk(network: Network, flow: Flow, face: Any) -> None:
    assert flow.link is not None
    with network.client() as browser:
        submit_forms(browser, flow.link.url.reveal(), *pictures(face))


class TestJudged:
    def test_the_check_of_the_levels_says_what_was_judged(self) -> None:
        assert "Persona's OpenAPI 2025-12-08" in judged_by_openapi()

    @pytest.mark.parametrize(("face", "decision"), [(MEERA, Decision.APPROVED), (ROHAN, Decision.DECLINED)])
    def test_a_life(
        self, idv: Gateway, judged: Judged, network: Network, emulator: PersonaEmulator, face: Any, decision: Decision
    ) -> None:
        emulator.variants.watchlist = True
        flow = idv.renew_link(idv.open(order(return_url="https://platform.example/thanks")))
        walk(network, flow, face)
        result = idv.wait(flow)
        assert idv.status(flow.ref).status is result.status
        assert result.decision is decision
        assert idv.check_credentials()
        assert judged.faults == []
        assert judged.operations == {
            "list-all-inquiries",
            "create-an-inquiry",
            "generate-a-one-time-link",
            "retrieve-an-inquiry",
            "resume-an-inquiry",
        }

    def test_all_that_is_known_of_an_applicant(self, idv: Gateway, judged: Judged) -> None:
        address = Address(street_address="1 A St", locality="B", region="C", postal_code="1", country="US")
        person = Applicant(
            reference="CUST-1",
            given_name="Meera",
            family_name="Iyer",
            birthdate=date(1991, 4, 12),
            email="meera@example.org",
            phone_number="+573005550101",
            address=address,
        )
        idv.open(order(applicant=person, tenant="bank-a", template="itmplv_4711"))
        assert judged.faults == []

    def test_a_list_of_several_pages(self, idv: Gateway, judged: Judged, emulator: PersonaEmulator) -> None:
        first = idv.open(order())
        for number in range(120):
            copied = attrs.evolve(emulator.inquiries[first.id], id=f"inq_{number}", note=None)
            emulator.inquiries[copied.id] = copied
        assert idv.recover(order(), account="persona").id == first.id
        assert judged.faults == []

    def test_what_is_refused(self, idv: Gateway, judged: Judged, emulator: PersonaEmulator) -> None:
        with pytest.raises(FlowNotFound):
            idv.status("persona/inq_none")
        flow = idv.open(order())
        emulator.inquiries[flow.id].times["redacted"] = emulator.clock.now()
        assert idv.renew_link(flow).status is FlowStatus.ERASED
        emulator.api_key = "persona_sandbox_another"
        with pytest.raises(IdvError):
            idv.open(order(application_id="APP-2"))
        assert judged.faults == []

    def test_what_can_be_done_after_the_opening(
        self, idv: Gateway, judged: Judged, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        emulator.variants.watchlist = True

        cancelled = idv.open(order(application_id="APP-1"))
        idv.cancel(cancelled)
        idv.renew_link(cancelled)
        decided = idv.open(order(application_id="APP-2"))
        walk(network, decided, ROHAN)
        clock.advance(5)
        for outcome in ("approve", "decline"):
            idv.review(decided, Review(outcome=outcome, author="jane@platform.example", reason="seen"))
        idv.retry(decided, order(application_id="APP-2"))
        idv.media(decided)
        for _ in range(2):
            idv.erase(decided)
            clock.advance(11)
        idv.erase(decided)
        for outcome in ("approved", "declined", "review", "expired", "failed", "completed"):
            idv.simulate(idv.open(order(application_id=f"APP-{outcome}")), outcome)
        with pytest.raises(IdvError):
            idv.simulate(decided, "approved")
        with network.client() as client:
            headers = {"Authorization": f"Bearer {emulator.api_key}"}
            judged.handle_request(
                client.build_request("GET", f"https://persona.example{INQUIRIES}/{cancelled.id}/print", headers=headers)
            )
        assert judged.faults == []
        assert judged.operations >= {
            "expire-an-inquiry",
            "resume-an-inquiry",
            "approve-an-inquiry",
            "decline-an-inquiry",
            "redact-an-inquiry",
            "print-an-inquiry-pdf",
            "inquiries-perform-simulate-actions",
        }

    def test_the_webhooks(self, idv: Gateway, by: Judge, network: Network, emulator: PersonaEmulator) -> None:
        seen: list[bytes] = []

        def platform(request: httpx.Request) -> httpx.Response:
            seen.append(request.content)
            return httpx.Response(200)

        emulator._client = lambda: httpx.Client(transport=httpx.MockTransport(platform))
        emulator.webhook = "https://platform.example/hook"
        walk(network, idv.open(order()), MEERA)
        emulator.clock.advance(5)  # type: ignore[attr-defined]
        emulator.clock.advance(5)  # type: ignore[attr-defined]
        names = [json.loads(body)["data"]["attributes"]["name"] for body in seen]
        assert names == ["inquiry.created", "inquiry.started", "inquiry.completed", "inquiry.approved"]
        assert [fault for body in seen for fault in by.webhook(body)] == []


class TestTheJudge:
    """It would say so if something were wrong."""

    def faults(self, judged: Judged, method: str, path: str, body: Any = None, **headers: str) -> list[str]:
        content = None if body is None else json.dumps(body).encode()
        httpx.Client(transport=judged).request(
            method, f"https://persona.example{path}", content=content, headers=headers
        )
        return judged.faults

    def test_an_answer_with_a_status_that_is_a_number(self, judged: Judged, emulator: PersonaEmulator) -> None:
        flow = self.inquiry(emulator)
        flow["attributes"]["status"] = 7
        emulator.fault(f"GET {INQUIRIES}/", self.reply({"data": flow}))
        (fault,) = self.faults(judged, "GET", f"{INQUIRIES}/inq_1")
        assert "7 is not of type 'string'" in fault

    def test_an_answer_with_an_attribute_that_there_is_not(self, judged: Judged, emulator: PersonaEmulator) -> None:
        flow = self.inquiry(emulator)
        flow["attributes"]["mood"] = "good"
        emulator.fault(f"GET {INQUIRIES}/", self.reply({"data": flow}))
        (fault,) = self.faults(judged, "GET", f"{INQUIRIES}/inq_1")
        assert "'mood' was unexpected" in fault

    def test_an_answer_without_a_time(self, judged: Judged, emulator: PersonaEmulator) -> None:
        flow = self.inquiry(emulator)
        del flow["attributes"]["decisioned-at"]
        emulator.fault(f"GET {INQUIRIES}/", self.reply({"data": flow}))
        (fault,) = self.faults(judged, "GET", f"{INQUIRIES}/inq_1")
        assert "'decisioned-at' is a required property" in fault

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "verification/selfie", "id": "ver_1", "attributes": {"mood": "good"}, "relationships": {}},
            {"type": "verification/odd", "id": "ver_1", "attributes": {}, "relationships": {}, "mood": "good"},
        ],
    )
    def test_a_part_that_there_is_not(self, judged: Judged, emulator: PersonaEmulator, part: Any) -> None:
        emulator.fault(f"GET {INQUIRIES}/", self.reply({"data": self.inquiry(emulator), "included": [part]}))
        assert self.faults(judged, "GET", f"{INQUIRIES}/inq_1")

    def test_a_body_with_a_key_that_there_is_not(self, judged: Judged) -> None:
        body = {"data": {"attributes": {"inquiry-template-id": "itmpl_1"}, "mood": "good"}}
        (fault,) = self.faults(judged, "POST", INQUIRIES, body, Authorization="Bearer persona_sandbox_emulated4711")
        assert "'mood' was unexpected" in fault

    @pytest.mark.parametrize("query", ["mood=good", "filter[mood]=good", "page[size]=1&page[mood]=2"])
    def test_a_parameter_that_there_is_not(self, judged: Judged, query: str) -> None:
        assert "mood" in "".join(self.faults(judged, "GET", f"{INQUIRIES}?{query}"))

    def test_a_version_and_an_operation_that_there_are_not(self, judged: Judged) -> None:
        assert self.faults(judged, "GET", INQUIRIES, **{"Persona-Version": "2031-01-01"})
        assert "not in the document" in self.faults(judged, "PUT", f"{INQUIRIES}/inq_1")[-1]
        assert "not in the document" in self.faults(judged, "GET", f"{INQUIRIES}/inq_1/mood")[-1]

    def test_an_event_that_there_is_not(self, by: Judge, emulator: PersonaEmulator, idv: Gateway) -> None:
        inquiry = emulator.inquiries[idv.open(order()).id]
        body = event_of("approved", inquiry, emulator.clock.now())
        assert list(by.webhook(json.dumps(body).encode())) == []
        other = copy.deepcopy(body)
        other["data"]["attributes"]["name"] = "inquiry.cheered"
        assert list(by.webhook(json.dumps(other).encode())) == ["there is no event inquiry.cheered"]
        body["data"]["attributes"]["payload"]["data"]["attributes"]["mood"] = "good"
        assert list(by.webhook(json.dumps(body).encode()))

    def inquiry(self, emulator: PersonaEmulator) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        body = json.dumps({"data": {"attributes": {"inquiry-template-id": "itmpl_1"}}}).encode()
        _, _, content = emulator.respond(
            "POST", INQUIRIES, {key.lower(): value for key, value in headers.items()}, body, "https://persona.example"
        )
        made: dict[str, Any] = json.loads(content)["data"]
        return made

    def reply(self, data: Any) -> EmulatedResponse:
        return EmulatedResponse(200, data)


class TestExamples:
    """Persona's own examples: its document takes them, and the plugin reads them."""

    def examples(self, by: Judge) -> dict[str, Any]:
        made: dict[str, Any] = by.document["components"]["examples"]
        return made

    def test_webhooks(self, by: Judge) -> None:
        bodies = [
            example["value"] for name, example in self.examples(by).items() if "inquiry-" in name and "webhook" in name
        ]
        assert len(bodies) > 10
        for body in bodies:
            assert list(by.webhook(json.dumps(body).encode())) == []

    def test_an_inquiry_is_read(self, by: Judge) -> None:
        answer = self.examples(by)["inquiry-retrieve"]["value"]
        flow = Flow(id=answer["data"]["id"], status="open")
        assert run_exchange(ADAPTER.status(flow), [reply(answer)]).value.status == "awaiting_applicant"

    def test_a_government_id_is_read(self, by: Judge) -> None:
        inquiry = copy.deepcopy(self.examples(by)["inquiry-retrieve"]["value"]["data"])
        verification = copy.deepcopy(self.examples(by)["verification-government-id-passed"]["value"]["data"])
        inquiry["attributes"]["status"] = "approved"
        inquiry["relationships"]["verifications"]["data"] = [{"type": verification["type"], "id": verification["id"]}]
        answer = {"data": inquiry, "included": [verification]}
        verification["relationships"]["inquiry"]["data"]["id"] = inquiry["id"]
        flow = Flow(id=inquiry["id"], status="open")
        result = run_exchange(ADAPTER.result(flow), [reply(answer)]).value
        assert result.verdict == "positive"
        (document,) = result.documents
        assert (document.type, document.country, str(document.expires_on)) == ("driving_permit", "US", "2025-01-01")
        assert result.claims.name.value == "JANE DOE"
        assert result.claims.document_number.value == "Y123ABC"
