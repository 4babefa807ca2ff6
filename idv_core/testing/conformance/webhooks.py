"""Webhooks: proved, bounded, known again, and read or refused."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...config.problems import Problems
from ...config.settings import SettingsReader
from ...engine.pipeline import perform
from ...errors import WebhookRejected
from ...model import Secret
from ...plugin.protocols import Webhook, WebhookEvent, WebhookKeysProtocol, WebhookProtocol
from ...webhooks.receiver import MAX_BODY
from ..harness import ACCOUNT, Driver, Harness
from ..strategies import json_values
from .steps import SLOW, offered, secrets_in, shipped_files

_NEAR = 3600


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

    def test_signatures_are_over_the_body_and_the_time(self, harness: Harness) -> None:
        """Where a webhook is `signed`: another body, other headers, or the same call a day later are refused."""
        signed, driver = _signed(harness)
        adapter = driver.adapter
        body = signed.body
        spaced = json.dumps(json.loads(body), indent=1).encode() if _is_json(body) else body + b" "
        for changed, what in (
            (body + b" ", "with a blank behind its body"),
            (spaced, "whose JSON is laid out otherwise"),
        ):
            _refuses(adapter, attrs.evolve(signed, body=changed), f"a signed webhook {what}", _OVER_BODY)
        _refuses(adapter, attrs.evolve(signed, headers={}), "a webhook without its headers", _OVER_BODY)
        if _tells_time(signed):
            assert signed.received_at is not None
            late = attrs.evolve(signed, received_at=signed.received_at + timedelta(days=1))
            _refuses(adapter, late, "a signed webhook of yesterday", _OVER_TIME)
        sources = [file.read_text(encoding="utf-8") for file, _ in shipped_files(adapter)]
        assert any("compare_digest(" in source or ".verify(" in source for source in sources), (
            "signatures are compared with `==`, whose time tells how much of one was right: use `hmac.compare_digest`"
        )
        driver.close()

    def test_webhook_secrets_can_be_rotated(self, harness: Harness) -> None:
        """While a secret is exchanged there are two, and the vendor signs with the one or the other."""
        signed, driver = _signed(harness)
        other = Secret("another-secret-of-the-conformance-suite")
        proving = [name for name in _webhook_secrets(harness) if not _reads(harness, signed, {name: other})]
        driver.close()
        if not proving:
            pytest.skip("not offered: no secret of the settings proves webhooks")
        for name in proving:
            [right, *_] = secrets_in(harness.settings[name])
            for both in ([Secret(right), other], [other, Secret(right)]):
                assert _reads(harness, signed, {name: both}), (
                    f"a webhook that is signed with one of two secrets of {name!r} is refused: while it is rotated there are "
                    "two. Make the setting `tuple[Secret, ...]` with the converter `as_secrets`, and try each"
                )

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


_OVER_BODY = (
    "verify the signature over `webhook.body`, byte for byte, and raise WebhookRejected(status=401) where it is wrong"
)
_OVER_TIME = (
    "compare the signed time with `webhook.received_at` and refuse what is older than some minutes, which is a replay"
)


def _signed(harness: Harness) -> tuple[Webhook, Driver]:
    """The harness's webhook as the adapter is given it. Skips where the adapter does not say that it is signed."""
    driver = Driver(harness, "sync")
    offered(driver.adapter, WebhookProtocol)
    assert harness.webhook is not None, "WebhookProtocol needs Harness.webhook"
    request = harness.webhook("/token")
    webhook = Webhook(
        purpose=request.path.rpartition("/")[2],
        method=request.method,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query,
        body=request.body,
        received_at=harness.clock.now(),
    )
    if isinstance(driver.adapter, WebhookKeysProtocol):
        session = driver.gateway._state.active.sessions[ACCOUNT]
        id = driver.adapter.webhook_key_id(webhook)
        keys = perform(session, "webhook_key", lambda _: driver.adapter.webhook_key(id), harness.clock)
        webhook = attrs.evolve(webhook, key=driver.gateway._driver.run(keys))
    if not driver.adapter.read_webhook(webhook).signed:
        driver.close()
        pytest.skip("not offered: the adapter does not say that webhooks are signed")
    return webhook, driver


def _webhook_secrets(harness: Harness) -> list[str]:
    return [name for name, value in harness.settings.items() if secrets_in(value)]


def _reads(harness: Harness, webhook: Webhook, changed: dict[str, object]) -> bool:
    """Whether an account with these settings takes the webhook."""
    problems = Problems()
    settings = SettingsReader(problems).read(harness.plugin.settings, {**harness.settings, **changed}, ("settings",))
    if problems.found:
        return False
    try:
        harness.plugin.create(settings).read_webhook(webhook)
    except WebhookRejected:
        return False
    return True


def _refuses(adapter: WebhookProtocol, webhook: Webhook, what: str, instead: str) -> None:
    try:
        adapter.read_webhook(webhook)
    except WebhookRejected:
        return
    pytest.fail(f"{what} was taken: {instead}")


def _tells_time(webhook: Webhook) -> bool:
    """Whether a header holds a time near now: as seconds since 1970, or in a JWT."""
    assert webhook.received_at is not None
    now = webhook.received_at.timestamp()
    texts = list(webhook.headers.values())
    for part in re.findall(r"[A-Za-z0-9_-]{16,}", " ".join(texts)):
        with suppress(ValueError):
            texts.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("latin-1"))
    return any(abs(int(number) - now) < _NEAR for text in texts for number in re.findall(r"(?<!\d)\d{10}(?!\d)", text))


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
