"""Everything that is wrong with a configuration, at once. The gateway takes what has no error here, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import ConfigError, Problem
from ..model import CheckKind, Policy
from ..model.policy import VerdictRule, split_name
from ..model.words import listed, near, quoted, what_is
from ..plugin.protocols import (
    CAPABILITIES,
    KeyModeProtocol,
    ResultCapabilities,
    ResultCapabilitiesProtocol,
    SelfCheckProtocol,
    UploadProtocol,
    capabilities,
    offers,
)
from ..registry import Registry
from ..routing import Route, RoutingTable
from ..routing.route import ALWAYS
from .accounts import ResolvedAccount, Webhooks, resolve_account
from .configuration import Configuration
from .permissions import writable
from .places import Path
from .problems import Problems, in_order
from .settings import WRONG, SettingsReader

if TYPE_CHECKING:
    from ..plugin.spec import SecretSource
    from .ledger import LedgerSettings

DEFAULT = "default"
"""The name of the policy for routes that name none."""
# A random key of 32 hexadecimal digits has fewer different characters than this less than once in a thousand times.
_DIFFERENT = 10


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Checked:
    """A configuration that was looked through: what is ready for use, and what is wrong."""

    configuration: Configuration
    resolved: Mapping[str, ResolvedAccount]
    webhooks: Webhooks | None
    ledger: LedgerSettings | None
    table: RoutingTable
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.is_warning)

    def or_raise(self) -> Checked:
        """This, if it has no errors. Raises ConfigError with all of them."""
        if self.errors:
            raise ConfigError.of(self.errors)
        return self


def check(
    configuration: Configuration,
    registry: Registry,
    now: datetime,
    sources: Mapping[str, SecretSource] | None = None,
) -> Checked:
    """Open every account and look at every route and policy. `sources` of secrets stand in for the registry's."""
    names = {index: route.name for index, route in enumerate(configuration.routes)}
    problems = Problems(configuration.places, names)
    reader = SettingsReader(problems, registry.secret_sources if sources is None else sources)
    resolved: dict[str, ResolvedAccount] = {}
    for account in configuration.accounts:
        if account.name in resolved:
            problems.add(("accounts", account.name), "is listed twice; remove one")
            continue
        ready = resolve_account(account, registry, reader)
        if ready is not None:
            resolved[account.name] = ready
    if not configuration.accounts and not configuration.unread:
        problems.add(("accounts",), "must have at least one account, such as [accounts.atlas-india]")
    _check_former_names(configuration, problems)
    webhooks = configuration.webhooks
    if webhooks is not None:
        webhooks = reader.read(Webhooks, webhooks, ("webhooks",))
        if isinstance(webhooks, Webhooks) and any(len(set(key.reveal())) < _DIFFERENT for key in webhooks.key):
            text = "is easy to guess: it has few different characters; make one with: openssl rand -hex 32"
            problems.add(("webhooks", "key"), text, is_warning=True)
    ledger = configuration.ledger
    if ledger is not None:
        from .ledger import LedgerSettings  # for those who keep any

        ledger = reader.read(LedgerSettings, ledger, ("ledger",))
    for ready in resolved.values():
        _check_account(ready, webhooks is not None, problems)
    _check_policies(configuration, resolved, problems)
    table = RoutingTable(configuration.routes)
    if configuration.routes:
        _Routes(configuration, resolved, table, problems, now).check()
    return Checked(
        configuration=configuration,
        resolved=resolved,
        webhooks=None if webhooks is WRONG else webhooks,
        ledger=None if ledger is WRONG else ledger,
        table=table,
        problems=in_order((*configuration.problems, *problems.found, *writable(configuration))),
    )


def check_default(configuration: Configuration, default: Policy) -> None:
    """Raises ConfigError if the policy given in Python is none, or has the name of another one in the configuration."""
    if not isinstance(default, Policy):
        raise ConfigError(f"policy: must be Policy(...), not {what_is(default)}")
    other = configuration.policies.get(default.name)
    if default.name and other is not None and other != default:
        text = f"the gateway has another policy named {quoted(default.name)}: rename one of them"
        problems = Problems(configuration.places)
        problems.add(("policies", default.name), text)
        raise ConfigError.of(tuple(problems.found))


def _check_former_names(configuration: Configuration, problems: Problems) -> None:
    taken = {account.name: account.name for account in configuration.accounts}
    for account in configuration.accounts:
        for index, name in enumerate(account.formerly):
            owner = taken.setdefault(name, account.name)
            if owner != account.name or name == account.name:
                text = f"{quoted(name)} is a name of account {quoted(owner)}; a flow could belong to either; rename one of them"
                problems.add(("accounts", account.name, "formerly", index), text)


