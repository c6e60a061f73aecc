"""Records as choices: which tools each query chooses from, and which of them serve it. Knows no router."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.datasets import Dataset, Record, ToolSpec
from eval.datasets.problems import Problems
from eval.metrics.arrays import IntArray
from eval.runs import query_ids
from routers.tools import Tool

__all__ = ["Choice", "Choices", "Tools", "choices_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A query whose right tools are known.

    id: unique over all data sets. among: positions of the tools it chooses from. right: of those that serve it, all
    that have a right name. names: the right names, none where no tool serves it.
    """

    id: str
    record: Record
    among: IntArray
    right: IntArray
    names: tuple[str, ...]

    @property
    def answerable(self) -> bool:
        """Whether some tool serves it."""
        return bool(self.names)


@dataclass(frozen=True, slots=True)
class Choices:
    """The queries of some data sets. unknown: how many are not among them, as nobody knows their right tools."""

    queries: tuple[Choice, ...]
    unknown: int


@dataclass(slots=True)
class Tools:
    """The tools of several data sets, each once, so that what one set teaches of a tool serves the others.

    A tool is what it says: the same name with another description or other parameters is another tool.
    """

    every: list[Tool] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)

    def positions(self, specs: Sequence[ToolSpec]) -> IntArray:
        """Where they stand in `every`, which grows by those that are new."""
        found: dict[int, None] = {}
        for spec in specs:
            key = json.dumps([spec.name, spec.description, spec.parameters], sort_keys=True)
            if key not in self._known:
                self._known[key] = len(self.every)
                self.every.append(Tool(spec.name, spec.description, spec.parameters))
            found[self._known[key]] = None
        return np.fromiter(found, dtype=np.intp, count=len(found))


def choices_of(datasets: Sequence[Dataset], tools: Tools) -> Choices:
    """The queries whose right tools are known; a record without tools of its own chooses from its set's catalogue.

    Raises:
        DataError: queries with nothing to choose from, or with a right tool that is none of those; a set without any.
    """
    problems = Problems()
    queries: list[Choice] = []
    ids = iter(query_ids(datasets))
    for dataset in datasets:
        before = len(queries)
        catalogue = tools.positions(dataset.catalogue)
        for record in dataset.records:
            identity = next(ids)
            if record.right_tools is None:
                continue
            among = tools.positions(record.tools) if record.tools else catalogue
            queries.append(_choice(identity, record, among, tools=tools, problems=problems))
        if len(queries) == before:
            known = "such as metatool, bfcl or livemcp"
            problems.add(
                dataset.name, f"no record says which tools are right (right_tools); read a set of tools, {known}"
            )
    problems.check()
    return Choices(tuple(queries), sum(len(dataset.records) for dataset in datasets) - len(queries))


def _choice(identity: str, record: Record, among: IntArray, *, tools: Tools, problems: Problems) -> Choice:
    place = record.source or identity
    names = tuple(dict.fromkeys(record.right_tools or ()))
    offered = {tools.every[at].name for at in among.tolist()}
    if not offered:
        problems.add(place, "no tools to choose from: the record has none (tools), nor has its data set")
    else:
        for name in names:
            if name not in offered:
                problems.add(place, f"right tool {name!r} is not one to choose from", unknown=name, known=offered)
    right = np.array([at for at in among.tolist() if tools.every[at].name in names], dtype=np.intp)
    return Choice(identity, record, among, right, names)
