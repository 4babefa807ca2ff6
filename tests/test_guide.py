"""docs/guide.md and docs/exercise.md, played as they stand.

A plugin is begun, its files are written, what the commands print is compared, and the lines that were written are counted.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scaffolded import installed

DOCS = Path(__file__).parent.parent / "docs"
STEP = re.compile(r'```(?:(?:python|toml) title="(?P<file>[^"]+)"|console)\n(?P<text>.*?)```', re.DOTALL)
THOROUGH = os.environ.get("IDV_THOROUGH", "1") == "1"


@pytest.mark.skipif(not THOROUGH, reason="on one Python of CI")
@pytest.mark.parametrize(("page", "name", "commands"), [("guide", "harbor", 6), ("exercise", "marlin", 2)])
def test_a_plugin_in_an_afternoon(tmp_path: Path, page: str, name: str, commands: int) -> None:
    made = tmp_path / f"idv-{name}"
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env.pop("IDV_CONFIG", None)
    written: set[Path] = set()
    ran = 0
    for step in STEP.finditer((DOCS / f"{page}.md").read_text()):
        if step["file"]:
            file = (made if step["file"].startswith("idv_") and "/" in step["file"] else tmp_path) / step["file"]
            # a file is told in pieces; the first one takes the place of what the scaffold had
            before = file.read_text() + "\n" if file in written else ""
            file.write_text(before + step["text"])
            written.add(file)
            continue
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", step["text"], re.MULTILINE):
            if command.startswith("pip install"):
                shutil.copytree(made, tmp_path / "begun")
                env |= installed(made, name)
                continue
            run = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True)
            assert run.stdout == printed, f"{command}: {run.stderr}"
            ran += 1
    assert ran == commands
    assert lines_added(tmp_path / "begun", made) < 200


def lines_added(before: Path, after: Path) -> int:
    """As git counts them, in Python files."""
    numbers = subprocess.run(
        ["git", "diff", "--no-index", "--numstat", str(before), str(after)], capture_output=True, text=True
    ).stdout
    return sum(int(line.split("\t")[0]) for line in numbers.splitlines() if line.endswith(".py"))
