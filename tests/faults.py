"""The fault matrix of all vendors, as a table (`nox -s faults`). Ends with the number of cells and the two counts."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from harnesses import HARNESSES

from idv_core.testing.clock import RunningClock
from idv_core.testing.faults import Cell, FaultMatrix, as_table
from idv_core.transports.fast import FastTransport

KINDS: dict[str, tuple[str, Callable[[], Any] | None]] = {
    "sync": ("sync", None),
    "async": ("async", None),
    "fast": ("async", FastTransport),
    "fast sync": ("sync", FastTransport),
}


def run(vendor: str, kind: str) -> list[Cell]:
    driver, transport = KINDS[kind]
    return list(FaultMatrix(HARNESSES[vendor](RunningClock()), kind=driver, transport=transport).run())


def main(kinds: list[str]) -> int:
    logging.getLogger("idv_core").setLevel(logging.ERROR)
    everything: list[Cell] = []
    for kind in kinds or list(KINDS):
        for vendor in HARNESSES:
            begun = time.monotonic()
            cells = run(vendor, kind)
            everything += cells
            print(f"\n{vendor}, {kind}: {len(cells)} cells in {time.monotonic() - begun:.0f} s\n{as_table(cells)}")
            for cell in cells:
                if cell.opened_twice or cell.wrongly_approved:
                    print(f"WRONG: {cell}")
    twice = sum(cell.opened_twice for cell in everything)
    wrong = sum(cell.wrongly_approved for cell in everything)
    print("\nok: it went well, perhaps after repeats; else the capitals of the error")
    print(f"faults: {len(everything)} cells, opened twice {twice}, wrong approvals {wrong}")
    return int(bool(twice or wrong))


if __name__ == "__main__":
    sys.path.insert(0, "tests")
    sys.exit(main(sys.argv[1:]))
