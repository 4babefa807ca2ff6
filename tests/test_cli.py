"""The command, as a person and as a program uses it, against emulators over real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idv_core.cli import main
from idv_core.cli.commands import app
from idv_core.cli.demo import run_demo
from idv_core.cli.output import exit_code
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
        assert "handed in by the applicant" in refused.output
        assert run("link", ref, *config).exit_code == 1
        unable = run("open", *common, *config, "--recover")
        assert unable.exit_code == 1
        assert "no call that tells whether a flow was opened" in " ".join(unable.output.split())

    def test_mistakes_are_said_plainly(self, workplace: Path) -> None:
        config = ("--config", str(workplace / "idv.toml"))
        for args, code, text in (
            (("status", "verigram/none"), 1, "does not know this flow"),
            (("status", "nobody/none"), 2, "no account 'nobody'"),
            (("status", "nonsense"), 1, "account/vendor-id"),
            (("upload", "verifik/x", "nonsense"), 2, "given as id=path"),
            (("open", "--product", "p", "--application-id", "a", "--reference", "r"), 2, "say which one"),
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
    assert "Verigram: flow, result, callback" in run("plugins").output
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
    monkeypatch.setattr("idv_core.cli.stage.discover", lambda: only)
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
        (InvalidOrder("x"), 1),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_help_explains_the_exit_codes() -> None:
    assert "outcome unknown" in run("--help").output


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "idv_core.cli.commands", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match=r"pip install 'idv-core\[cli,testing\]'"):
        main()


def test_without_the_emulators_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idv_core.testing.specimens", None)
    result = run("specimen", "pan", "meera")
    assert result.exit_code == 2
    assert "pip install 'idv-core[testing]'" in result.output


class TestDemo:
    def test_three_vendors_three_results(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=False, stop=None, json_wanted=False) == 0
        shown = capsys.readouterr().out
        assert shown.rstrip().splitlines()[-1] == "demo: 3 vendors, 3 results"
        row = next(line for line in shown.splitlines() if "ended by" in line)
        assert [cell.strip() for cell in row.strip("|").split("|")] == ["ended by", "callback", "polling", "polling"]
        assert shown.count("APPROVED") == 3

    def test_two_people_fail_everywhere(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=True, stop=None, json_wanted=True) == 0
        endings = json.loads(capsys.readouterr().out)
        for ending in endings:
            assert "failed" in [check["outcome"] for check in ending["result"]["checks"]], ending["vendor"]
            assert ending["result"]["decision"] == "declined"

    def test_one_vendor_down_leaves_the_others(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_demo(two_people=False, stop="verifik", json_wanted=True) == 1
        endings = {ending["vendor"]: ending for ending in json.loads(capsys.readouterr().out)}
        assert "ConnectError" in endings["verifik"]["error"]
        assert endings["atlas"]["result"]["decision"] == endings["verigram"]["result"]["decision"] == "approved"

    def test_a_vendor_that_is_not_there(self) -> None:
        result = run("demo", "--stop", "nobody")
        assert result.exit_code == 2
        assert "there is no vendor 'nobody'" in result.output
