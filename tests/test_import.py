"""Importing the library loads no plugin and no extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

import idv_core

EXTRAS = ("typer", "rich", "starlette", "uvicorn", "PIL", "pytest", "hypothesis")


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("names", [(), ("Gateway",), tuple(idv_core.__all__)], ids=["nothing", "Gateway", "everything"])
def test_the_import_is_lean(names: tuple[str, ...]) -> None:
    """What httpx itself loads (rich, if it happens to be installed) is not our doing."""
    ours = loaded_by("; ".join(["idv_core", *(f"idv_core.{name}" for name in names)])) - loaded_by("httpx")
    roots = {name.partition(".")[0] for name in ours}
    assert "idv_core" in roots
    assert not roots & {"idv_atlas", "idv_verifik", "idv_verigram", *EXTRAS}
    assert not [name for name in ours if name.startswith(("idv_core.testing", "idv_core.cli"))]


def test_what_is_not_there_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Gatway'"):
        idv_core.Gatway  # noqa: B018
    assert "Gateway" in dir(idv_core)
