"""`idv new-plugin`: what it makes can be installed, is bronze at once, and is told what remains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.testing.scaffolding import new_plugin

IDV = [sys.executable, "-c", "from idv_core.cli import main; main()"]


def installed(made: Path, name: str) -> dict[str, str]:
    """An environment in which the plugin is installed, as a wheel would leave it."""
    module = made.name.replace("-", "_")
    about = made / f"{module}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {made.name}\nVersion: 0.1.0\n\n{(made / 'README.md').read_text()}"
    )
    (about / "entry_points.txt").write_text(f"[idv_core.plugins]\n{name} = {module}\n")
    paths = [str(made), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_it_is_bronze_at_once_and_told_what_remains(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["new-plugin", "zeta-id", "--into", str(tmp_path)])
    assert done.exit_code == 0, done.output
    made = tmp_path / "idv-zeta-id"
    run = subprocess.run(
        [*IDV, "plugin", "check", "zeta-id"],
        env=installed(made, "zeta-id"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[-1] == "zeta-id: bronze"
    assert [line for line in lines if line.startswith("[ ]")] == [
        "[ ] silver  clears up an opening that was never answered: write recover(), or say in Bench.no_recovery why there is no way",
        "[ ] silver  has the whole error table: Bench.errors lacks, for open: PermissionDenied, RateLimited",
        "[ ] silver  says what its evidence can be: give the adapter an attribute evidence",
        "[ ] gold    emulator judged by an independent client: give Bench.judge: the vendor's own client drives the emulator",
        "[ ] gold    its page says what is covered and what is assumed: give the README a table with a column 'covered', "
        "and name what is assumed",
    ]


def test_its_own_tests_pass(tmp_path: Path) -> None:
    made = new_plugin("zeta", tmp_path)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-c",
            os.devnull,
            "tests",
        ],
        env={**installed(made, "zeta"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=made,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:]


def test_no_word_of_the_template_is_left(tmp_path: Path) -> None:
    made = new_plugin("my-vendor", tmp_path)
    files = [file for file in made.rglob("*") if file.is_file()]
    assert {file.relative_to(made).parts[0] for file in files} == {
        "README.md",
        "idv_my_vendor",
        "pyproject.toml",
        "tests",
    }
    for file in files:
        assert not re.search("acme", file.read_text() + file.name, re.IGNORECASE), file
    assert "class MyVendor:" in (made / "idv_my_vendor" / "plugin.py").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My Vendor", "of small letters"),
        ("-x", "of small letters"),
        ("../x", "of small letters"),
        ("there", "is there already"),
    ],
)
def test_what_cannot_be_made(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "idv-there").mkdir()
    done = CliRunner().invoke(app, ["new-plugin", "--into", str(tmp_path), "--", name])
    assert done.exit_code == 2
    assert said in done.stderr
