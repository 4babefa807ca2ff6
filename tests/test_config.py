"""`idv.toml`: every problem at once, each with its place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from acme import PLUGIN as ACME
from hypothesis import given
from hypothesis import strategies as st

from idv_core import CheckKind, ConfigError, Gateway, Secret
from idv_core.config import Account, Circuit, Limits, Retry, load_configuration, source
from idv_core.config.toml_lines import places_of
from idv_core.model.check_names import CHECK_NAMES
from idv_core.model.validation import seconds
from idv_core.plugin.protocols import Polling
from idv_core.registry import registry_of
from idv_core.routing import When

GOOD = """
[accounts.verigram-kz]
plugin = "verigram"
base_url = "https://services.kz-ala-1.verigram.kz/"
api_key = { env = "VERIGRAM_API_KEY" }
secret = { file = "SECRET_FILE" }
template = { pipeline = [{ service_name = "verilive" }] }

[accounts.verigram-kz.limits]
operation = 30

[accounts.verigram-kz.polling]
first = 1.5
ceiling = 20

[accounts.atlas-india]
plugin = "atlas"
family = "onboarding"
client_id = { env = "VERIGRAM_API_KEY" }
client_secret = { env = "VERIGRAM_API_KEY" }

[webhooks]
url = "https://platform.example/idv/"
key = { env = "IDV_WEBHOOK_KEY" }
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERIGRAM_API_KEY", "key-1")
    monkeypatch.setenv("IDV_WEBHOOK_KEY", "0123456789abcdef" * 2)
    monkeypatch.delenv("NOT_SET", raising=False)
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t\n")

    def write(text: str) -> Path:
        path = tmp_path / "idv.toml"
        path.write_text(text.replace("SECRET_FILE", str(secret)))
        return path

    return write


