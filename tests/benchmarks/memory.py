"""Memory that large files take."""

from __future__ import annotations

from large_files import measured

from benchmarks.measuring import Table


def chapter() -> list[Table]:
    about = "Of 50 MB, signed, over a real socket to an emulator in another process."
    return [
        Table("Memory that a large file takes", large_files(), heads=("what", "additional memory", "goal"), about=about)
    ]


def large_files() -> list[list[str]]:
    """Peaks of resident memory above what there was before, in a process that has moved small files already."""
    return [[what, f"{grown / 1e6:.1f} MB", "≤ 8 MB"] for what, grown in measured().items()]
