"""Names in the file that stand for something else in it: experts, categories, experts that experts need.

Goes by the tree where it can, so that one broken block does not hide what is wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from orchestrator.config.problems import Path, Problem, choices, shown
from orchestrator.config.settings import ExpertSettings, Routing
from orchestrator.config.tree import Block, Found, Scalar, entries, find, locate, names, single_name, written

__all__ = ["classifier_problems", "key_path", "name_problems", "reference_problems"]

Named = list[tuple[Path, Scalar]]

_SPOKEN = {"verdict": "write a verdict", "judge": "compare drafts", "escalate_to": "answer in its place"}
"""Keys of `fusion` that name an expert, and what it must be able to do."""


def name_problems(root: Block) -> Iterator[Problem]:
    """Categories and experts that are named but not there, or named twice in one list."""
    categories, experts = entries(root, "categories"), entries(root, "experts")
    yield from _unknown(single_name(root, "general"), "category", categories)
    for category in categories:
        yield from _list_problems(names(root, "categories", category, "experts"), experts)
    for block in _fusion_blocks(root):
        for key in _SPOKEN:
            yield from _unknown(single_name(root, *block, key), "expert", experts)
        yield from _list_problems(names(root, *block, "experts"), experts)
    for panel in entries(root, "panels"):
        yield from _list_problems(names(root, "panels", panel, "judges"), experts)
        yield from _unknown(names(root, "panels", panel, "categories"), "category", categories)
    yield from _launch_problems(root, experts)


def _fusion_blocks(root: Block) -> Iterator[tuple[str, ...]]:
    """Where fusion is set: for all categories, and for those that differ."""
    yield ("fusion",)
    for category in entries(root, "categories"):
        yield ("categories", category, "fusion")


def _unknown(named: Named, what: str, known: Collection[str]) -> Iterator[Problem]:
    if not known:  # without any, the block itself is the problem
        return
    for path, scalar in named:
        if scalar.text not in known:
            message = f"unknown {what} {shown(scalar.written)}{choices(scalar.text, known)}"
            yield Problem(scalar.mark, path, message)


def _list_problems(named: Named, experts: Collection[str]) -> Iterator[Problem]:
    yield from _unknown(named, "expert", experts)
    first: dict[str, Scalar] = {}
    for path, scalar in named:
        if first.setdefault(scalar.text, scalar) is not scalar:
            line = first[scalar.text].mark.line
            message = f"expert {shown(scalar.written)} is listed twice (first at line {line})"
            yield Problem(scalar.mark, path, message)


def _launch_problems(root: Block, experts: Collection[str]) -> Iterator[Problem]:
    for expert, entry in entries(root, "launch").items():
        kind = find(root, "experts", expert, "kind")
        if expert not in experts:
            message = f"unknown expert {shown(expert)}{choices(expert, experts)}"
        elif isinstance(kind, Scalar) and not kind.broken and kind.text != "vllm":
            message = f"only experts of kind 'vllm' are launched, {shown(expert)} is of kind {shown(kind.written)}"
        else:
            continue
        yield Problem(entry.key, ("launch", expert), message)


def reference_problems(root: Block, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    """Experts that other experts need: they exist, are of a kind that will do, and need nobody in a circle."""
    known = entries(root, "experts")
    yield from _verdict_problems(root, experts)
    yield from _judge_problems(root, experts)
    yield from _answer_problems(root, experts)
    references = {expert: settings.refers_to() for expert, settings in experts.items()}
    circular: set[tuple[str, str]] = set()
    for cycle in _cycles(references):
        circular |= set(pairwise(cycle))
        key = next(key for key, other in references[cycle[0]].items() if other == cycle[1])
        yield _problem(_at(root, cycle[0], key), f"cycle: {' -> '.join(cycle)}")
    for expert, needs in references.items():
        for key, other in needs.items():
            found = _at(root, expert, key)
            called = shown(written(found.node) or other)
            if found.broken:
                continue
            if other not in known:
                yield _problem(found, f"unknown expert {called}{choices(other, known)}")
            elif other in experts and (expert, other) not in circular:
                objection = experts[expert].objection(key, experts[other])
                if objection is not None:
                    yield _problem(found, f"{called} {objection}")


def classifier_problems(root: Block, routing: Routing, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    """Experts that the classifier asks: they exist, and chat."""
    if not routing.parameters:
        return
    from routers.classify.kinds import asked_by  # noqa: PLC0415 - numpy, for those that give parameters
    from routers.errors import UnknownClassifier  # noqa: PLC0415 - with it

    try:
        asked = asked_by(routing.classifier, routing.parameters)
    except UnknownClassifier:
        return  # a problem of the key `classifier`
    known = entries(root, "experts")
    for key, expert in asked.items():
        found = locate(root, ("routing", "parameters", *key_path(key)))
        called = shown(written(found.node) or expert)
        if expert not in known:
            yield _problem(found, f"unknown expert {called}{choices(expert, known)}")
        elif expert in experts and (grounds := experts[expert].unfit("chat")) is not None:
            yield _problem(found, f"{called} {grounds} and cannot chat")


def _verdict_problems(root: Block, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    for block in _fusion_blocks(root):
        for key, task in _SPOKEN.items():
            if key == "judge" and _measure(root, block) == "outcome":  # a tool runs code, and speaks with nobody
                continue
            for path, scalar in single_name(root, *block, key):
                settings = experts.get(scalar.text)
                if settings is not None and (grounds := settings.unfit("chat")) is not None:
                    yield Problem(scalar.mark, path, f"{shown(scalar.written)} {grounds} and cannot {task}")


def _measure(root: Block, block: tuple[str, ...]) -> str:
    """The measure of agreement of a block of fusion: its own, else that of all."""
    found = single_name(root, *block, "consensus") or single_name(root, "fusion", "consensus")
    return found[0][1].text if found else ""


def _judge_problems(root: Block, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    for panel in entries(root, "panels"):
        for path, scalar in names(root, "panels", panel, "judges"):
            settings = experts.get(scalar.text)
            if settings is not None and (grounds := settings.unfit("chat")) is not None:
                yield Problem(scalar.mark, path, f"{shown(scalar.written)} {grounds} and cannot judge")


def _answer_problems(root: Block, experts: Mapping[str, ExpertSettings]) -> Iterator[Problem]:
    """Experts that queries would be sent to and that answer none."""
    for block in (*_fusion_blocks(root), *(("categories", category) for category in entries(root, "categories"))):
        for path, scalar in names(root, *block, "experts"):
            settings = experts.get(scalar.text)
            if settings is not None and (grounds := settings.unfit("answer")) is not None:
                yield Problem(scalar.mark, path, f"{shown(scalar.written)} {grounds} and answers no queries")


def key_path(key: str) -> Path:
    """`panel.0` as the segments of a path."""
    return tuple(int(part) if part.isdecimal() else part for part in key.split("."))


def _at(root: Block, expert: str, key: str) -> Found:
    return locate(root, ("experts", expert, *key_path(key)))


def _problem(found: Found, message: str) -> Problem:
    return Problem(found.node.mark, found.path, message)


def _cycles(references: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """Circles of references, each as [a, b, ..., a] from the one that the file has first; no expert in two."""
    order = list(references)
    graph = {expert: [other for other in needs.values() if other in references] for expert, needs in references.items()}
    cycles: list[list[str]] = []
    while cycle := _cycle(graph):
        start = cycle.index(min(cycle, key=order.index))
        cycles.append([*cycle[start:], *cycle[: start + 1]])
        graph = {expert: others for expert, others in graph.items() if expert not in cycle}
    return cycles


def _cycle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle, each expert once; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        backwards: list[str] = error.args[1]  # from the needed to who needs it, the first again at the end
        return backwards[:0:-1]
    return []
