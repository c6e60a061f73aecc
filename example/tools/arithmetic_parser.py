"""Arithmetic tokens into a tree: a Pratt parser with English commands ("divide A by B") among its operands.

Where English leaves open what belongs to what ("the sum of 3 and 5 times 2") it asks for parentheses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from arithmetic_commands import AROUND_INFIX, FUNCTIONS, LISTS, PAIRS, POSTFIXES, summed
from arithmetic_tree import (
    OF,
    POSTFIX,
    POWER,
    PRODUCT,
    SHARE,
    UNARY,
    Factorial,
    Negated,
    Node,
    Number,
    Operation,
    Percent,
    Pi,
    Root,
    Symbol,
    binding,
)
from arithmetic_words import Kind, Token
from tool_questions import NotAnswerable

__all__ = ["parsed"]

_MAX_DEPTH = 40
_STARTS_OPERAND = ("number", "pi", "function", "command", "open")


def parsed(tokens: Sequence[Token]) -> Node:
    """The calculation that the tokens say.

    Raises:
        NotAnswerable: they say none, or leave open which.
    """
    first, last = 0, len(tokens)
    while first < last and tokens[first].kind == "link":
        first += 1
    while last > first and tokens[last - 1].kind == "link":
        last -= 1
    parser = _Parser(tokens[first:last])
    node = parser.expression(SHARE)
    parser.finish()
    if isinstance(node, Number):
        raise NotAnswerable("there is one number in this and nothing to calculate")
    return node


class _Parser:
    """Reads tokens from the left; `position` is the next one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self._readers: dict[Kind, Callable[[str], Node]] = {
            "pi": lambda _: Pi(),
            "open": self._enclosed,
            "function": self._function,
            "command": self._command,
            "infix": self._signed,
        }

    def finish(self) -> None:
        """The end of the tokens.

        Raises:
            NotAnswerable: some are left over.
        """
        token = self._next()
        if token is None:
            return
        if token.kind == "number":
            raise NotAnswerable(f"there is no operation before {token.name!r}")
        if token.name == ",":
            raise NotAnswerable("a comma stands where an operation should; write 12.5 with a point and 1,234 in threes")
        raise NotAnswerable(f"{token.name!r} does not fit where it stands; use parentheses and symbols")

    def expression(self, at_least: int) -> Node:
        """The longest expression from here whose operations bind at least that tightly."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise NotAnswerable(f"more than {_MAX_DEPTH} levels of parentheses and signs are too many")
        left = self._operand()
        while (token := self._next()) is not None:
            if token.kind == "postfix" and at_least <= POSTFIX:
                self.position += 1
                left = self._postfixed(left, token)
            elif token.kind == "infix" and at_least <= binding(_symbol(token)):
                self.position += 1
                left = self._infixed(left, _symbol(token))
            elif _multiplies(token) and at_least <= PRODUCT:
                left = Operation("*", left, self.expression(PRODUCT + 1))
            else:
                break
        self.depth -= 1
        return left

    def _next(self) -> Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _operand(self) -> Node:
        token = self._next()
        if token is None:
            raise NotAnswerable("a number is missing at the end" if self.tokens else "there is no calculation in this")
        self.position += 1
        if token.kind == "number":
            return Number(token.value)
        read = self._readers.get(token.kind)
        if read is None:
            raise NotAnswerable(f"a number should stand before {token.name!r}")
        return read(token.name)

    def _enclosed(self, _: str) -> Node:
        inside = self.expression(SHARE)
        self._expect("close", (")",), "a parenthesis is opened and not closed")
        return inside

    def _signed(self, name: str) -> Node:
        if name not in ("+", "-"):
            raise NotAnswerable(f"a number should stand before {name!r}")
        operand = self.expression(UNARY)
        return Negated(operand) if name == "-" else operand

    def _postfixed(self, left: Node, token: Token) -> Node:
        following = self._next()
        if token.name == "!" and isinstance(left, Factorial) and self._is_double_factorial():
            raise NotAnswerable("'!!' has two meanings; write (5!)! for the factorial of a factorial")
        if token.name == "%" and following is not None and following.kind in _STARTS_OPERAND:
            raise NotAnswerable("after % there should be 'of'; for a remainder write 'mod', as in 17 mod 5")
        return POSTFIXES[token.name](left)

    def _is_double_factorial(self) -> bool:
        return self.position >= 2 and self.tokens[self.position - 2].name == "!"  # noqa: PLR2004 - two tokens back

    def _infixed(self, left: Node, symbol: Symbol) -> Node:
        if symbol == "of" and isinstance(left, Number) and left.value.denominator == 1:
            raise NotAnswerable(f"'{left.value} of' needs a fraction or a percentage before 'of'")
        if symbol == "off" and not isinstance(left, Percent):
            raise NotAnswerable("'off' needs a percentage before it, as in 15% off 80")
        tightness = UNARY if symbol == "^" else binding(symbol) + 1  # powers group to the right
        return Operation(symbol, left, self.expression(tightness))

    def _function(self, name: str) -> Node:
        following = self._next()
        if following is not None and following.kind == "open":
            operand = self._operand()
        else:
            operand = self.expression(POWER if name == "-" else OF)
        if name.startswith("root "):
            return Root(int(name.removeprefix("root ")), operand)
        return FUNCTIONS[name](operand)

    def _command(self, name: str) -> Node:
        if name == "add":
            return self._closed(self._addition(), before=("+", "-"))
        if name in LISTS:
            return self._closed(self._listed(name), before=("+", "-") if name == "sum" else ())
        if name in AROUND_INFIX:
            infix, build = AROUND_INFIX[name]
            first = self.expression(UNARY)
            self._accept("link", "is")
            self._expect("infix", (infix,), f"after 'the {name}' two numbers should follow")
        else:
            links, build = PAIRS[name]
            first = self.expression(SHARE)
            self._expect("link", links, f"{name!r} needs a second number after {' or '.join(map(repr, links))}")
        return self._closed(build(first, self.expression(OF)), before=("+", "-") if name == "subtract" else ())

    def _addition(self) -> Node:
        items, links = self._items(("and", ",", "to", "with"))
        if len(items) == 1:
            raise NotAnswerable("'add' needs what to add and what to add it to, as in 'add 15% to 80'")
        if "to" in links[:-1]:
            raise NotAnswerable("it is not clear what is added to what; say 'add ... and ... to ...'")
        return summed([items[-1], *items[:-1]] if links[-1] == "to" else items)  # "add 15% to 80" starts from the 80

    def _listed(self, name: str) -> Node:
        items, _ = self._items(("and", ","))
        if len(items) > 1:
            return LISTS[name](items)
        if isinstance(items[0], Operation) and (name, items[0].symbol) in (("sum", "+"), ("product", "*")):
            return items[0]  # "the sum of 3 plus 5"
        raise NotAnswerable(f"{name!r} needs at least two numbers, with 'and' or a comma and a space between them")

    def _items(self, separators: Sequence[str]) -> tuple[list[Node], list[str]]:
        """Operands and the links between them; all but the last may be whole calculations."""
        items: list[Node] = []
        links: list[str] = []
        while True:
            start = self.position
            item = self.expression(SHARE)
            link = self._link(separators)
            if link is None and items:
                self.position = start
                item = self.expression(OF)
            items.append(item)
            if link is None:
                return items, links
            links.append(link)

    def _link(self, separators: Sequence[str]) -> str | None:
        """The separator here, skipped; ', and' is one."""
        found = None
        for _ in range(2):
            token = self._next()
            if token is not None and token.kind == "link" and token.name in separators and token.name != found:
                found = token.name
                self.position += 1
        return found

    def _closed(self, node: Node, *, before: Sequence[str]) -> Node:
        """The result of a command; what follows may only be an operation that gives the same in either grouping."""
        token = self._next()
        if token is None or token.name in before:
            return node
        if token.kind in ("infix", "postfix") or _multiplies(token):
            raise NotAnswerable(f"it is not clear what {token.name!r} belongs to; use parentheses")
        return node

    def _accept(self, kind: Kind, name: str) -> None:
        token = self._next()
        if token is not None and (token.kind, token.name) == (kind, name):
            self.position += 1

    def _expect(self, kind: Kind, names: Sequence[str], otherwise: str) -> None:
        token = self._next()
        if token is None or token.kind != kind or token.name not in names:
            raise NotAnswerable(otherwise)
        self.position += 1


def _multiplies(token: Token) -> bool:
    """Whether the token, right after an operand, is multiplied with it: 2(3 + 4), 2 pi, 2 sqrt(2)."""
    return token.kind in ("open", "pi") or (token.kind == "function" and token.name.startswith("root "))


def _symbol(token: Token) -> Symbol:
    return cast("Symbol", token.name)
