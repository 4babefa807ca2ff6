"""The life of a verification against a vendor's sandbox: `python -m idv_core.testing.live stripe`.

The settings of the account come from the environment: `IDV_LIVE_STRIPE_API_KEY` for the setting `api_key`, and so on. A key of
the live mode is refused. The person is invented, and cancelled and erased afterwards where the vendor can.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..clock import Clock, SystemClock
from ..config import Account, Webhooks
from ..errors import DuplicateFlow, FlowNotFound, IdvError
from ..gateway.sync import Gateway
from ..model import Applicant, Decision, Flow, FlowOrder, Secret
from ..plugin.protocols import (
    CancelProtocol,
    CredentialsProtocol,
    EraseProtocol,
    KeyModeProtocol,
    LinkProtocol,
    RecoverProtocol,
    SimulateProtocol,
    TokenProtocol,
)
from ..plugin.spec import Plugin
from ..registry import Registry, discover, registry_of

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_SANDBOX = "IS_SANDBOX"


@attrs.frozen
class Step:
    """One step of a run. `why` says what went wrong; it holds no personal data."""

    name: str
    passed: bool
    why: str = ""


@attrs.frozen(kw_only=True)
class Run:
    """What came of a run.

    Args:
        vendor: The plugin's name.
        outcome: `passed`, `failed` or `skipped`.
        why: Why it was skipped.
        steps: What was done.
        host: The host that was called.
        version: The version of the plugin.
    """

    vendor: str
    outcome: str
    why: str = ""
    steps: tuple[Step, ...] = ()
    host: str = ""
    version: str = ""

    def __str__(self) -> str:
        lines = [f"{self.vendor}: {self.outcome}" + (f": {self.why}" if self.why else f" at {self.host}")]
        lines += [f"  [{'x' if step.passed else ' '}] {step.name}{step.why and ': ' + step.why}" for step in self.steps]
        return "\n".join(lines)


def variable(vendor: str, setting: str) -> str:
    """The environment variable of a setting: `IDV_LIVE_STRIPE_API_KEY`."""
    return f"IDV_LIVE_{vendor}_{setting}".upper().replace("-", "_")


def read_settings(plugin: Plugin, environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings of an account that stand in the environment. Secrets become `Secret`; other values may be JSON."""
    found: dict[str, Any] = {}
    for field in attrs.fields(plugin.settings):
        text = environment.get(variable(plugin.name, field.name), "").strip()
        if text:
            found[field.name] = Secret(text) if "Secret" in str(field.type) else _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def run_live(
    vendor: str,
    environment: Mapping[str, str],
    *,
    registry: Registry | None = None,
    clock: Clock | None = None,
    transport: Any = None,
) -> Run:
    """Run the life of a verification against the vendor whose settings are in the environment.

    Args:
        vendor: The name of a plugin.
        environment: Variables such as `IDV_LIVE_STRIPE_API_KEY`.
        registry: The plugins; all installed ones by default.
        clock: The time, for tests.
        transport: An httpx transport, for tests.

    Raises PluginError for an unknown plugin.
    """
    found = (registry or discover()).found
    plugin = (registry or discover()).plugin(vendor)
    needed = [field.name for field in attrs.fields(plugin.settings) if field.default is attrs.NOTHING]
    missing = [variable(vendor, name) for name in needed if not environment.get(variable(vendor, name), "").strip()]
    if missing:
        return Run(vendor=vendor, outcome=SKIPPED, why=f"not in the environment: {', '.join(missing)}")
    account = Account(vendor, vendor, read_settings(plugin, environment), test=True)
    try:
        # nobody answers there; the run looks by itself
        webhooks = Webhooks(
            environment.get("IDV_LIVE_WEBHOOKS", "https://example.org/idv"), Secret(secrets.token_hex(32))
        )
        gateway = Gateway(
            [account],
            webhooks=webhooks,
            registry=registry_of(plugin),
            clock=clock or SystemClock(),
            transport=transport,
        )
    except (IdvError, ValueError) as error:
        return Run(vendor=vendor, outcome=FAILED, why=str(error))
    with gateway as idv:
        adapter = idv._state.active.session(vendor).adapter
        mode = adapter.key_mode if isinstance(adapter, KeyModeProtocol) else None
        if mode != "test" and environment.get(variable(vendor, _SANDBOX), "").lower() not in ("1", "yes", "true"):
            what = "is of the live mode" if mode == "live" else "does not say whether it is of a sandbox"
            flag = variable(vendor, _SANDBOX)
            return Run(vendor=vendor, outcome=SKIPPED, why=f"the key {what}; where it is of a sandbox set {flag}=yes")
        steps = tuple(_life(idv, adapter, _order(environment)))
    outcome = PASSED if all(step.passed for step in steps) else FAILED
    host = urlsplit(adapter.base_url).hostname or ""
    return Run(vendor=vendor, outcome=outcome, steps=steps, host=host, version=found[vendor].version)


