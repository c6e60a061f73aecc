"""Results as text: a number with all its digits where that is short, else correctly rounded. Knows no subject."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from decimal_text import exact_decimal, rounded_decimal
from enclosures import Enclosure, enclosed_root, exact_root, settled

__all__ = ["Figure", "figure_of", "irrational_figure", "root_figure"]

_VALUE_DIGITS = 16
_SHORT_DIGITS = 10
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as text.

    full: all its digits where `exact`, else rounded to 16 significant digits. short: for people; the same or 10 digits.
    """

    full: str
    short: str
    exact: bool

    @property
    def equation(self) -> str:
        """'= 0.5' or '≈ 0.3333333333'."""
        return f"{'=' if self.exact else '≈'} {self.short}"


def figure_of(value: Fraction, *, longest: int = _LONGEST) -> Figure:
    """The figure of a rational number; exact where its decimal ends within that many characters."""
    decimal = exact_decimal(value)
    if decimal is not None and len(decimal) <= longest:
        return Figure(decimal, decimal, exact=True)
    return Figure(rounded_decimal(value, _VALUE_DIGITS), rounded_decimal(value, _SHORT_DIGITS), exact=False)


def irrational_figure(compute: Callable[[int], Enclosure]) -> Figure:
    """The figure of what `compute` encloses ever closer as it is given more bits.

    Raises:
        Unresolved: as `settled` does.
    """
    once = cache(compute)
    return Figure(settled(once, _VALUE_DIGITS), settled(once, _SHORT_DIGITS), exact=False)


def root_figure(value: Fraction) -> Figure:
    """The figure of the square root of a number >= 0."""
    root = exact_root(value, 2)
    if root is not None:
        return figure_of(root)
    return irrational_figure(lambda bits: enclosed_root(Enclosure.of(value), 2, bits))