def problems(path: Path) -> list[str]:
    """All that is wrong, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        Gateway.load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_good_file(write) -> None:
    configuration = load_configuration(write(GOOD))
    account = configuration.accounts[0]
    assert account.limits.operation == 30
    assert account.polling is not None
    assert account.polling.first == timedelta(seconds=1.5)
    assert account.settings["secret"].keys() == {"file"}
    with Gateway.load(write(GOOD)) as idv:
        assert idv.accounts == ("verigram-kz", "atlas-india")
        active = idv._state.active
        assert active.sessions["verigram-kz"].adapter.settings.secret == Secret("s3cr3t")
        assert active.receiver is not None
        assert active.receiver.addresses.url == "https://platform.example/idv"


def test_the_async_gateway_loads_it_too(write) -> None:
    from idv_core import AsyncGateway

    assert AsyncGateway.load(write(GOOD)).accounts == ("verigram-kz", "atlas-india")


def test_all_problems_come_at_once(write) -> None:
    text = """
    [acounts.x]
    [accounts.a]
    base_url = "https://x.example"
    [accounts.b]
    plugin = "verigram"
    base_url = "https://x.example"
    api_key = { env = "NOT_SET" }
    secret = { file = "/no/such/file" }
    [accounts.c]
    plugin = "verigram"
    api_key = { env = "A", file = "B" }
    [accounts.c.limits]
    conect = 3
    read = "long"
    [accounts.d]
    plugin = "verigram"
    polling = { first = -1 }
    [accounts.e]
    plugin = "verigram"
    polling = { firstt = 1 }
    [accounts."f/g"]
    plugin = "verigram"
    [webhooks]
    url = "platform"
    key = { env = "VERIGRAM_API_KEY" }
    """
    assert problems(write(text)) == [
        "2: acounts: there is no such section; did you mean 'accounts'?",
        "3: accounts.a.plugin: is missing; it names the vendor's plugin",
        "8: accounts.b.api_key: the environment variable NOT_SET is not set",
        "9: accounts.b.secret: the file /no/such/file cannot be read (file not found)",
        "10: accounts.c.base_url: is missing",
        "12: accounts.c.api_key: a secret reference has exactly one key, one of env, file",
        "14: accounts.c.limits.conect: there is no such setting; did you mean 'connect'?",
        "15: accounts.c.limits.read: must be a number of seconds above 0, not a string",
        "16: accounts.d.base_url: is missing",
        "16: accounts.d.api_key: is missing",
        "18: accounts.d.polling.first: must be a number of seconds above 0",
        "19: accounts.e.base_url: is missing",
        "19: accounts.e.api_key: is missing",
        "21: accounts.e.polling.firstt: there is no such setting; did you mean 'first'?",
        "22: accounts.f/g: an account's name must have letters, digits, '.', '_' and '-' only, because it is part of URLs",
        "25: webhooks.url: must begin with https://, such as 'https://api.vendor.example'",
        "26: webhooks.key: must have at least 32 characters; make one with: openssl rand -hex 32",
    ]


def test_a_literal_secret_is_an_error(write) -> None:
    text = '[accounts.a]\nplugin = "verigram"\nbase_url = "https://x.example"\napi_key = "literal-key"\n'
    (problem,) = problems(write(text))
    assert problem.startswith("4: accounts.a.api_key: a secret must be a reference")
    assert "literal-key" not in problem


def test_plugins_settings_are_checked(write) -> None:
    text = """
    [accounts.a]
    plugin = "atlas"
    family = "onbording"
    client_id = { env = "VERIGRAM_API_KEY" }
    refresh = "yes"
    """
    assert problems(write(text)) == [
        "2: accounts.a.client_secret: is missing",
        "4: accounts.a.family: must be one of verification, onboarding, idp, bulk, not 'onbording'; did you mean 'onboarding'?",
        "6: accounts.a.refresh: must be true or false, not a string",
    ]


def test_a_file_that_is_not_there_or_no_toml(write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: file not found"):
        Gateway.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        Gateway.load(write("[accounts"))
    assert problems(write("")) == [" accounts: must have at least one account, such as [accounts.atlas-india]"]
    assert problems(write("accounts = 3"))[0] == "1: accounts: must be a table, such as [accounts.something]"
    assert "2: accounts.a.plugin: is missing" in problems(write("[accounts]\na = 3"))[0]


def test_bounds_of_an_account_are_given_by_name() -> None:
    loose: Any = Account
    assert Account("a", "acme", {"key": "k"}, limits=Limits(read=3)).limits.read == 3.0
    with pytest.raises(TypeError):
        loose("a", "acme", {"key": "k"}, Limits(read=3))


def test_the_engine_is_set_by_account(tmp_path: Path) -> None:
    file = tmp_path / "idv.toml"
    file.write_text(
        """
        [accounts.a]
        plugin = "verigram"
        base_url = "https://v.example"
        limits = { rate = 5, burst = 2, concurrency = 8, allow_private_urls = true }
        retry = { attempts = 5, base = 0.1, ceiling = 2, longest_wait = 10, budget = 0.1, reserve = 3 }
        circuit = { failures = 4, cooldown = 12 }
        """
    )
    (account,) = load_configuration(file).accounts
    assert account.limits == Limits(rate=5.0, burst=2, concurrency=8, allow_private_urls=True)
    assert account.retry == Retry(attempts=5, base=0.1, ceiling=2.0, longest_wait=10.0, budget=0.1, reserve=3)
    assert account.circuit == Circuit(failures=4, cooldown=12.0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("limits = { rate = 0 }", "accounts.a.limits.rate: must be a number above 0"),
        ("limits = { concurrency = 0 }", "accounts.a.limits.concurrency: must be a whole number, 1 or more"),
        ("limits = { connect = -1 }", "accounts.a.limits.connect: must be a number of seconds above 0"),
        ("retry = { attempts = 0 }", "accounts.a.retry.attempts: must be a whole number, 1 or more"),
        ("retry = { attemps = 2 }", "accounts.a.retry.attemps: there is no such setting; did you mean 'attempts'?"),
        ("circuit = { cooldown = 0 }", "accounts.a.circuit.cooldown: must be a number of seconds above 0"),
    ],
)
def test_wrong_figures_are_named(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "idv.toml"
    file.write_text(f'[accounts.a]\nplugin = "verigram"\nbase_url = "https://v.example"\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    (found,) = caught.value.problems
    assert str(found) == f"{file}:4: {problem}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('limits.operation = "60"', "limits.operation: must be a number of seconds above 0, not a string"),
        ("limits.operation = true", "limits.operation: must be a number of seconds above 0, not true or false"),
        ("limits.operation = nan", "limits.operation: must be a number of seconds above 0"),
        ("limits.operation = inf", "limits.operation: must be a number of seconds above 0"),
        (f"limits.operation = 1{'0' * 400}", "limits.operation: must be a number of seconds above 0"),
        ('limits.rate = "5"', "limits.rate: must be a number above 0, not a string"),
        ("limits.rate = [5]", "limits.rate: must be a number above 0, not a list"),
        (
            "limits.concurrency = 2.5",
            "limits.concurrency: must be a whole number, 1 or more, not a number with a fraction",
        ),
        ('limits.concurrency = "2"', "limits.concurrency: must be a whole number, 1 or more, not a string"),
        ("limits.allow_private_urls = 1", "limits.allow_private_urls: must be true or false, not a whole number"),
        ("retry.budget = -1", "retry.budget: must be a number, 0 or more"),
        ("retry.longest_wait = -1", "retry.longest_wait: must be a number of seconds, 0 or more"),
        ('cost = "cheap"', "cost: must be a number, 0 or more, not a string"),
        ("daily_cap = 1.5", "daily_cap: must be a whole number, 0 or more, not a number with a fraction"),
        ("daily_cap = -1", "daily_cap: must be a whole number, 0 or more"),
        ('test = "yes"', "test: must be true or false, not a string"),
        ("polling.first = 2026-12-01", "polling.first: must be a number of seconds above 0, not a date"),
        ("polling = { first = 60, ceiling = 5 }", "polling: first must not be longer than ceiling"),
        (
            'formerly = "a/b"',
            "formerly: an account's name must have letters, digits, '.', '_' and '-' only, because it is part of URLs",
        ),
    ],
)
def test_values_of_another_kind_are_told_in_our_words(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "idv.toml"
    file.write_text(f'[accounts.a]\nplugin = "verigram"\nbase_url = "https://v.example"\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    (found,) = caught.value.problems
    assert str(found) == f"{file}:4: accounts.a.{problem}"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://api.vendor.example", "must begin with https://; http is allowed for localhost only"),
        ("api.eu.onfido.com/v3.6", "must begin with https://, such as 'https://api.vendor.example'"),
        ("https://", "must begin with https://, such as 'https://api.vendor.example'"),
        ("ftp://api.vendor.example", "must be a URL such as 'https://api.vendor.example'"),
        ("https://[::1", "must be a URL such as 'https://api.vendor.example'"),
        ("https://a.example:port", "must be a URL such as 'https://api.vendor.example'"),
        ("https://somebody:password@a.example", "must have scheme, host, port and path only"),
        ("https://a.example?x=1", "must have scheme, host, port and path only"),
    ],
)
def test_addresses(write, url: str, problem: str) -> None:
    text = f'[accounts.a]\nplugin = "verigram"\napi_key = {{ env = "VERIGRAM_API_KEY" }}\nbase_url = "{url}"\n'
    assert problems(write(text)) == [f"4: accounts.a.base_url: {problem}"]


def test_durations_are_seconds_or_a_timedelta() -> None:
    second = timedelta(seconds=1)
    assert Limits(operation=2 * second, connect=second, pool=0.5) == Limits(operation=2.0, connect=1, pool=0.5)
    assert Circuit(cooldown=second) == Circuit(cooldown=1.0)
    assert Retry(base=second, ceiling=timedelta(minutes=1)) == Retry(base=1.0, ceiling=60.0)
    assert Polling(first=1, ceiling=2.5) == Polling(first=second, ceiling=timedelta(seconds=2.5))
    assert Polling(first=90).ceiling == timedelta(seconds=90)
    assert seconds(timedelta(minutes=1)) == seconds(60) == 60.0


@pytest.mark.parametrize(
    "wrong", ["60", True, None, float("nan"), float("inf"), -1, timedelta(seconds=-1), 10**400, [1]]
)
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    for make in (
        lambda: seconds(wrong),
        lambda: Limits(operation=wrong),
        lambda: Circuit(cooldown=wrong),
        lambda: Retry(base=wrong),
        lambda: Polling(first=wrong),
    ):
        with pytest.raises(ValueError, match="seconds"):
            make()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[accounts", " is not valid TOML: expected ']' at the end of a table declaration (at the end of the file)"),
        ("a = 1\n[a]\n", "2: is not valid TOML: cannot overwrite a value (column 3)"),
        ("[accounts.a]\nx = 1\n[accounts.a]\n", "3: is not valid TOML: cannot declare a name twice (column 12)"),
        ("x = y\n", "1: is not valid TOML: invalid value (column 5)"),
    ],
)
def test_where_it_is_no_toml(write, text: str, problem: str) -> None:
    assert problems(write(text)) == [problem]


def test_the_same_file_means_the_same_in_every_process(tmp_path: Path) -> None:
    """Whatever the seed of Python's hashes: thresholds, accounts, problems, all in the order of the file."""
    file = tmp_path / "idv.toml"
    names = CHECK_NAMES[CheckKind.CROSS_CHECK][:12]
    thresholds = "\n".join(f"cross_check.{name} = {{ approve_at = 0.9, decline_below = 0.5 }}" for name in names)
    wrong = "\n".join(f"livenes{number} = 1" for number in range(6))
    file.write_text(f"[policies.good]\n{thresholds}\n[policies.bad]\n{wrong}\n[policies.p]\nx.NAME = 1\nx.name = 2\n")
    code = (
        "from idv_core.config import read_configuration\n"
        f"found = read_configuration({str(file)!r})\n"
        "print(*found.policies['good'].thresholds, *found.problems, sep='\\n')"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    (only,) = said
    assert only.splitlines()[:12] == [f"cross_check.{name}" for name in names]


class TestDefaults:
    def test_they_are_for_every_account_and_an_account_goes_before(self, write) -> None:
        text = """
        [defaults]
        limits = { operation = 20, rate = 5 }
        retry.attempts = 2
        [accounts.a]
        plugin = "verigram"
        limits.operation = 40
        [accounts.b]
        plugin = "verigram"
        """
        a, b = load_configuration(write(text)).accounts
        assert a.limits == Limits(operation=40.0, rate=5.0)
        assert b.limits == Limits(operation=20.0, rate=5.0)
        assert a.retry == b.retry == Retry(attempts=2)

    def test_what_is_wrong_with_them_is_said_once(self, write) -> None:
        text = GOOD + "[defaults]\nlimits = { operaton = 20 }\n"
        (problem,) = problems(write(text))
        assert problem.endswith("defaults.limits.operaton: there is no such setting; did you mean 'operation'?")


class TestIncludes:
    def test_the_number_of_files_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source, "MOST_FILES", 20)
        for number in range(12):
            (tmp_path / f"{number}.toml").write_text(f'include = ["{number + 1}.toml", "{number + 1}.toml"]\n')
        (tmp_path / "12.toml").write_text("")
        reads: list[str] = []
        loads = source.tomllib.loads
        monkeypatch.setattr(source.tomllib, "loads", lambda text: reads.append(text) or loads(text))
        problems = source.read_source(tmp_path / "0.toml").problems
        # once, and once more for the places of what is wrong
        assert len(reads) == 20 + 20
        assert "more than 20 files are included" in problems[0].text
        reads.clear()
        assert source.read_source(tmp_path / "9.toml").problems == []
        assert len(reads) == 15

    def test_lines_are_looked_for_when_something_is_wrong_and_are_those_of_what_was_read(
        self, write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[str] = []
        monkeypatch.setattr(source, "places_of", lambda text, file: looked.append(file) or places_of(text, file))
        path = write(GOOD)
        configuration = load_configuration(path)
        assert not looked
        path.write_text("# written anew\n" * 100 + GOOD)
        name = configuration.accounts[0].name
        assert configuration.places["accounts", name].line == places_of(GOOD, "")["accounts", name].line
        assert looked == [str(path)]

    def test_a_file_is_laid_over_what_it_includes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEY", "0123456789abcdef" * 2)
        (tmp_path / "base.toml").write_text(
            """
            [accounts.kz]
            plugin = "verigram"
            base_url = "https://test.example"
            api_key = { env = "TEST_KEY" }
            limits = { operation = 30, rate = 2 }
            [[routes]]
            name = "wallet"
            when.product = "wallet"
            to = "kz"
            [[routes]]
            name = "else"
            refuse = "not here"
            """
        )
        (tmp_path / "routes").mkdir()
        (tmp_path / "routes" / "a.toml").write_text(
            '[[routes]]\nname = "loans"\npriority = 1\nwhen.product = "l"\nto = "kz"\n'
        )
        (tmp_path / "production.toml").write_text(
            """
            include = ["base.toml", "routes/*.toml"]
            [accounts.kz]
            base_url = "https://live.example"
            api_key = { file = "/run/secrets/kz" }
            limits.rate = 20
            [[routes]]
            name = "wallet"
            to = "kz"
            """
        )
        configuration = load_configuration(tmp_path / "production.toml")
        (account,) = configuration.accounts
        assert account.settings == {"base_url": "https://live.example", "api_key": {"file": "/run/secrets/kz"}}
        assert account.limits == Limits(operation=30.0, rate=20.0)
        assert [(route.name, route.when == When()) for route in configuration.routes] == [
            ("wallet", True),
            ("else", True),
            ("loans", False),
        ]
        assert str(configuration.places["routes", 0, "to"]) == f"{tmp_path / 'production.toml'}:9"
        assert str(configuration.places["routes", 1, "refuse"]) == f"{tmp_path / 'base.toml'}:13"
        assert str(configuration.places["routes", 2, "to"]) == f"{tmp_path / 'routes' / 'a.toml'}:5"
        assert str(configuration.places["accounts", "kz", "plugin"]) == f"{tmp_path / 'base.toml'}:3"
        assert str(configuration.places["accounts", "kz", "api_key"]) == f"{tmp_path / 'production.toml'}:5"

    def test_problems_name_the_file_that_has_them(self, tmp_path: Path) -> None:
        (tmp_path / "b.toml").write_text('include = "a.toml"\n[acounts]\n')
        (tmp_path / "a.toml").write_text('include = ["b.toml", "none.toml", 3]\n')
        with pytest.raises(ConfigError) as caught:
            load_configuration(tmp_path / "a.toml")
        assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == [
            "b.toml:1: include: 'a.toml' includes this file again; remove one of the two includes",
            "a.toml:1: include: no file matches 'none.toml'",
            "a.toml:1: include: must be a file name or a list of file names",
            "b.toml:2: acounts: there is no such section; did you mean 'accounts'?",
        ]


class TestSecrets:
    def test_other_sources_can_be_added(self, tmp_path: Path) -> None:
        vault = {"secret/kz": "key-from-the-vault"}
        file = tmp_path / "idv.toml"
        file.write_text('[accounts.a]\nplugin = "acme"\nkey = { vault = "secret/kz" }\n')
        registry = registry_of(ACME, secret_sources={"vault": vault.__getitem__})
        with Gateway.load(file, registry=registry) as idv:
            assert idv._state.active.sessions["a"].adapter.settings.key == Secret("key-from-the-vault")

    @pytest.mark.parametrize(
        ("reference", "problem"),
        [
            ('{ vault = "none" }', "the secret source 'vault' cannot read the secret that is named here (KeyError)"),
            ('{ vault = "leaky" }', "the secret source 'vault' cannot read the secret that is named here (ValueError)"),
            ("{ vault = 3 }", "vault must be a string: the name of the secret"),
            (
                '{ valt = "x" }',
                "there is no secret source 'valt'; did you mean 'vault'? (there are: env, file, vault)",
            ),
            ('{ file = "EMPTY" }', "the file EMPTY is empty"),
        ],
    )
    def test_what_a_source_does_not_give(self, tmp_path: Path, reference: str, problem: str) -> None:
        def read(name: str) -> str:
            if name == "leaky":
                raise ValueError("s3cr3t-in-a-message")
            raise KeyError(name)

        empty = tmp_path / "empty"
        empty.write_text(" ")
        file = tmp_path / "idv.toml"
        file.write_text(f'[accounts.a]\nplugin = "acme"\nkey = {reference.replace("EMPTY", str(empty))}\n')
        with pytest.raises(ConfigError) as caught:
            Gateway.load(file, registry=registry_of(ACME, secret_sources={"vault": read}))
        assert [p.text for p in caught.value.problems] == [problem.replace("EMPTY", str(empty))]
        assert "s3cr3t" not in str(caught.value)


# Any TOML that we can think of: keys of all kinds, tables, arrays, values with every bracket in them.


class Tables(list):
    """To be written as `[[name]]`."""


_keys = st.text("abc-_1", min_size=1, max_size=4) | st.text("ab.\"= #[]'é", min_size=1, max_size=4)
_scalars = (
    st.integers(-5, 10**6)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab[]{}=,#\"'\\\n.", max_size=8)
    | st.datetimes()
)
_inline = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=6
)
_tables = st.recursive(
    st.dictionaries(_keys, _inline, max_size=3),
    lambda inner: st.dictionaries(_keys, inner | st.lists(inner, min_size=1, max_size=2).map(Tables), max_size=3),
    max_leaves=4,
)


