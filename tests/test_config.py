"""`idv.toml`: every problem at once, each with its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from idv_core import Circuit, ConfigError, Gateway, Limits, Retry, Secret
from idv_core.config import load_configuration

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

[callbacks]
url = "https://platform.example/idv/"
key = { env = "IDV_CALLBACK_KEY" }
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERIGRAM_API_KEY", "key-1")
    monkeypatch.setenv("IDV_CALLBACK_KEY", "k" * 40)
    monkeypatch.delenv("NOT_SET", raising=False)
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t\n")

    def write(text: str) -> Path:
        path = tmp_path / "idv.toml"
        path.write_text(text.replace("SECRET_FILE", str(secret)))
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Gateway.load(path)
    return list(caught.value.problems)


def test_a_good_file(write) -> None:
    configuration = load_configuration(write(GOOD))
    account = configuration.accounts[0]
    assert account.settings["secret"] == Secret("s3cr3t")
    assert account.limits.operation == 30
    assert account.polling is not None
    assert account.polling.first == timedelta(seconds=1.5)
    assert configuration.callbacks is not None
    assert configuration.callbacks.url == "https://platform.example/idv"
    with Gateway.load(write(GOOD)) as idv:
        assert idv.accounts == ("verigram-kz", "atlas-india")


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
    [callbacks]
    url = "platform"
    key = { env = "VERIGRAM_API_KEY" }
    """
    assert problems(write(text)) == [
        "acounts: there is no such section (there are: accounts, callbacks)",
        "accounts.a.plugin: is missing; it names the vendor's plugin",
        "accounts.b.api_key: the environment variable NOT_SET is not set",
        "accounts.b.secret: the file /no/such/file gives no secret (FileNotFoundError)",
        "accounts.c.limits.conect: there is no such setting; did you mean 'connect'?",
        "accounts.c.limits.read: float expected",
        "accounts.d.polling.first: 'first' must be > 0: -1.0",
        "accounts.e.polling.firstt: there is no such setting; did you mean 'first'?",
        "accounts.f/g: an account's name has letters, digits, '.', '_' and '-' only, for it stands in addresses",
        "callbacks.url: an address such as 'https://api.vendor.example' is needed",
        "callbacks.key: at least 32 characters are needed; make one with: openssl rand -hex 32",
    ]


def test_a_literal_secret_is_an_error(write) -> None:
    text = '[accounts.a]\nplugin = "verigram"\nbase_url = "https://x.example"\napi_key = "literal-key"\n'
    (problem,) = problems(write(text))
    assert problem.startswith("accounts.a.api_key: a secret is never written out")
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
        "accounts.a.client_secret: is missing",
        "accounts.a.family: 'onbording' is not a valid Family",
        "accounts.a.refresh: bool expected",
    ]


def test_a_file_that_is_not_there_or_no_toml(write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(FileNotFoundError\)"):
        Gateway.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not TOML"):
        Gateway.load(write("[accounts"))
    assert problems(write("")) == ["accounts: at least one account is needed, such as [accounts.atlas-india]"]
    assert problems(write("accounts = 3"))[0] == "accounts: a table is needed, such as [accounts.something]"
    assert "accounts.a.plugin: is missing" in problems(write("[accounts]\na = 3"))[0]


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
        ("limits = { rate = 0 }", "accounts.a.limits.rate: 'rate' must be > 0: 0.0"),
        ("limits = { concurrency = 0 }", "accounts.a.limits.concurrency: 'concurrency' must be >= 1: 0"),
        ("limits = { connect = -1 }", "accounts.a.limits.connect: 'connect' must be > 0: -1.0"),
        ("retry = { attempts = 0 }", "accounts.a.retry.attempts: 'attempts' must be >= 1: 0"),
        ("retry = { attemps = 2 }", "accounts.a.retry.attemps: there is no such setting; did you mean 'attempts'?"),
        ("circuit = { cooldown = 0 }", "accounts.a.circuit.cooldown: 'cooldown' must be > 0: 0.0"),
    ],
)
def test_wrong_figures_are_named(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "idv.toml"
    file.write_text(f'[accounts.a]\nplugin = "verigram"\nbase_url = "https://v.example"\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    assert caught.value.problems == (problem,)
