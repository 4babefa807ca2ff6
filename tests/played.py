"""Pages of the docs, played as they stand: blocks with a title are files, console blocks are commands and what they print."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

DOCS = Path(__file__).parent.parent / "docs"
_STEP = re.compile(r'```(?:(?:python|toml) title="(?P<file>[^"]+)"|console)\n(?P<text>.*?)```', re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


@attrs.frozen
class File:
    name: str
    text: str


@attrs.frozen
class Command:
    line: str
    prints: str

    def run(self, place: Path, env: Mapping[str, str]) -> None:
        """Run it there; it must print what the page says."""
        run = subprocess.run(["bash", "-c", self.line], cwd=place, env=env, capture_output=True, text=True)
        assert run.stdout == self.prints, f"{self.line}: {run.stderr}\n{_difference(self.prints, run.stdout)}"


def steps(page: str) -> Iterator[File | Command]:
    """Files and commands of the page, in order."""
    for step in _STEP.finditer((DOCS / page).read_text()):
        if step["file"]:
            yield File(step["file"], step["text"])
        else:
            yield from (Command(line, prints) for line, prints in _COMMAND.findall(step["text"]))


def environment() -> dict[str, str]:
    """Ours, with the commands of this Python first."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env.pop("IDV_CONFIG", None)
    return env


def _difference(page: str, printed: str) -> str:
    return "\n".join(difflib.unified_diff(page.splitlines(), printed.splitlines(), "the page", "printed", lineterm=""))
