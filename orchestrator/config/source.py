"""YAML text -> tree, with each syntax problem at its place. Knows no key of the file and no environment.

Of YAML it takes mappings, lists, scalars and aliases: what a person writes by hand. Tags (but `!!str`), merge keys
and further documents are refused. Input is not trusted: size, depth and what aliases expand to are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml
from yaml import events

from orchestrator.config.problems import Mark, Path, Problem, shown
from orchestrator.config.tree import Block, Entry, Items, Node, Scalar

__all__ = ["MAX_BYTES", "Parsed", "decoded", "parse"]

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 200_000
TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})

IN_PLAIN_WORDS = {
    "'\\t'": "a tab cannot indent; use spaces",
    "mapping values": "a colon and a space are not allowed here; put a text that has them in quotes",
    "<block end>": "this does not belong to the block above it; check the indentation and the brackets",
}
"""What the parser says most often, and how a person would say it."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """`root` is None when the text is no mapping that can be read; `problems` then says why."""

    root: Block | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A node that aliases stand for, the values in it and the levels below it."""

    node: Node
    values: int
    levels: int


class _Stop(Exception):
    """A problem after which nothing more can be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def decoded(data: bytes) -> str | Problem:
    """The bytes of a file as text, or what keeps them from being some."""
    if len(data) > MAX_BYTES:
        return Problem(Mark(), (), f"the file has more than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(errors="replace")
        return Problem(
            _end_of(before), (), f"not UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8"
        )


def _end_of(text: str) -> Mark:
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


def parse(text: str) -> Parsed:
    """The tree of a text, as far as it can be read, and everything that is wrong with it."""
    composer = _Composer(text)
    try:
        root = composer.document()
    except _Stop as stop:
        return Parsed(None, (*composer.problems, stop.problem))
    return Parsed(root, tuple(composer.problems))


def _events(text: str) -> Iterator[events.Event]:
    """The parser's events; whatever stops the parser becomes a problem in plain words."""
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        message = f"character {shown(text[error.position])} is not allowed in YAML"
        raise _Stop(Problem(_end_of(text[: error.position]), (), message)) from None
    try:
        while loader.check_event():
            yield loader.get_event()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        raise _Stop(_syntax_problem(error, text)) from None
    except (ValueError, OverflowError):  # PyYAML checks neither "\UFFFFFFFF" nor the digits of a version
        raise _Stop(Problem(_mark(loader.get_mark()), (), "YAML syntax: no such character or number")) from None


def _mark(mark: Any) -> Mark:
    return Mark() if mark is None else Mark(mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = _mark(error.problem_mark or error.context_mark)
    problem = error.problem or "cannot be read"
    for fragment, words in IN_PLAIN_WORDS.items():
        if fragment in problem:
            return Problem(mark, (), words)
    began = f" ({error.context}, from line {_mark(error.context_mark).line})" if error.context_mark else ""
    line = text.splitlines()[mark.line - 1 : mark.line]
    hint = '; inside braces and brackets write "${...}" in quotes' if "${" in "".join(line) else ""
    return Problem(mark, (), f"YAML syntax: {problem}{began}{hint}")


class _Composer:
    """Builds the tree from events, one recursion a level, levels bounded.

    An alias is the anchored node itself: whoever walks the tree sees it once for each place it stands in.
    """

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._events = _events(text)
        self._anchors: dict[str, _Anchored | None] = {}  # None: not complete yet
        self._values = 0
        self._deepest = 0

    def document(self) -> Block:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, events.StreamEndEvent):
            raise _Stop(Problem(Mark(), (), "the file is empty"))
        root = self._node(next(self._events), ())
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, events.StreamEndEvent):
            self._refuse(_mark(event.start_mark), (), "a second document begins; a configuration is one document")
        if not isinstance(root, Block):
            raise _Stop(Problem(root.mark, (), "expected a mapping (keys and values) at the top of the file"))
        return root

    def _refuse(self, mark: Mark, path: Path, message: str) -> None:
        self.problems.append(Problem(mark, path, message))

    def _node(self, event: events.Event, path: Path) -> Node:
        mark = _mark(event.start_mark)
        if isinstance(event, events.AliasEvent):
            return self._alias(str(event.anchor), mark, path)
        anchor = event.anchor if isinstance(event, events.NodeEvent) else None
        if anchor is None:
            return self._value(event, mark, path)
        self._anchors[anchor] = None
        values, deepest, self._deepest = self._values, self._deepest, 0
        node = self._value(event, mark, path)
        self._anchors[anchor] = _Anchored(node, self._values - values, self._deepest - len(path))
        self._deepest = max(deepest, self._deepest)
        return node

    def _value(self, event: events.Event, mark: Mark, path: Path) -> Node:
        self._count(mark, values=1, depth=len(path))
        if isinstance(event, events.ScalarEvent):
            return self._scalar(event, mark, path)
        if isinstance(event, events.SequenceStartEvent):
            self._check_tag(event.tag, mark, path)
            return Items(mark, tuple(self._items(path)))
        self._check_tag(cast("events.MappingStartEvent", event).tag, mark, path)
        return Block(mark, self._entries(path))

    def _alias(self, anchor: str, mark: Mark, path: Path) -> Node:
        anchored = self._anchors.get(anchor)
        if anchored is None:
            wrong = "stands inside what it names" if anchor in self._anchors else "names nothing before it"
            self._refuse(mark, path, f"alias {shown(anchor)} {wrong}")
            return Scalar(mark, "", "", plain=True, broken=True)
        self._count(mark, values=anchored.values, depth=len(path) + anchored.levels)
        return anchored.node

    def _count(self, mark: Mark, *, values: int, depth: int) -> None:
        self._values += values
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            raise _Stop(Problem(mark, (), f"nested deeper than {MAX_DEPTH} levels"))
        if self._values > MAX_VALUES:
            raise _Stop(Problem(mark, (), f"more than {MAX_VALUES} values, aliases counted as what they stand for"))

    def _scalar(self, event: events.ScalarEvent, mark: Mark, path: Path) -> Scalar:
        text, tag = event.value, event.tag
        broken = tag not in TEXT_TAGS and not self._check_tag(tag, mark, path)
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(mark, path, "an escape that is half a character (a lone surrogate)")
            text, broken = "", True
        return Scalar(mark, text, text, plain=tag is None and not event.style, broken=broken)

    def _check_tag(self, tag: str | None, mark: Mark, path: Path) -> bool:
        """Whether there is none, as there should."""
        if tag is not None:
            self._refuse(mark, path, f"tag {shown(tag)} is not supported; leave it out")
        return tag is None

    def _items(self, path: Path) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            yield self._node(event, (*path, index))
            index += 1

    def _entries(self, path: Path) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            place = _mark(event.start_mark)
            key = self._key(self._node(event, (*path, "?")), place, path)
            value = self._node(next(self._events), (*path, "?" if key is None else key))
            if key is None:
                continue
            if key in entries:
                first = entries[key].key.line
                self._refuse(place, path, f"duplicate key {shown(key)} (first at line {first})")
                continue
            entries[key] = Entry(place, value)
        return entries

    def _key(self, node: Node, place: Mark, path: Path) -> str | None:
        if not isinstance(node, Scalar):
            kind = "list" if isinstance(node, Items) else "mapping"
            self._refuse(place, path, f"a key must be text, found a {kind}")
        elif node.broken:
            pass
        elif node.null:
            self._refuse(place, path, "a key must be text, found nothing; quote it if it is meant as text")
        elif node.plain and node.text == "<<":
            self._refuse(place, path, "merge keys ('<<') are not supported; write the keys out")
        else:
            return node.text
        return None
