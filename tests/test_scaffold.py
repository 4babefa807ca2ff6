"""`idv new-plugin`: what it makes can be installed, is bronze at once, and is told what remains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scaffolded import installed
from typer.testing import CliRunner

from idv_core.cli.commands import app
from idv_core.testing.scaffolding import new_plugin


@pytest.mark.long
def test_its_own_tests_pass(tmp_path: Path) -> None:
    """That it is bronze, and told what remains, is in docs/guide.md, which test_guide.py plays."""
    done = CliRunner().invoke(app, ["new-plugin", "zeta-id", "--into", str(tmp_path)])
    assert done.exit_code == 0, done.output
    made = tmp_path / "idv-zeta-id"
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
        env={**installed(made, "zeta-id"), "PYTHONDONTWRITEBYTECODE": "1"},
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
        ("My Vendor", "must have lower-case letters"),
        ("-x", "must have lower-case letters"),
        ("../x", "must have lower-case letters"),
        ("there", "is there already"),
    ],
)
def test_what_cannot_be_made(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "idv-there").mkdir()
    done = CliRunner().invoke(app, ["new-plugin", "--into", str(tmp_path), "--", name])
    assert done.exit_code == 2
    assert said in done.stderr
