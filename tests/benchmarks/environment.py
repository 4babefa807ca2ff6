"""An environment with the core alone, as somebody has it who installs `idv-core` and one plugin: no extra, all compiled."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = "verigram"


def core_only(folder: Path) -> Path:
    """The interpreter of an environment that is made in `folder`, from the files of the one that runs this."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    for found in sorted(_needed("idv-core", set())):
        _copy(distribution(found), site)
    ours = (ROOT / "idv_core", ROOT / "plugins" / PLUGIN / f"idv_{PLUGIN}")
    for package in ours:
        shutil.copytree(package, site / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    _copy(distribution(f"idv-{PLUGIN}"), site)
    compileall.compile_dir(str(site), quiet=1)
    return python


def _needed(name: str, known: set[str]) -> set[str]:
    """The distribution and all that it requires, without extras."""
    if name not in known:
        known.add(name)
        for requirement in distribution(name).requires or ():
            wanted, _, marker = requirement.partition(";")
            if "extra" not in marker and _applies(marker):
                _needed(re.split(r"[\s\[<>=!~(]", wanted.strip())[0], known)
    return known


def _applies(marker: str) -> bool:
    """Only markers about the version of Python are met here."""
    found = re.fullmatch(r"\s*python_version\s*(<|<=|>=|>)\s*[\"'](\d+)\.(\d+)[\"']\s*", marker)
    if not marker.strip() or found is None:
        return not marker.strip()
    asked, here = (int(found[2]), int(found[3])), sys.version_info[:2]
    return {"<": here < asked, "<=": here <= asked, ">=": here >= asked, ">": here > asked}[found[1]]


def _copy(found: Distribution, site: Path) -> None:
    for file in found.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and not file.name.endswith(".pth") and source.suffix != ".pyc" and source.is_file():
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def plain_environment() -> dict[str, str]:
    """Without what makes Python look elsewhere, or compile each time."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
