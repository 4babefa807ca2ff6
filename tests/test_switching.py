"""docs/switching.md, played as it stands: a product is moved from one vendor to another, against the emulators."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from played import Command, environment, steps

IDV = [sys.executable, "-c", "from idv_core.cli import main; main()"]

pytestmark = pytest.mark.long


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`idv emulate` is running; its accounts are in a file, and what it wants exported in the environment."""
    env = environment()
    emulators = subprocess.Popen(
        [*IDV, "emulate", "verifik", "onfido", "--pace", "0.05"],
        stdout=subprocess.PIPE,
        text=True,
        env={**env, "PYTHONUNBUFFERED": "1"},
    )
    assert emulators.stdout is not None
    printed = "".join(iter(emulators.stdout.readline, "\n")) + "".join(iter(emulators.stdout.readline, "[webhooks]\n"))
    exports, accounts = printed.split("# idv.toml\n")
    (tmp_path / "accounts.toml").write_text(accounts)
    yield {**env, **dict(re.findall(r"export (\w+)=(.*)", exports))}
    emulators.terminate()
    assert emulators.wait(timeout=20) == 0
    emulators.stdout.close()


def test_a_product_is_moved_and_moved_back(tmp_path: Path, emulated: dict[str, str]) -> None:
    ran = 0
    for step in steps("switching.md"):
        if isinstance(step, Command):
            step.run(tmp_path, emulated)
            ran += 1
        else:
            (tmp_path / step.name).write_text(step.text)
    assert ran == 16
