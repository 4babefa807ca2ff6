"""`idv config check`: every message word for word, and it accepts exactly what the gateway accepts."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import attrs
import jsonschema
import pytest
from acme import BARE, PLUGIN, SIGNING, Acme, AcmeBare
from hypothesis import given, settings
from hypothesis import strategies as st

from idv_core import CheckKind, ConfigError, Gateway, Secret
from idv_core.config import Account, Configuration, check, read_configuration
from idv_core.config.schema import schema_of
from idv_core.config.secrets import unread
from idv_core.plugin.protocols import ResultCapabilities
from idv_core.policy import Policy
from idv_core.registry import Registry, discover, registry_of
from idv_core.routing import Route
from idv_core.testing import FakeClock


@attrs.frozen
class AcmeSeen(Acme):
    """Acme that says what its results can hold: passed liveness without score, no documents, no verdict."""

    result_capabilities = ResultCapabilities(checks={CheckKind.LIVENESS}, documents=False, verdict=False)


PAPERS = ResultCapabilities(checks={CheckKind.DOCUMENT, CheckKind.FACE_MATCH}, documents=True, verdict=True)


@attrs.frozen
class AcmePage(AcmeBare):
    """Acme where the applicant goes to the vendor's page."""

    result_capabilities = PAPERS


@attrs.frozen
class AcmeData(AcmeBare):
    """Acme that looks the applicant up in a register; nobody has to go anywhere."""

    result_capabilities = ResultCapabilities(checks={CheckKind.DATA_SOURCE}, documents=False, verdict=False)


@attrs.frozen
class AcmeTelling(Acme):
    """Acme that says what is wrong with its settings."""

    @property
    def key_mode(self) -> str | None:
        return {"k": None, "t": "test", "l": "live"}[self.settings.key.reveal()[0]]

    def problems(self, *, webhooks: bool) -> Iterator[tuple[str, str]]:
        if self.settings.retries > 9:
            yield "retries", "nobody tries so often"
        if webhooks:
            yield "secret", "is not set"


PAGE = attrs.evolve(PLUGIN, name="page", create=AcmePage, adapters=(AcmePage,))
DATA = attrs.evolve(PLUGIN, name="data", create=AcmeData, adapters=(AcmeData,))
TELLING = attrs.evolve(PLUGIN, name="telling", create=AcmeTelling, adapters=(AcmeTelling,))
SEEN = attrs.evolve(PLUGIN, name="seen", create=AcmeSeen, adapters=(AcmeSeen,))


def _refusing(_: object) -> object:
    raise ValueError("nothing fits together")


REFUSING = attrs.evolve(PLUGIN, name="refusing", create=_refusing)
REGISTRY = registry_of(PLUGIN, BARE, SIGNING, SEEN, REFUSING)
MORE = registry_of(PLUGIN, BARE, SIGNING, SEEN, PAGE, DATA, TELLING)
NOW = datetime(2026, 3, 1, tzinfo=UTC)

ACCOUNTS = """
[accounts.acme-in]
plugin = "acme"
key = { env = "ACME_KEY" }
cost = 1
[accounts.acme-kz]
plugin = "bare"
key = { env = "ACME_KEY" }

"""
ELSE = '[[routes]]\nname = "else"\nsplit = { acme-in = 50, acme-kz = 50 }\n'


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "key-of-acme-0001")
    monkeypatch.delenv("NOT_SET", raising=False)


def found(text: str, place: Path) -> list[str]:
    file = place / "idv.toml"
    file.write_text(text)
    return [str(p).removeprefix(f"{file}:") for p in check(read_configuration(file), REGISTRY, NOW).problems]


def test_a_file_without_fault(tmp_path: Path) -> None:
    assert found(ACCOUNTS + ELSE, tmp_path) == []


