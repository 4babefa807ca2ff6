"""Runs the chapters (all, or those named) and writes docs/benchmarks.md if all were run."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

import httpx
from sentences import by_sentences

# Memory first, while this process is small.
CHAPTERS = (
    "memory",
    "own",
    "calls",
    "at_once",
    "sdks",
    "decoding",
    "routing",
    "configuration",
    "webhooks",
    "redaction",
    "growth",
    "imports",
)
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NOTES = Path(__file__).parents[1] / "benchmark_notes.md"


def main(names: list[str]) -> None:
    if unknown := set(names) - set(CHAPTERS):
        sys.exit(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(CHAPTERS)}")
    began, load = time.monotonic(), os.getloadavg()[1]
    tables = []
    for name in CHAPTERS:
        if name in (names or CHAPTERS):
            chapter = import_module(f"benchmarks.{name}").chapter()
            print(*chapter, sep="\n\n", end="\n\n", flush=True)
            tables += chapter
    minutes = (time.monotonic() - began) / 60
    if names:
        return
    about = (
        "# Benchmarks",
        "Written by `nox -s bench`. Each ratio is against a peer in the same run: everybody has a turn in each round, and the "
        "ratio is the median of the rounds'. A row whose ratios lie too far apart says so and claims nothing. The times are of "
        "the machine it ran on and mean nothing elsewhere. A whole call of ours is typed and has everything on: credentials, "
        "limits, circuit breaker, bounds, redaction, policy; Verigram's are signed.",
        f"Last run: Python {platform.python_version()}, httpx {httpx.__version__}, {platform.machine()}, {os.cpu_count()} "
        f"processors whose load was {load:.1f} before; it took {minutes:.0f} minutes.",
    )
    text = "\n\n".join([*about, *map(str, tables), NOTES.read_text(encoding="utf-8").strip()]) + "\n"
    PAGE.write_text(by_sentences(text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
