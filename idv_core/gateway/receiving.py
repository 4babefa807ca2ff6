"""Receives webhooks and wakes those who wait for their flows. Never blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from ..engine.account import AccountSession
from ..engine.effects import Steps
from ..errors import ConfigError, FlowNotFound, IdvError, PluginError, WebhookRejected
from ..model import Secret
from ..plugin.protocols import WebhookKey, WebhookProtocol, WebhookPurposesProtocol
from .execution import execute, needs, reread_soon
from .state import GatewayState

if TYPE_CHECKING:
    from ..webhooks.receiver import Received, WebhookReceiver, WebhookRequest

_KEY_SECONDS = 10.0
_KEY_PAUSE = timedelta(seconds=30)


def webhook_url(state: GatewayState, account: str, purpose: str) -> Secret:
    session = state.active.session(account)
    needs(session, WebhookProtocol, "webhook_url", "the vendor sends no webhooks")
    adapter = session.adapter
    known = adapter.webhook_purposes if isinstance(adapter, WebhookPurposesProtocol) else None
    if known is not None and purpose not in known:
        raise ConfigError(f"there is no webhook purpose {purpose!r} (there are: {', '.join(known)})", account=account)
    urls = _receiver(state).urls(session.name, None)
    try:
        return Secret(urls.webhook(purpose))
    except ValueError as error:
        raise ConfigError(str(error), account=account) from None


def max_body(state: GatewayState, account: str, request: WebhookRequest) -> int:
    return _receiver(state).max_body(_called(state, account), request)


def missing_key(state: GatewayState, account: str, request: WebhookRequest) -> str | None:
    """The id of the signing key that has to be fetched before the call can be read; None where nothing has to be."""
    try:
        return _receiver(state).missing_key(_called(state, account), request)
    except WebhookRejected:
        return None


def fetch_key(state: GatewayState, account: str, request: WebhookRequest) -> Steps[None]:
    """The signing key that the call names, where it is not here yet."""
    key_id = missing_key(state, account, request)
    if key_id is None:
        return
    session, keys = _called(state, account), _receiver(state).keys
    keys.begin(state.clock.now())
    key: WebhookKey | None = None
    try:
        key = yield from execute(
            state, session, "webhook_key", lambda a: a.webhook_key(key_id), WebhookKey, seconds=_KEY_SECONDS
        )
    except FlowNotFound:
        pass
    except PluginError:
        raise
    except IdvError as error:
        text = f"the signing key could not be fetched ({type(error).__name__}); retry later"
        raise WebhookRejected(text, status=503, retry_after=_KEY_PAUSE) from None
    keys.keep(session.name, key_id, key if key is not None and key.id == key_id else None, state.clock.now())


def receive(state: GatewayState, account: str, request: WebhookRequest) -> Received:
    received = _received(state, account, request)
    _receiver(state).handled(received)
    return received


@contextmanager
def receiving(state: GatewayState, account: str, request: WebhookRequest) -> Iterator[Received]:
    receiver = _receiver(state)
    received = _received(state, account, request)
    try:
        yield received
    except BaseException:
        receiver.forget(received)
        raise
    receiver.handled(received)


def _received(state: GatewayState, account: str, request: WebhookRequest) -> Received:
    receiver, session = _receiver(state), _called(state, account)
    names = state.active.names(session.name)
    try:
        received = receiver.receive(session, request, names)
    except WebhookRejected as error:
        if error.status != 401:
            raise
        received = receiver.receive(reread_soon(state, session, error), request, names)
    state.waiters.wake(*received.wakes)
    return received


def _called(state: GatewayState, account: str) -> AccountSession:
    try:
        return state.active.session_of_flow(account)
    except ConfigError:
        raise WebhookRejected("there is no webhook URL with this path", status=404) from None


def _receiver(state: GatewayState) -> WebhookReceiver:
    if state.active.receiver is None:
        raise ConfigError(
            "webhooks are not configured; pass webhooks=Webhooks(url, key) to the gateway, or add [webhooks] to idv.toml"
        )
    return state.active.receiver