def _check_account(resolved: ResolvedAccount, webhooks: bool, problems: Problems) -> None:
    """What the plugin says of its own settings, and whether the key is of the mode that the account is for."""
    account, adapter = resolved.account, resolved.adapter
    path: Path = ("accounts", account.name)
    mode = adapter.key_mode if offers(adapter, KeyModeProtocol) else None
    if mode == "test" and not account.test:
        text = "this is a test key, so nobody is really checked; set test = true if that is intended"
        problems.add(path, text, is_warning=True)
    if mode == "live" and account.test:
        text = "test = true, but the key is a live one: real people are checked and the vendor charges for it"
        problems.add((*path, "test"), text, is_warning=True)
    if offers(adapter, SelfCheckProtocol):
        for setting, text in adapter.problems(webhooks=webhooks):
            problems.add((*path, setting), text, is_warning=True)


def _check_policies(configuration: Configuration, resolved: Mapping[str, ResolvedAccount], problems: Problems) -> None:
    """Two policies of one name, and rules that no account of a policy's routes can ever meet."""
    names: dict[str, str] = {}
    for key, policy in configuration.policies.items():
        first = names.setdefault(policy.name or key, key)
        if first != key:
            problems.add(("policies", key), f"has the name of policy {quoted(first)}")
    served: dict[str, dict[str, None]] = {}
    for route in configuration.routes:
        served.setdefault(route.policy or DEFAULT, {}).update(dict.fromkeys(route.accounts()))
    if not configuration.routes:
        served[DEFAULT] = dict.fromkeys(resolved)
    for key, policy in configuration.policies.items():
        accounts = served.get(key, {})
        told = [_capabilities_of(resolved[name].adapter) for name in accounts if name in resolved]
        given = [able for able in told if able is not None]
        if given and len(given) == len(accounts):
            for where, text in _useless(policy, given):
                problems.add(("policies", key, *where), text, is_warning=True)


def _useless(policy: Policy, given: Sequence[ResultCapabilities]) -> Iterable[tuple[Path, str]]:
    """Rules about evidence that none of these has."""
    for name in policy.thresholds:
        kind = split_name(name)[0]
        if not any(kind in able.checks for able in given):
            yield _threshold_path(name, kind), f"has no effect: no account of its routes has checks of the kind {kind}"
    if policy.documents.max_age_days and not any(able.documents for able in given):
        yield ("documents", "max_age_days"), "has no effect: no account of its routes has documents"