def _order(environment: Mapping[str, str]) -> FlowOrder:
    mark = secrets.token_hex(5)
    person = Applicant(
        reference=f"IDV-LIVE-{mark}",
        given_name="Ana",
        family_name="Ruiz",
        birthdate=date(1993, 7, 21),
        email=f"idv-live-{mark}@example.org",
        country=environment.get("IDV_LIVE_COUNTRY", "CO"),
    )
    return FlowOrder(product="idv-live", application_id=f"IDV-LIVE-{mark}", applicant=person)


def _life(idv: Gateway, adapter: Any, order: FlowOrder) -> Iterator[Step]:
    """Each step once; after an opening that failed there is nothing to go on with."""
    if isinstance(adapter, (CredentialsProtocol, TokenProtocol)):
        yield _step("the credentials are good", idv.check_credentials)
    try:
        flow = idv.open(order)
    except IdvError as error:
        yield Step("a flow is opened", False, str(error))
        return
    yield Step("a flow is opened", True)
    yield _step("nothing is decided yet", lambda: idv.result(flow).decision is Decision.UNDECIDED)
    yield _step("its reference is enough to find it", lambda: idv.status(flow.ref).id == flow.id)
    yield _step("a flow that is not there is not found", lambda: _is_not_found(idv, flow))
    if isinstance(adapter, RecoverProtocol):
        yield _step("an opening whose answer was lost is found", lambda: _recovers(idv, order, flow))
    if isinstance(adapter, LinkProtocol):
        yield _step("its link is renewed", lambda: idv.renew_link(flow).link is not None)
    if isinstance(adapter, SimulateProtocol) and "declined" in adapter.simulations:
        yield _step("the test mode declines", lambda: _simulated(idv, flow))
    if isinstance(adapter, CancelProtocol):
        yield _step("it is cancelled", lambda: idv.cancel(flow).status.is_settled)
    if isinstance(adapter, EraseProtocol):
        yield _step("its data is erased", lambda: idv.erase(flow).status != "refused")


def _step(name: str, holds: Callable[[], bool]) -> Step:
    try:
        return Step(name, True) if holds() else Step(name, False, "it is not so")
    except IdvError as error:
        return Step(name, False, str(error))


def _is_not_found(idv: Gateway, flow: Flow) -> bool:
    # another letter or digit of each kind, so that it still looks like an id of the vendor's
    changed = re.sub(r"[0-9a-f]", lambda one: "1" if one[0] != "1" else "2", flow.id[::-1], count=8)[::-1]
    try:
        result = idv.result(f"{flow.account}/{changed}")
    except FlowNotFound:
        return True
    return result.decision is Decision.UNDECIDED and not result.checks


def _recovers(idv: Gateway, order: FlowOrder, flow: Flow) -> bool:
    try:
        return idv.recover(order).id == flow.id
    except DuplicateFlow:
        return True


def _simulated(idv: Gateway, flow: Flow) -> bool:
    idv.simulate(flow, "declined")
    return idv.wait(flow, deadline=120).decision is not Decision.APPROVED


def record(page: str, run: Run, today: date) -> str:
    """The page with the vendor's row saying that it passed today."""
    done = sum(step.passed for step in run.steps)
    row = f"| {run.vendor} | {today.isoformat()} | {run.version} | {run.host} | {done} of {len(run.steps)} |"
    return re.sub(rf"^\| {re.escape(run.vendor)} \|.*$", row, page, flags=re.MULTILINE)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run the vendors that are named, or all; print what came of it; write what passed to the page given by `--record`."""
    pages = [Path(word.partition("=")[2]) for word in arguments if word.startswith("--record=")]
    lines = environment.get("IDV_LIVE_ENV", "").splitlines()
    given = {**dict(line.split("=", 1) for line in lines if "=" in line), **environment}
    names = [word for word in arguments if not word.startswith("--")] or sorted(discover().found)
    runs = [run_live(name, given) for name in names]
    for run in runs:
        sys.stdout.write(f"{run}\n")
        for page in pages if run.outcome == PASSED else ():
            page.write_text(record(page.read_text(), run, SystemClock().now().date()))
    return 1 if any(run.outcome == FAILED for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
