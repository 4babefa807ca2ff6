"""Webhooks: proved, bounded, known again, and read or refused."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...errors import WebhookRejected
from ...plugin.protocols import Webhook, WebhookEvent, WebhookProtocol
from ...webhooks.receiver import MAX_BODY
from ..harness import ACCOUNT, Driver, Harness
from ..strategies import json_values
from .steps import SLOW, offered


class ReadsWebhooks:
    def test_webhooks_are_proved_bounded_and_known_again(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, WebhookProtocol)
        assert harness.webhook is not None, "WebhookProtocol needs Harness.webhook"
        urls = idv.gateway._state.active.receiver.urls(ACCOUNT, "APP-1")
        # the harness knows the purpose, the core the address
        request = harness.webhook("/token")
        purpose = request.path.rpartition("/")[2]
        path = urls.webhook(purpose).rpartition(f"/{ACCOUNT}")[2]
        request = attrs.evolve(request, path=path)
        idv.fetch_webhook_key(ACCOUNT, request)
        first = idv.receive(ACCOUNT, request)
        assert first.application_id == "APP-1"
        assert not first.repeated
        assert idv.receive(ACCOUNT, request).repeated
        token = path.split("/")[1]
        forged = path.replace(token, token[:-2] + ("aa" if token[-2:] != "aa" else "bb"))
        for hostile, status in (
            (attrs.evolve(request, path=forged), 404),
            (attrs.evolve(request, path="/results"), 404),
            (attrs.evolve(request, body=b"x" * (MAX_BODY + 1)), 413),
            (attrs.evolve(request, path=f"/{token}/nonsense"), 404),
        ):
            with pytest.raises(WebhookRejected) as caught:
                idv.receive(ACCOUNT, hostile)
            assert caught.value.status == status

    @SLOW
    @given(
        purpose=st.sampled_from(["results", "auth", "events", "chat", "x"]),
        method=st.sampled_from(["GET", "POST"]),
        body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())),
        headers=st.dictionaries(st.sampled_from(["token", "authorization", "content-type"]), st.text(max_size=40)),
    )
    def test_any_webhook_is_read_or_refused(
        self, harness: Harness, purpose: str, method: str, body: bytes, headers: dict[str, str]
    ) -> None:
        adapter = Driver(harness, "sync").adapter
        offered(adapter, WebhookProtocol)
        call = Webhook(purpose=purpose, method=method, body=body, headers=headers)
        try:
            reading = adapter.read_webhook(call)
        except WebhookRejected as error:
            assert 400 <= error.status < 500
        else:
            assert isinstance(reading, WebhookEvent)
