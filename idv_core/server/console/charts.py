"""Bars over time, drawn on the server: where each rectangle lies. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import attrs

WIDTH, HEIGHT = 720, 160
MOST = 5
"""How many names have a colour of their own; the rest are drawn together."""
OTHERS = "others"


@attrs.frozen
class Bar:
    """One rectangle. `number` is that of its name, for the colour."""

    x: float
    y: float
    width: float
    height: float
    number: int
    text: str


@attrs.frozen
class Chart:
    """Bars for each day, one upon the other by name; `rows` has the same as a table."""

    names: tuple[str, ...]
    days: tuple[date, ...]
    highest: int
    bars: tuple[Bar, ...]
    rows: tuple[tuple[date, tuple[int, ...]], ...]


def stacked(counted: Mapping[tuple[str, str], int], first: date, last: date) -> Chart:
    """The chart of counts by ISO day and name, from the first day to the last."""
    totals: Counter[str] = Counter()
    for (_, name), count in counted.items():
        totals[name] += count
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    names = (*sorted(ranked[:MOST]), *([OTHERS] if len(ranked) > MOST else []))
    days = tuple(_days(first, last))
    rows = []
    for day in days:
        found: Counter[str] = Counter()
        for name in ranked:
            found[name if name in ranked[:MOST] else OTHERS] += counted.get((day.isoformat(), name), 0)
        rows.append((day, tuple(found[name] for name in names)))
    highest = max((sum(values) for _, values in rows), default=0)
    step = WIDTH / max(1, len(days))
    bars = []
    for place, (day, values) in enumerate(rows):
        below = 0.0
        for number, (name, value) in enumerate(zip(names, values, strict=True)):
            if value:
                height = HEIGHT * value / highest
                below += height
                x, y, width, height = (round(part, 2) for part in (place * step, HEIGHT - below, 0.85 * step, height))
                text = f"{day}: {value} {name}"
                bars.append(Bar(x=x, y=y, width=width, height=height, number=number, text=text))
    return Chart(names, days, highest, tuple(bars), tuple(rows))


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
