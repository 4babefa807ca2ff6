"""docs/guide.md, played as it stands: the plugin is begun, its files are written, and what the commands print is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scaffolded import installed

PAGE = (Path(__file__).parent.parent / "docs" / "guide.md").read_text()
STEP = re.compile(r'```(?:(?:python|toml) title="(?P<file>[^"]+)"|console)\n(?P<text>.*?)```', re.DOTALL)
THOROUGH = os.environ.get("IDV_THOROUGH", "1") == "1"


@pytest.mark.skipif(not THOROUGH, reason="on one Python of CI")
def test_the_guide(tmp_path: Path) -> None:
    made = tmp_path / "idv-harbor"
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env.pop("IDV_CONFIG", None)
    written: set[Path] = set()
    printed_as_told = []
    for step in STEP.finditer(PAGE):
        if step["file"]:
            file = (made if step["file"].startswith("idv_harbor/") else tmp_path) / step["file"]
            # a file is told in pieces; the first one takes the place of what the scaffold had
            before = file.read_text() + "\n" if file in written else ""
            file.write_text(before + step["text"])
            written.add(file)
            continue
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", step["text"], re.MULTILINE):
            if command.startswith("pip install"):
                env |= installed(made, "harbor")
                continue
            run = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True)
            assert run.stdout == printed, f"{command}: {run.stderr}"
            printed_as_told.append(command)
    assert len(printed_as_told) == 6
    assert len(written) == 8
