"""Importing the library loads no plugin and no extra."""

from __future__ import annotations

import subprocess
import sys

EXTRAS = ("typer", "rich", "starlette", "uvicorn", "PIL", "pytest", "hypothesis")


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_import_is_lean() -> None:
    """What httpx itself loads (rich, if it happens to be installed) is not our doing."""
    ours = loaded_by("idv_core") - loaded_by("httpx")
    roots = {name.partition(".")[0] for name in ours}
    assert "idv_core" in roots
    assert not roots & {"idv_atlas", "idv_verifik", "idv_verigram", *EXTRAS}
    assert not [name for name in ours if name.startswith(("idv_core.testing", "idv_core.cli"))]
