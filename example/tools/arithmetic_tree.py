"""An arithmetic expression as a tree, and the tree as text. Knows no words and no values.

The text reads back as the same tree: 17% of 4310, 2 * (3 + 4)^2, sqrt(2), 15% off 80.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from decimal_text import exact_decimal, rounded_decimal

__all__ = [
    "OF",
    "POSTFIX",
    "POWER",
    "PRODUCT",
    "SHARE",
    "SUM",
    "UNARY",
    "Absolute",
    "Factorial",
    "Negated",
    "Node",
    "Number",
    "Operation",
    "Percent",
    "Pi",
    "Root",
    "Symbol",
    "binding",
    "text_of",
]

Symbol = Literal["+", "-", "*", "/", "mod", "of", "off", "as a percentage of", "^"]

SHARE, SUM, PRODUCT, OF, UNARY, POWER, POSTFIX, _ATOM = range(8)
"""How tightly things bind, loosest first."""

_BINDINGS: dict[Symbol, int] = {
    "as a percentage of": SHARE,
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "mod": PRODUCT,
    "of": OF,
    "off": OF,
    "^": POWER,
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was written, in digits or words."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Pi:
    """The ratio of a circle's circumference to its diameter."""


@dataclass(frozen=True, slots=True)
class Negated:
    """Minus the operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Absolute:
    """The operand without its sign."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Percent:
    """A hundredth of the operand; after + and - it is that share of what stands before them."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Factorial:
    """The product of the integers from 1 to the operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Root:
    """The real root of that degree."""

    degree: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and what is done with them."""

    symbol: Symbol
    left: Node
    right: Node


Node = Number | Pi | Negated | Absolute | Percent | Factorial | Root | Operation

_MAX_DECIMAL_CHARACTERS = 40
_ROOT_NAMES = {2: "sqrt", 3: "cbrt"}


def binding(symbol: Symbol) -> int:
    """How tightly the operation binds its operands."""
    return _BINDINGS[symbol]


def text_of(node: Node) -> str:
    """The expression in symbols, with no more parentheses than it needs."""
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:
    """The text, and how tightly the outermost operation in it binds."""
    match node:
        case Number(value):
            return _number(value)
        case Operation(symbol, left, right):
            own = binding(symbol)
            before = _inside(left, own + 1 if symbol == "^" else own)
            after = _inside(right, UNARY if symbol == "^" else own + 1)
            gap = "" if symbol == "^" else " "
            return f"{before}{gap}{symbol}{gap}{after}", own
        case Negated(operand):
            return f"-{_inside(operand, UNARY)}", UNARY
        case Percent(operand):
            return f"{_inside(operand, POSTFIX)}%", POSTFIX
        case Factorial(operand):
            return f"{_inside(operand, _ATOM)}!", POSTFIX
        case _:
            return _named(node), _ATOM


def _named(node: Pi | Absolute | Root) -> str:
    match node:
        case Pi():
            return "pi"
        case Absolute(operand):
            return f"abs({text_of(operand)})"
        case Root(degree, operand) if degree in _ROOT_NAMES:
            return f"{_ROOT_NAMES[degree]}({text_of(operand)})"
        case Root(degree, operand):
            return f"{degree}th root of ({text_of(operand)})"


def _number(value: Fraction) -> tuple[str, int]:
    """A number >= 0 in the shortest exact form: 0.75, 1e+300 or 1/3."""
    decimal = exact_decimal(value)
    if decimal is not None and len(decimal) <= _MAX_DECIMAL_CHARACTERS:
        return decimal, _ATOM
    scientific = rounded_decimal(value, _MAX_DECIMAL_CHARACTERS)
    return (scientific, _ATOM) if Fraction(scientific) == value else (str(value), PRODUCT)


def _inside(node: Node, at_least: int) -> str:
    """The text as an operand: in parentheses unless it binds as tightly as that."""
    text, own = _written(node)
    return text if own >= at_least else f"({text})"
