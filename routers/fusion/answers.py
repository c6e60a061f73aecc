"""Answers of drafts in a form in which they can be compared, by the kind of answer that a category has.

`extraction` finds an answer; this says of which kind it is and when two are the same. Knows no right answer.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from routers.fusion.extraction import LETTERS, letter_of, plain, quantity, said_text, short_answer
from routers.fusion.units import in_base_units

__all__ = ["Answer", "AnswerKind", "answer_of", "code_of", "same_answer"]

AnswerKind = Literal["auto", "text", "number", "letter", "set", "code"]
"""auto: what `short_answer` makes of it. text: normalised words. number: with its unit. letter: of an option. set:
items in any order. code: the last block of code, by its form."""

RELATIVE = 1e-6
"""Numbers this close are the same."""
LONGEST = 2000
"""A text, or an item of a set, of more characters is no answer that can be compared."""
_BLOCK = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)
_BETWEEN = re.compile(r"\s*(?:[,;\n\u3001\u2022]|(?:^|\n)\s*(?:[-*]|\d{1,3}[.)])\s|\band\b|&)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. shown: for people. number: as it is written, where it is one; base: in base units, and which."""

    shown: str
    number: float | None = None
    base: tuple[float, str] | None = None
    items: frozenset[str] | None = None


def answer_of(text: str, kind: AnswerKind = "auto") -> Answer | None:
    """The answer that a draft gives; None where it gives none of that kind."""
    return _READERS[kind](text)


def same_answer(one: Answer, other: Answer) -> bool:
    """Whether two answers of one kind say the same.

    Numbers with units are compared in base units; where only one has a unit, as they are written. 5 % is 5, and is .05.
    """
    if one.base is not None and other.base is not None:
        return one.base[1] == other.base[1] and _close(one.base[0], other.base[0])
    if one.number is not None and other.number is not None:
        return _close(one.number, other.number) or any(_is_share(a, b) for a, b in ((one, other), (other, one)))
    if one.items is not None:
        return one.items == other.items
    return one.shown == other.shown


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=0.0)


def _is_share(one: Answer, other: Answer) -> bool:
    """Whether the first is the per cent of which the second is the plain number."""
    return one.base is not None and not one.base[1] and other.number is not None and _close(one.base[0], other.number)


def _auto(text: str) -> Answer | None:
    said = short_answer(text)
    return None if said is None else Answer(said)


def _text(text: str) -> Answer | None:
    said = said_text(text)
    words = plain(said) if said is not None and len(said) <= LONGEST else ""
    return Answer(words) if words else None


def _number(text: str) -> Answer | None:
    found = quantity(text)
    if found is None:
        return None
    value, unit = found
    base = in_base_units(value, unit) if unit else None
    shown = f"{value:.12g} {unit}" if base is not None else f"{value:.12g}"
    return Answer(shown, number=value, base=base)


def _letter(text: str) -> Answer | None:
    letter = letter_of(text, [""] * len(LETTERS))
    return Answer(letter) if letter else None


def _set(text: str) -> Answer | None:
    said = said_text(text)
    if said is None or len(said) > LONGEST:
        return None
    items = frozenset(word for item in _BETWEEN.split(said) if (word := plain(item)))
    return Answer(", ".join(sorted(items)), items=items) if items else None


def code_of(text: str) -> str | None:
    """The last block of code of a text; None where there is none."""
    blocks = _BLOCK.findall(text)
    return str(blocks[-1]) if blocks and blocks[-1].strip() else None


def _code(text: str) -> Answer | None:
    code = code_of(text)
    return None if code is None else Answer(_form(code))


def _form(code: str) -> str:
    """Python without comments, docstrings, spacing and the names of local variables; other code without spacing."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(code.split())
    try:
        return ast.unparse(_Anonymous().visit(tree))
    except RecursionError:
        return " ".join(code.split())


class _Anonymous(ast.NodeTransformer):
    """Names what a function calls its own variables by their order, and drops its docstring."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function: the names of its arguments stay, since callers may use them, and those of others' variables."""
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        own = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        own |= {n for inner in ast.walk(node) if isinstance(inner, ast.Global | ast.Nonlocal) for n in inner.names}
        outer, self._names = self._names, {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and inner.id not in own:
                self._names.setdefault(inner.id, f"v{len(self._names)}")
        self.generic_visit(node)
        self._names = outer
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A local variable."""
        node.id = self._names.get(node.id, node.id)
        return node


_READERS: dict[AnswerKind, Callable[[str], Answer | None]] = {
    "auto": _auto,
    "text": _text,
    "number": _number,
    "letter": _letter,
    "set": _set,
    "code": _code,
}
