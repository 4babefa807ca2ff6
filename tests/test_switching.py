"""docs/switching.md, played as it stands: a product is moved from one vendor to another, against the emulators."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "switching.md").read_text()
STEP = re.compile(r'```(?:(?:python|toml) title="(?P<file>[^"]+)"|console)\n(?P<text>.*?)```', re.DOTALL)
IDV = [sys.executable, "-c", "from idv_core.cli import main; main()"]

pytestmark = pytest.mark.skipif(os.environ.get("IDV_THOROUGH", "1") != "1", reason="on one Python of CI")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`idv emulate` is running; its accounts are in a file, and what it wants exported in the environment."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env.pop("IDV_CONFIG", None)
    emulators = subprocess.Popen(
        [*IDV, "emulate", "verifik", "onfido", "--pace", "0.05"],
        stdout=subprocess.PIPE,
        text=True,
        env={**env, "PYTHONUNBUFFERED": "1"},
    )
    assert emulators.stdout is not None
    printed = "".join(iter(emulators.stdout.readline, "\n")) + "".join(iter(emulators.stdout.readline, "[callbacks]\n"))
    exports, accounts = printed.split("# idv.toml\n")
    (tmp_path / "accounts.toml").write_text(accounts)
    yield {**env, **dict(re.findall(r"export (\w+)=(.*)", exports))}
    emulators.terminate()
    assert emulators.wait(timeout=20) == 0
    emulators.stdout.close()


def test_a_product_is_moved_and_moved_back(tmp_path: Path, environment: dict[str, str]) -> None:
    ran = 0
    for step in STEP.finditer(PAGE):
        if step["file"]:
            (tmp_path / step["file"]).write_text(step["text"])
            continue
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", step["text"], re.MULTILINE):
            run = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert run.stdout == printed, f"{command}: {run.stderr}"
            ran += 1
    assert ran == 16
