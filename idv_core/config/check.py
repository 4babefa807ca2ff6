"""Everything that is wrong with a configuration, at once. The gateway takes what has no error here, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import attrs

from ..errors import ConfigError, Problem
from ..hookspecs import SecretSource
from ..model import CheckKind, Policy
from ..model.policy import VerdictRule, split_name
from ..protocols import CAPABILITIES, Evidence, capabilities
from ..registry import Registry
from ..routing import Route, RoutingTable
from ..routing.route import ALWAYS
from .accounts import Callbacks, Opened, open_account
from .configuration import Configuration
from .places import Path
from .problems import Problems, in_order, listed, near
from .settings import WRONG, SettingsReader

DEFAULT = "default"
"""The name of the policy for routes that name none."""


@attrs.frozen(kw_only=True)
class Checked:
    """A configuration that was looked through: what is ready for use, and what is wrong."""

    configuration: Configuration
    opened: Mapping[str, Opened]
    callbacks: Callbacks | None
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
    opened: dict[str, Opened] = {}
    for account in configuration.accounts:
        if account.name in opened:
            problems.add(("accounts", account.name), "is there twice")
            continue
        ready = open_account(account, registry, reader)
        if ready is not None:
            opened[account.name] = ready
    if not configuration.accounts and not configuration.unread:
        problems.add(("accounts",), "at least one account is needed, such as [accounts.atlas-india]")
    callbacks = configuration.callbacks
    if callbacks is not None:
        callbacks = reader.read(Callbacks, callbacks, ("callbacks",))
    table = RoutingTable(configuration.routes)
    if configuration.routes:
        _Routes(configuration, opened, table, problems, now).check()
    return Checked(
        configuration=configuration,
        opened=opened,
        callbacks=None if callbacks is WRONG else callbacks,
        table=table,
        problems=in_order((*configuration.problems, *problems.found)),
    )


@attrs.frozen
class _Routes:
    configuration: Configuration
    opened: Mapping[str, Opened]
    table: RoutingTable
    problems: Problems
    now: datetime

    def check(self) -> None:
        routes = self.configuration.routes
        seen: set[str] = set()
        for index, route in enumerate(routes):
            path: Path = ("routes", index)
            if route.name in seen:
                self.problems.add((*path, "name"), "another route has this name")
            seen.add(route.name)
            self._accounts(route, path)
            self._needs(route, path)
            self._policy(route, path)
            if route.when.until is not None and route.when.until <= self.now:
                self._warn((*path, "when", "until"), f"its time is over since {route.when.until}")
        if not any(route.when == ALWAYS for route in routes):
            self.problems.add(
                ("routes",),
                "no route takes what the others leave: end with one that has no when, to send or to refuse it",
            )
        if self.configuration.problems:
            # what could not be read may be what would be missed here
            return
        for rank, route in enumerate(self.table.routes):
            earlier = self.table.shadowed_by(rank)
            if earlier is not None:
                index = routes.index(route)
                self._warn(("routes", index), f"is never asked: route {earlier.name!r} before it takes all its orders")
        self._unused()

    def _warn(self, path: Path, text: str) -> None:
        self.problems.add(path, text, is_warning=True)

    def _accounts(self, route: Route, path: Path) -> None:
        known = {account.name for account in self.configuration.accounts} | self.configuration.unread
        for where, name in _named(route):
            if name not in known:
                self.problems.add((*path, *where), f"there is no account {name!r}{near(name, sorted(known))}")
            elif where[0] == "cheapest" and name in self.opened and self.opened[name].account.cost is None:
                self.problems.add((*path, *where), f"account {name!r} has no cost to compare")
        first = [route.to] if route.to else list(route.split) if len(route.split) == 1 else list(route.cheapest)
        for index, name in enumerate(route.fallback):
            if name in first or name in route.fallback[:index]:
                self.problems.add((*path, "fallback", index), f"falls back to {name!r}, which has been asked already")
        if route.shadow is not None and route.shadow.account in route.accounts():
            text = f"{route.shadow.account!r} decides already, so it is no shadow"
            self.problems.add((*path, "shadow", "account"), text)

    def _needs(self, route: Route, path: Path) -> None:
        for index, need in enumerate(route.needs):
            where = (*path, "needs", index)
            if need not in CAPABILITIES:
                hint = near(need, CAPABILITIES) or f" (there are: {listed(CAPABILITIES)})"
                self.problems.add(where, f"there is no capability {need!r}{hint}")
                continue
            for opened in self._of(route):
                if need not in capabilities(opened.adapter):
                    text = f"account {opened.account.name!r} (plugin {opened.plugin}) does not offer {need}"
                    self.problems.add(where, text)

    def _of(self, route: Route) -> Iterator[Opened]:
        return (self.opened[name] for name in route.accounts() if name in self.opened)

    def _policy(self, route: Route, path: Path) -> None:
        policies, unread = self.configuration.policies, self.configuration.unread
        name = route.policy
        if name is not None and name not in policies and name not in unread:
            self.problems.add((*path, "policy"), f"there is no policy {name!r}{near(name, policies)}")
        policy = policies.get(name or DEFAULT)
        if policy is None:
            return
        for opened in self._of(route):
            evidence: Evidence | None = getattr(opened.adapter, "evidence", None)
            for where, text in _unsatisfied(policy, evidence) if evidence is not None else ():
                self.problems.add(
                    ("policies", name or DEFAULT, *where),
                    f"{text} from account {opened.account.name!r}, where route {route.name!r} sends: nobody can be approved",
                )

    def _unused(self) -> None:
        routes = self.configuration.routes
        used = {name for route in routes for _, name in _named(route)}
        for account in self.configuration.accounts:
            if account.name not in used:
                self._warn(("accounts", account.name), "no route sends anything here")
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


def _unsatisfied(policy: Policy, evidence: Evidence) -> Iterable[tuple[Path, str]]:
    """The rules of a policy that this evidence can never meet."""
    for index, name in enumerate(policy.checks.required):
        if split_name(name)[0] not in evidence.checks:
            yield ("checks", "required", index), f"no check {name!r} ever passes"
    for name in policy.thresholds:
        kind = split_name(name)[0]
        if kind in evidence.checks and kind not in evidence.scored:
            yield _threshold_path(name, kind), f"no score of a check {name!r} ever comes"
    if policy.verdict is VerdictRule.REQUIRE and not evidence.verdict:
        yield ("verdict",), "no verdict ever comes"
    if policy.documents.required and not evidence.documents:
        yield ("documents", "required"), "no document ever comes"
    elif policy.documents.countries and not evidence.documents:
        yield ("documents", "countries"), "no document ever comes"


def _threshold_path(name: str, kind: CheckKind) -> Path:
    named = name.partition(".")[2]
    return (kind.value, named) if named else (kind.value,)
