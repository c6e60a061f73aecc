"""The value of an expression: an exact fraction where it has one, else a correctly rounded decimal. Knows no text."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from math import factorial

from arithmetic_tree import Absolute, Factorial, Negated, Node, Number, Operation, Percent, Pi, Root, Symbol
from enclosures import Enclosure, Unresolved, enclosed_pi, enclosed_root
from figures import Figure, irrational_figure
from tool_questions import NotAnswerable

__all__ = ["Irrational", "value_of"]

_MAX_BITS = 13_000  # about 3,900 digits, below the 4,300 that Python converts to text
_MAX_FACTORIAL = 1_000
_MAX_DEGREE = 100
_FIRST_BITS = 64


class Irrational:
    """The value of an expression that has no exact fraction, or none that this module finds."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def figure(self) -> Figure:
        """The value correctly rounded.

        Raises:
            NotAnswerable: a divisor or the operand of an even root cannot be told from zero.
        """
        try:
            return irrational_figure(lambda bits: _enclosed(self._node, bits))
        except Unresolved:
            raise NotAnswerable("a part of this cannot be told from zero; there it has no value") from None


def value_of(node: Node) -> Fraction | Irrational:
    """The value of the expression.

    Raises:
        NotAnswerable: it has none (division by zero, an even root of a negative number), or one too long to compute.
    """
    try:
        first = _enclosed(node, bits=_FIRST_BITS)
    except Unresolved:  # more bits may tell
        return Irrational(node)
    return first.low if first.exact else Irrational(node)


def _enclosed(node: Node, bits: int) -> Enclosure:
    """The value to about that many significant bits, which matter only where it is irrational."""
    match node:
        case Number(value):
            found = Enclosure.of(value)
        case Pi():
            found = enclosed_pi(bits)
        case Operation("^", Root(degree, operand), right) if degree:  # so that sqrt(2)^2 is 2, not nearly 2
            found = _raised(_enclosed(operand, bits), _rational(_enclosed(right, bits)) / degree, bits)
        case Operation():
            found = _operated(node, bits)
        case Root(degree, operand):
            found = _root(_enclosed(operand, bits), degree, bits)
        case _:
            found = _UNARY[type(node)](_enclosed(node.operand, bits))
    if found.magnitude_bits > (_MAX_BITS if found.exact else _MAX_BITS + 4 * bits):
        raise NotAnswerable("a number in this has more than 3,900 digits, which is more than this calculator computes")
    return found.widened(bits)


def _operated(node: Operation, bits: int) -> Enclosure:
    left, right = _enclosed(node.left, bits), _enclosed(node.right, bits)
    if node.symbol == "^":
        return _raised(left, _rational(right), bits)
    if node.symbol in ("+", "-") and isinstance(node.right, Percent) and not _is_share(node.left):
        right = left * right
    return _BINARY[node.symbol](left, right)


def _is_share(node: Node) -> bool:
    """Whether a percentage that is added to this is one more share (10% + 5%) and not a share of it (80 + 5%)."""
    match node:
        case Percent():
            return True
        case Operation("+" | "-", left, right):
            return _is_share(left) and _is_share(right)
        case _:
            return False


def _divided(left: Enclosure, right: Enclosure) -> Enclosure:
    if right.exact and right.low == 0:
        raise NotAnswerable("division by zero has no result")
    return left / right


def _factorial(operand: Enclosure) -> Enclosure:
    number = _rational(operand)
    if number.denominator != 1 or not 0 <= number <= _MAX_FACTORIAL:
        raise NotAnswerable(f"a factorial is computed of whole numbers from 0 to {_MAX_FACTORIAL:,}")
    return Enclosure.of(factorial(int(number)))


def _root(operand: Enclosure, degree: int, bits: int) -> Enclosure:
    if not 1 <= degree <= _MAX_DEGREE:
        raise NotAnswerable(f"roots are computed of degree 1 to {_MAX_DEGREE}")
    if operand.high < 0:
        if degree % 2 == 0:
            raise NotAnswerable("an even root of a negative number is not a real number")
        return -enclosed_root(-operand, degree, bits)
    return enclosed_root(operand, degree, bits)


def _raised(base: Enclosure, exponent: Fraction, bits: int) -> Enclosure:
    if base.exact and base.low == 0 and exponent <= 0:
        raise NotAnswerable("zero to the power of zero or less is not defined")
    times = abs(exponent.numerator)
    if _growth_bits(base) * times > _MAX_BITS:
        raise NotAnswerable("this power is too large: results go up to about 3,900 digits")
    rooted = _root(base, exponent.denominator, bits) if exponent.denominator > 1 else base
    result = rooted.power(times, bits)
    return _divided(Enclosure.of(1), result) if exponent < 0 else result


def _growth_bits(base: Enclosure) -> int:
    """Bits that each multiplication with the base can add to a result."""
    if base.exact:
        return 0 if base.low in (-1, 0, 1) else base.magnitude_bits
    sizes = [size for size in (abs(base.low), abs(base.high)) if size]
    return max(int(max(size, 1 / size)).bit_length() for size in sizes)


def _remainder(left: Enclosure, right: Enclosure) -> Enclosure:
    dividend, divisor = _rational(left), _rational(right)
    if divisor == 0:
        raise NotAnswerable("division by zero: there is no remainder modulo 0")
    return Enclosure.of(dividend % divisor)


def _rational(operand: Enclosure) -> Fraction:
    if not operand.exact:
        raise NotAnswerable("exponents, factorials and remainders are computed of rational numbers only")
    return operand.low


_UNARY: dict[type[Node], Callable[[Enclosure], Enclosure]] = {
    Negated: operator.neg,
    Absolute: abs,
    Percent: lambda operand: operand * Enclosure.of(Fraction(1, 100)),
    Factorial: _factorial,
}
_BINARY: dict[Symbol, Callable[[Enclosure, Enclosure], Enclosure]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "of": operator.mul,
    "off": lambda share, whole: whole - share * whole,
    "/": _divided,
    "as a percentage of": lambda part, whole: _divided(part, whole) * Enclosure.of(100),
    "mod": _remainder,
}
