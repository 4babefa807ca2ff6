"""Persona's webhooks: which signatures are taken, and what an event names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest
from idv_persona import Persona, PersonaSettings, idv_plugin
from idv_persona.testing.emulator import PersonaEmulator
from idv_persona.testing.harness import MEERA, order, pictures
from idv_persona.webhooks import sign, signature_header

from idv_core import Gateway, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import WebhookRejected
from idv_core.plugin import Webhook, WebhookEvent
from idv_core.registry import registry_of
from idv_core.testing import FakeClock, Network
from idv_core.testing.applicant import submit_forms
from idv_core.testing.clock import START
from idv_core.webhooks import WebhookRequest

OLD, NEW, OTHER = Secret("wbhsec_old"), Secret("wbhsec_new"), Secret("wbhsec_other")
NOW = str(int(START.timestamp()))


def body(name: str = "inquiry.approved", **about: Any) -> bytes:
    data = {"type": "inquiry", "id": "inq_1", "attributes": {"status": "approved"}, **about}
    event = {"name": name, "payload": {"data": data, "included": []}}
    return json.dumps({"data": {"type": "event", "id": "evt_1", "attributes": event}}).encode()


def read(
    header: str | None, content: bytes = body(), *, secrets: tuple[Secret, ...] = (NEW,), **more: Any
) -> WebhookEvent:
    settings = PersonaSettings(api_key=Secret("persona_sandbox_1"), template_id="itmpl_1", webhook_secrets=secrets)
    headers = {} if header is None else {"persona-signature": header}
    call = Webhook(purpose="events", method="POST", headers=headers, body=content, received_at=START)

    return Persona(settings).read_webhook(attrs.evolve(call, **more))


def header(*secrets: Secret, stamp: str = NOW, content: bytes = body()) -> str:
    return signature_header(secrets, stamp, content)["Persona-Signature"]


class TestSignature:
    def test_is_the_hmac_of_time_and_body(self) -> None:
        """docs.withpersona.com/webhooks-best-practices; the digest was made with openssl."""
        assert sign(Secret("wbhsec_1"), "1709686052", b"{}") == (
            "bf1b8f5e4914d14f463ae5c4f6e4cb45628a12548131a57f278e3d1270e097ff"
        )

    def test_a_right_one_is_taken(self) -> None:
        event = read(header(NEW))
        assert (event.signed, event.flow_id, event.event, event.fetch) == (True, "inq_1", "inquiry.approved", True)

    def test_while_the_secret_is_rotated_either_is_taken(self) -> None:
        """Persona signs with both; we may know the old one, the new one, or both."""
        both = header(OLD, NEW)
        for known in ((OLD,), (NEW,), (OLD, NEW), (NEW, OLD)):
            assert read(both, secrets=known).signed
            assert read(header(*known), secrets=(OLD, NEW)).signed
        with pytest.raises(WebhookRejected):
            read(both, secrets=(OTHER,))

    @pytest.mark.parametrize("between", [" ", ",", ", "])
    def test_several_signatures_in_any_form(self, between: str) -> None:
        wrong, right = sign(OTHER, NOW, body()), sign(NEW, NOW, body())
        assert read(f"t={NOW},v1={wrong},v1={right}").signed
        assert read(f"t={int(NOW) - 1},v1={wrong}{between}t={NOW},v1={right}").signed

    @pytest.mark.parametrize(
        "wrong",
        [
            None,
            "",
            "odd",
            f"t={NOW}",
            f"t={NOW},v1=",
            f"t={NOW},v1=é",
            f"t={NOW},v1={sign(OTHER, NOW, body())}",
            f"t={int(NOW) + 1},v1={sign(NEW, NOW, body())}",
            f"v1={sign(NEW, NOW, body())}",
            f"t={NOW},v0={sign(NEW, NOW, body())}",
            f"t={NOW},v1={sign(NEW, NOW, body(id='inq_2'))}",
            header(NEW, stamp=""),
            header(NEW, stamp="²"),
            header(NEW, stamp="soon"),
            header(NEW, stamp="9" * 13),
            header(NEW, stamp=str(int(NOW) - 301)),
            header(NEW, stamp=str(int(NOW) + 301)),
        ],
    )
    def test_a_wrong_one_is_refused(self, wrong: str | None) -> None:
        with pytest.raises(WebhookRejected) as caught:
            read(wrong)
        assert caught.value.status == 401

    def test_an_old_time_does_not_hide_behind_a_new_one(self) -> None:
        """Only the time that the right signature covers counts."""
        old = str(int(NOW) - 301)
        with pytest.raises(WebhookRejected, match="too old"):
            read(f"t={NOW},v1={sign(OTHER, NOW, body())} t={old},v1={sign(NEW, old, body())}")

    def test_without_a_secret_only_the_address_proves_it(self) -> None:
        assert not read(None, secrets=()).signed
        settings = PersonaSettings(api_key=Secret("persona_sandbox_1"), template_id="itmpl_1")
        assert [name for name, _ in Persona(settings).problems(webhooks=True)] == ["webhook_secrets"]
        assert list(Persona(settings).problems(webhooks=False)) == []


class TestEvent:
    def test_of_a_verification_names_its_inquiry(self) -> None:
        related = {"inquiry": {"data": {"type": "inquiry", "id": "inq_7"}}}
        content = body("verification.passed", type="verification/selfie", id="ver_1", relationships=related)
        event = read(header(NEW, content=content), content)
        assert (event.flow_id, event.event, event.fetch) == ("inq_7", "verification.passed", True)

    @pytest.mark.parametrize(
        "content",
        [
            body("case.created", type="case", id="case_1"),
            body(id=7),
            body(id="act_1"),
            body("verification.passed", type="verification/selfie", id="ver_1"),
            b"{}",
            b'{"data": []}',
            b'{"data": {"attributes": {"name": 7, "payload": {"data": "odd"}}}}',
        ],
    )
    def test_that_names_none_leads_to_nothing(self, content: bytes) -> None:
        event = read(header(NEW, content=content), content)
        assert (event.flow_id, event.fetch) == (None, False)

    def test_is_read_as_json_at_the_one_address(self) -> None:
        with pytest.raises(WebhookRejected) as caught:
            read(header(NEW, content=b"odd"), b"odd")
        assert caught.value.status == 400
        for wrong in ({"purpose": "return"}, {"method": "GET"}):
            with pytest.raises(WebhookRejected) as caught:
                read(header(NEW), **wrong)
            assert caught.value.status == 404


class TestEmulator:
    @pytest.fixture
    def idv(self, network: Network, clock: FakeClock, settings: dict[str, object]) -> Iterator[Gateway]:
        with Gateway(
            [Account("persona", "persona", settings, test=True)],
            webhooks=Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef")),
            transport=network,
            clock=clock,
            registry=registry_of(idv_plugin()),
        ) as made:
            yield made

    def test_its_webhooks_lead_to_the_flow(
        self, idv: Gateway, network: Network, clock: FakeClock, emulator: PersonaEmulator
    ) -> None:
        seen: list[tuple[str, str | None]] = []
        path = idv.webhook_url("persona", "events").reveal().removeprefix("https://platform.example/idv")

        def platform(request: httpx.Request) -> httpx.Response:
            call = WebhookRequest(method="POST", path=path, headers=dict(request.headers), body=request.content)
            event = idv.receive("persona", call)
            seen.append((event.event, event.flow_ref))
            return httpx.Response(200)

        emulator._client = lambda: httpx.Client(transport=httpx.MockTransport(platform))
        emulator.webhook = "https://platform.example/hook"
        flow = idv.open(order())
        assert flow.link is not None
        with network.client() as browser:
            submit_forms(browser, flow.link.url.reveal(), *pictures(MEERA))
        for _ in range(2):
            clock.advance(timedelta(seconds=5).total_seconds())
        assert [name for name, _ in seen] == [
            "inquiry.created",
            "inquiry.started",
            "inquiry.completed",
            "inquiry.approved",
        ]
        assert {ref for _, ref in seen} == {f"persona/{flow.id}"}
