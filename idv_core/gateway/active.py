"""The configuration in use: one frozen value, replaced as a whole, so that no order sees half of a change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from ..clock import Clock
from ..config import Checked, Configuration
from ..config.accounts import ResolvedAccount
from ..config.check import DEFAULT
from ..engine.account import AccountSession
from ..engine.breaker import CircuitState
from ..errors import ConfigError, NoRoute
from ..model import Candidate, Explanation, FlowOrder, Policy
from ..model.words import quoted
from ..routing import Match, RoutingTable
from ..routing.choosing import Choice, choose, percent
from ..routing.conditions import Facts

if TYPE_CHECKING:
    from ..webhooks.receiver import WebhookReceiver


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Plan:
    """Where one order goes: the route that takes it, the accounts to ask one after the other, the policy that it keeps."""

    order: FlowOrder = attrs.field(repr=False)
    facts: Facts = attrs.field(repr=False)
    match: Match | None
    choice: Choice
    policy: Policy
    refused: str | None = None
    is_named: bool = False


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ActiveConfiguration:
    """Accounts at run time, routes and policies. For the flows that are under way there are also `former`, the accounts by
    the names that they had before, and `retired`, those that are no longer configured. `policies` are all that were
    ever in force in this process, by their fingerprints, and `shadows` the accounts that ever were a route's shadow: a
    reference may be as old as that."""

    configuration: Configuration
    resolved: Mapping[str, ResolvedAccount]
    sessions: Mapping[str, AccountSession]
    former: Mapping[str, AccountSession] = attrs.field(factory=dict)
    retired: Mapping[str, AccountSession] = attrs.field(factory=dict)
    table: RoutingTable
    default: Policy
    receiver: WebhookReceiver | None
    costs: Mapping[str, float | None]
    policies: Mapping[str, Policy]
    shadows: frozenset[str]

    @classmethod
    def of(
        cls, checked: Checked, default: Policy, clock: Clock, before: ActiveConfiguration | None = None
    ) -> ActiveConfiguration:
        """The configuration ready for use. Accounts that have not changed keep their token, limits and circuit."""
        configuration = checked.configuration
        old = {**before.retired, **before.former, **before.sessions} if before else {}
        sessions: dict[str, AccountSession] = {}
        former: dict[str, AccountSession] = {}
        for name, resolved in checked.resolved.items():
            same = before is not None and before.is_same(resolved)
            sessions[name] = old[name] if same else resolved.session(old.get(name))
            for earlier in resolved.account.formerly:
                former[earlier] = (
                    old[earlier] if same and before and earlier in before.former else resolved.known_as(earlier)
                )
        default = configuration.policies.get(DEFAULT, default)
        if not default.name and (configuration.policies or configuration.routes):
            # beside others it needs a name, so that references can tell it from them
            default = attrs.evolve(default, name=DEFAULT)
        known = {policy.fingerprint: policy for policy in (default, *configuration.policies.values())}
        shadows = {route.shadow.account for route in configuration.routes if route.shadow is not None}
        return cls(
            configuration=configuration,
            resolved=checked.resolved,
            sessions=sessions,
            former=former,
            retired={name: session for name, session in old.items() if name not in sessions and name not in former},
            table=checked.table,
            default=default,
            receiver=_receiver(checked, clock, before),
            costs={account.name: account.cost for account in configuration.accounts},
            policies={**(before.policies if before else {}), **known},
            shadows=frozenset(shadows) | (before.shadows if before else frozenset()),
        )

    def is_same(self, resolved: ResolvedAccount) -> bool:
        """Whether that account is the one in force, secrets and all."""
        name = resolved.account.name
        return name in self.sessions and self.resolved[name] == attrs.evolve(
            resolved, adapter=self.resolved[name].adapter
        )

    def with_fresh(self, resolved: ResolvedAccount) -> ActiveConfiguration:
        """With that account, whose secrets have changed."""
        account = resolved.account
        session = resolved.session(self.sessions[account.name])
        return attrs.evolve(
            self,
            resolved={**self.resolved, account.name: resolved},
            sessions={**self.sessions, account.name: session},
            former={**self.former, **{name: resolved.known_as(name) for name in account.formerly}},
        )

    def owner(self, name: str) -> str:
        """The account that is, or once was, called so."""
        if name in self.sessions:
            return name
        return next((owner for owner, resolved in self.resolved.items() if name in resolved.account.formerly), name)

    def names(self, name: str) -> tuple[str, ...]:
        """All names of that account, today's first."""
        owner = self.owner(name)
        resolved = self.resolved.get(owner)
        return (owner, *resolved.account.formerly) if resolved is not None else (owner,)

    def session_of_flow(self, account: str) -> AccountSession:
        """For flows that are under way: also an account that was renamed, or is gone from the configuration."""
        session = self.sessions.get(account) or self.former.get(account) or self.retired.get(account)
        if session is None:
            known = ", ".join(sorted(self.sessions))
            text = f"there is no account {quoted(account)} (there are: {known}); after a rename, list the old name in formerly"
            raise ConfigError(text)
        return session

    def session(self, account: str | None) -> AccountSession:
        """For what begins now: only what is configured."""
        if account is None and len(self.sessions) == 1:
            return next(iter(self.sessions.values()))
        known = ", ".join(sorted(self.sessions))
        if account is None:
            raise ConfigError(f"there are several accounts; name one of them: {known}")
        session = self.sessions.get(account)
        if session is None:
            gone = account in self.retired or account in self.former
            text = (
                f"there is no account {quoted(account)} any more" if gone else f"there is no account {quoted(account)}"
            )
            raise ConfigError(f"{text} (there are: {known})")
        return session

    def with_urls(self, account: str, order: FlowOrder, policy: str | None) -> FlowOrder:
        """The order with the addresses for its flow, which carry what a decision about the flow depends on: `policy` is the
        mark of the policy that it keeps."""
        if self.receiver is None or order.urls is not None:
            return order
        urls = self.receiver.urls(account, order.application_id, order.return_url, policy, order.is_shadow)
        return attrs.evolve(order, urls=urls)

    def plan(self, order: FlowOrder, account: str | None, now: datetime) -> Plan:
        """By the routes; an `account` that the caller names goes before them, and the route's policy is kept."""
        facts = Facts(order, now)
        match = self.table.find(facts)
        policy, refused = self.default, None
        if match is not None and match.route.policy is not None:
            policy = self.configuration.policies[match.route.policy]
        if account is not None or not self.table.routes:
            role = "named by the caller" if account else "the only one"
            choice = Choice(((self.session(account).name, role),))
        elif match is None:
            choice, refused = Choice(()), "no route takes this order"
        else:
            choice, refused = choose(match.route, order.application_id, self.costs), match.route.refuse
        return Plan(
            order=order,
            facts=facts,
            match=match,
            choice=choice,
            policy=policy,
            refused=refused,
            is_named=account is not None,
        )

    def why_not(self, account: str, now: datetime, monotonic: float) -> str | None:
        """Why the account cannot open a flow now, or None if it can."""
        session = self.sessions.get(account)
        if session is None:
            return "not configured"
        if session.cap.is_reached(now):
            return f"daily cap of {session.cap.most} reached"
        if session.breaker.state(monotonic) is CircuitState.OPEN:
            return f"circuit open for another {session.breaker.wait(monotonic):.0f} s"
        return None

    def explanation(
        self, plan: Plan, chosen: str | None, health: Mapping[str, str], shadow: str | None = None
    ) -> Explanation:
        """The reasoning in full. `health` says how the accounts came out that were looked at."""
        tried, passed_over = self.table.tried(plan.facts, plan.match) if self.table.routes else ((), 0)
        bucket = plan.choice.bucket
        return Explanation(
            at=plan.facts.now,
            application_id=plan.order.application_id,
            route=plan.match.route.name if plan.match else None,
            refused=plan.refused,
            account=chosen,
            policy=plan.policy.name or None,
            bucket=None if bucket is None else percent(bucket),
            shadow=shadow,
            tried=tried,
            passed_over=passed_over,
            candidates=[
                Candidate(account=name, role=role, health=health.get(name, "not asked"), chosen=name == chosen)
                for name, role in plan.choice.accounts
            ],
        )

    def explain(self, order: FlowOrder, account: str | None, now: datetime, monotonic: float) -> Explanation:
        """What `open` would do at this moment, as long as nobody fails."""
        plan = self.plan(order, account, now)
        health = {name: self.why_not(name, now, monotonic) for name, _ in plan.choice.accounts}
        chosen = next((name for name, why in health.items() if why is None), None)
        said = {name: why or "available" for name, why in health.items()}
        return self.explanation(plan, None if plan.refused else chosen, said, plan.choice.shadow)


def refuse(plan: Plan) -> NoRoute:
    """The error for an order that the routes do not take."""
    by = f"route {plan.match.route.name!r} refuses it: " if plan.match else ""
    return NoRoute(f"{by}{plan.refused}", operation="open")


def _receiver(checked: Checked, clock: Clock, before: ActiveConfiguration | None) -> WebhookReceiver | None:
    webhooks = checked.webhooks
    if webhooks is None:
        return None
    from ..webhooks.addresses import Addresses  # for those who receive any
    from ..webhooks.receiver import WebhookReceiver

    addresses = Addresses(webhooks.url, webhooks.key)
    if before is not None and before.receiver is not None:
        return attrs.evolve(before.receiver, addresses=addresses)
    return WebhookReceiver(addresses, clock)
