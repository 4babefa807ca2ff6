"""A flow's reference is never milder than the flow; a shadow decides nothing, whichever way it is reached."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from harnesses import HARNESSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idv_core import Decision, Flow, Gateway, Result
from idv_core.config import Account, Configuration
from idv_core.model import from_json, to_json
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.routing.route import Shadow
from idv_core.testing import FakeClock
from idv_core.testing.doubting import CHANGES, Change, Replayed, keys_in, leaves, reworded
from idv_core.testing.harness import WEBHOOKS, Harness

STRICT = [Decision.DECLINED, Decision.UNDECIDED, Decision.REVIEW, Decision.APPROVED]
VENDORS = ["atlas", "onfido", "onfido-checks", "persona", "plaid", "stripe", "verifik", "verigram"]
REPLAYED: dict[str, list[Replayed]] = {}


def replayed(vendor: str) -> list[Replayed]:
    """One flow with good papers and one with bad ones."""
    if vendor not in REPLAYED:
        harness = HARNESSES[vendor](FakeClock())
        REPLAYED[vendor] = [Replayed(harness, harness.finish, "good"), Replayed(harness, harness.finish_badly, "bad")]
    return REPLAYED[vendor]


def changes(data: st.DataObject, answers: list[Any]) -> Change:
    """One change or two, of keys and of values."""

    def one() -> Change:
        if data.draw(st.booleans()):
            return data.draw(st.sampled_from(list(CHANGES.values())))(
                data.draw(st.sampled_from(sorted(keys_in(answers))))
            )
        values = sorted({json.dumps(value) for answer in answers for _, value in leaves(answer)})
        old, new = (json.loads(data.draw(st.sampled_from(values))) for _ in range(2))
        return reworded(old, data.draw(st.sampled_from([new, None, "", "unknown", 0, False, [], {}])))

    first, second = one(), one() if data.draw(st.booleans()) else (lambda value: value)
    return lambda value: second(first(value))


def whom(made: Replayed) -> set[str]:
    """What tells the application and the applicant, in a vendor's answers. Ids of the flow itself are in its reference."""
    person = made.order.applicant
    known = [made.order.application_id, person.reference, person.email, made.flow.application_id, made.flow.subject]
    return {word for word in (*known, *made.flow.details.values()) if word} - {made.flow.id}


def still_names(made: Replayed, change: Change) -> bool:
    """Whether the changed answers name the same application and applicant. A bare reference does not know whom they should
    name: only the flow, or the platform, can tell that they are about somebody else."""

    def said(answers: list[Any]) -> list[tuple[tuple[str, ...], Any]]:
        texts = [(path, str(value)) for path, value in leaves(answers)]
        return [(path, text) for path, text in texts if any(word in text for word in whom(made))]

    return said(made.answers) == said([change(answer) for answer in made.answers])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), vendor=st.sampled_from(VENDORS))
def test_a_reference_is_never_milder_than_the_flow(data: st.DataObject, vendor: str) -> None:
    made = data.draw(st.sampled_from(replayed(vendor)))
    change = changes(data, made.answers)
    by_value = made.with_change(change)
    stored = from_json(Flow, to_json(made.flow, secrets=True))
    references = (made.flow.ref, f"{made.flow.account}/{made.flow.id}") if still_names(made, change) else ()
    for flow in (stored, *references):
        told = made.with_change(change, flow)
        if told is None or by_value is None:
            # an error is milder than nothing
            assert told is None or told.decision is not Decision.APPROVED
            continue
        assert STRICT.index(told.decision) <= STRICT.index(by_value.decision), (flow, by_value.reasons, told.reasons)


def gateway(harness: Harness, shadowed: bool = True) -> Gateway:
    """An account at Verigram, and the harness's vendor as its shadow."""
    main = HARNESSES["verigram"](harness.clock)
    harness.transport.add(main.settings["base_url"].partition("://")[2], main.emulator.app)  # type: ignore[union-attr]
    accounts = [
        Account("main", main.plugin.name, main.settings, test=True),
        Account("aside", harness.plugin.name, harness.settings, test=True),
    ]
    shadow = Shadow(account="aside", personal_data=True) if shadowed else None
    return Gateway(
        Configuration(accounts=accounts, routes=[Route(name="all", to="main", shadow=shadow)]),
        webhooks=WEBHOOKS,
        policy=harness.policy,
        clock=harness.clock,
        registry=registry_of(*{one.plugin.name: one.plugin for one in (harness, main)}.values()),
        transport=harness.transport,
    )


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "verigram"])
def test_a_shadow_decides_nothing(vendor: str) -> None:
    """By value, by reference, stored and loaded, after a reload without the shadow, in another process."""
    harness = HARNESSES[vendor](FakeClock())
    with gateway(harness) as idv, gateway(harness, shadowed=False) as elsewhere:
        shadow = opened_aside(idv, harness)
        harness.clock.advance(3600)
        assert would_approve(idv.result(shadow)), "else nothing is tested"
        stored = from_json(Flow, json.loads(json.dumps(to_json(shadow, secrets=True))))
        bare = f"{shadow.account}/{shadow.id}"
        for at, flow in [(at, flow) for at in (idv, elsewhere) for flow in (shadow, shadow.ref, stored)] + [
            (idv, bare)
        ]:
            assert at.result(flow).decision is Decision.UNDECIDED, flow
        idv.reload(gateway(harness, shadowed=False)._state.active.configuration)
        for flow in (shadow, shadow.ref, stored, bare):
            assert idv.result(flow).decision is Decision.UNDECIDED, flow
        assert from_json(Result, to_json(idv.result(shadow), secrets=True)).decision is Decision.UNDECIDED


def opened_aside(idv: Gateway, harness: Harness) -> Flow:
    """The shadow of a flow; its vendor was given good papers."""
    shadow = idv.open(harness.order).shadow
    assert shadow is not None
    assert shadow.is_shadow
    return harness.finish(Aside(idv), shadow)  # type: ignore[arg-type]


@attrs.frozen
class Aside:
    """The gateway, as far as a harness needs it to bring a flow to its end."""

    idv: Gateway

    def upload(self, flow: Flow, documents: Any) -> Flow:
        return self.idv.upload(flow, documents)

    def submit(self, flow: Flow) -> Flow:
        return self.idv.submit(flow)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.idv, name)


def would_approve(result: Result) -> bool:
    return any(reason.code == "shadow.approved" for reason in result.reasons)
