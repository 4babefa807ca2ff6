"""A plugin that `idv new-plugin` made, as if it had been installed."""

from __future__ import annotations

import os
from pathlib import Path


def installed(made: Path, name: str) -> dict[str, str]:
    """An environment in which the plugin is installed, as a wheel would leave it."""
    module = made.name.replace("-", "_")
    about = made / f"{module}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {made.name}\nVersion: 0.1.0\n\n{(made / 'README.md').read_text()}"
    )
    (about / "entry_points.txt").write_text(f"[idv_core.plugins]\n{name} = {module}\n")
    paths = [str(made), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
