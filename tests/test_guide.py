"""docs/guide.md and docs/exercise.md, played as they stand.

A plugin is begun, its files are written, what the commands print is compared, and the lines that were written are counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from played import DOCS, Command, environment, steps
from scaffolded import installed


@pytest.mark.long
@pytest.mark.parametrize(("page", "name", "commands"), [("guide.md", "harbor", 6), ("exercise.md", "marlin", 2)])
def test_a_plugin_in_an_afternoon(tmp_path: Path, page: str, name: str, commands: int) -> None:
    made, env, ran = tmp_path / f"idv-{name}", environment(), 0
    written: set[Path] = set()
    for step in steps(page):
        if not isinstance(step, Command):
            file = (made if step.name.startswith(f"idv_{name}/") else tmp_path) / step.name
            # a file is told in pieces; the first one takes the place of what the scaffold had
            before = file.read_text() + "\n" if file in written else ""
            file.write_text(before + step.text)
            written.add(file)
        elif step.line.startswith("pip install"):
            shutil.copytree(made, tmp_path / "begun")
            env |= installed(made, name)
        else:
            step.run(tmp_path, env)
            ran += 1
    assert ran == commands
    told = re.search(r"Lines written: (\d+)", (DOCS / page).read_text())
    assert told, "the page says how many lines were written"
    assert lines_added(tmp_path / "begun", made) == int(told[1]) < 230


def lines_added(before: Path, after: Path) -> int:
    """As git counts them, in Python files."""
    numbers = subprocess.run(
        ["git", "diff", "--no-index", "--numstat", str(before), str(after)], capture_output=True, text=True
    ).stdout
    return sum(int(line.split("\t")[0]) for line in numbers.splitlines() if line.endswith(".py"))
