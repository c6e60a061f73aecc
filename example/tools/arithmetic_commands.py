"""What the words around operands build: "squared", "the sum of", "subtract 3 from 5". Knows no tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce

from arithmetic_tree import Absolute, Factorial, Negated, Node, Number, Operation, Percent

__all__ = ["AROUND_INFIX", "FUNCTIONS", "LISTS", "PAIRS", "POSTFIXES", "summed"]

_TWO, _THREE = Number(Fraction(2)), Number(Fraction(3))

POSTFIXES: dict[str, Callable[[Node], Node]] = {
    "%": Percent,
    "!": Factorial,
    "squared": lambda node: Operation("^", node, _TWO),
    "cubed": lambda node: Operation("^", node, _THREE),
}
FUNCTIONS: dict[str, Callable[[Node], Node]] = {
    **POSTFIXES,
    "abs": Absolute,
    "-": Negated,
    "double": lambda node: Operation("*", _TWO, node),
    "triple": lambda node: Operation("*", _THREE, node),
}
# What stands between the two operands of a command, and what the command does with them.
PAIRS: dict[str, tuple[tuple[str, ...], Callable[[Node, Node], Node]]] = {
    "subtract": (("from",), lambda first, second: Operation("-", second, first)),
    "multiply": (("by", "and", "with"), lambda first, second: Operation("*", first, second)),
    "divide": (("by", "and"), lambda first, second: Operation("/", first, second)),
    "increase": (("by",), lambda first, second: Operation("+", first, second)),
    "decrease": (("by",), lambda first, second: Operation("-", first, second)),
    "difference": (("and",), lambda first, second: Absolute(Operation("-", first, second))),
    "share": (("is",), lambda first, second: Operation("as a percentage of", second, first)),
    "fit": (("into",), lambda first, second: Operation("/", second, first)),
}
# The same, where an operation of another meaning stands between them: "the remainder of 17 divided by 5".
AROUND_INFIX: dict[str, tuple[str, Callable[[Node, Node], Node]]] = {
    "remainder": ("/", lambda first, second: Operation("mod", first, second)),
    "portion": ("of", lambda first, second: Operation("as a percentage of", first, second)),
}


def summed(items: Sequence[Node]) -> Node:
    """The sum of at least one operand, added up from the left."""
    return reduce(lambda first, second: Operation("+", first, second), items)


LISTS: dict[str, Callable[[Sequence[Node]], Node]] = {
    "sum": summed,
    "product": lambda items: reduce(lambda first, second: Operation("*", first, second), items),
    "average": lambda items: Operation("/", summed(items), Number(Fraction(len(items)))),
}
