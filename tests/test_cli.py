"""The command, as a person and as a program uses it, against emulators over real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from acme import PLUGIN
from typer.testing import CliRunner

from idv_core.cli import main
from idv_core.cli.commands import app
from idv_core.cli.demo import run_demo
from idv_core.cli.output import exit_code, reported
from idv_core.errors import (
    ConfigError,
    DeadlineExceeded,
    InvalidOrder,
    OutcomeUnknown,
    PluginError,
    RateLimited,
    VendorUnavailable,
)
from idv_core.registry import Broken, Found, Registry, discover

VENDORS = sum(found.plugin.emulation is not None for found in discover().found.values())
IDV = [sys.executable, "-c", "from idv_core.cli import main; main()"]


def run(*args: str, **more: object):
    return CliRunner().invoke(app, list(args), **more)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("work")
    emulators = subprocess.Popen(
        [*IDV, "emulate", "--pace", "0.05"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert emulators.stdout is not None
    lines = []
    for line in emulators.stdout:
        lines.append(line)
        if line.startswith("key ="):
            break
    text = "".join(lines)
    exports, toml = text.split("# idv.toml\n")
    (place / "idv.toml").write_text(toml)
    for line in exports.splitlines():
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            os.environ[name] = value
    yield place
    emulators.send_signal(signal.SIGINT)
    assert emulators.wait(timeout=20) == 0
    emulators.stdout.close()


class TestRealWork:
    """`idv emulate` in one process, `idv open|upload|status|result|wait` in others."""

    def call(self, place: Path, *args: str) -> dict:
        result = run(*args, "--config", str(place / "idv.toml"), "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def test_credentials_are_tried_online(self, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = str(workplace / "idv.toml")
        good = run("config", "check", file, "--online")
        assert good.exit_code == 0, good.output
        *accounts, last = good.stdout.splitlines()
        assert len(accounts) == VENDORS
        valid = {line.split()[1].rstrip(":") for line in accounts if line.endswith("credentials are valid")}
        assert valid >= {"atlas", "onfido", "persona", "plaid", "stripe", "verifik", "verigram"}
        assert last == f"{file}: {VENDORS} accounts, 0 routes, no errors"
        monkeypatch.setenv("VERIGRAM_API_KEY", "wrong")
        monkeypatch.setenv("ATLAS_CLIENT_SECRET", "wrong")
        plain = run("config", "check", file, "--online")
        assert plain.exit_code == 1
        ending = f"{file}: {VENDORS} accounts, 0 routes, 2 accounts refused online"
        assert plain.stdout.splitlines()[-1] == ending
        bad = run("config", "check", file, "--online", "--json")
        assert bad.exit_code == 1
        assert json.loads(bad.stdout)["failed"] == 2
        said = {line["account"]: line for line in json.loads(bad.stdout)["online"]}
        assert [said[name]["failed"] for name in ("atlas", "verifik", "verigram")] == [True, False, True]
        assert "the vendor refused the credentials" in said["verigram"]["credentials"]
        assert "wrong" not in bad.stdout

    def test_a_flow_step_by_step(self, workplace: Path) -> None:
        for kind in ("cedula", "selfie"):
            assert run("specimen", kind, "ana", "-o", str(workplace / f"{kind}.png")).exit_code == 0
        common = ("--product", "wallet", "--application-id", "APP-1", "--reference", "CUST-1", "--account", "verifik")
        names = ("--given-name", "Ana", "--family-name", "Ruiz", "--email", "ana@example.org", "--country", "CO")
        flow = self.call(workplace, "open", *common, *names, "--show-link")
        assert flow["link"].startswith("http://127.0.0.1")
        ref = flow["ref"]
        assert self.call(workplace, "open", *common, *names, "--recover")["ref"] == ref
        uploaded = self.call(
            workplace,
            "upload",
            ref,
            f"id={workplace / 'cedula.png'}",
            "--selfie",
            str(workplace / "selfie.png"),
            "--submit",
        )
        assert [upload["accepted"] for upload in uploaded["uploads"]] == [True, True]
        assert self.call(workplace, "status", ref)["status"] == "finished"
        assert self.call(workplace, "result", ref)["decision"] == "approved"
        assert self.call(workplace, "wait", ref, "--deadline", "20")["decision"] == "approved"
        plain = run("result", ref, "--config", str(workplace / "idv.toml"))
        assert "APPROVED" in plain.output
        assert "Ruiz" not in plain.output.upper().replace("RUIZ", "Ruiz")
        late = run("link", ref, "--config", str(workplace / "idv.toml"))
        assert late.exit_code == 1
        assert "cannot_resend_link_for_this_status" in late.output

    def test_links_stay_hidden_unless_asked_for(self, workplace: Path) -> None:
        config = ("--config", str(workplace / "idv.toml"))
        common = ("--product", "w", "--application-id", "APP-2", "--reference", "CUST-2", "--account", "verigram")
        hidden = run("open", *common, *config)
        assert hidden.exit_code == 0
        assert "/hf2/" not in hidden.output
        assert "/hf2/" in run("open", *common, *config, "--show-link").output
        ref = json.loads(run("open", *common, *config, "--json").stdout)["ref"]
        waited = run("wait", ref, "--deadline", "0.2", *config)
        assert waited.exit_code == 3
        assert "awaiting_applicant" in waited.output
        refused = run("upload", ref, "pan=https://files.example/x", *config)
        assert refused.exit_code == 1
        assert "the applicant uploads the documents" in refused.output
        assert run("link", ref, *config).exit_code == 1
        unable = run("open", *common, *config, "--recover")
        assert unable.exit_code == 1
        assert "cannot tell whether a flow was opened" in " ".join(unable.output.split())

    def test_mistakes_are_said_plainly(self, workplace: Path) -> None:
        config = ("--config", str(workplace / "idv.toml"))
        for args, code, text in (
            (("status", "verigram/none"), 1, "does not know this flow"),
            (("status", "nobody/none"), 2, "no account 'nobody'"),
            (("status", "nonsense"), 2, "account/vendor-id"),
            (("upload", "verifik/x", "nonsense"), 2, "a document as id=path"),
            (("upload", "verifik/x", "id=/no/such/file.png"), 2, "idv: /no/such/file.png: file not found"),
            (("open", "--product", "p", "--application-id", "a", "--reference", "r"), 2, "name one of them"),
            (
                ("open", "--product", "p", "--application-id", "a", "--reference", "r", "--country", "India"),
                2,
                "ISO 3166",
            ),
        ):
            result = run(*args, *config)
            assert result.exit_code == code, result.output
            assert text in result.output
            assert "Traceback" not in result.output

    def test_settings_as_json(self) -> None:
        with subprocess.Popen([*IDV, "emulate", "verigram", "--json"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            text = ""
            while not text.rstrip().endswith("}\n}"):
                text += process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        assert set(json.loads(text)["verigram"]) == {"base_url", "api_key", "secret"}


def test_no_configuration_is_said(tmp_path: Path) -> None:
    result = run("status", "a/b", "--config", str(tmp_path / "none.toml"))
    assert result.exit_code == 2
    assert "cannot be read" in result.output


def test_plugins_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = json.loads(run("plugins", "--json").stdout)
    assert {row["name"] for row in listed["plugins"]} >= {"atlas", "verifik", "verigram"}
    assert "Verigram: flow, result, credentials" in run("plugins").output
    broken = Registry(dict(discover().found), (Broken(name="bad", distribution="dist-bad", reason="ImportError: no"),))
    monkeypatch.setattr("idv_core.cli.commands.discover", lambda: broken)
    result = run("plugins")
    assert result.exit_code == 2
    assert "dist-bad could not be loaded" in result.output


def test_specimens_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "does not exist" in run("specimen", "passport", "daniyar").output
    assert (tmp_path / "passport-daniyar.png").stat().st_size > 1000
    assert json.loads(run("specimen", "pan", "meera", "--json").stdout)["file"] == "pan-meera.png"
    assert run("specimen", "visa", "daniyar").exit_code == 2


def test_unknown_vendors_and_those_without_an_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    from acme import PLUGIN

    assert "no plugin 'atlaas'; did you mean 'atlas'" in run("emulate", "atlaas").output
    only = Registry({"acme": Found(plugin=PLUGIN, distribution="d", version="1")})
    monkeypatch.setattr("idv_core.cli.emulators.discover", lambda: only)
    assert "has no emulator" in run("emulate", "acme").output
    assert "no installed plugin has an emulator" in run("demo").output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (PluginError("x"), 2),
        (DeadlineExceeded("x"), 3),
        (VendorUnavailable("x"), 4),
        (RateLimited("x"), 4),
        (OutcomeUnknown("x"), 5),
        (InvalidOrder("x"), 2),
        (InvalidOrder("x", status=422), 1),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_help_explains_the_exit_codes() -> None:
    assert "outcome unknown" in run("--help").output


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "idv_core.cli.commands", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match=r"pip install 'idv-core\[cli\]'"):
        main()


def test_without_the_emulators_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idv_core.testing.specimens", None)
    result = run("specimen", "pan", "meera")
    assert result.exit_code == 2
    assert "pip install 'idv-core[testing]'" in result.output


class TestErrorsAsJson:
    """`--json` gives an object on stdout whatever happens; the line for people stays on stderr."""

    def said(self, *args: str) -> dict:
        done = run(*args, "--json")
        error = json.loads(done.stdout)["error"]
        assert done.exit_code == error["exit_code"] != 0
        assert done.stderr == f"idv: {error['message']}\n"
        return error

    def test_wrong_usage(self, tmp_path: Path) -> None:
        assert self.said("specimen", "visa", "daniyar")["kind"] == "usage"
        assert self.said("policy", "test", str(tmp_path / "none.toml"), str(tmp_path / "none.json"))["exit_code"] == 2

    @pytest.mark.parametrize(
        "args",
        [
            *(["wait", "vg/f", "--deadline", given] for given in ("inf", "-inf", "nan", "-5", "1e300", "1e10", "abc")),
            *(["emulate", "--pace", given] for given in ("inf", "nan", "-1", "1e300", "x")),
            *(["emulate", "--port", given] for given in ("-1", "70000", "65535", "9" * 30, "1.5")),
            *(["route", "share", "--product", "p", "--count", given] for given in ("0", "-1", "nan")),
            ["specimen", "pan", "meera", "--flaw", "sniffles"],
            ["status"],
            ["status", "a/b", "c/d"],
            ["status", "a/b", "--sideways"],
            ["nosuch"],
            ["config", "nosuch"],
            ["open", "--product", "p"],
            ["--sideways", "status"],
        ],
        ids=" ".join,
    )
    def test_what_the_caller_gave_wrong(self, args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("idv.toml").write_text(
            '[accounts.vg]\nplugin = "verigram"\napi_key = { env = "A_KEY" }\nbase_url = "http://127.0.0.1:9"\n'
        )
        monkeypatch.setenv("A_KEY", "key-of-nobody-0001")
        error = self.said(*args)
        assert (error["kind"], error["exit_code"]) in {("usage", 2), ("InvalidOrder", 2)}
        assert "\n" not in error["message"]
        assert not any(word in error["message"] for word in ("integer ratio", "Overflow", "timedelta"))
        plain = run(*args)
        assert (plain.exit_code, plain.stdout) == (2, "")
        assert "Traceback" not in plain.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["idv.toml"]

    def test_a_wrong_configuration_has_its_problems(self, tmp_path: Path) -> None:
        file = tmp_path / "idv.toml"
        file.write_text("[acounts]\n")
        error = self.said("status", "a/b", "--config", str(file))
        assert (error["kind"], error["exit_code"]) == ("ConfigError", 2)
        assert [problem["path"] for problem in error["problems"]] == ["accounts", "acounts"]

    def test_a_wrong_reference_was_found_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KZ_KEY", "k")
        file = tmp_path / "idv.toml"
        file.write_text(TestOperating.FILE)
        error = self.said("result", "nonsense", "--config", str(file))
        assert error["fields"] == ["flow"]
        assert error["exit_code"] == 2
        assert self.said("result", "gone/1", "--config", str(file))["kind"] == "ConfigError"

    def test_what_a_vendor_said_is_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        wait = timedelta(seconds=30)
        with pytest.raises(typer.Exit) as ended, reported(json_wanted=True):
            raise OutcomeUnknown("lost", account="a", operation="open", ask="recover", status=500, retry_after=wait)
        assert ended.value.exit_code == 5
        assert json.loads(capsys.readouterr().out)["error"] == {
            "kind": "OutcomeUnknown",
            "message": "a open: lost (HTTP 500, retry after 30 s, not safe to retry unchanged)",
            "exit_code": 5,
            "account": "a",
            "operation": "open",
            "http_status": 500,
            "safe_to_retry": False,
            "nothing_done": False,
            "retry_after": 30.0,
            "ask": "recover",
        }


def test_the_version_is_told() -> None:
    assert run("--version").output == f"idv-core {version('idv-core')}\n"


class TestDemo:
    def test_every_vendor_has_a_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=False, stop=None, json_wanted=False) == 0
        shown = capsys.readouterr().out
        assert shown.rstrip().splitlines()[-1] == f"demo: {VENDORS} vendors, {VENDORS} results"
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines() if "|" in line]
        assert rows[0][:2] == ["vendor", "ended by"]
        ended = {row[0]: row[1] for row in rows[1:] if row[0] and len(row) == len(rows[0])}
        # a busy machine may be quicker with a look than with the call that comes in
        assert len(ended) == VENDORS
        assert set(ended.values()) <= {"webhook", "polling"}
        assert shown.count("APPROVED") == VENDORS

    def test_some_vendors_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(["stripe", "onfido"], two_people=False, stop=None, json_wanted=True) == 0
        endings = json.loads(capsys.readouterr().out)
        assert [ending["vendor"] for ending in endings] == ["stripe", "onfido"]
        assert {ending["result"]["flow"]["application_id"] for ending in endings} == {"APP-1"}, "one order for all"

    def test_all_means_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        both = run("demo", "stripe", "--all")
        assert (both.exit_code, both.stderr) == (2, "idv: give vendor names or --all, not both\n")
        found = {**discover().found, "acme": Found(plugin=PLUGIN, distribution="idv-acme", version="1")}
        monkeypatch.setattr("idv_core.cli.commands.discover", lambda: Registry(found))
        monkeypatch.setattr("idv_core.cli.emulators.discover", lambda: Registry(found))
        lacking = run("demo", "--all")
        assert lacking.exit_code != 0
        assert "plugin 'acme' has no emulator" in lacking.stderr

    def test_two_people_fail_everywhere(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=True, stop=None, json_wanted=True) == 0
        endings = json.loads(capsys.readouterr().out)
        for ending in endings:
            assert "failed" in [check["outcome"] for check in ending["result"]["checks"]], ending["vendor"]
            assert ending["result"]["decision"] == "declined"

    def test_one_vendor_down_leaves_the_others(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=False, stop="verifik", json_wanted=True) == 1
        endings = {ending["vendor"]: ending for ending in json.loads(capsys.readouterr().out)}
        assert "the last status check failed" in endings["verifik"]["error"]
        assert "connection refused" in endings["verifik"]["error"]
        assert endings["atlas"]["result"]["decision"] == endings["verigram"]["result"]["decision"] == "approved"

    def test_a_vendor_that_is_not_there(self) -> None:
        result = run("demo", "--stop", "nobody")
        assert result.exit_code == 2
        assert "'nobody' is not running" in result.output


class TestOperating:
    """`idv config`, `idv route` and `idv policy`; docs/session.md is played by test_session."""

    FILE = """
