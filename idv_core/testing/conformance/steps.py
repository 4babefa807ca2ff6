"""What the chapters of the suite share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings

from ...errors import IdvError, PluginError
from ...model import Flow
from ..harness import DECLINE, Driver, Harness

SLOW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)


def offered(adapter: Any, *protocols: type) -> None:
    """Skip what the adapter has no capability for: it is not offered, and neither good nor bad."""
    if not isinstance(adapter, protocols):
        pytest.skip(f"not offered: no {' or '.join(protocol.__name__ for protocol in protocols)}")


def operate(idv: Driver, harness: Harness, operation: str, flow: Flow | None) -> Any:
    match operation:
        case "open":
            return idv.open(attrs.evolve(harness.order, application_id=f"APP-{len(harness.emulator.calls)}"))
        case "upload":
            return idv.upload(flow, harness.documents)
        case "provision":
            return idv.provision(harness.template)
        case "retry":
            return idv.retry(flow, harness.order)
        case "review":
            return idv.review(flow, DECLINE)
        case _:
            return getattr(idv, operation)(flow)


def is_understood(run: Callable[[], Any]) -> None:
    """It returns, or raises an error of the tree that is not our own fault."""
    try:
        run()
    except PluginError as error:
        pytest.fail(f"the plugin broke: {error}")
    except IdvError:
        pass


def secrets_of(flow: Flow) -> list[str]:
    link = [flow.link.url.reveal()] if flow.link else []
    sdk = [flow.sdk.token.reveal()] if flow.sdk else []
    return [*link, *sdk, *(secret.reveal() for secret in flow.secrets.values())]
