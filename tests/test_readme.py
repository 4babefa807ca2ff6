"""The README's own lines, run as they stand, against emulators over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from idv_core.cli.commands import _as_toml
from idv_core.cli.emulators import start_emulators
from idv_core.config import load_configuration
from idv_core.testing import PEOPLE, make_specimen

README = (Path(__file__).parent.parent / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (vendor,) = start_emulators(["verifik"], timedelta(seconds=0.01))
    exports, toml = _as_toml(
        {"verifik": vendor.emulation.settings(vendor.served.url)}, "http://127.0.0.1:8000/idv", "k" * 32
    ).split("# idv.toml\n")
    for line in exports.splitlines():
        if line.startswith("export "):
            monkeypatch.setenv(*line.removeprefix("export ").split("=", 1))
    (tmp_path / "idv.toml").write_text(toml)
    for kind in ("cedula", "selfie"):
        (tmp_path / f"{kind}-ana.png").write_bytes(make_specimen(kind, PEOPLE["ana"]))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    vendor.served.stop()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["sync", "async"])
@pytest.mark.usefixtures("workplace")
def test_the_life_of_a_verification(snippet: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 15
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})
    ana = PEOPLE["ana"]
    assert capsys.readouterr().out.casefold() == f"{ana.name} {ana.birthdate}\n".casefold()


def test_the_accounts_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VERIFIK_TOKEN", "VERIGRAM_API_KEY", "IDV_WEBHOOK_KEY"):
        monkeypatch.setenv(name, "x" * 40)
    secret = tmp_path / "secret"
    secret.write_text("s")
    (tmp_path / "idv.toml").write_text(TOML[0].replace("/run/secrets/verigram", str(secret)))
    names = [account.name for account in load_configuration(tmp_path / "idv.toml").accounts]
    assert names == ["verifik", "verigram-kz"]
