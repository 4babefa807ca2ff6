"""A key that is pasted into the wrong place of idv.toml is shown by no message; secrets are read as they are written."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from acme import PLUGIN
from hypothesis import given, settings
from hypothesis import strategies as st

from idv_core import ConfigError, Gateway, Secret
from idv_core.config import Account, Configuration, check, read_configuration
from idv_core.config.secrets import read_env, read_file
from idv_core.model.words import is_shown, shown
from idv_core.registry import discover, registry_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _random(alphabet: str, length: int) -> st.SearchStrategy[str]:
    """Texts as a generator of keys makes them: Hypothesis alone prefers texts of one letter."""
    return st.randoms(use_true_random=False).map(lambda chance: "".join(chance.choices(alphabet, k=length)))


_tokens = st.one_of(
    _random(_ALNUM, 24).map("sk_live_".__add__),
    _random(_ALNUM, 40).map("api_live_us.".__add__),
    _random("0123456789abcdef", 64),
    _random(_ALNUM + "+/", 43).map(lambda text: text + "="),
    _random(_ALNUM + "-_", 60).map(lambda text: f"eyJhbGciOi.{text[:30]}.{text[30:]}"),
    _random("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32),
    st.uuids().map(str),
    st.sampled_from(
        ["sk_live_CANARY_SECRET", "whsec_canary_of_ours", "api_sandbox.canary.canary", "tok_live_CANARY42"]
    ),
)

PLACES = {
    "the name of a variable": "key = { env = TOKEN }",
    "the name of a file": "key = { file = TOKEN }",
    "the name in a vault": "key = { vault = TOKEN }",
    "the source": 'key = { TOKEN = "x" }',
    "two sources": 'key = { TOKEN = "x", env = "A" }',
    "written out": "key = TOKEN",
    "a list": "key = [TOKEN]",
    "a key of the table": 'TOKEN = "x"',
    "another setting": "key = 3\nbase_url = TOKEN",
    "a number": "key = 3\nretries = TOKEN",
    "an engine's figure": "key = 3\nlimits.operation = TOKEN",
    "a key of the engine's": "key = 3\nlimits.TOKEN = 3",
    "a former name": "key = 3\nformerly = [TOKEN]",
    "the plugin": "^plugin = TOKEN",
    "the account's name": '^plugin = "acme"\n[accounts.TOKEN]\nplugin = "acme"',
    "a section": "key = 3\n[TOKEN]",
    "an include": "^include = TOKEN",
    "an enumeration": "key = 3\n[policies.p]\nverdict = TOKEN",
    "a policy": "key = 3\n[policies.TOKEN]\nverdict = 3",
    "a check": "key = 3\n[policies.p]\nchecks.required = [TOKEN]",
    "the name of a check": "key = 3\n[policies.p]\ncross_check.TOKEN = 3",
    "the name of a check in its place": "key = 3\n[policies.p]\ncross_check.TOKEN = { approve_at = 3 }",
    "a type of document": "key = 3\n[policies.p]\ndocuments.max_age_days = { TOKEN = -3 }",
    "a country": "key = 3\n[policies.p]\ndocuments.countries = TOKEN",
    "a route": 'key = 3\n[[routes]]\nname = TOKEN\nto = "nobody"',
    "where a route leads": 'key = 3\n[[routes]]\nname = "r"\nto = TOKEN',
    "a share": 'key = 3\n[[routes]]\nname = "r"\nsplit = { TOKEN = 90 }',
    "a fallback": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nfallback = [TOKEN, TOKEN]',
    "a shadow": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nshadow = { account = TOKEN, personal_data = true }',
    "a route's policy": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\npolicy = TOKEN',
    "a capability": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nneeds = TOKEN',
    "a condition": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.TOKEN = 3',
    "a moment": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.since = TOKEN',
    "hours": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.hours = TOKEN',
    "a zone": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.zone = TOKEN',
    "a country of a route": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.country = TOKEN',
    "what is known": 'key = 3\n[[routes]]\nname = "r"\nto = "a"\nwhen.has = TOKEN',
    "a route that is never asked": 'key = 3\n[[routes]]\nname = TOKEN\nto = "a"\n[[routes]]\nname = "s"\nto = "a"',
    "the address of webhooks": "key = 3\n[webhooks]\nurl = TOKEN\nkey = 3",
    "the key of webhooks": 'key = 3\n[webhooks]\nurl = "https://a.example"\nkey = { env = TOKEN }',
    "defaults": "key = 3\n[defaults]\nTOKEN = 3",
    "twice": "key = 3\n[accounts.TOKEN]\n[accounts.TOKEN]",
    "no TOML": "key = 3\nbase_url = BARE BARE",
}


def _vault(name: str) -> str:
    raise ValueError(f"no {name}")


@settings(max_examples=15)
@given(_tokens)
@pytest.mark.parametrize("place", PLACES)
def test_no_message_shows_a_key(place: str, token: str) -> None:
    text = PLACES[place]
    head = text[1:] if text.startswith("^") else f'plugin = "acme"\n{text}'
    before = "" if "include" in head else "[accounts.a]\n"
    written = f"{before}{head}\n".replace("TOKEN", json.dumps(token)).replace("BARE", token)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "idv.toml"
        file.write_text(written)
        problems = check(read_configuration(file), registry_of(PLUGIN, secret_sources={"vault": _vault}), NOW).problems
    assert problems
    shown = "\n".join(map(str, problems))
    assert token not in shown
    assert token[6:-6] not in shown
    assert repr(token)[1:-1] not in shown


@given(_tokens)
def test_what_looks_like_a_key_is_no_name(token: str) -> None:
    assert not is_shown(token)
    assert shown(token) == "***"


_NAMES = """atlas-india, verigram-kz, msme loans, cross_check.CUSTOMER_NAME, max_age_days, KZ, Asia/Kolkata, number 3, a2,
onfido-eu-2, 09:00-18:00, msme-*, atlas-IN, PAN, lending 2026, account.eu-west-1"""


@pytest.mark.parametrize("name", [name.strip() for name in _NAMES.replace("\n", " ").split(",")])
def test_names_are_shown(name: str) -> None:
    assert shown(name) == name


def test_a_plugin_that_says_the_key_does_not_get_it_through() -> None:
    def refuse(settings: object) -> object:
        raise ValueError("the key sk_live_4f9Qx71LpZz0aB3cD5eF is wrong")

    import attrs

    plugin = attrs.evolve(PLUGIN, create=refuse)
    account = Account("a", "acme", {"key": Secret("sk_live_4f9Qx71LpZz0aB3cD5eF")})
    (problem,) = check(Configuration(accounts=[account]), registry_of(plugin), NOW).problems
    assert str(problem) == "accounts.a: the key *** is wrong"


def test_a_plugin_that_breaks_on_its_settings_is_named() -> None:
    import attrs

    plugin = attrs.evolve(PLUGIN, create=lambda settings: {}["a secret"])
    account = Account("a", "acme", {"key": Secret("k")})
    (problem,) = check(Configuration(accounts=[account]), registry_of(plugin), NOW).problems
    text = (
        "accounts.a: bug in plugin 'acme': KeyError while its adapter was made from these settings. Please report it to the "
        "plugin's authors"
    )
    assert str(problem) == text


SLIP = "that is named here (if you wrote the secret itself: write only its name in the file)"


class TestSources:
    @pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} ", "\ufeff{}", "\ufeff{}\r\n", "\n{}\n\n"])
    def test_variables_and_files_are_read_alike(
        self, around: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_KEY", around.format("key-1"))
        (tmp_path / "key").write_bytes(around.format("key-1").encode())
        assert read_env("ACME_KEY") == read_file(str(tmp_path / "key")) == "key-1"

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "the environment variable ACME_KEY is not set"),
            ("", "the environment variable ACME_KEY is empty"),
            ("\ufeff \n", "the environment variable ACME_KEY is empty"),
        ],
    )
    def test_what_a_variable_lacks(self, value: str | None, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ACME_KEY", raising=False)
        if value is not None:
            monkeypatch.setenv("ACME_KEY", value)
        with pytest.raises(ValueError) as caught:
            read_env("ACME_KEY")
        assert str(caught.value) == text

    @pytest.mark.parametrize("name", ["my key", "sk_live_x", "a\0b", "\ud800", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"])
    def test_what_is_no_name_is_not_shown(self, name: str) -> None:
        with pytest.raises(ValueError) as caught:
            read_env(name)
        assert str(caught.value) == f"the environment variable {SLIP} is not set"
        with pytest.raises(ValueError) as caught:
            read_file(name)
        assert str(caught.value).startswith(f"the file {SLIP} cannot be read (")

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (None, "cannot be read (file not found)"),
            (b"\xff\xfe", "cannot be read (not UTF-8 text)"),
            (b"\r\n", "is empty"),
        ],
    )
    def test_what_a_file_lacks(self, content: bytes | None, why: str, tmp_path: Path) -> None:
        file = tmp_path / "key"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ValueError) as caught:
            read_file(str(file))
        assert str(caught.value) == f"the file {file} {why}"

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"cannot be read \(it is a directory\)"):
            read_file(str(tmp_path))


def test_the_file_may_come_from_another_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a byte order mark and with the ends of lines of Windows, in it and in what it includes."""
    monkeypatch.setenv("ACME_KEY", "key-1")
    written = '\ufeff[accounts.a]\r\nplugin = "acme"\r\nkey = { env = "ACME_KEY" }\r\n'
    (tmp_path / "a.toml").write_bytes(written.encode())
    (tmp_path / "idv.toml").write_bytes('\ufeffinclude = "a.toml"\r\n'.encode())
    with Gateway.load(tmp_path / "idv.toml", registry=registry_of(PLUGIN)) as idv:
        assert idv.accounts == ("a",)


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
class TestWritable:
    """Whoever may write the file decides where applicants are sent."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> tuple[Path, Path, Path]:
        key, other, file = tmp_path / "key", tmp_path / "other.toml", tmp_path / "idv.toml"
        key.write_text("k" * 40)
        other.write_text(f'[accounts.a]\nplugin = "acme"\nkey = {{ file = "{key}" }}\n')
        file.write_text('include = "other.toml"\n[[routes]]\nname = "all"\nto = "a"\n')
        for made in (key, other, file):
            made.chmod(0o644)
        return key, other, file

    def said(self, file: Path) -> list[str]:
        problems = check(read_configuration(file), registry_of(PLUGIN), NOW).problems
        assert all(problem.is_warning for problem in problems)
        return [str(problem).removeprefix(f"{file.parent}/") for problem in problems]

    def test_nothing_is_said_of_what_only_its_owner_may_write(self, files: tuple[Path, Path, Path]) -> None:
        assert self.said(files[2]) == []

    @pytest.mark.parametrize("mode", [0o666, 0o664, 0o646, 0o622, 0o777])
    def test_each_file_is_looked_at(self, files: tuple[Path, Path, Path], mode: int) -> None:
        for file in files:
            file.chmod(mode)
        assert self.said(files[2]) == [
            f"idv.toml: warning: group or others can write this file (mode {mode:o}); run: chmod go-w",
            f"other.toml: warning: group or others can write this file (mode {mode:o}); run: chmod go-w",
            f"other.toml:3: warning: accounts.a.key: group or others can write the secret file (mode {mode:o}); "
            "run: chmod go-w",
        ]


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "idv.toml"
    file.write_text("")
    with pytest.raises(ConfigError) as caught:
        Gateway.load(file, registry=discover())
    assert [str(problem) for problem in caught.value.problems] == [
        f"{file}: accounts: must have at least one account, such as [accounts.atlas-india]"
    ]
