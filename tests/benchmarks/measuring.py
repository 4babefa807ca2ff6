"""How it is measured: everybody has a turn in each round, ratios are taken within a round, and noise is said."""

from __future__ import annotations

import gc
import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

ROUNDS = 15
CALLS = 200
NOISE = 0.25
"""The middle half of a row's ratios may lie this far apart, as a part of their median; beyond it nothing is claimed."""


@attrs.frozen
class Spent:
    """Seconds for each call, in one round."""

    cpu: float
    wall: float


@attrs.frozen
class Rounds:
    """What somebody spent in each round."""

    all: tuple[Spent, ...]

    @property
    def cpu(self) -> tuple[float, ...]:
        return tuple(spent.cpu for spent in self.all)

    @property
    def wall(self) -> tuple[float, ...]:
        return tuple(spent.wall for spent in self.all)


_SCALES = {"s": 1.0, "ms": 1e3, "µs": 1e6, "MB": 1e-6, "KB": 1e-3}


def _figure(value: float, unit: str) -> str:
    value *= _SCALES[unit]
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _goal(goal: float | None) -> str:
    return "" if goal is None else f"≤ {goal:g}"


def _verdict(value: float, goal: float | None, noise: float) -> str:
    if noise > NOISE:
        return f"too noisy (± {noise / 2:.0%})"
    if goal is None:
        return ""
    return "met" if round(value, 2) <= goal else "not met"


def spread(values: Sequence[float]) -> float:
    """How far the middle half lies apart, as a part of the median; nought for one or two values."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else math.inf


@attrs.frozen
class Row:
    """Ours against a peer's, in seconds (or bytes) round by round, and the ratio that is aimed at: at most `goal`."""

    what: str
    ours: Sequence[float]
    peer: Sequence[float]
    unit: str
    goal: float | None = None

    @property
    def ratio(self) -> float:
        return statistics.median(self._ratios())

    @property
    def noise(self) -> float:
        return spread(self._ratios())

    def _ratios(self) -> list[float]:
        return [ours / peer for ours, peer in zip(self.ours, self.peer, strict=True)]

    def cells(self) -> list[str]:
        ours, peer = (_figure(statistics.median(side), self.unit) for side in (self.ours, self.peer))
        return [
            self.what,
            ours,
            peer,
            f"{self.ratio:.2f}",
            _goal(self.goal),
            _verdict(self.ratio, self.goal, self.noise),
        ]


@attrs.frozen
class Growth:
    """What one of few and one of many cost, round by round, and the exponent between them: 1 is linear for the whole."""

    what: str
    sizes: tuple[int, int]
    costs: tuple[Sequence[float], Sequence[float]]
    """Of the whole, with so many."""
    unit: str
    goal: float | None = 1.1
    most: float | None = None
    """That many may cost at most so much, in seconds or bytes."""

    @property
    def _exponents(self) -> list[float]:
        times = math.log(self.sizes[1] / self.sizes[0])
        return [math.log(large / small) / times for small, large in zip(*self.costs, strict=True)]

    def cells(self) -> list[str]:
        costs = (
            f"{size:,}: {_figure(statistics.median(cost), self.unit)}".replace(",", " ")
            for size, cost in zip(self.sizes, self.costs, strict=True)
        )
        exponent = statistics.median(self._exponents)
        noise = max(self._exponents) - min(self._exponents)
        goal, verdict = _goal(self.goal), _verdict(exponent, self.goal, noise)
        if self.most is not None:
            goal = f"{goal}, {_figure(self.most, self.unit)}"
            verdict = "not met" if verdict == "met" and statistics.median(self.costs[1]) > self.most else verdict
        return [self.what, *costs, f"{exponent:.2f}", goal, verdict]


@attrs.frozen
class Table:
    """One table of the page: a heading, what stands above the rows, and the rows."""

    title: str
    rows: Sequence[Row | Growth | Sequence[str]]
    heads: Sequence[str] = ("what", "ours", "peer", "ratio", "goal", "")
    about: str = ""

    def __str__(self) -> str:
        lines = [row if isinstance(row, Sequence) else row.cells() for row in self.rows]
        cells = [self.heads, ["---"] * len(self.heads), *lines]
        parts = [f"## {self.title}", self.about, "\n".join(f"| {' | '.join(line)} |" for line in cells)]
        return "\n\n".join(part for part in parts if part)


GROWTH_HEADS = ("what", "few", "many", "exponent", "goal", "")


def spent(run: Callable[[], object], calls: int, clock: Callable[[], float] = time.thread_time) -> Spent:
    """Seconds for each of `calls` that `run` makes."""
    cpu, wall = clock(), time.perf_counter()
    run()
    return Spent((clock() - cpu) / calls, (time.perf_counter() - wall) / calls)


def repeated(call: Callable[[], object], calls: int = CALLS) -> Callable[[], Spent]:
    """One turn of so many calls."""

    def run() -> None:
        for _ in range(calls):
            call()

    return lambda: spent(run, calls)


def interleaved(turns: Mapping[str, Callable[[], Spent]], rounds: int = ROUNDS) -> dict[str, Rounds]:
    """Rounds in which everybody had a turn, after one to get warm."""
    for turn in turns.values():
        turn()
    seen: dict[str, list[Spent]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            gc.collect()
            seen[name].append(turn())
    return {name: Rounds(tuple(all_)) for name, all_ in seen.items()}


def both(what: str, ours: Rounds, peer: Rounds, goal: float | None = None) -> list[Row]:
    """CPU, which the goal is for, and wall."""
    return [
        Row(f"{what}: CPU", ours.cpu, peer.cpu, "µs", goal),
        Row(f"{what}: wall", ours.wall, peer.wall, "µs"),
    ]


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
