"""`idv.toml`: from the file's table to a `Configuration`, with every problem at its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import attrs

from ..errors import ConfigError
from ..model import CheckKind, CheckRules, DocumentRules, Policy, ReviewRules, Threshold, VerdictRule
from ..model.check_names import check_name_fault
from ..model.words import listed, near
from ..registry import discover
from ..routing import Route
from .accounts import OF_THE_CORE, Account, AccountDefaults
from .configuration import Configuration
from .ledger import LedgerSettings
from .places import Path
from .problems import Problems, said, without
from .settings import WRONG, SettingsReader
from .source import read_source

SECTIONS = ("include", "defaults", "accounts", "webhooks", "ledger", "routes", "policies")


@attrs.frozen(kw_only=True)
class PolicyTable:
    """What a policy's table may hold besides its thresholds, which stand under the kinds of checks."""

    checks: CheckRules = attrs.field(factory=CheckRules)
    documents: DocumentRules = attrs.field(factory=DocumentRules)
    verdict: VerdictRule = VerdictRule.TRUST
    review: ReviewRules = attrs.field(factory=ReviewRules)


def load_configuration(path: str | FilePath) -> Configuration:
    """Read the file. Raises ConfigError that lists all problems, each with its line. Accounts are not opened yet."""
    configuration = read_configuration(path)
    if configuration.problems:
        raise ConfigError.of(configuration.problems)
    return configuration


def read_configuration(path: str | FilePath) -> Configuration:
    """Read the file as far as it can be read; the rest is in `problems`."""
    source = read_source(path)
    routes = source.data.get("routes")
    names = {
        index: route["name"]
        for index, route in enumerate(routes if isinstance(routes, list) else [])
        if isinstance(route, dict) and isinstance(route.get("name"), str)
    }
    problems = Problems(source.places, names, source.problems)
    if not source.data and source.problems:
        return Configuration(accounts=(), problems=tuple(source.problems), unread=frozenset({"*"}))
    return _Reading(SettingsReader(problems)).configuration(source.data)


def read_policies(path: str | FilePath) -> Mapping[str, Policy]:
    """Only the policies of a file. Raises ConfigError with what is wrong with them."""
    source = read_source(path)
    reading = _Reading(SettingsReader(Problems(source.places, {}, source.problems)))
    policies = reading.policies(source.data)
    if source.problems:
        raise ConfigError.of(tuple(source.problems))
    return policies


def read_ledger_settings(path: str | FilePath) -> LedgerSettings:
    """Only the `[ledger]` of a file; the accounts' secrets are not needed for it. Raises ConfigError."""
    configuration = read_configuration(path)
    if configuration.ledger is None:
        if configuration.problems:
            raise ConfigError.of(configuration.problems)
        raise ConfigError(f"{path}: there is no [ledger]; add one with url and key")
    problems = Problems(configuration.places)
    reader = SettingsReader(problems, discover().secret_sources)
    settings: LedgerSettings = reader.read(LedgerSettings, configuration.ledger, ("ledger",))
    if problems.found:
        raise ConfigError.of(tuple(problems.found))
    return settings


