"""The command `idv`. Needs the extra `cli`; `demo`, `emulate` and `specimen` need `testing` as well."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the command."""
    try:
        from .commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"idv: {error.name} is missing; install it with: pip install 'idv-core[cli]'")
    app()
