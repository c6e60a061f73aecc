"""Tree -> typed settings, with all that is wrong in the file's own places. Knows what a kind is, not which exist.

pydantic validates strictly, as it does JSON. What a scalar means is settled by the field that takes it: each
scalar that is refused is offered again in its next meaning, so that `17` is a text among the examples and
`"8080"` a port, while `true` is never a number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from orchestrator.config.problems import Mark, Path, Problem, choices, shown
from orchestrator.config.settings import Config, ExpertSettings
from orchestrator.config.tree import Block, Items, Node, Scalar, described, entries, find, locate, scalars_in
from orchestrator.config.values import Identifier, Settings
from orchestrator.config.wording import FOREIGN, known_keys, worded

__all__ = ["Outline", "Reader"]

AnySettings = TypeVar("AnySettings", bound=Settings)
AnyJson = Any


class Outline(Config):
    """A file with its expert blocks left as they are: each is validated by the class that its kind names."""

    experts: dict[Identifier, AnyJson] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_their_bases(self) -> Self:
        """Blocks have no prices yet."""
        return self


class Reader:
    """Reads settings from blocks; `problems` gathers what is wrong."""

    def __init__(self, kinds: Mapping[str, type[ExpertSettings]]) -> None:
        self.problems: list[Problem] = []
        self._kinds = kinds

    def outline(self, root: Block) -> Outline | None:
        """Everything but the interior of the expert blocks."""
        hidden = {name for name, field in Outline.model_fields.items() if field.exclude}
        for name in hidden & root.entries.keys():
            known = choices(name, known_keys(Outline, ()))
            self._add(root.entries[name].key, (name,), f"unknown key{known}")
        usable = {name: entry for name, entry in root.entries.items() if name not in hidden}
        return self._read(Outline, Block(root.mark, usable), ())

    def experts(self, root: Block) -> dict[str, ExpertSettings]:
        """The experts whose own block is right, by id."""
        blocks = entries(root, "experts").items()
        read = {name: self._expert(entry.node, ("experts", name)) for name, entry in blocks}
        return {name: settings for name, settings in read.items() if settings is not None}

    def _expert(self, node: Node, path: Path) -> ExpertSettings | None:
        if not isinstance(node, Block):
            self._add(node.mark, path, f"expected a mapping (keys and values), found {described(node)}")
            return None
        kind = self._kind(node, path)
        return None if kind is None else self._read(kind, node, path)

    def _kind(self, block: Block, path: Path) -> type[ExpertSettings] | None:
        kind = find(block, "kind")
        if kind is None:
            self._add(block.mark, path, f"missing key 'kind'{choices('', self._kinds)}")
        elif not isinstance(kind, Scalar) or kind.null:
            self._add(kind.mark, (*path, "kind"), f"expected text, found {described(kind)}")
        elif kind.text in self._kinds:
            return self._kinds[kind.text]
        elif not kind.broken:
            known = choices(kind.text, self._kinds)
            self._add(kind.mark, (*path, "kind"), f"unknown kind {shown(kind.written)}{known}")
        return None

    def _add(self, mark: Mark, path: Path, message: str) -> None:
        self.problems.append(Problem(mark, path, message))

    def _read(self, model: type[AnySettings], block: Block, path: Path) -> AnySettings | None:
        meanings = _Meanings()
        while True:
            try:
                return model.model_validate_json(meanings.json(block), strict=True)
            except ValidationError as error:
                errors = error.errors(include_url=False, include_input=False)
            if not meanings.revised(locate(block, each["loc"]).node for each in errors):
                problems = (_problem(each, model, block) for each in errors)
                self.problems += (replace(each, path=(*path, *each.path)) for each in problems if each is not None)
                return None


def _problem(error: ErrorDetails, model: type[Settings], block: Block) -> Problem | None:
    """One error at its place, the path from `block` on; None when its cause is reported already."""
    where = error["loc"]
    found = locate(block, where)
    if error["type"] == "missing":
        by = f" (kind {model.model_fields['kind'].default!r} needs it)" if issubclass(model, ExpertSettings) else ""
        return Problem(found.node.mark, found.path, f"missing key {where[-1]!r}{by if len(where) == 1 else ''}")
    if error["type"] == "extra_forbidden":
        known = choices(str(where[-1]), known_keys(model, where[:-1]))
        return Problem(found.key or found.node.mark, found.path, f"unknown key{known}")
    unread = error["type"] in FOREIGN and any(scalar.broken for scalar in scalars_in(found.node))
    if found.broken or unread:
        return None
    mark = found.key if where[-1:] == ("[key]",) else None
    return Problem(mark or found.node.mark, found.path, worded(error, found.node, whole=block))


class _Meanings:
    """Which meaning each scalar is offered in: the first that its field takes, or the first of all if none is."""

    def __init__(self) -> None:
        self._turn: dict[Scalar, int] = {}
        self._settled: set[Scalar] = set()

    def json(self, block: Block) -> str:
        return json.dumps(self._plain(block))

    def _plain(self, node: Node) -> AnyJson:
        if isinstance(node, Block):
            return {key: self._plain(entry.node) for key, entry in node.entries.items()}
        if isinstance(node, Items):
            return [self._plain(item) for item in node.items]
        return node.meanings[self._turn.get(node, 0)]

    def revised(self, refused: Iterable[Node]) -> bool:
        """Whether another try is worth it, each refused scalar being in its next meaning."""
        scalars = {node for node in refused if isinstance(node, Scalar) and len(node.meanings) > 1} - self._settled
        for scalar in scalars:
            turn = (self._turn.get(scalar, 0) + 1) % len(scalar.meanings)
            self._turn[scalar] = turn
            if turn == 0:
                self._settled.add(scalar)
        return bool(scalars)
