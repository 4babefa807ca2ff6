"""Secrets that vendors sign their webhooks with: while one is exchanged, the old and the new are good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import idv_onfido.account
import idv_persona.webhooks
import idv_stripe.webhooks
import pytest

from idv_core import Gateway, Secret
from idv_core.config import Account
from idv_core.errors import WebhookRejected
from idv_core.testing import FakeClock
from idv_core.testing.harness import WEBHOOKS
from idv_core.webhooks import WebhookRequest

OLD, NEW = Secret("secret-of-last-year"), Secret("secret-of-this-year")
Headers = Mapping[str, str]


def stripe_headers(secret: Secret, clock: FakeClock, body: bytes) -> Headers:
    return idv_stripe.webhooks.signature_header(secret, str(int(clock.now().timestamp())), body)


def onfido_headers(secret: Secret, clock: FakeClock, body: bytes) -> Headers:
    return {"X-SHA2-Signature": idv_onfido.account.sign(secret, body)}


def persona_headers(secret: Secret, clock: FakeClock, body: bytes) -> Headers:
    return idv_persona.webhooks.signature_header((secret,), str(int(clock.now().timestamp())), body)


VENDORS: dict[str, tuple[str, dict[str, Any], Callable[[Secret, FakeClock, bytes], Headers], bytes]] = {
    "stripe": (
        "webhook_secret",
        {"api_key": Secret("sk_test_1")},
        stripe_headers,
        b'{"data": {"object": {"id": "vs_1"}}}',
    ),
    "persona": (
        "webhook_secrets",
        {"api_key": Secret("persona_sandbox_1"), "template_id": "itmpl_1"},
        persona_headers,
        b'{"data": {"attributes": {"name": "inquiry.approved", "payload": {"data": {"type": "inquiry", "id": "inq_1"}}}}}',
    ),
    "onfido": (
        "webhook_token",
        {"api_token": Secret("api_sandbox.1"), "workflow_id": "w-1"},
        onfido_headers,
        b'{"payload": {"resource_type": "workflow_run", "action": "a", "object": {"id": "run-1"}}}',
    ),
}


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def connect(vendor: str, clock: FakeClock, **more: Any) -> Gateway:
    return Gateway([Account(vendor, vendor, {**VENDORS[vendor][1], **more})], clock=clock, webhooks=WEBHOOKS)


def event(idv: Gateway, vendor: str, clock: FakeClock, secret: Secret, number: int = 0) -> WebhookRequest:
    body = VENDORS[vendor][3] + b" " * number
    path = idv.webhook_url(vendor, "events").reveal().partition(f"/{vendor}/")[2]
    return WebhookRequest(method="POST", path=path, headers=VENDORS[vendor][2](secret, clock, body), body=body)


def test_two_are_good_at_a_time(vendor: str, clock: FakeClock) -> None:
    setting = VENDORS[vendor][0]
    idv = connect(vendor, clock, **{setting: [NEW, OLD]})
    for number, secret in enumerate((NEW, OLD)):
        received = idv.receive(vendor, event(idv, vendor, clock, secret, number))
        assert (received.proved, received.application_id, received.fetch) == ("signature", None, True)
    with pytest.raises(WebhookRejected) as caught:
        idv.receive(vendor, event(idv, vendor, clock, Secret("made up"), 2))
    assert caught.value.status == 401
    assert idv.receive(vendor, event(connect(vendor, clock), vendor, clock, OLD)).repeated


def test_without_one_only_the_address_proves_it(vendor: str, clock: FakeClock) -> None:
    idv = connect(vendor, clock)
    assert idv.receive(vendor, event(idv, vendor, clock, Secret("made up"))).proved == "address"


def test_a_file_is_read_again_when_a_signature_is_wrong(vendor: str, clock: FakeClock, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(OLD.reveal())
    idv = connect(vendor, clock, **{VENDORS[vendor][0]: {"file": str(file)}})
    assert idv.receive(vendor, event(idv, vendor, clock, OLD)).fetch
    file.write_text(NEW.reveal())
    assert idv.receive(vendor, event(idv, vendor, clock, NEW, 1)).fetch
    with pytest.raises(WebhookRejected):
        idv.receive(vendor, event(idv, vendor, clock, OLD, 2))


def test_that_there_is_none_is_said_where_callbacks_come_in(vendor: str, clock: FakeClock) -> None:
    setting = VENDORS[vendor][0]
    for more, wanted in (({}, [setting]), ({setting: NEW}, []), ({setting: [NEW, OLD]}, [])):
        adapter = connect(vendor, clock, **more)._state.active.sessions[vendor].adapter
        assert [name for name, _ in adapter.problems(webhooks=True)] == wanted