def as_toml(data: dict, path: tuple[str, ...] = ()) -> Iterator[str]:
    for key, value in data.items():
        if not isinstance(value, (dict, Tables)):
            yield f"{_key(key)} = {_value(value)} # = [ {{"
    for key, value in data.items():
        name = ".".join(map(_key, (*path, key)))
        for table in value if isinstance(value, Tables) else [value] if isinstance(value, dict) else []:
            yield f"[[{name}]]" if isinstance(value, Tables) else f"[ {name} ]"
            yield from as_toml(table, (*path, key))


def _key(key: str) -> str:
    return key if re.fullmatch("[a-z0-9_-]+", key) else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'''{value}'''" if "\\" in value and "'" not in value else json.dumps(value)
    if isinstance(value, list):
        return "[" + "".join(f"\n  {_value(item)}," for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def paths(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found.union(*(paths(item, (*path, key)) for key, item in pairs))


@given(_tables)
def test_every_path_of_a_file_has_its_line(data: dict) -> None:
    text = "\n".join(as_toml(data))
    read = tomllib.loads(text)
    places = places_of(text, "x.toml")
    assert set(places) == paths(read)
    lines = text.split("\n")
    for path, place in places.items():
        if isinstance(path[-1], str):
            assert _key(path[-1]) in lines[place.line - 1]