# Line 10 is the first after the accounts; what begins with ^ is put before them.
MESSAGES = {
    "unknown section": (
        "[polices]",
        ["10: polices: there is no such section; did you mean 'policies'?"],
    ),
    "unknown section without a near name": (
        "[zzz]",
        [
            "10: zzz: there is no such section (there are: include, defaults, accounts, webhooks, ledger, routes, policies)"
        ],
    ),
    "no such plugin": (
        '[accounts.x]\nplugin = "acm"\n' + ELSE,
        [
            "11: accounts.x.plugin: there is no plugin 'acm'; did you mean 'acme'? "
            "(installed: acme, bare, refusing, seen, signing; try: pip install idv-acm)",
            "10: warning: accounts.x: no route sends orders to this account",
        ],
    ),
    "no plugin": ("[accounts.x]", ["10: accounts.x.plugin: is missing; it names the vendor's plugin"]),
    "an account is no table": ("^accounts.x = 3", ["1: accounts.x.plugin: is missing; it names the vendor's plugin"]),
    "the plugin refuses its settings": (
        '[accounts.x]\nplugin = "refusing"\nkey = { env = "ACME_KEY" }',
        ["10: accounts.x: nothing fits together"],
    ),
    "literal secret": (
        '[accounts.x]\nplugin = "acme"\nkey = "literal"',
        [
            '12: accounts.x.key: a secret must be a reference: write { env = "NAME" } or '
            '{ file = "/run/secrets/name" } in idv.toml, Secret(...) in Python'
        ],
    ),
    "a secret that is not there": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "NOT_SET" }',
        ["12: accounts.x.key: the environment variable NOT_SET is not set"],
    ),
    "a setting that is missing": ('[accounts.x]\nplugin = "acme"', ["10: accounts.x.key: is missing"]),
    "an unknown setting": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\nretires = 2',
        ["13: accounts.x.retires: there is no such setting; did you mean 'retries'?"],
    ),
    "a setting of another type": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\nretries = "2"',
        ["13: accounts.x.retries: must be a whole number, not a string"],
    ),
    "limits that are no table": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\nlimits = 3',
        ["13: accounts.x.limits: must be a table"],
    ),
    "a cost below nothing": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\ncost = -1',
        ["13: accounts.x.cost: must be a number, 0 or more"],
    ),
    "webhooks that are no table": ("^webhooks = 3", ["1: webhooks: must be a table"]),
    "a short key": (
        '[webhooks]\nurl = "https://x.example"\nkey = { env = "ACME_KEY" }',
        ["12: webhooks.key: must have at least 32 characters; make one with: openssl rand -hex 32"],
    ),
    "routes that are no list": ('[routes]\nname = "x"', ["10: routes: routes are written as [[routes]]"]),
    "routes that are no tables": ("^routes = [3]", ["1: routes[0]: must be a table"]),
    "policies that are no table": ("^policies = 3", ["1: policies: must be a table, such as [policies.something]"]),
    "no route for the rest": (
        '[[routes]]\nname = "a"\nwhen.product = "a"\nsplit = { acme-in = 50, acme-kz = 50 }',
        [
            "10: routes: no route takes the remaining orders; add a last route without when, which sends or refuses them",
        ],
    ),
    "a route without a name": ('[[routes]]\nto = "acme-in"', ["10: routes[0].name: is missing"]),
    "two routes of one name": (
        '[[routes]]\nname = "else"\nwhen.product = "x"\nto = "acme-in"\n' + ELSE,
        ["15: routes[else].name: another route has this name"],
    ),
    "unknown account": (
        '[[routes]]\nname = "a"\nto = "acme-inn"',
        [
            "12: routes[a].to: there is no account 'acme-inn'; did you mean 'acme-in'?",
            "2: warning: accounts.acme-in: no route sends orders to this account",
            "6: warning: accounts.acme-kz: no route sends orders to this account",
        ],
    ),
    "unknown account in a split": (
        '[[routes]]\nname = "a"\nsplit = { acme-in = 90, zzz = 10 }\nfallback = ["acme-kz"]',
        ["12: routes[a].split.zzz: there is no account 'zzz'"],
    ),
    "unknown account to fall back to": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-k"]',
        [
            "13: routes[a].fallback[0]: there is no account 'acme-k'; did you mean 'acme-kz'?",
            "6: warning: accounts.acme-kz: no route sends orders to this account",
        ],
    ),
    "a route that goes nowhere": (
        '[[routes]]\nname = "a"',
        ["10: routes[a]: must have one of to, split, cheapest and refuse"],
    ),
    "a route that goes two ways": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nrefuse = "no"',
        ["10: routes[a]: must have one of to, split, cheapest and refuse, not to and refuse"],
    ),
    "a split that does not add up": (
        '[[routes]]\nname = "a"\nsplit = { acme-in = 90, acme-kz = 5 }',
        ["12: routes[a].split: the shares must add up to 100, not to 95"],
    ),
    "a share that is too fine": (
        '[[routes]]\nname = "a"\nsplit = { acme-in = 99.999, acme-kz = 0.001 }',
        ["12: routes[a].split: 99.999 must be a percentage from 0 to 100 with at most two decimals"],
    ),
    "fallback to itself": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz", "acme-in"]',
        ["13: routes[a].fallback[1]: falls back to 'acme-in', which was already tried; remove it"],
    ),
    "fallback twice": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz", "acme-kz"]',
        ["13: routes[a].fallback[1]: falls back to 'acme-kz', which was already tried; remove it"],
    ),
    "nothing to compare": (
        '[[routes]]\nname = "a"\ncheapest = ["acme-in", "acme-kz"]',
        ["12: routes[a].cheapest[1]: account 'acme-kz' has no cost to compare"],
    ),
    "a shadow without consent": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nshadow = { account = "acme-kz", personal_data = false }',
        [
            "13: routes[a].shadow.personal_data: a shadow receives the applicant's data; "
            "set personal_data = true to allow it, or remove the shadow"
        ],
    ),
    "a shadow that says nothing of it": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nshadow = { account = "acme-kz" }',
        ["13: routes[a].shadow.personal_data: is missing"],
    ),
    "a shadow of itself": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz"]\n'
        'shadow = { account = "acme-in", personal_data = true }',
        ["14: routes[a].shadow.account: 'acme-in' is already an account of this route; the shadow must be another one"],
    ),
    "a shadow nowhere": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz"]\n'
        'shadow = { account = "acme", personal_data = true }',
        ["14: routes[a].shadow.account: there is no account 'acme'; did you mean 'acme-kz'?"],
    ),
    "a capability that is lacking": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz"]\nneeds = ["upload"]',
        ["14: routes[a].needs[0]: account 'acme-kz' (plugin bare) does not offer upload"],
    ),
    "a capability that nobody knows": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz"]\nneeds = ["uplod", "zzz"]',
        [
            "14: routes[a].needs[0]: there is no capability 'uplod'; did you mean 'upload'?",
            "14: routes[a].needs[1]: there is no capability 'zzz' (there are: flow, upload, submit, result, webhook, "
            "template, link, recover, credentials, token, cancel, erase, media, retry, review, simulate, coverage)",
        ],
    ),
    "a country that does not exist": (
        '[[routes]]\nname = "a"\nwhen.country = ["IN", "XX"]\nto = "acme-in"\n' + ELSE,
        [
            "12: routes[a].when.country: must be ISO 3166-1 alpha-2 codes in capital letters, such as 'IN'; 'XX' is not one"
        ],
    ),
    "an unknown condition": (
        '[[routes]]\nname = "a"\nwhen.produkt = "x"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.produkt: there is no such setting; did you mean 'product'?"],
    ),
    "nothing that is known of people": (
        '[[routes]]\nname = "a"\nwhen.has = "shoe_size"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.has: must be one of email, phone_number, name, birthdate, not 'shoe_size'"],
    ),
    "a moment without offset": (
        '[[routes]]\nname = "a"\nwhen.since = 2026-12-01T00:00:00\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.since: must be a datetime with a time zone"],
    ),
    "a moment that is none": (
        '[[routes]]\nname = "a"\nwhen.since = "tomorrow"\nto = "acme-in"\n' + ELSE,
        [
            "12: routes[a].when.since: must be a date and time with an offset, such as 2026-12-01T00:00:00+05:30",
        ],
    ),
    "no hours": (
        '[[routes]]\nname = "a"\nwhen.hours = "9 to 5"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.hours: must be hours such as '09:00-18:00', not '9 to 5'"],
    ),
    "no time zone": (
        '[[routes]]\nname = "a"\nwhen.zone = "Asia/Atlantis"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.zone: there is no time zone 'Asia/Atlantis'"],
    ),
    "times that never come": (
        '[[routes]]\nname = "a"\nto = "acme-in"\n[routes.when]\nsince = 2026-12-02T00:00:00Z\nuntil = 2026-12-01T00:00:00Z\n'
        + ELSE,
        ["13: routes[a].when: can never match: until must be after since"],
    ),
    "ages that nobody has": (
        '[[routes]]\nname = "a"\nwhen = { age_from = 30, age_below = 20 }\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when: can never match: age_below must be above age_from"],
    ),
    "a time that is over": (
        '[[routes]]\nname = "a"\nwhen.until = 2026-02-01T00:00:00Z\nto = "acme-in"\n' + ELSE,
        ["12: warning: routes[a].when.until: expired at 2026-02-01 00:00:00+00:00; remove it"],
    ),
    "shadowed by everything": (
        ELSE + '[[routes]]\nname = "a"\nwhen.product = "a"\nto = "acme-in"',
        ["13: warning: routes[a]: is never reached: route 'else' before it takes all its orders"],
    ),
    "shadowed by a pattern": (
        '[[routes]]\nname = "all loans"\nwhen.product = "*-loan"\nto = "acme-in"\n'
        '[[routes]]\nname = "car loans"\nwhen = { product = ["car-loan", "car?-loan"], country = "IN" }\nto = "acme-kz"\n'
        + ELSE,
        ["14: warning: routes[car loans]: is never reached: route 'all loans' before it takes all its orders"],
    ),
    "shadowed by priority": (
        ELSE + '[[routes]]\nname = "a"\npriority = 1\nto = "acme-in"',
        ["10: warning: routes[else]: is never reached: route 'a' before it takes all its orders"],
    ),
    "no such policy": (
        '[policies.lending]\nverdict = "trust"\n[[routes]]\nname = "a"\nto = "acme-in"\nfallback = "acme-kz"\npolicy = "lendin"',
        [
            "16: routes[a].policy: there is no policy 'lendin'; did you mean 'lending'?",
            "10: warning: policies.lending: no route names this policy",
        ],
    ),
    "a policy that is no table": ("^policies.x = 3", ["1: policies.x: must be a table"]),
    "an unknown rule": (
        '[policies.x]\nverdikt = "trust"',
        ["11: policies.x.verdikt: there is no such setting; did you mean 'verdict'?"],
    ),
    "an unknown word": (
        '[policies.x]\nverdict = "trsut"',
        [
            "11: policies.x.verdict: must be one of trust, require, sufficient, ignore, not 'trsut'; did you mean 'trust'?"
        ],
    ),
    "a check that does not exist": (
        '[policies.x]\nchecks.required = ["lifeness"]',
        ["11: policies.x.checks.required: there is no kind of check 'lifeness'; did you mean 'liveness'?"],
    ),
    "a kind that is spelled wrongly": (
        "[policies.x]\nlivenes = { approve_at = 0.9 }",
        ["11: policies.x.livenes: there is no such setting; did you mean 'liveness'?"],
    ),
    "a check without a near name": (
        '[policies.x]\nchecks.required = ["zzz"]',
        [
            "11: policies.x.checks.required: there is no kind of check 'zzz' (there are: document, cross_check, name_match, "
            "address_match, liveness, face_match, data_source, screening, email, phone, consent, signature, other)"
        ],
    ),
    "a vendor's word for a document": (
        '[policies.x]\ndocuments.required = ["passport",\n"PAN"]',
        ["12: policies.x.documents.required[1]: there is no document type 'PAN'; did you mean 'tax_card'?"],
    ),
    "a vendor's word for a document that ages": (
        "[policies.x]\ndocuments.max_age_days = { utility_bill = 90 }",
        [
            "11: policies.x.documents.max_age_days.utility_bill: there is no document type 'utility_bill'; "
            "did you mean 'utility_statement'?"
        ],
    ),
    "a document in capitals": (
        '[policies.x]\ndocuments.required = "PASSPORT"',
        ["11: policies.x.documents.required[0]: there is no document type 'PASSPORT'; did you mean 'passport'?"],
    ),
    "a check's name that is not of its kind": (
        '[policies.x]\nchecks.required = ["face_match.selfie_document"]',
        [
            "11: policies.x.checks.required: there is no face_match check 'selfie_document'; "
            "did you mean 'selfie_to_document'?"
        ],
    ),
    "a threshold for a check that does not exist": (
        "[policies.x]\ncross_check.CUSTOMER_NAME = { approve_at = 0.9, decline_below = 0.5 }\n"
        "cross_check.nam = { approve_at = 0.9, decline_below = 0.5 }",
        [
            "11: policies.x.cross_check.CUSTOMER_NAME: there is no cross_check check 'CUSTOMER_NAME'; "
            "did you mean 'buyer_name'?",
            "12: policies.x.cross_check.nam: there is no cross_check check 'nam'; did you mean 'name'?",
        ],
    ),
    "a route's document": (
        '[[routes]]\nname = "a"\nwhen.documents = "AADHAAR"\nto = "acme-in"\nfallback = "acme-kz"\n' + ELSE,
        ["12: routes[a].when.documents[0]: there is no document type 'AADHAAR'; did you mean 'national_number_card'?"],
    ),
    "a word that is no word": (
        "[policies.x]\nverdict = 3",
        ["11: policies.x.verdict: must be one of trust, require, sufficient, ignore, not a whole number"],
    ),
    "a word without a near one": (
        '[policies.x]\nverdict = "zzz"',
        ["11: policies.x.verdict: must be one of trust, require, sufficient, ignore, not the value given"],
    ),
    "half a threshold": (
        "[policies.x]\nliveness = { approve_at = 0.9 }",
        ["11: policies.x.liveness.decline_below: is missing"],
    ),
    "a threshold that is a number": (
        "[policies.x]\nliveness = 0.9",
        ["11: policies.x.liveness: must be a table with approve_at and decline_below"],
    ),
    "a threshold out of its range": (
        "[policies.x]\nliveness = { approve_at = 90, decline_below = 0.1 }",
        ["11: policies.x.liveness.approve_at: must be a number from 0 to 1"],
    ),
    "thresholds that cross": (
        "[policies.x]\ncross_check.name = { approve_at = 0.1, decline_below = 0.9 }",
        ["11: policies.x.cross_check.name: decline_below must be at most approve_at"],
    ),
    "rules that contradict each other": (
        '[policies.x]\ndocuments.errors = "review"\nchecks.missing = "decline"',
        ['10: policies.x: documents.errors must be "decline" where checks.inconclusive or checks.missing is "decline"'],
    ),
    "ages of documents": (
        "[policies.x]\ndocuments.max_age_days = { tax_card = -1 }",
        ["11: policies.x.documents.max_age_days: must be a whole number of days above 0"],
    ),
    "a list that is none": (
        "[policies.x]\ndocuments.required = 3",
        ["11: policies.x.documents.required: must be a list"],
    ),
    "an account that is not used": (
        '[[routes]]\nname = "a"\nto = "acme-in"',
        ["6: warning: accounts.acme-kz: no route sends orders to this account"],
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages(case: str, tmp_path: Path) -> None:
    text, expected = MESSAGES[case]
    whole = text[1:] + ACCOUNTS if text.startswith("^") else ACCOUNTS + text
    assert found(whole, tmp_path) == expected


def test_a_policy_that_nobody_can_meet(tmp_path: Path) -> None:
    text = """
[accounts.seen]
plugin = "seen"
key = { env = "ACME_KEY" }
[[routes]]
name = "a"
to = "seen"
policy = "x"
[policies.x]
verdict = "require"
checks.required = ["face_match.selfie_to_record", "liveness"]
documents.required = "tax_card"
[policies.x.liveness]
approve_at = 0.9
decline_below = 0.5
presentation_attack = { approve_at = 0.9, decline_below = 0.5 }
"""
    never, nobody = "account 'seen' never reports", "so route 'a' approves nobody there"
    assert found(text, tmp_path) == [
        f"10: policies.x.verdict: {never} a verdict, {nobody}",
        f"11: policies.x.checks.required[0]: {never} a check 'face_match.selfie_to_record', {nobody}",
        f"12: policies.x.documents.required: {never} documents, {nobody}",
        f"13: policies.x.liveness: {never} a score for check 'liveness', {nobody}",
        f"16: policies.x.liveness.presentation_attack: {never} a score for check 'liveness.presentation_attack', {nobody}",
    ]
    countries = text.replace('documents.required = "tax_card"', 'documents.countries = "IN"')
    assert f"12: policies.x.documents.countries: {never} documents, {nobody}" in found(countries, tmp_path)


def warned(text: str, place: Path, registry: Registry = MORE) -> list[str]:
    """All that is said of a file, which must be warnings."""
    file = place / "idv.toml"
    file.write_text(text)
    problems = check(read_configuration(file), registry, NOW).problems
    assert all(problem.is_warning for problem in problems), problems
    return [str(problem).removeprefix(f"{file}:") for problem in problems]


class TestShadowsThatNeverFinish:
    """A shadow has only what the deciding account is handed through the API."""

    def warned(self, place: Path, to: str, shadow: str) -> list[str]:
        accounts = "".join(
            f'[accounts.{name}]\nplugin = "{plugin}"\nkey = {{ env = "ACME_KEY" }}\n'
            for name, plugin in (("first", to), ("second", shadow))
        )
        route = '[[routes]]\nname = "all"\nto = "first"\nshadow = { account = "second", personal_data = true }\n'
        return warned(accounts + route, place)

    def test_one_with_a_page_of_its_own(self, tmp_path: Path) -> None:
        text = (
            "10: warning: routes[all].shadow.account: account 'second' never finishes as a shadow: "
            "the applicant would have to visit its page too"
        )
        for deciding in ("acme", "page", "data"):
            assert self.warned(tmp_path, deciding, "page") == [text]

    def test_one_that_waits_for_documents_which_nobody_hands_in(self, tmp_path: Path) -> None:
        text = (
            "10: warning: routes[all].shadow.account: account 'second' never finishes as a shadow of account 'first', "
            "which takes no documents through the API: there is nothing to upload to the shadow"
        )
        assert self.warned(tmp_path, "page", "acme") == [text]

    @pytest.mark.parametrize(("to", "shadow"), [("acme", "seen"), ("page", "data"), ("page", "bare"), ("acme", "data")])
    def test_those_that_can(self, tmp_path: Path, to: str, shadow: str) -> None:
        assert self.warned(tmp_path, to, shadow) == []

    def test_the_plugins_that_there_are(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """docs/switching.md: a vendor with a page of its own cannot shadow one that is handed papers."""
        accounts = """
[accounts.verifik]
plugin = "verifik"
token = { env = "ACME_KEY" }
project = "p"
project_flow = "f"
[accounts.workflows]
plugin = "onfido"
api_token = { env = "ACME_KEY" }
workflow_id = "w"
[accounts.checks]
plugin = "onfido"
api_token = { env = "ACME_KEY" }
family = "checks"
[accounts.stripe]
plugin = "stripe"
api_key = { env = "ACME_KEY" }
[accounts.verigram]
plugin = "verigram"
base_url = "https://v.example"
api_key = { env = "ACME_KEY" }
"""
        names = ("verifik", "workflows", "checks", "stripe", "verigram")
        for to in names:
            for shadow in names:
                route = (
                    f'[[routes]]\nname = "r"\nto = "{to}"\nshadow = {{ account = "{shadow}", personal_data = true }}\n'
                )
                if to != shadow:
                    said = [line for line in warned(accounts + route, tmp_path, discover()) if "shadow" in line]
                    works = to in ("verifik", "checks") and shadow in ("verifik", "checks")
                    assert (said == []) is works, (to, shadow, said)


class TestWhatPluginsSay:
    ACCOUNT = '[accounts.a]\nplugin = "telling"\nkey = {{ env = "{}" }}\nretries = {}\n{}'

    @pytest.fixture(autouse=True)
    def keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_KEY", "test-1")
        monkeypatch.setenv("LIVE_KEY", "live-1")

    @pytest.mark.parametrize(
        ("key", "more", "expected"),
        [
            ("ACME_KEY", "", []),
            ("ACME_KEY", "test = true", []),
            ("LIVE_KEY", "", []),
            ("TEST_KEY", "test = true", []),
            (
                "TEST_KEY",
                "",
                [
                    "1: warning: accounts.a: this is a test key, so nobody is really checked; set test = true if that is intended"
                ],
            ),
            (
                "LIVE_KEY",
                "test = true",
                [
                    "5: warning: accounts.a.test: test = true, but the key is a live one: "
                    "real people are checked and the vendor charges for it"
                ],
            ),
        ],
    )
    def test_of_which_mode_the_key_is(self, tmp_path: Path, key: str, more: str, expected: list[str]) -> None:
        assert warned(self.ACCOUNT.format(key, 1, more), tmp_path) == expected

    def test_their_own_problems(self, tmp_path: Path) -> None:
        assert warned(self.ACCOUNT.format("ACME_KEY", 10, ""), tmp_path) == [
            "4: warning: accounts.a.retries: nobody tries so often"
        ]

    def test_what_concerns_webhooks_only_where_there_are_addresses_for_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IDV_WEBHOOK_KEY", "0123456789abcdef" * 4)
        webhooks = '[webhooks]\nurl = "https://x.example"\nkey = { env = "IDV_WEBHOOK_KEY" }\n'
        assert warned(self.ACCOUNT.format("ACME_KEY", 1, "") + webhooks, tmp_path) == [
            "1: warning: accounts.a.secret: is not set"
        ]


class TestWhatThePluginsOfThisProjectSay:
    @pytest.fixture
    def key(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("IDV_WEBHOOK_KEY", "0123456789abcdef" * 4)
        return lambda text: monkeypatch.setenv("KEY", text)

    def said(self, place: Path, plugin: str, settings: str, webhooks: bool = False) -> list[str]:
        file = place / "idv.toml"
        text = f'[accounts.a]\nplugin = "{plugin}"\n{settings}\n'
        text += '[webhooks]\nurl = "https://x.example"\nkey = { env = "IDV_WEBHOOK_KEY" }\n' if webhooks else ""
        file.write_text(text)
        problems = check(read_configuration(file), discover(), NOW).problems
        return [str(problem).removeprefix(f"{file}:").partition(": ")[2] for problem in problems]

    TEST_KEY = (
        "warning: accounts.a: this is a test key, so nobody is really checked; set test = true if that is intended"
    )

    @pytest.mark.parametrize(
        ("key_", "expected"),
        [
            ("sk_test_4f9Q", [TEST_KEY]),
            ("rk_test_4f9Q", [TEST_KEY]),
            ("sk_live_4f9Q", []),
            ("rk_live_4f9Q", []),
            (
                "pk_live_4f9Q",
                [
                    "warning: accounts.a.api_key: a publishable key (pk_) opens nothing: "
                    "give a secret or a restricted one (sk_, rk_)"
                ],
            ),
        ],
    )
    def test_stripe(self, tmp_path: Path, key, key_: str, expected: list[str]) -> None:
        key(key_)
        assert self.said(tmp_path, "stripe", 'api_key = { env = "KEY" }') == expected
        unsigned = (
            "warning: accounts.a.webhook_secret: is not set: only their address proves webhooks. "
            "Give the endpoint's signing secret"
        )
        said = self.said(tmp_path, "stripe", 'api_key = { env = "KEY" }', webhooks=True)
        assert sorted(said) == sorted([*expected, unsigned])

    WRONG = (
        "accounts.a: the token is one of region {} and the region is {}: Onfido takes a token in its own region only"
    )
    NO_REGION = (
        "warning: accounts.a.region: the token names no region, as those of region eu do, and the region is another one"
    )

    @pytest.mark.parametrize(
        ("token", "region", "expected"),
        [
            ("api_live.4f9Q", "eu", []),
            ("api_live_us.4f9Q", "us", []),
            ("api_live_ca.4f9Q", "ca", []),
            ("api_live_us.4f9Q", "eu", [WRONG.format("us", "eu")]),
            ("api_live_ca.4f9Q", "us", [WRONG.format("ca", "us")]),
            ("api_live.4f9Q", "us", [NO_REGION]),
            ("api_sandbox.4f9Q", "eu", [TEST_KEY]),
            ("api_sandbox_us.4f9Q", "us", [TEST_KEY]),
            ("api_sandbox_us.4f9Q", "ca", [WRONG.format("us", "ca")]),
            ("something else", "us", []),
        ],
    )
    def test_onfido(self, tmp_path: Path, key, token: str, region: str, expected: list[str]) -> None:
        key(token)
        settings = f'api_token = {{ env = "KEY" }}\nregion = "{region}"\nworkflow_id = "w"'
        assert self.said(tmp_path, "onfido", settings) == expected

    def test_onfido_without_a_workflow_or_a_webhooks_token(self, tmp_path: Path, key) -> None:
        key("api_live.4f9Q")
        assert self.said(tmp_path, "onfido", 'api_token = { env = "KEY" }', webhooks=True) == [
            "warning: accounts.a.workflow_id: is not set: nothing can be opened but orders that name a workflow as their "
            "template",
            "warning: accounts.a.webhook_token: is not set: only their address proves webhooks. Give the token of the webhook",
        ]
        assert self.said(tmp_path, "onfido", 'api_token = { env = "KEY" }\nfamily = "checks"') == []

    @pytest.mark.parametrize(
        ("plugin", "settings", "name"),
        [
            ("verifik", 'token = { env = "KEY" }\nproject = "p"', "project_flow"),
            ("atlas", 'client_id = { env = "KEY" }\nclient_secret = { env = "KEY" }', "product_type"),
        ],
    )
    def test_what_every_order_needs(self, tmp_path: Path, key, plugin: str, settings: str, name: str) -> None:
        key("k")
        assert self.said(tmp_path, plugin, settings) == [
            f"warning: accounts.a.{name}: is not set: nothing can be opened but orders that name one as their template"
        ]
        assert self.said(tmp_path, plugin, f'{settings}\n{name} = "x"') == []


class TestRulesThatMeetNothing:
    def test_where_no_account_of_the_routes_has_such_evidence(self, tmp_path: Path) -> None:
        text = """
[accounts.page]
plugin = "page"
key = { env = "ACME_KEY" }
[accounts.data]
plugin = "data"
key = { env = "ACME_KEY" }
[[routes]]
name = "a"
to = "data"
policy = "looked-up"
[[routes]]
name = "b"
to = "page"
fallback = ["data"]
policy = "both"
[[routes]]
name = "else"
refuse = "no"
[policies.looked-up]
liveness = { approve_at = 0.9, decline_below = 0.5 }
cross_check.name = { approve_at = 0.9, decline_below = 0.5 }
documents.max_age_days = { utility_statement = 90 }
[policies.both]
screening = { approve_at = 0.9, decline_below = 0.5 }
documents.max_age_days = { utility_statement = 90 }
"""
        nothing = "has no effect: no account of its routes has"
        said = [line for line in warned(text, tmp_path) if "is never reached" not in line]
        assert said == [
            f"21: warning: policies.looked-up.liveness: {nothing} checks of the kind liveness",
            f"22: warning: policies.looked-up.cross_check.name: {nothing} checks of the kind cross_check",
            f"23: warning: policies.looked-up.documents.max_age_days: {nothing} documents",
            f"25: warning: policies.both.screening: {nothing} checks of the kind screening",
        ]

    def test_nothing_is_concluded_where_one_does_not_say_what_it_has(self, tmp_path: Path) -> None:
        text = """
[accounts.page]
plugin = "page"
key = { env = "ACME_KEY" }
[accounts.acme]
plugin = "acme"
key = { env = "ACME_KEY" }
[[routes]]
name = "a"
to = "page"
fallback = ["acme"]
policy = "p"
[policies.p]
screening = { approve_at = 0.9, decline_below = 0.5 }
"""
        assert warned(text, tmp_path) == []

    def test_without_routes_the_default_is_for_all_accounts(self, tmp_path: Path) -> None:
        text = '[accounts.data]\nplugin = "data"\nkey = { env = "ACME_KEY" }\n[policies.default]\n'
        text += "liveness = { approve_at = 0.9, decline_below = 0.5 }\n"
        assert warned(text, tmp_path) == [
            "5: warning: policies.default.liveness: has no effect: no account of its routes has checks of the kind liveness"
        ]


class TestNames:
    """A name means one thing."""

    ACCOUNT = Account("a", "acme", {"key": Secret("k")})

    def test_of_policies(self) -> None:
        one, other = Policy(name="p"), Policy(name="p", verdict="require")
        configuration = Configuration(accounts=[self.ACCOUNT], policies={"p": one, "q": other})
        assert [str(problem) for problem in check(configuration, REGISTRY, NOW).errors] == [
            "policies.q: has the name of policy 'p'"
        ]

    def test_of_the_gateways_own_policy(self, tmp_path: Path) -> None:
        file = tmp_path / "idv.toml"
        file.write_text(ACCOUNTS + '[policies.p]\nverdict = "require"\n')
        equal = Policy(name="p", verdict="require")
        with Gateway.load(file, registry=REGISTRY, policy=equal) as idv:
            file.write_text(ACCOUNTS + '[policies.p]\nverdict = "ignore"\n')
            with pytest.raises(ConfigError) as caught:
                idv.reload()
        (problem,) = caught.value.problems
        assert str(problem) == (f"{file}:10: policies.p: the gateway has another policy named 'p': rename one of them")
        with pytest.raises(ConfigError, match="another policy named 'p'"):
            Gateway.load(file, registry=REGISTRY, policy=equal)
        Gateway.load(file, registry=REGISTRY, policy=attrs.evolve(equal, name="q")).close()

    def test_of_accounts_that_had_another_one(self, tmp_path: Path) -> None:
        text = """
[accounts.new]
plugin = "acme"
key = { env = "ACME_KEY" }
formerly = ["old", "other", "new"]
[accounts.other]
plugin = "acme"
key = { env = "ACME_KEY" }
formerly = "old"
"""
        ambiguous = "a flow could belong to either; rename one of them"
        assert found(text, tmp_path) == [
            f"5: accounts.new.formerly[1]: 'other' is a name of account 'other'; {ambiguous}",
            f"5: accounts.new.formerly[2]: 'new' is a name of account 'new'; {ambiguous}",
            f"9: accounts.other.formerly[0]: 'old' is a name of account 'new'; {ambiguous}",
        ]


def test_moments_may_stand_in_quotation_marks(tmp_path: Path) -> None:
    text = '[[routes]]\nname = "a"\nwhen.until = "2030-01-01T00:00:00+00:00"\nto = "acme-in"\n' + ELSE
    assert found(ACCOUNTS + text, tmp_path) == []
    (route, _) = read_configuration(tmp_path / "idv.toml").routes
    assert route.when.until == datetime(2030, 1, 1, tzinfo=UTC)
    without = text.replace("+00:00", "")
    assert found(ACCOUNTS + without, tmp_path) == ["12: routes[a].when.until: must be a datetime with a time zone"]


def test_the_work_grows_in_step_with_the_file(tmp_path: Path) -> None:
    """Counted in calls of functions, so that it does not depend on the machine."""

    def calls(count: int) -> int:
        accounts = "".join(
            f'[accounts.a{n}]\nplugin = "acme"\nkey = {{ env = "ACME_KEY" }}\n'
            f'[[routes]]\nname = "r{n}"\nwhen = {{ product = "*-{n}-*", tenant = "t{n}-*" }}\nto = "a{n}"\n'
            for n in range(count)
        )
        file = tmp_path / "idv.toml"
        file.write_text(accounts + '[[routes]]\nname = "else"\nrefuse = "no"\n')
        seen = 0

        def profile(*_: object) -> None:
            nonlocal seen
            seen += 1

        sys.setprofile(profile)
        try:
            assert check(read_configuration(file), REGISTRY, NOW).problems == ()
        finally:
            sys.setprofile(None)
        return seen

    assert calls(800) < 5 * calls(200)


def test_the_file_in_the_documents_has_no_fault(tmp_path: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "operations.md"
    file = tmp_path / "idv.toml"
    file.write_text(page.read_text().split("```toml\n")[1].partition("```")[0])
    sources = dict.fromkeys(("env", "file"), unread)
    assert check(read_configuration(file), discover(), NOW, sources).problems == ()


def test_what_is_put_together_in_python_has_paths_without_lines() -> None:
    twice = Account("a", "acme", {"key": Secret("k")})
    configuration = Configuration(accounts=[twice, twice], routes=[Route(name="x", to="b")])
    assert [str(problem) for problem in check(configuration, REGISTRY, NOW).errors] == [
        "accounts.a: is listed twice; remove one",
        "routes[x].to: there is no account 'b'",
    ]
    nothing = check(Configuration(accounts=[]), REGISTRY, NOW).problems
    assert [str(p) for p in nothing] == ["accounts: must have at least one account, such as [accounts.atlas-india]"]


# Files put together of good and bad parts: the gateway takes exactly what the checker finds no error in.

_accounts = st.sampled_from(
    [
        ACCOUNTS,
        ACCOUNTS + '[accounts.third]\nplugin = "signing"\nkey = { env = "ACME_KEY" }\ndaily_cap = 3\n',
        ACCOUNTS.replace("ACME_KEY", "NOT_SET"),
        ACCOUNTS.replace('"bare"', '"bear"'),
        ACCOUNTS.replace("{ env", '"x" # { env'),
    ]
)
_parts = st.lists(
    st.sampled_from(
        [
            '[[routes]]\nname = "a"\nwhen.product = "a-*"\nto = "acme-in"\n',
            '[[routes]]\nname = "b"\nwhen = { product = "b", country = "IN" }\nto = "acme-in"\nfallback = "acme-kz"\n',
            '[[routes]]\nname = "c"\nwhen.tenant = "t"\nto = "acme-zz"\n',
            '[[routes]]\nname = "d"\nsplit = { acme-in = 90, acme-kz = 10 }\npolicy = "p"\n',
            '[[routes]]\nname = "e"\nsplit = { acme-in = 90, acme-kz = 11 }\n',
            '[[routes]]\nname = "f"\nrefuse = "nobody does this"\n',
            '[[routes]]\nname = "g"\npriority = 5\nwhen.country = "in"\ncheapest = ["acme-in"]\n',
            '[[routes]]\nname = "h"\nto = "acme-in"\nshadow = { account = "acme-kz", personal_data = true }\n',
            '[policies.p]\nverdict = "require"\n',
            "[policies.p]\nliveness = { approve_at = 0.5, decline_below = 0.6 }\n",
            '[webhooks]\nurl = "https://x.example"\nkey = { file = "/no/such/file" }\n',
            "[defaults]\nlimits.rate = 3\n",
        ]
    ),
    unique=True,
    max_size=5,
)


@settings(max_examples=150)
@given(_accounts, _parts)
def test_the_checker_accepts_exactly_what_the_gateway_accepts(accounts: str, parts: list[str]) -> None:
    import os
    import tempfile

    os.environ["ACME_KEY"] = "key-of-acme-0001"
    os.environ.pop("NOT_SET", None)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "idv.toml"
        file.write_text(accounts + "".join(parts))
        errors = check(read_configuration(file), REGISTRY, NOW).errors
        if errors:
            with pytest.raises(ConfigError) as refused:
                Gateway.load(file, registry=REGISTRY, clock=FakeClock(NOW))
            assert refused.value.problems == errors
        else:
            Gateway.load(file, registry=REGISTRY, clock=FakeClock(NOW)).close()


class TestSchema:
    """What an editor is told."""

    def test_it_takes_what_the_documents_show(self) -> None:
        schema = schema_of(discover())
        jsonschema.Draft7Validator.check_schema(schema)
        docs = Path(__file__).parent.parent / "docs"
        shown = 0
        for page in [docs.parent / "README.md", *docs.rglob("*.md")]:
            for block in page.read_text().split("```toml\n")[1:]:
                data = json.loads(json.dumps(tomllib.loads(block.partition("```")[0]), default=str))
                errors = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(data)]
                assert errors == [], f"{page}: {data}"
                shown += 1
        assert shown >= 2

    @settings(max_examples=100)
    @given(_accounts, _parts)
    def test_it_takes_what_the_reader_takes(self, accounts: str, parts: list[str]) -> None:
        text = accounts + "".join(parts)
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return
        schema = schema_of(REGISTRY)
        valid = jsonschema.Draft7Validator(schema).is_valid(data)
        assert valid is ('"x"' not in text and '"bear"' not in text)

    @pytest.mark.parametrize(
        "wrong",
        [
            '[accounts.a]\nplugin = "acme"\n',
            '[accounts.a]\nplugin = "acme"\nkey = "literal"\n',
            '[accounts.a]\nplugin = "acme"\nkey = { env = "A", file = "B" }\n',
            '[accounts.a]\nplugin = "acme"\nkey = { env = "A" }\nretires = 3\n',
            '[accounts.a]\nplugin = "acme"\nkey = { env = "A" }\nlimits = { rate = "x" }\n',
            '[policies.p]\nverdict = "trsut"\n',
            "[policies.p]\nliveness.x = { approve_at = 1 }\n",
            '[[routes]]\nto = "x"\n',
            '[[routes]]\nname = "x"\nwhen.produkt = "x"\n',
            "[zzz]\n",
        ],
    )
    def test_it_refuses_what_is_wrong(self, wrong: str) -> None:
        assert not jsonschema.Draft7Validator(schema_of(REGISTRY)).is_valid(tomllib.loads(wrong))
