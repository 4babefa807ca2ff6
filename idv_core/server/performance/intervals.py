"""Intervals for shares and for their difference, and how many are needed to see one. Pure.

Wilson: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209-212.
Newcombe: R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven methods,
Statistics in Medicine 17 (1998), 873-890, method 10. Both stay within their bounds, and hold for small numbers too.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()


class Interval(NamedTuple):
    """An estimate between its bounds."""

    low: float
    value: float
    high: float

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


def z_of(confidence: float) -> float:
    """The two-sided quantile of the normal distribution: 1.96 for 0.95."""
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def wilson(hits: int, of: int, confidence: float = 0.95) -> Interval:
    """The score interval of a share. Of nothing, anything from 0 to 1 may be true."""
    if of == 0:
        return Interval(0.0, 0.5, 1.0)
    share, z = hits / of, z_of(confidence)
    centre = share + z * z / (2 * of)
    spread = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    low = 0.0 if hits == 0 else max(0.0, (centre - spread) / whole)
    high = 1.0 if hits == of else min(1.0, (centre + spread) / whole)
    return Interval(low, share, high)


def newcombe(hits: int, of: int, other_hits: int, other_of: int, confidence: float = 0.95) -> Interval:
    """The interval of a share minus another one, of independent groups (method 10: of two score intervals)."""
    one, other = wilson(hits, of, confidence), wilson(other_hits, other_of, confidence)
    difference = one.value - other.value
    low = difference - sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    high = difference + sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(max(-1.0, low), difference, min(1.0, high))


def needed(share: float, difference: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """How many each of two groups must have, so that such a difference from a share is seen with that power.

    J. L. Fleiss, Statistical Methods for Rates and Proportions, without the correction for continuity. Of the two directions
    that the difference may have, the one that needs more counts.
    """
    others = [other for other in (share - difference, share + difference) if 0 <= other <= 1]
    return max(ceil(_needed(share, other, z_of(confidence), _NORMAL.inv_cdf(power))) for other in others)


def _needed(one: float, other: float, z: float, z_power: float) -> float:
    middle = (one + other) / 2
    spread = z * sqrt(2 * middle * (1 - middle)) + z_power * sqrt(one * (1 - one) + other * (1 - other))
    return spread**2 / (one - other) ** 2