[accounts.kz]
plugin = "verigram"
base_url = "https://kz.example"
api_key = { env = "KZ_KEY" }
[accounts.unused]
plugin = "verigram"
base_url = "https://kz.example"
api_key = { env = "KZ_KEY" }
[[routes]]
name = "wallet"
when = { product = "wallet", metadata.channel = "web", has = "email", age_from = 18, documents = "idcard", tenant = "n*" }
to = "kz"
[[routes]]
name = "else"
refuse = "no"
"""

    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("KZ_KEY", "k")
        (tmp_path / "idv.toml").write_text(self.FILE)
        return str(tmp_path / "idv.toml")

    def test_warnings_count_when_asked(self, file: str) -> None:
        done = run("config", "check", file)
        assert done.exit_code == 0
        assert done.stdout.splitlines() == [
            f"{file}:6: warning: accounts.unused: no route sends orders to this account",
            f"{file}: 2 accounts, 2 routes, 1 warning, no errors",
        ]
        assert run("config", "check", file, "--strict").exit_code == 2
        (problem,) = json.loads(run("config", "check", file, "--json").stdout)["problems"]
        assert problem == {
            "path": "accounts.unused",
            "text": "no route sends orders to this account",
            "place": f"{file}:6",
            "is_warning": True,
        }

    def test_absent_is_told_from_hidden(self, file: str) -> None:
        """At 3 a.m. it matters whether the order has another value or none at all."""
        asked = ("route", "explain", "--product", "wallet", "--config", file)
        none = run(*asked).stdout
        assert "metadata.channel = absent: no, wanted web" in none
        assert "age = absent: no, wanted 18-" in none
        other = run(*asked, "--metadata", "channel=secret-branch", "--birthdate", "2020-01-01").stdout
        assert "metadata.channel = ***: no, wanted web" in other
        assert "age = ***: no, wanted 18-" in other
        assert "secret-branch" not in other

    def test_online_needs_secrets(self, file: str) -> None:
        done = run("config", "check", file, "--online", "--without-secrets")
        assert (done.exit_code, "--online needs the secrets" in done.stderr) == (2, True)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        done = run("config", "check", str(tmp_path / "none.toml"))
        assert done.exit_code == 2
        assert done.stdout == f"{tmp_path / 'none.toml'}: cannot be read: file not found\n"

    def test_every_attribute_can_be_given_to_explain(self, file: str) -> None:
        given = ("--product", "wallet", "--metadata", "channel=web", "--has", "email", "--birthdate", "1990-01-01")
        done = run("route", "explain", *given, "--document", "idcard", "--tenant", "north", "--config", file, "--json")
        assert done.exit_code == 0, done.output
        explained = json.loads(done.stdout)
        assert (explained["account"], explained["route"]) == ("kz", "wallet")
        assert {c["name"]: c["value"] for c in explained["tried"][0]["conditions"]}["age"] == "***"
        refused = run("route", "explain", "--product", "loan", "--config", file)
        assert "refused: no" in refused.stdout

    def test_shares_of_ids_in_a_file(self, file: str, tmp_path: Path) -> None:
        (tmp_path / "ids").write_text("APP-1\nAPP-2\n")
        done = run("route", "share", "--product", "loan", "--ids", str(tmp_path / "ids"), "--config", file, "--json")
        assert json.loads(done.stdout) == {
            "route": "else",
            "applications": 2,
            "accounts": [{"account": "nobody", "count": 2, "percent": 100.0, "wanted": None, "bound": None}],
        }

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("--metadata", "channel"), "must be key=value"),
            (("--has", "shoes"), "--has shoes: must be one of email, phone_number, name"),
            (("--country", "XX"), "an ISO 3166-1 alpha-2 code"),
            (("--config", "/no/such/file.toml"), "cannot be read: file not found"),
        ],
    )
    def test_what_is_wrong_with_a_question(self, file: str, args: tuple[str, ...], said: str) -> None:
        config = () if "--config" in args else ("--config", file)
        done = run("route", "explain", "--product", "wallet", *config, *args)
        assert done.exit_code == 2
        assert said in done.stderr

    def test_no_ids(self, file: str, tmp_path: Path) -> None:
        (tmp_path / "ids").write_text("")
        done = run("route", "share", "--product", "x", "--ids", str(tmp_path / "ids"), "--config", file)
        assert (done.exit_code, "the file has no application ids" in done.stderr) == (2, True)

    def test_a_file_without_routes_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "idv.toml").write_text(
            '[accounts.v]\nplugin = "verigram"\nbase_url = "https://v.example"\napi_key = { env = "K" }'
        )
        args = ("route", "share", "--product", "x", "--count", "3", "--without-secrets")
        done = run(*args, "--config", str(tmp_path / "idv.toml"))
        assert done.stdout == "no route, 3 applications\nv: 3 (100.0 %)\n"

    def test_one_mistake_is_one_line(self) -> None:
        done = run("status", "v/1", "--config", "/no/such/file.toml")
        assert done.stderr == "idv: /no/such/file.toml: cannot be read: file not found\n"

    def test_the_schema_goes_to_a_file(self, tmp_path: Path) -> None:
        done = run("config", "schema", "-o", str(tmp_path / "s.json"))
        assert done.exit_code == 0
        assert json.loads((tmp_path / "s.json").read_text()) == json.loads(run("config", "schema").stdout)
        assert "#:schema" in done.stdout

    @pytest.mark.parametrize(
        ("case", "said"),
        [
            ("not json", "cannot be read: not JSON"),
            ("[" * 100_000, "cannot be read: not JSON, or nested too deep"),
            ("[]", "record results with: idv result REF --json > case.json"),
            ('{"flow": {"id": "f"}}', "not a stored Result"),
            (
                '{"flow": {"id": "f", "status": "finished", "policy": {"name": "gone"}}}',
                "there is no policy 'gone', which",
            ),
        ],
    )
    def test_cases_that_are_none(self, tmp_path: Path, case: str, said: str) -> None:
        (tmp_path / "p.toml").write_text('[policies.x]\nverdict = "trust"\n')
        (tmp_path / "case.json").write_text(case)
        done = run("policy", "test", str(tmp_path / "p.toml"), str(tmp_path / "case.json"))
        assert done.exit_code == 2
        assert said in done.stderr

    def test_a_folder_is_called_one(self, tmp_path: Path) -> None:
        (tmp_path / "p.toml").write_text('[policies.x]\nverdict = "trust"\n')
        done = run("policy", "test", str(tmp_path / "p.toml"), str(tmp_path))
        assert done.stderr == f"idv: {tmp_path}: cannot be read: is a directory\n"

    def test_ids_that_are_no_text_are_named_by_their_file(self, tmp_path: Path) -> None:
        (tmp_path / "ids").write_bytes(b"APP-1\n\xff\xfe")
        done = run("route", "share", "--product", "x", "--ids", str(tmp_path / "ids"))
        assert done.exit_code == 2
        assert done.stderr == f"idv: {tmp_path / 'ids'}: cannot be read: not UTF-8 text\n"

    @pytest.mark.parametrize("words", [("route", "share", "--product", "x", "--count"), ("track", "--concurrency")])
    def test_a_number_that_the_machine_could_not_hold_is_refused(self, words: tuple[str, ...]) -> None:
        assert run(*words, "99999999999").exit_code == 2

    def test_a_case_may_be_judged_by_any_policy(self, tmp_path: Path) -> None:
        (tmp_path / "p.toml").write_text('[policies.x]\nverdict = "require"\n')
        (tmp_path / "case.json").write_text('{"flow": {"id": "f", "status": "finished"}, "decision": "review"}')
        given = ("policy", "test", str(tmp_path / "p.toml"), str(tmp_path / "case.json"))
        assert json.loads(run(*given, "--json").stdout)["cases"][0]["policy"] == "default"
        done = run(*given, "--policy", "x", "--json")
        assert done.exit_code == 0
        assert json.loads(done.stdout)["cases"][0]["why"] == [
            "verdict.missing: the required verdict of the vendor is missing",
            "evidence.none: there is no evidence",
        ]
        (tmp_path / "p.toml").write_text("[policies.x]\nverdict = 3\n")
        assert run(*given).exit_code == 2
