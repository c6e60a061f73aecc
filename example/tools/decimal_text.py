"""Exact fractions as decimal text: all digits where they end, correctly rounded ones where they do not."""

from fractions import Fraction

__all__ = ["MAX_PLACES", "exact_decimal", "rounded_decimal"]

MAX_PLACES = 50
"""Most decimal places that are written out; a longer decimal is rounded."""

_PLAIN_EXPONENTS = range(-7, 21)


def exact_decimal(value: Fraction) -> str | None:
    """All digits of the value, or None where the decimal has no end or more than `MAX_PLACES` places."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > MAX_PLACES:
        return None
    return _placed(int(value * 10**places), -places)


def rounded_decimal(value: Fraction, digits: int) -> str:
    """The value to that many significant digits, half to even, without zeros at the end."""
    if value == 0:
        return "0"
    exponent = _exponent(abs(value))
    scaled = round(value * Fraction(10) ** (digits - 1 - exponent))
    if abs(scaled) == 10**digits:  # 9.99… became 10
        scaled, exponent = scaled // 10, exponent + 1
    last = exponent - digits + 1
    while scaled % 10 == 0:
        scaled, last = scaled // 10, last + 1
    if exponent in _PLAIN_EXPONENTS:
        return _placed(scaled, last)
    figures = str(abs(scaled))
    mantissa = figures[0] + (f".{figures[1:]}" if len(figures) > 1 else "")
    return f"{'-' if value < 0 else ''}{mantissa}e{exponent:+d}"


def _exponent(value: Fraction) -> int:
    """The power of ten of the leading digit of a positive value."""
    guess = len(str(value.numerator)) - len(str(value.denominator))
    return guess if value >= Fraction(10) ** guess else guess - 1


def _placed(scaled: int, exponent: int) -> str:
    """`scaled` times ten to the exponent, written without an exponent."""
    if exponent >= 0:
        return str(scaled * 10**exponent)
    figures = str(abs(scaled)).rjust(1 - exponent, "0")
    return f"{'-' if scaled < 0 else ''}{figures[:exponent]}.{figures[exponent:]}"
