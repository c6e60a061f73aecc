"""A YAML file as a tree in which every value and every key knows its place. Says nothing of what the keys mean.

Scalars stay text: what a scalar is (a number, a switch, a text) is for the field that takes it to say, and
`Scalar.meanings` lists the candidates. They follow YAML 1.2's core schema, so `no`, `12:30`, `1_000` and
`2024-01-01` are text unless a field wants otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.config.problems import Mark, Path, shown

__all__ = [
    "Block",
    "Entry",
    "Found",
    "Items",
    "Meaning",
    "Node",
    "Scalar",
    "described",
    "entries",
    "find",
    "locate",
    "names",
    "scalars_in",
    "single_name",
    "written",
]

Meaning = str | int | float | bool | None

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
SWITCHES = {"yes": True, "on": True, "no": False, "off": False}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
MOST_NUMBER = 64


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A single value.

    text: what it stands for, variables filled in; may be a secret. written: the same as the file has it.
    plain: without quotes, so that `5` is first of all a number.
    values: what the environment put into `text`, by placeholder.
    broken: there is a problem with the scalar itself, so that nobody need complain about its value.
    """

    mark: Mark
    text: str = field(repr=False)
    written: str
    plain: bool
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    broken: bool = False

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the scalar may stand for, likeliest first: plain `5` is a number before a text, `"5"` the reverse."""
        core = _core(self.text)
        if core is None:
            return ((None, self.text) if self.values else (None,)) if self.plain else (self.text,)
        if isinstance(core, str):
            switch = SWITCHES.get(core.lower())
            return (core,) if switch is None else (core, switch)
        return (core, self.text) if self.plain else (self.text, core)

    @property
    def null(self) -> bool:
        """Whether it stands for nothing."""
        return self.meanings[0] is None


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list."""

    mark: Mark
    items: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place, and the value."""

    key: Mark
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A mapping; keys are text as written. `mark` is where its first key (or its brace) stands."""

    mark: Mark
    entries: Mapping[str, Entry] = field(default_factory=dict)


Node = Scalar | Items | Block


def _core(text: str) -> Meaning:
    """The value of a plain scalar by YAML 1.2's core schema."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if len(text) > MOST_NUMBER:  # digits enough for any setting; Python itself refuses to read very long numbers
        return text
    if INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if FLOAT.fullmatch(text):
        return float(text.replace(".", "") if text[-1].isalpha() else text)
    return text


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path led: the deepest node on it, and its key's place if it is a mapping's value."""

    path: Path
    node: Node
    key: Mark | None = None

    @property
    def broken(self) -> bool:
        """Whether this is a scalar of which a problem is known already."""
        return isinstance(self.node, Scalar) and self.node.broken


def locate(root: Node, path: Path) -> Found:
    """The deepest node that the path reaches; segments that are not in the file (names of kinds) are skipped."""
    found = Found((), root)
    for segment in path:
        node = found.node
        if isinstance(node, Block) and isinstance(segment, str) and segment in node.entries:
            entry = node.entries[segment]
            found = Found((*found.path, segment), entry.node, entry.key)
        elif isinstance(node, Items) and isinstance(segment, int) and segment < len(node.items):
            found = Found((*found.path, segment), node.items[segment])
    return found


def find(root: Node, *path: str | int) -> Node | None:
    """The node at exactly this path, if the file has it."""
    found = locate(root, path)
    return found.node if found.path == path else None


def entries(root: Node, *path: str | int) -> Mapping[str, Entry]:
    """What the mapping at this path holds; nothing if there is no mapping."""
    node = find(root, *path)
    return node.entries if isinstance(node, Block) else {}


def single_name(root: Node, *path: str | int) -> list[tuple[Path, Scalar]]:
    """The scalar at this path with its path, if there is one and it can be used: neither broken nor null."""
    node = find(root, *path)
    return [(path, node)] if isinstance(node, Scalar) and not (node.broken or node.null) else []


def names(root: Node, *path: str | int) -> list[tuple[Path, Scalar]]:
    """The usable scalars of the list at this path, with their paths."""
    node = find(root, *path)
    items = len(node.items) if isinstance(node, Items) else 0
    return [each for index in range(items) for each in single_name(root, *path, index)]


def scalars_in(node: Node) -> Iterator[Scalar]:
    """Every scalar in a node, or the node itself."""
    if isinstance(node, Scalar):
        yield node
        return
    below = node.items if isinstance(node, Items) else (entry.node for entry in node.entries.values())
    for each in below:
        yield from scalars_in(each)


def written(node: Node) -> str:
    """A scalar's text as the file has it; nothing for anything else."""
    return node.written if isinstance(node, Scalar) else ""


def described(node: Node) -> str:
    """What was found, for messages; never what the environment put there."""
    if isinstance(node, Block):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.values:
        return f"the value of {shown(node.written)}"
    if node.null:
        return "nothing"
    return shown(node.text) if isinstance(node.meanings[0], str) else node.text
