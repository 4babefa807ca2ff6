"""The pages for newcomers: the quickstart's programs run as they stand, every error has its section."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import idv_core.errors
from idv_core.cli.commands import _as_toml
from idv_core.cli.emulators import start_emulators
from idv_core.errors import IdvError
from idv_core.testing import PEOPLE, make_specimen, submit_forms

DOCS = Path(__file__).parent.parent / "docs"


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (vendor,) = start_emulators(["stripe"], timedelta(seconds=0.01))
    settings = {"stripe": vendor.emulation.settings(vendor.served.url)}
    exports, toml = _as_toml(settings, "http://127.0.0.1:8000/idv", "k" * 32).split("# idv.toml\n")
    for line in exports.splitlines():
        if line.startswith("export "):
            monkeypatch.setenv(*line.removeprefix("export ").split("=", 1))
    (tmp_path / "idv.toml").write_text(toml)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    vendor.served.stop()


@pytest.mark.parametrize(("face", "decision"), [("ana", "approved"), ("luis", "declined")])
@pytest.mark.usefixtures("workplace")
def test_the_quickstart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, face: str, decision: str
) -> None:
    import httpx

    apply, look = programs("quickstart.md")
    exec(compile(apply, "apply.py", "exec"), {"__name__": "__main__"})
    ref, link = capsys.readouterr().out.split()
    with httpx.Client() as browser:
        passport, selfie = make_specimen("passport", PEOPLE["ana"]), make_specimen("selfie", PEOPLE[face])
        submit_forms(browser, link, {"document": passport}, {"selfie": selfie})
    monkeypatch.setattr("sys.argv", ["look.py", ref])
    exec(compile(look, "look.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines()[0] == decision


def test_the_commands_of_the_quickstart_are_there() -> None:
    from typer.testing import CliRunner

    from idv_core.cli.commands import app

    for command in re.findall(r"^\$ idv ([a-z]+)", (DOCS / "quickstart.md").read_text(), re.MULTILINE):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


@pytest.mark.usefixtures("workplace")
def test_the_specimens_of_the_quickstart(workplace: Path) -> None:
    from typer.testing import CliRunner

    from idv_core.cli.commands import app

    commands = re.findall(r"idv (specimen [a-z ]+)", (DOCS / "quickstart.md").read_text())
    assert len(commands) == 3
    for command in commands:
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 0, done.output
    for name in ("passport-ana.png", "selfie-ana.png", "selfie-luis.png"):
        assert (workplace / name).read_bytes().startswith(b"\x89PNG")


def test_every_error_has_its_section() -> None:
    public = {
        name
        for name, one in vars(idv_core.errors).items()
        if inspect.isclass(one) and issubclass(one, IdvError) and not name.startswith("_")
    }
    sections = re.findall(r"^## (\w+)$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    assert set(sections) == public
    assert len(sections) == len(public)


def test_the_program_of_the_questions(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = programs("faq.md")
    exec(compile(program, "faq.md", "exec"), {})
    assert "vencido" in capsys.readouterr().out


def test_the_names_on_the_page_of_the_kit_are_there() -> None:
    from idv_core.testing import FakeVendor

    for name in re.findall(r"fake_vendor\.(\w+)", (DOCS / "testing.md").read_text()):
        assert hasattr(FakeVendor(), name), name