@attrs.define
class _Reading:
    reader: SettingsReader
    unread: set[str] = attrs.field(factory=set)

    @property
    def problems(self) -> Problems:
        return self.reader.problems

    def configuration(self, data: Mapping[str, Any]) -> Configuration:
        for name in data:
            if name not in SECTIONS:
                hint = near(name, SECTIONS) or f" (there are: {listed(SECTIONS)})"
                self.problems.unknown((name,), f"there is no such section{hint}")
        defaults = data.get("defaults", {})
        if self.reader.read(AccountDefaults, defaults, ("defaults",)) is WRONG:
            defaults = {}
        accounts = [
            self.account(name, table, defaults, ("accounts", name))
            for name, table in self.table(data, "accounts").items()
        ]
        routes = data.get("routes", [])
        if not isinstance(routes, list):
            self.problems.add(("routes",), "routes are written as [[routes]]")
            routes = []
        policies = self.policies(data)
        sections: dict[str, Any] = {}
        for name in ("webhooks", "ledger"):
            sections[name] = data.get(name)
            if sections[name] is not None and not isinstance(sections[name], dict):
                self.problems.add((name,), "must be a table")
                sections[name] = None
        return Configuration(
            accounts=[account for account in accounts if account is not None],
            **sections,
            routes=[self.route(index, route) for index, route in enumerate(routes)],
            policies=policies,
            places=self.problems.places,
            problems=tuple(self.problems.found),
            unread=frozenset(self.unread),
        )

    def account(self, name: str, table: Any, defaults: Mapping[str, Any], path: Path) -> Account | None:
        self.unread.add(name)
        if not isinstance(table, dict) or not isinstance(table.get("plugin"), str):
            self.problems.add((*path, "plugin"), "is missing; it names the vendor's plugin")
            return None
        own = {key: table[key] for key in OF_THE_CORE if key in table}
        for key in attrs.fields_dict(AccountDefaults):
            if isinstance(own.get(key, {}), dict) and key in defaults:
                own[key] = {**defaults[key], **own.get(key, {})}
        settings = {key: value for key, value in table.items() if key not in OF_THE_CORE}
        try:
            # told here, at the table's line
            bare = Account(name, table["plugin"], settings)
        except ValueError as error:
            self.problems.add(path, said(error))
            return None
        account: Account = self.reader.read(Account, {"name": name, "settings": settings, **own}, path)
        if account is WRONG:
            # the settings of its plugin are looked at all the same
            account = bare
        self.unread.discard(name)
        return account

    def route(self, index: int, table: Any) -> Route:
        """One that cannot be read is kept as far as it can, so that the rest of it is looked at."""
        path: Path = ("routes", index)
        before = len(self.problems.paths)
        read: Route = self.reader.read(Route, table, path)
        if read is not WRONG:
            return read
        wrong = {place[2] for place in self.problems.paths[before:] if len(place) > 2}
        fit = {key: value for key, value in table.items() if key not in wrong} if isinstance(table, dict) else {}
        goes = [key for key in ("to", "split", "cheapest", "refuse") if key in fit]
        if len(goes) != 1:
            fit = {**{key: value for key, value in fit.items() if key not in goes}, "refuse": "it could not be read"}
        fit.setdefault("name", f"number {index + 1}")
        partly: Route = SettingsReader(Problems()).read(Route, fit, path)
        return Route(name=fit["name"], refuse="it could not be read") if partly is WRONG else partly

    def policies(self, data: Mapping[str, Any]) -> dict[str, Policy]:
        read = {
            name: self.policy(name, table, ("policies", name)) for name, table in self.table(data, "policies").items()
        }
        self.unread |= {name for name, policy in read.items() if policy is None}
        return {name: policy for name, policy in read.items() if policy is not None}

    def policy(self, name: str, table: Any, path: Path) -> Policy | None:
        if not isinstance(table, dict):
            self.problems.add(path, "must be a table")
            return None
        before = len(self.problems.found)
        kinds = tuple(kind.value for kind in CheckKind)
        rules = self.reader.read(
            PolicyTable, {key: value for key, value in table.items() if key not in kinds}, path, ignore=kinds
        )
        thresholds: dict[str, Threshold] = {}
        for kind in kinds:
            if kind in table:
                thresholds |= self.thresholds(kind, table[kind], (*path, kind))
        if len(self.problems.found) > before:
            return None
        try:
            return Policy(
                name=name,
                thresholds=thresholds,
                checks=rules.checks,
                documents=rules.documents,
                verdict=rules.verdict,
                review=rules.review,
            )
        except ValueError as error:
            self.problems.add(path, without(said(error), table))
            return None

    def thresholds(self, kind: str, table: Any, path: Path) -> dict[str, Threshold]:
        """`cross_check.approve_at` is a bound for the kind, `cross_check.NAME` holds those of one check."""
        if not isinstance(table, dict):
            self.problems.add(path, "must be a table with approve_at and decline_below")
            return {}
        bounds = {key: value for key, value in table.items() if not isinstance(value, dict)}
        named = [name for name in table if name not in bounds]
        read = {kind: self.reader.read(Threshold, bounds, path)} if bounds else {}
        for name in named:
            fault = check_name_fault(CheckKind(kind), name)
            if fault is not None:
                self.problems.add((*path, name), fault)
            read[f"{kind}.{name}"] = self.reader.read(Threshold, table[name], (*path, name))
        return {name: threshold for name, threshold in read.items() if threshold is not WRONG}

    def table(self, data: Mapping[str, Any], name: str) -> dict[str, Any]:
        table = data.get(name, {})
        if isinstance(table, dict):
            return table
        self.problems.add((name,), f"must be a table, such as [{name}.something]")
        return {}
