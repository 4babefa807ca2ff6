"""The applicant knows the address that his browser is sent to. Whatever he does with it, it proves that somebody came by."""

from __future__ import annotations

import base64
import json
from functools import cache

import attrs
import pytest
from harnesses import HARNESSES
from hypothesis import given, settings
from hypothesis import strategies as st

from idv_core import Gateway
from idv_core.engine.waiters import wake_keys
from idv_core.errors import WebhookRejected
from idv_core.testing import FakeClock
from idv_core.testing.harness import ACCOUNT, Driver
from idv_core.webhooks import WebhookRequest

MINE, OTHERS = "APP-MINE", "APP-OTHERS"
PURPOSES = ("return", "events", "results", "auth", "chat", "done", "Return", "", "x")
FRIENDS = ("vs_2", "f-2", "LOS-2", "run-2", "0123456789abcdef01234567")


@cache
def world(vendor: str) -> tuple[Gateway, str]:
    """A gateway, and the path that the applicant's browser saw."""
    harness = HARNESSES[vendor](FakeClock())
    unsigned = {
        name: value for name, value in harness.settings.items() if name not in ("webhook_secret", "webhook_token")
    }
    gateway: Gateway = Driver(attrs.evolve(harness, settings=unsigned), "sync").gateway
    receiver = gateway._state.active.receiver
    assert receiver is not None
    seen = receiver.urls(ACCOUNT, MINE, "https://platform.example/thanks").return_url()
    return gateway, seen.rpartition(f"/{ACCOUNT}/")[2]


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Bodies as the vendors send them, about the verification of somebody else."""
    friend = draw(st.sampled_from(FRIENDS))
    return json.dumps(
        draw(
            st.sampled_from(
                [
                    {"type": "identity.verification_session.verified", "data": {"object": {"id": friend}}},
                    {"payload": {"action": "check.completed", "resource": {"id": friend, "applicant_id": friend}}},
                    {"type": "onboarding_app_registration_completed", "object": {"_id": friend, "currentStep": "end"}},
                    {"flow_uuid": friend, "flow_id": friend, "data": [{"document_id": friend}]},
                ]
            )
        )
    ).encode()


def other_purposes(seen: str) -> st.SearchStrategy[str]:
    return st.sampled_from(PURPOSES).map(lambda purpose: f"/{seen.partition('/')[0]}/{purpose}")


@st.composite
def paths(draw: st.DrawFn, seen: str) -> str:
    """The path that he knows, with anything done to it."""
    token, _, _ = seen.partition("/")
    text, _, mac = token.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    fields[draw(st.integers(0, 3))] = draw(st.sampled_from([OTHERS, None, True, "", "shadow:", ";policy=lax"]))
    forged = base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).rstrip(b"=").decode()
    token = draw(st.sampled_from([token, f"{forged}.{mac}", f"{text}.", text, token.lower(), f"{token}=", mac]))
    purpose = draw(st.sampled_from(PURPOSES))
    before = draw(st.sampled_from(["", "/", "//", "/x/", f"/{ACCOUNT}/", f"/{ACCOUNT}/{ACCOUNT}/", "/../"]))
    return (
        before
        + token
        + draw(st.sampled_from(["/", "//", "/./", "%2f", ""]))
        + purpose
        + draw(st.sampled_from(["", "/"]))
    )


@pytest.mark.parametrize("vendor", HARNESSES)
@settings(deadline=None)
@given(data=st.data())
def test_it_proves_a_visit_and_nothing_else(vendor: str, data: st.DataObject) -> None:
    gateway, seen = world(vendor)
    gateway._state.clock.advance(60)  # type: ignore[attr-defined]
    names = st.sampled_from(
        ["id", "flow_id", "flow_uuid", "token", "authorization", "stripe-signature", "x-sha2-signature"]
    )
    friendly = st.dictionaries(names, st.sampled_from([*FRIENDS, "t=1,v1=00", "Bearer x"]), max_size=3)
    request = WebhookRequest(
        method=data.draw(st.sampled_from(["POST", "GET", "HEAD", "PUT"])),
        path=data.draw(st.one_of(st.just(seen), other_purposes(seen), paths(seen))),
        headers=data.draw(friendly),
        query=data.draw(friendly),
        body=data.draw(st.one_of(events(), st.binary(max_size=20))),
    )
    try:
        received = gateway.receive(data.draw(st.sampled_from([ACCOUNT, ACCOUNT, "another"])), request)
    except WebhookRejected:
        return
    assert (received.account, received.application_id) == (ACCOUNT, MINE)
    assert (received.proved, received.event) == ("visit", "return")
    assert (received.flow_ref, received.document_ids, received.is_shadow) == (None, (), False)
    assert set(received.wakes) <= set(wake_keys(ACCOUNT, None, MINE))
    assert b"access_token" not in received.answer.body
    assert received.answer.headers.get("location") in (None, "https://platform.example/thanks")


@pytest.mark.parametrize("vendor", ["onfido", "stripe", "verigram"])
def test_it_does_prove_a_visit(vendor: str) -> None:
    gateway, seen = world(vendor)
    received = gateway.receive(ACCOUNT, WebhookRequest(method="GET", path=seen))
    assert (received.application_id, received.fetch) == (MINE, True)


def test_a_verigram_form_is_a_visit_too() -> None:
    gateway, seen = world("verigram")
    posted = WebhookRequest(method="POST", path=seen, body=b"flow_id=f-2&verdict=pass")
    assert gateway.receive(ACCOUNT, posted).flow_ref is None
