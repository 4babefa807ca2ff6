"""The command `idv` (extra `cli`). `demo`, `emulate` and `specimen` need the extra `testing` too."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the command."""
    try:
        from .commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"idv: {error.name} is missing; install it with: pip install 'idv-core[cli]'")
    app()
