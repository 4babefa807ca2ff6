"""The decision about a flow: by its policy, and by rules that prevent an approval whatever the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from ..engine.account import AccountSession
from ..model import Decision, Flow, Reason, Result
from ..model.copies import with_changed
from ..policy import evaluate, strictest
from .execution import continued
from .state import GatewayState


def decide(state: GatewayState, session: AccountSession, flow: Flow, result: Result) -> Result:
    """Decide by the policy of the flow; if it is not known, by the strictest policy that this process ever had."""
    active, now = state.active, state.clock.now()
    doubts = [*result.doubts, *_doubts(session, flow, result)]
    known = continued(flow, result.flow)
    if doubts:
        result = with_changed(result, doubts=tuple(doubts))
    policies = (flow.policy,) if flow.policy else tuple(active.policies.values())
    decided = (
        evaluate(policies[0], result, now, flow=known, received_at=now)
        if len(policies) == 1
        else strictest(policies, result, now, flow=known, received_at=now)
    )
    # a bare reference does not say whether it is a shadow's
    may_be_shadow = flow.policy is None and flow.policy_mark is None and flow.account in active.shadows
    if decided.decision is Decision.UNDECIDED or not (flow.is_shadow or may_be_shadow):
        return decided
    text = f"a shadow flow has no decision of its own; it would be {decided.decision}"
    if not flow.is_shadow:
        text = f"this account serves as a shadow, so pass flow.ref as it was stored; it would be {decided.decision}"
    reason = Reason(f"shadow.{decided.decision}", text)
    return with_changed(decided, decision=Decision.UNDECIDED, reasons=(reason, *decided.reasons))


def _doubts(session: AccountSession, flow: Flow, result: Result) -> Iterator[Reason]:
    """What stands against an approval whatever the evidence says."""
    if result.is_test and not session.is_test:
        yield Reason(
            "account.test_mode",
            "made in the vendor's test mode, where nothing is checked (set test = true to allow it)",
        )
    if flow.policy is None and flow.policy_mark is not None:
        name = unquote(flow.policy_mark.rpartition(".")[0])
        yield Reason("policy.unknown", f"the policy {name!r} that the flow began with was removed or changed")
