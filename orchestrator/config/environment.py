"""Variables in values: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar. Knows no key of the file.

Keys are left alone. A value without quotes means after substitution what it would mean had it been written so:
`port: ${PORT}` is a number. The default serves when the variable is not set, or empty, as in a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.config.problems import Path, Problem, shown
from orchestrator.config.tree import Block, Entry, Items, Node, Scalar

__all__ = ["Filler"]

REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]{,127})(?P<default>:-[^}]*)?\}|\$\{[^}]*\}?")


class Filler:
    """Fills the variables of a tree in; `problems` gathers each that is missing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._environment = environment

    def block(self, block: Block, path: Path = ()) -> Block:
        """The mapping with its variables filled in. All nodes are new: an alias becomes a copy of its own."""
        entries = {key: Entry(e.key, self._node(e.node, (*path, key))) for key, e in block.entries.items()}
        return Block(block.mark, entries)

    def _node(self, node: Node, path: Path) -> Node:
        if isinstance(node, Block):
            return self.block(node, path)
        if isinstance(node, Items):
            return Items(node.mark, tuple(self._node(item, (*path, i)) for i, item in enumerate(node.items)))
        return self._scalar(node, path)

    def _scalar(self, scalar: Scalar, path: Path) -> Scalar:
        values: dict[str, str] = {}
        wrong: list[str] = []

        def fill(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            try:
                values[reference[0]] = self._value(reference)
            except ValueError as error:
                wrong.append(str(error))
            return values.get(reference[0], "")

        text = REFERENCE.sub(fill, scalar.written)
        self.problems += (Problem(scalar.mark, path, message) for message in dict.fromkeys(wrong))
        return replace(scalar, text=text, values=values, broken=scalar.broken or bool(wrong))

    def _value(self, reference: re.Match[str]) -> str:
        name, default = reference["name"], reference["default"]
        if name is None:
            message = f"{shown(reference[0])} is no variable; write ${{NAME}} or ${{NAME:-default}}, $$ for a dollar"
            raise ValueError(message)
        value = self._environment.get(name)
        if default is not None:
            value = value or default.removeprefix(":-")
        if value is None:
            message = f"environment variable {name} is not set"
            raise ValueError(message)
        if any("\ud800" <= character <= "\udfff" for character in value):
            message = f"environment variable {name} is not UTF-8 text"
            raise ValueError(message)
        return value
