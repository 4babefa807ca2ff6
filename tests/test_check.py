"""`idv config check`: every message word for word, and it accepts exactly what the gateway accepts."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import attrs
import jsonschema
import pytest
from acme import BARE, PLUGIN, SIGNING, Acme
from hypothesis import given, settings
from hypothesis import strategies as st

from idv_core import Account, CheckKind, ConfigError, Configuration, Gateway, Route, Secret
from idv_core.config import check, read_configuration
from idv_core.config.schema import schema_of
from idv_core.config.secrets import unread
from idv_core.protocols import Evidence
from idv_core.registry import discover, registry_of
from idv_core.testing import FakeClock


@attrs.frozen
class AcmeSeen(Acme):
    """Acme that says what its results can hold: passed liveness without score, no documents, no verdict."""

    evidence = Evidence(checks={CheckKind.LIVENESS}, documents=False, verdict=False)


SEEN = attrs.evolve(PLUGIN, name="seen", create=AcmeSeen, adapters=(AcmeSeen,))


def _refusing(_: object) -> object:
    raise ValueError("nothing fits together")


REFUSING = attrs.evolve(PLUGIN, name="refusing", create=_refusing)
REGISTRY = registry_of(PLUGIN, BARE, SIGNING, SEEN, REFUSING)
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
        ["10: zzz: there is no such section (there are: include, defaults, accounts, callbacks, routes, policies)"],
    ),
    "no such plugin": (
        '[accounts.x]\nplugin = "acm"\n' + ELSE,
        [
            "11: accounts.x.plugin: there is no plugin 'acm'; did you mean 'acme'? "
            "(installed: acme, bare, refusing, seen, signing; try: pip install idv-acm)",
            "10: warning: accounts.x: no route sends anything here",
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
            '12: accounts.x.key: a secret is never written out: give { env = "NAME" } or '
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
        ["13: accounts.x.retries: a whole number is needed, this is a text"],
    ),
    "limits that are no table": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\nlimits = 3',
        ["13: accounts.x.limits: a table is needed"],
    ),
    "a cost below nothing": (
        '[accounts.x]\nplugin = "acme"\nkey = { env = "ACME_KEY" }\ncost = -1',
        ["13: accounts.x.cost: a number of 0 or more is needed"],
    ),
    "callbacks that are no table": ("^callbacks = 3", ["1: callbacks: a table is needed"]),
    "a short key": (
        '[callbacks]\nurl = "https://x.example"\nkey = { env = "ACME_KEY" }',
        ["12: callbacks.key: at least 32 characters are needed; make one with: openssl rand -hex 32"],
    ),
    "routes that are no list": ('[routes]\nname = "x"', ["10: routes: routes are written as [[routes]]"]),
    "routes that are no tables": ("^routes = [3]", ["1: routes[0]: a table is needed"]),
    "policies that are no table": ("^policies = 3", ["1: policies: a table is needed, such as [policies.something]"]),
    "no route for the rest": (
        '[[routes]]\nname = "a"\nwhen.product = "a"\nsplit = { acme-in = 50, acme-kz = 50 }',
        [
            "10: routes: no route takes what the others leave: end with one that has no when, to send or to refuse it",
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
            "2: warning: accounts.acme-in: no route sends anything here",
            "6: warning: accounts.acme-kz: no route sends anything here",
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
            "6: warning: accounts.acme-kz: no route sends anything here",
        ],
    ),
    "a route that goes nowhere": (
        '[[routes]]\nname = "a"',
        ["10: routes[a]: goes nowhere: give one of to, split, cheapest and refuse"],
    ),
    "a route that goes two ways": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nrefuse = "no"',
        ["10: routes[a]: give one of to, split, cheapest and refuse, not to and refuse"],
    ),
    "a split that does not add up": (
        '[[routes]]\nname = "a"\nsplit = { acme-in = 90, acme-kz = 5 }',
        ["12: routes[a].split: the shares add up to 95, not to 100"],
    ),
    "a share that is too fine": (
        '[[routes]]\nname = "a"\nsplit = { acme-in = 99.999, acme-kz = 0.001 }',
        ["12: routes[a].split: 99.999 is no percentage from 0 to 100 with at most two decimals"],
    ),
    "fallback to itself": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz", "acme-in"]',
        ["13: routes[a].fallback[1]: falls back to 'acme-in', which has been asked already"],
    ),
    "fallback twice": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz", "acme-kz"]',
        ["13: routes[a].fallback[1]: falls back to 'acme-kz', which has been asked already"],
    ),
    "nothing to compare": (
        '[[routes]]\nname = "a"\ncheapest = ["acme-in", "acme-kz"]',
        ["12: routes[a].cheapest[1]: account 'acme-kz' has no cost to compare"],
    ),
    "a shadow without consent": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nshadow = { account = "acme-kz", personal_data = false }',
        [
            "13: routes[a].shadow.personal_data: a shadow is given the applicant's data: "
            "say personal_data = true, or leave it out"
        ],
    ),
    "a shadow that says nothing of it": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nshadow = { account = "acme-kz" }',
        ["13: routes[a].shadow.personal_data: is missing"],
    ),
    "a shadow of itself": (
        '[[routes]]\nname = "a"\nto = "acme-in"\nfallback = ["acme-kz"]\n'
        'shadow = { account = "acme-in", personal_data = true }',
        ["14: routes[a].shadow.account: 'acme-in' decides already, so it is no shadow"],
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
            "14: routes[a].needs[1]: there is no capability 'zzz' (there are: flow, upload, submit, result, callback, "
            "template, link, recover, credentials, token)",
        ],
    ),
    "a country that does not exist": (
        '[[routes]]\nname = "a"\nwhen.country = ["IN", "XX"]\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.country: 'XX' is no ISO 3166-1 alpha-2 code such as 'IN'"],
    ),
    "an unknown condition": (
        '[[routes]]\nname = "a"\nwhen.produkt = "x"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.produkt: there is no such setting; did you mean 'product'?"],
    ),
    "nothing that is known of people": (
        '[[routes]]\nname = "a"\nwhen.has = "shoe_size"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.has: 'shoe_size' is none of email, phone_number, name, birthdate"],
    ),
    "a moment without offset": (
        '[[routes]]\nname = "a"\nwhen.since = 2026-12-01T00:00:00\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.since: a datetime with a time zone is needed"],
    ),
    "a moment that is none": (
        '[[routes]]\nname = "a"\nwhen.since = "tomorrow"\nto = "acme-in"\n' + ELSE,
        [
            "12: routes[a].when.since: a date and time with an offset is needed, such as 2026-12-01T00:00:00+05:30",
        ],
    ),
    "no hours": (
        '[[routes]]\nname = "a"\nwhen.hours = "9 to 5"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.hours: '9 to 5' are no hours such as '09:00-18:00'"],
    ),
    "no time zone": (
        '[[routes]]\nname = "a"\nwhen.zone = "Asia/Atlantis"\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when.zone: there is no time zone 'Asia/Atlantis'"],
    ),
    "times that never come": (
        '[[routes]]\nname = "a"\nto = "acme-in"\n[routes.when]\nsince = 2026-12-02T00:00:00Z\nuntil = 2026-12-01T00:00:00Z\n'
        + ELSE,
        ["13: routes[a].when: can never hold: until is not after since"],
    ),
    "ages that nobody has": (
        '[[routes]]\nname = "a"\nwhen = { age_from = 30, age_below = 20 }\nto = "acme-in"\n' + ELSE,
        ["12: routes[a].when: can never hold: age_below is not above age_from"],
    ),
    "a time that is over": (
        '[[routes]]\nname = "a"\nwhen.until = 2026-02-01T00:00:00Z\nto = "acme-in"\n' + ELSE,
        ["12: warning: routes[a].when.until: its time is over since 2026-02-01 00:00:00+00:00"],
    ),
    "shadowed by everything": (
        ELSE + '[[routes]]\nname = "a"\nwhen.product = "a"\nto = "acme-in"',
        ["13: warning: routes[a]: is never asked: route 'else' before it takes all its orders"],
    ),
    "shadowed by a pattern": (
        '[[routes]]\nname = "all loans"\nwhen.product = "*-loan"\nto = "acme-in"\n'
        '[[routes]]\nname = "car loans"\nwhen = { product = ["car-loan", "car?-loan"], country = "IN" }\nto = "acme-kz"\n'
        + ELSE,
        ["14: warning: routes[car loans]: is never asked: route 'all loans' before it takes all its orders"],
    ),
    "shadowed by priority": (
        ELSE + '[[routes]]\nname = "a"\npriority = 1\nto = "acme-in"',
        ["10: warning: routes[else]: is never asked: route 'a' before it takes all its orders"],
    ),
    "no such policy": (
        '[policies.lending]\nverdict = "trust"\n[[routes]]\nname = "a"\nto = "acme-in"\nfallback = "acme-kz"\npolicy = "lendin"',
        [
            "16: routes[a].policy: there is no policy 'lendin'; did you mean 'lending'?",
            "10: warning: policies.lending: no route names this policy",
        ],
    ),
    "a policy that is no table": ("^policies.x = 3", ["1: policies.x: a table is needed"]),
    "an unknown rule": (
        '[policies.x]\nverdikt = "trust"',
        ["11: policies.x.verdikt: there is no such setting; did you mean 'verdict'?"],
    ),
    "an unknown word": (
        '[policies.x]\nverdict = "trsut"',
        ["11: policies.x.verdict: 'trsut' is none of trust, require, sufficient, ignore; did you mean 'trust'?"],
    ),
    "a check that does not exist": (
        '[policies.x]\nchecks.required = ["lifeness"]',
        ["11: policies.x.checks.required: there is no kind of check 'lifeness'; did you mean 'liveness'?"],
    ),
    "half a threshold": (
        "[policies.x]\nliveness = { approve_at = 0.9 }",
        ["11: policies.x.liveness.decline_below: is missing"],
    ),
    "a threshold that is a number": (
        "[policies.x]\nliveness = 0.9",
        ["11: policies.x.liveness: a table is needed, with approve_at and decline_below"],
    ),
    "a threshold out of its range": (
        "[policies.x]\nliveness = { approve_at = 90, decline_below = 0.1 }",
        ["11: policies.x.liveness.approve_at: a number from 0 to 1 is needed"],
    ),
    "thresholds that cross": (
        "[policies.x]\ncross_check.name = { approve_at = 0.1, decline_below = 0.9 }",
        ["11: policies.x.cross_check.name: decline_below must not be above approve_at"],
    ),
    "rules that contradict each other": (
        '[policies.x]\ndocuments.errors = "review"\nchecks.missing = "decline"',
        [
            '10: policies.x: documents.errors = "review" would treat a failed document better than one that is '
            "inconclusive or missing"
        ],
    ),
    "ages of documents": (
        "[policies.x]\ndocuments.max_age_days = { PAN = -1 }",
        ["11: policies.x.documents.max_age_days: days above 0 are needed"],
    ),
    "a list that is none": (
        "[policies.x]\ndocuments.required = 3",
        ["11: policies.x.documents.required: a list is needed"],
    ),
    "an account that is not used": (
        '[[routes]]\nname = "a"\nto = "acme-in"',
        ["6: warning: accounts.acme-kz: no route sends anything here"],
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
checks.required = ["face_match.b", "liveness"]
documents.required = "PAN"
[policies.x.liveness]
approve_at = 0.9
decline_below = 0.5
selfie = { approve_at = 0.9, decline_below = 0.5 }
"""
    nobody = "from account 'seen', where route 'a' sends: nobody can be approved"
    assert found(text, tmp_path) == [
        f"10: policies.x.verdict: no verdict ever comes {nobody}",
        f"11: policies.x.checks.required[0]: no check 'face_match.b' ever passes {nobody}",
        f"12: policies.x.documents.required: no document ever comes {nobody}",
        f"13: policies.x.liveness: no score of a check 'liveness' ever comes {nobody}",
        f"16: policies.x.liveness.selfie: no score of a check 'liveness.selfie' ever comes {nobody}",
    ]
    countries = text.replace('documents.required = "PAN"', 'documents.countries = "IN"')
    assert f"12: policies.x.documents.countries: no document ever comes {nobody}" in found(countries, tmp_path)


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
        "accounts.a: is there twice",
        "routes[x].to: there is no account 'b'",
    ]
    nothing = check(Configuration(accounts=[]), REGISTRY, NOW).problems
    assert [str(p) for p in nothing] == ["accounts: at least one account is needed, such as [accounts.atlas-india]"]


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
            '[callbacks]\nurl = "https://x.example"\nkey = { file = "/no/such/file" }\n',
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
