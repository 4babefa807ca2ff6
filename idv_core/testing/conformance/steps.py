"""What the chapters of the suite share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings

from ...engine.breaker import Circuit
from ...engine.retry import Retry
from ...errors import IdvError, PluginError
from ...model import Flow, Secret
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


def secrets_in(value: Any) -> list[str]:
    """The secret texts of one setting: of a Secret, or of several of them."""
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in secrets_in(one)]
    return [value.reveal()] if isinstance(value, Secret) else []


def given_secrets(settings: Mapping[str, Any]) -> list[str]:
    """The secret texts that an account is given."""
    return [text for value in settings.values() for text in secrets_in(value)]


def impatient(harness: Harness, kind: str = "sync") -> Driver:
    """A driver that asks once, whatever went wrong before, so that each answer reaches the adapter."""
    return Driver(harness, kind, retry=Retry(attempts=1), circuit=Circuit(failures=10**6))


def shipped_files(adapter: Any) -> Iterator[tuple[Path, Path]]:
    """The files of an adapter's package that run in production, each with its place in the package."""
    package = Path(str(sys.modules[type(adapter).__module__.partition(".")[0]].__file__)).parent
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package)
        if "testing" not in place.parts[:-1]:
            yield file, place
