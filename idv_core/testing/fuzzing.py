"""Feeds an adapter with answers that no vendor gave: engine included, network not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import httpx
import pytest

from ..engine.effects import Send, Steps
from ..engine.pipeline import perform
from ..errors import IdvError, PluginError
from ..model import CheckOutcome, Flow, Result, Secret, to_json
from ..plugin.http import Exchange, NotAccepted, Request, Response
from ..plugin.protocols import ResultCapabilitiesProtocol, status_of
from ..policy import evaluate
from .harness import ACCOUNT, DECLINE, Driver, Harness, operations_of


def feed(driver: Driver, harness: Harness, operation: str, contents: list[bytes], status: int = 200) -> None:
    """Run one operation of the adapter with these answers, engine included, network not.

    Fails unless what comes out is a model or an `IdvError` that does not blame the plugin.
    """
    adapter, session = driver.adapter, driver.gateway._state.active.sessions[ACCOUNT]
    start = _starts(driver, harness)
    expected = {"result": Result, "open": Flow, "status": Flow, "upload": Flow, "submit": Flow, "renew_link": Flow}
    broke: list[str] = []
    steps = perform(session, operation, lambda _: _watched(start[operation](), broke), harness.clock)
    answers = [Response(status=status, content=content, received_at=harness.clock.now()) for content in contents]
    try:
        value = _answered(steps, answers, [])
        assert isinstance(value, expected.get(operation, object))
        if isinstance(value, Result):
            assert_announced(adapter, value)
            json.dumps(to_json(evaluate(harness.policy, value, harness.clock.now())))
    except PluginError as error:
        pytest.fail(f"the plugin broke on an answer: {error}")
    except IdvError as error:
        # after a create the engine calls it an unknown outcome
        if broke:
            pytest.fail(f"the plugin broke on an answer to {operation}: {broke[0]} ({error})")


def _watched(exchange: Exchange[Any], broke: list[str]) -> Exchange[Any]:
    """The exchange; what breaks in it is written down."""
    try:
        return (yield from exchange)
    except (IdvError, NotAccepted):
        raise
    except Exception as error:
        broke.append(type(error).__name__)
        raise


def first_requests(driver: Driver, harness: Harness) -> list[Request]:
    """The request with which each operation of the adapter begins."""
    requests = []
    starts = _starts(driver, harness)
    for operation in operations_of(driver.adapter):
        exchange = starts[operation]()
        # some operations call nobody, and some refuse the example flow before they do
        with suppress(StopIteration, IdvError):
            requests.append(next(exchange))
        exchange.close()
    return requests


def _starts(driver: Driver, harness: Harness) -> dict[str, Callable[[], Any]]:
    """The exchange of each operation."""
    adapter = driver.adapter
    urls = driver.gateway._state.active.receiver.urls(ACCOUNT, "APP-1")
    flow = Flow(id="flow-1:person-1", status="open", account=ACCOUNT, secrets={"token": Secret("applicant-token")})
    documents = tuple(
        attrs.evolve(d, url=None, path=None, content=b"x") if d.url is None else d for d in harness.documents
    )
    return {
        "open": lambda: adapter.open_flow(attrs.evolve(harness.order, urls=urls)),
        "status": lambda: status_of(adapter, flow),
        "result": lambda: adapter.result(flow),
        "upload": lambda: adapter.upload(flow, documents),
        "submit": lambda: adapter.submit(flow),
        "renew_link": lambda: adapter.renew_link(flow),
        "provision": lambda: adapter.provision(harness.template),
        "cancel": lambda: adapter.cancel(flow),
        "erase": lambda: adapter.erase(flow),
        "media": lambda: adapter.media(flow),
        "retry": lambda: adapter.retry(flow, attrs.evolve(harness.order, urls=urls)),
        "review": lambda: adapter.review(flow, DECLINE),
    }


def assert_announced(adapter: Any, result: Result) -> None:
    """A result holds nothing that `result_capabilities` of its adapter rules out."""
    if not isinstance(adapter, ResultCapabilitiesProtocol):
        return
    able = adapter.result_capabilities
    for check in result.checks:
        if check.outcome is CheckOutcome.PASSED:
            assert check.kind in able.checks, f"{check.kind} passed, but result_capabilities.checks does not have it"
        if check.score is not None:
            assert check.kind in able.scored, (
                f"{check.kind} has a score, but result_capabilities.scored does not have it"
            )
    assert able.documents or not result.documents, "there are documents, but result_capabilities.documents is false"
    assert able.verdict or result.verdict is None, "there is a verdict, but result_capabilities.verdict is false"


def _answered(steps: Steps[Any], answers: list[Response], sent: list[Send]) -> Any:
    """Run the steps with these answers, the last one again and again; pauses take no time."""
    value: Any = None
    try:
        while True:
            effect = steps.send(value)
            value = None
            if isinstance(effect, Send):
                sent.append(effect)
                if len(sent) > 400:
                    pytest.fail("the operation never ends: it asked more than 400 times")
                value = answers[min(len(sent), len(answers)) - 1]
    except StopIteration as stop:
        return stop.value


def recorded_answers(harness: Harness) -> list[Any]:
    """Real answers of the emulator to start the changes from."""
    if not harness.recorded:
        idv = Driver(attrs.evolve(harness, transport=Recorder(harness.transport, harness.recorded)), "sync")
        flow = harness.finish(idv, idv.open(harness.order))
        harness.clock.advance(3600)
        idv.result(flow)
    return harness.recorded


class Recorder(httpx.BaseTransport):
    """Keeps the decoded answers that pass."""

    def __init__(self, inner: httpx.BaseTransport, seen: list[Any]) -> None:
        self._inner, self._seen = inner, seen

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        try:
            self._seen.append(json.loads(response.read()))
        except ValueError:
            pass
        return response
