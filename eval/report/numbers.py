"""Numbers as a reader wants them: as many decimals as the interval supports, and axes with round ends."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from eval.metrics import Figure

__all__ = ["Scale", "decimals", "interval", "number", "percent", "scale_of", "value"]

MOST_DECIMALS = 9
UNDEFINED = "undefined"


def value(figure: Figure) -> str:
    """The value, rounded so that its interval has two significant digits."""
    if math.isnan(figure.value):
        return UNDEFINED
    return number(figure.value) if figure.ci95 is None else _fixed(figure.value, decimals(figure))


def interval(figure: Figure) -> str:
    """`low to high` with the decimals of the value; empty where there is none."""
    if figure.ci95 is None:
        return ""
    low, high = (_fixed(end, decimals(figure)) for end in figure.ci95)
    return f"{low} to {high}"


def decimals(figure: Figure) -> int:
    """How many decimals give the half width of the interval two significant digits."""
    half = 0.0 if figure.ci95 is None else (figure.ci95[1] - figure.ci95[0]) / 2
    size = half or abs(figure.value) / 100
    return min(MOST_DECIMALS, max(0, 1 - math.floor(math.log10(size)))) if size > 0 else 0


def number(of: float) -> str:
    """Four significant digits, never in scientific notation."""
    if of == 0:
        return "0"
    if not math.isfinite(of):
        return UNDEFINED
    places = max(0, 3 - math.floor(math.log10(abs(of))))
    text = _fixed(of, min(12, places))
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """A share of 0 to 1 as `12 %`, with a decimal below one in a hundred."""
    hundredths = 100 * share
    return f"{hundredths:.1f} %" if 0 < hundredths < 1 or 99 < hundredths < 100 else f"{hundredths:.0f} %"  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`; ticks: round numbers between them, both ends among them."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, of: float) -> float:
        """Where a number stands, in percent of the axis, held within it."""
        return round(min(100.0, max(0.0, 100 * (of - self.low) / (self.high - self.low))), 2)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Each tick's place in percent and its text."""
        return [(self.at(tick), number(round(tick, 12))) for tick in self.ticks]


SHARES = Scale(0.0, 1.0, (0.0, 0.5, 1.0))


def scale_of(figures: Iterable[Figure], *, parts: int = 4) -> Scale:
    """A scale with room for every value and interval; 0 to 1 where nothing is defined."""
    ends = [end for figure in figures if not math.isnan(figure.value) for end in (figure.value, *(figure.ci95 or ()))]
    if not ends:
        return SHARES
    ticks = MaxNLocator(nbins=parts, steps=[1, 2, 2.5, 5, 10]).tick_values(min(ends), max(ends))
    found = [float(tick) for tick in ticks]
    if min(ends) >= 0:
        found = [tick for tick in found if tick >= 0]
    return Scale(found[0], found[-1], tuple(found)) if found[-1] > found[0] else SHARES


def _fixed(of: float, places: int) -> str:
    text = f"{of:,.{places}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text