@attrs.frozen(eq=False, repr=False)
class _Routes:
    configuration: Configuration
    resolved: Mapping[str, ResolvedAccount]
    table: RoutingTable
    problems: Problems
    now: datetime

    def check(self) -> None:
        routes = self.configuration.routes
        seen: set[str] = set()
        known = {account.name for account in self.configuration.accounts} | self.configuration.unread
        for index, route in enumerate(routes):
            path: Path = ("routes", index)
            if route.name in seen:
                self.problems.add((*path, "name"), "another route has this name")
            seen.add(route.name)
            self._accounts(route, path, known)
            self._shadow(route, path)
            self._needs(route, path)
            self._policy(route, path)
            if route.when.until is not None and route.when.until <= self.now:
                self._warn((*path, "when", "until"), f"expired at {route.when.until}; remove it")
        if not any(route.when == ALWAYS for route in routes):
            self.problems.add(
                ("routes",),
                "no route takes the remaining orders; add a last route without when, which sends or refuses them",
            )
        if self.configuration.problems:
            # what could not be read may be what would be missed here
            return
        for rank, index in enumerate(sorted(range(len(routes)), key=lambda index: -routes[index].priority)):
            earlier = self.table.shadowed_by(rank)
            if earlier is not None:
                text = f"is never reached: route {quoted(earlier.name)} before it takes all its orders"
                self._warn(("routes", index), text)
        self._unused()

    def _warn(self, path: Path, text: str) -> None:
        self.problems.add(path, text, is_warning=True)

    def _accounts(self, route: Route, path: Path, known: Collection[str]) -> None:
        for where, name in _named(route):
            if name not in known:
                self.problems.add((*path, *where), f"there is no account {quoted(name)}{near(name, known)}")
            elif where[0] == "cheapest" and name in self.resolved and self.resolved[name].account.cost is None:
                self.problems.add((*path, *where), f"account {quoted(name)} has no cost to compare")
        first = [route.to] if route.to else list(route.split) if len(route.split) == 1 else list(route.cheapest)
        asked = set(first)
        for index, name in enumerate(route.fallback):
            if name in asked:
                text = f"falls back to {quoted(name)}, which was already tried; remove it"
                self.problems.add((*path, "fallback", index), text)
            asked.add(name)
        if route.shadow is not None and route.shadow.account in route.accounts():
            text = f"{quoted(route.shadow.account)} is already an account of this route; the shadow must be another one"
            self.problems.add((*path, "shadow", "account"), text)

    def _shadow(self, route: Route, path: Path) -> None:
        """A shadow has only what the deciding account is handed through the API; the applicant is never sent to its page."""
        if (
            route.shadow is None
            or route.shadow.account not in self.resolved
            or route.shadow.account in route.accounts()
        ):
            return
        name, adapter = route.shadow.account, self.resolved[route.shadow.account].adapter
        where = (*path, "shadow", "account")
        if not offers(adapter, UploadProtocol):
            if _needs_the_applicant(adapter):
                text = (
                    f"account {quoted(name)} never finishes as a shadow: the applicant would have to visit its page too"
                )
                self._warn(where, text)
            return
        for resolved in self._of(route):
            if not offers(resolved.adapter, UploadProtocol):
                text = (
                    f"account {quoted(name)} never finishes as a shadow of account {quoted(resolved.account.name)}, which "
                    "takes no documents through the API: there is nothing to upload to the shadow"
                )
                self._warn(where, text)

    def _needs(self, route: Route, path: Path) -> None:
        for index, need in enumerate(route.needs):
            where = (*path, "needs", index)
            if need not in CAPABILITIES:
                hint = near(need, CAPABILITIES) or f" (there are: {listed(CAPABILITIES)})"
                self.problems.add(where, f"there is no capability {quoted(need)}{hint}")
                continue
            for resolved in self._of(route):
                if need not in capabilities(resolved.adapter):
                    text = f"account {quoted(resolved.account.name)} (plugin {resolved.plugin}) does not offer {need}"
                    self.problems.add(where, text)

    def _of(self, route: Route) -> Iterator[ResolvedAccount]:
        return (self.resolved[name] for name in route.accounts() if name in self.resolved)

    def _policy(self, route: Route, path: Path) -> None:
        policies, unread = self.configuration.policies, self.configuration.unread
        name = route.policy
        if name is not None and name not in policies and name not in unread:
            self.problems.add((*path, "policy"), f"there is no policy {quoted(name)}{near(name, policies)}")
        policy = policies.get(name or DEFAULT)
        if policy is None:
            return
        for resolved in self._of(route):
            able = _capabilities_of(resolved.adapter)
            for where, text in _unsatisfied(policy, able) if able is not None else ():
                self.problems.add(
                    ("policies", name or DEFAULT, *where),
                    f"account {quoted(resolved.account.name)} never reports {text}, so route {quoted(route.name)} "
                    "approves nobody there",
                )

    def _unused(self) -> None:
        routes = self.configuration.routes
        used = {name for route in routes for _, name in _named(route)}
        for account in self.configuration.accounts:
            if account.name not in used:
                self._warn(("accounts", account.name), "no route sends orders to this account")
        asked = {route.policy or DEFAULT for route in routes}
        for name in self.configuration.policies:
            if name not in asked:
                self._warn(("policies", name), "no route names this policy")


def _named(route: Route) -> Iterator[tuple[Path, str]]:
    """Every account that a route names, and where in the route."""
    if route.to:
        yield ("to",), route.to
    for name in route.split:
        yield ("split", name), name
    for index, name in enumerate(route.cheapest):
        yield ("cheapest", index), name
    for index, name in enumerate(route.fallback):
        yield ("fallback", index), name
    if route.shadow:
        yield ("shadow", "account"), route.shadow.account


_BY_THE_APPLICANT = (CheckKind.DOCUMENT, CheckKind.LIVENESS, CheckKind.FACE_MATCH)


def _needs_the_applicant(adapter: Any) -> bool:
    """Whether its evidence is of documents and faces. False if the adapter does not declare its evidence."""
    able = _capabilities_of(adapter)
    return able is not None and (able.documents or any(kind in able.checks for kind in _BY_THE_APPLICANT))


def _capabilities_of(adapter: Any) -> ResultCapabilities | None:
    return adapter.result_capabilities if offers(adapter, ResultCapabilitiesProtocol) else None


def _unsatisfied(policy: Policy, able: ResultCapabilities) -> Iterable[tuple[Path, str]]:
    """The rules of a policy that this evidence can never satisfy: path, and what is never reported."""
    for index, name in enumerate(policy.checks.required):
        if split_name(name)[0] not in able.checks:
            yield ("checks", "required", index), f"a check {quoted(name)}"
    for name in policy.thresholds:
        kind = split_name(name)[0]
        if kind in able.checks and kind not in able.scored:
            yield _threshold_path(name, kind), f"a score for check {quoted(name)}"
    if policy.verdict is VerdictRule.REQUIRE and not able.verdict:
        yield ("verdict",), "a verdict"
    if policy.documents.required and not able.documents:
        yield ("documents", "required"), "documents"
    elif policy.documents.countries and not able.documents:
        yield ("documents", "countries"), "documents"


def _threshold_path(name: str, kind: CheckKind) -> Path:
    named = name.partition(".")[2]
    return (kind.value, named) if named else (kind.value,)
