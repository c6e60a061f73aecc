"""Numbers between two exact fractions, and how to round what lies between: arithmetic that knows its own error.

An irrational number is computed as an enclosure of ever more bits until both ends round to the same decimal
(A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit", 1991).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from decimal_text import rounded_decimal

__all__ = ["Enclosure", "Unresolved", "enclosed_pi", "enclosed_root", "exact_root", "settled"]

_BITS = (128, 384, 1152)


class Unresolved(ArithmeticError):
    """At this many bits the sign or size of an operand cannot be told; more bits may do."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A real number that lies in [low, high]; exact where the two are the same."""

    low: Fraction
    high: Fraction

    @classmethod
    def of(cls, value: Fraction | int) -> Enclosure:
        """The number itself."""
        return cls(Fraction(value), Fraction(value))

    @property
    def exact(self) -> bool:
        """Whether the number is known without error."""
        return self.low == self.high

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.high, -self.low)

    def __abs__(self) -> Enclosure:
        if self.low >= 0:
            return self
        return -self if self.high <= 0 else Enclosure(Fraction(0), max(-self.low, self.high))

    def __add__(self, other: Enclosure) -> Enclosure:
        return Enclosure(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Enclosure) -> Enclosure:
        return self + -other

    def __mul__(self, other: Enclosure) -> Enclosure:
        if self.exact and other.exact:
            return Enclosure.of(self.low * other.low)
        corners = [one * two for one in (self.low, self.high) for two in (other.low, other.high)]
        return Enclosure(min(corners), max(corners))

    def __truediv__(self, other: Enclosure) -> Enclosure:
        if other.low <= 0 <= other.high:
            raise Unresolved
        return self * Enclosure(1 / other.high, 1 / other.low)

    def power(self, exponent: int, bits: int) -> Enclosure:
        """The number multiplied by itself; `exponent` is at least 0."""
        result, square = Enclosure.of(1), self
        while exponent:
            if exponent & 1:
                result = (result * square).widened(bits)
            exponent >>= 1
            if exponent:
                square = (square * square).widened(bits)
        return result

    def widened(self, bits: int) -> Enclosure:
        """An inexact number with its ends moved outward to about that many bits, so that they stay short."""
        if self.exact:
            return self
        places = bits - _exponent(max(abs(self.low), abs(self.high)))
        return Enclosure(_floor(self.low, places) / _two_to(places), -_floor(-self.high, places) / _two_to(places))

    @property
    def magnitude_bits(self) -> int:
        """Bits of the longest integer in it: what the next operation costs."""
        return max(number.bit_length() for end in (self.low, self.high) for number in (end.numerator, end.denominator))


def exact_root(value: Fraction, degree: int) -> Fraction | None:
    """The root of a value >= 0 where it is rational, else None."""
    top, bottom = _integer_root(value.numerator, degree), _integer_root(value.denominator, degree)
    found = Fraction(top, bottom)
    return found if found**degree == value else None


def enclosed_root(value: Enclosure, degree: int, bits: int) -> Enclosure:
    """The real root of a number >= 0, to at least that many significant bits where the number is exact."""
    if value.low < 0:
        raise Unresolved
    if value.exact and (root := exact_root(value.low, degree)) is not None:
        return Enclosure.of(root)
    places = max(bits, bits - _exponent(value.high) // degree)
    low = _integer_root(_floor(value.low, places * degree), degree)
    high = low if value.exact else _integer_root(_floor(value.high, places * degree), degree)
    return Enclosure(Fraction(low, 1 << places), Fraction(high + 1, 1 << places))


def enclosed_pi(bits: int) -> Enclosure:
    """Pi to 2**-bits, by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    spare = 32  # bits for the few thousand units by which all the truncated terms can be off together
    one = 1 << (bits + spare)
    middle = 16 * _arctan_of_inverse(5, one) - 4 * _arctan_of_inverse(239, one)
    return Enclosure(Fraction((middle >> spare) - 1, 1 << bits), Fraction((middle >> spare) + 2, 1 << bits))


def settled(compute: Callable[[int], Enclosure], digits: int) -> str:
    """The decimal of an irrational number, rounded correctly: `compute` is asked for more bits until that is sure.

    What cannot be told from zero, or from a tie between two decimals, at the most bits is taken for it.

    Raises:
        Unresolved: an operand could not be told from zero at the most bits.
    """
    for bits in _BITS:
        try:
            found = compute(bits)
        except Unresolved:
            if bits == _BITS[-1]:
                raise
            continue
        low, high = rounded_decimal(found.low, digits), rounded_decimal(found.high, digits)
        if low == high:
            return low
    if found.low <= 0 <= found.high:
        return "0"
    return rounded_decimal((found.low + found.high) / 2, digits)


def _floor(value: Fraction, places: int) -> int:
    """The value in units of 2**-places, rounded down."""
    if places >= 0:
        return (value.numerator << places) // value.denominator
    return value.numerator // (value.denominator << -places)


def _two_to(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def _exponent(value: Fraction) -> int:
    """The power of two of the leading bit, or one more."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def _integer_root(value: int, degree: int) -> int:
    """The greatest integer whose power is at most `value` (>= 0): Newton's method from above, half the bits first."""
    if degree == 2:  # noqa: PLR2004 - the square root, which the standard library has
        return isqrt(value)
    if value == 0:
        return 0
    half = value.bit_length() // (2 * degree)
    if half == 0:
        root = 1 << -(-value.bit_length() // degree)
    else:
        root = (_integer_root(value >> (half * degree), degree) + 1) << half
    while True:
        closer = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if closer >= root:
            return root
        root = closer


def _arctan_of_inverse(denominator: int, one: int) -> int:
    """arctan(1/denominator) in units of 1/one, by its Taylor series."""
    power = one // denominator
    total, divisor, sign = 0, 1, 1
    while power:
        total += sign * (power // divisor)
        power //= denominator * denominator
        divisor, sign = divisor + 2, -sign
    return total
