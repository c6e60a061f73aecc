"""Which tool serves a query: a shortlist in order, and whether any of them fits. Calls none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from routers.calibrate import IntArray
from routers.embedding.protocol import Embedder, FloatArray
from routers.gate import gate_threshold
from routers.tools.examples import NOTHING, NearestExamples, ToolClassifier
from routers.tools.likeness import Likeness, Texts
from routers.tools.text import Tool, described_words, tool_text, words_of

__all__ = ["Candidate", "Shortlist", "ToolChooser", "ToolExample", "Weighed"]

SPARSE = 0.5
"""Weight of the likeness by words beside the one by meaning. From .25 to 1 it makes little difference."""

WHOLE, NAMED, DESCRIBED_ALONE = 1.0, 0.5, 1.0
"""Weights of what a tool's vector is made of: its whole text, its name alone, its description alone.

A request says what is wanted, as descriptions do, and not the parameters. Chosen without MetaTool: on functions of
BFCL pooled, tools of LiveMCPBench, intents of CLINC150 and BANKING77 by their names.
"""

DESCRIBED, SOUNDS = 0.25, 0.5
"""Weights of the description and of the classifier, beside the nearest example; half or twice as much costs a point."""

NEW = 0.5
"""Share of the lead of examples over descriptions that a tool without examples is given; matters beside others only.

At 0 new tools are hidden by those with examples, at 1 they begin to hide those.
"""

THRESHOLD, THRESHOLD_BY_WORDS = 0.3, 0.08
"""Below which likeness no tool fits, where no examples say it; with an embedder, and by words alone.

With a small sentence embedder 5 % of the requests of three public sets lie below for all tools of their catalogue.
"""

AT_ONCE = 256
TINY = 1e-12
MOST_HELD_OUT = 2000
"""Examples that the threshold is learned from, evenly spaced: more of them would not move it."""


@dataclass(frozen=True, slots=True)
class ToolExample:
    """A query whose tools are known.

    right: positions of those that serve it. among: of those to choose from, None for all.
    """

    query: str
    right: Sequence[int]
    among: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Every tool for some queries, float32 [n, tools] each.

    score: ranks the tools of one query. likeness: says whether a tool fits, and is comparable between queries.
    """

    score: FloatArray
    likeness: FloatArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """One tool of a shortlist; position: where it stands among all tools."""

    tool: Tool
    position: int
    score: float
    likeness: float


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The tools that serve a query best, best first; `fits` is false where none is likely to."""

    candidates: tuple[Candidate, ...]
    fits: bool


class ToolChooser:
    """Ranks tools by their names, descriptions and parameters, and by example queries once it has learned some.

    Described only, a tool's score is its likeness to the query (see `Likeness`). With examples it is
    nearest + .25 described + .5 sounds, where `nearest` is the likeness to the nearest of the tool's examples and of
    its description, and `sounds` the probability of a classifier. People ask more like each other than like a
    description, so a tool that is new, without examples, is given half of that lead. No tool fits where even the
    largest `nearest` is below the threshold.

    embedder: None to go by words alone.
    """

    threshold: float
    _nearest: NearestExamples | None
    _sounds: ToolClassifier | None
    _lead: float

    def __init__(self, tools: Sequence[Tool], *, embedder: Embedder | None = None) -> None:
        if not tools:
            message = "there are no tools to choose from"
            raise ValueError(message)
        self.tools = tuple(tools)
        self._embedder = embedder
        self._forget()

    def learn(self, examples: Sequence[ToolExample], *, false_abstain: float = 0.05) -> Self:
        """Learn from examples; those without a right tool teach nothing. What was learned before is forgotten.

        false_abstain: the largest share of the examples, each judged by the others, that the threshold may turn away.
        """
        self._forget()
        distinct = {(example.query, tuple(example.right)): example for example in examples if example.right}
        useful = list(distinct.values())
        if not useful:
            return self
        texts = self._describe([example.query for example in useful])
        query = np.repeat(np.arange(len(useful)), [len(example.right) for example in useful])
        tool = np.array([position for example in useful for position in example.right], dtype=np.intp)
        m = len(self.tools)
        self._nearest = NearestExamples(self._likeness, texts, query=query, tool=tool, tools=m, sparse=SPARSE)
        self._sounds = ToolClassifier(texts, query=query, tool=tool, tools=m)
        held_out = self._held_out(useful, texts, self._nearest)
        self._lead = _lead(held_out)
        best = np.array([self._with_new(one.described, one.nearest)[one.among].max() for one in held_out])
        self.threshold = gate_threshold(best, np.ones(len(best), dtype=np.bool_), false_reject=false_abstain)
        return self

    def weigh(self, queries: Sequence[str]) -> Weighed:
        """All tools for each query."""
        scores = [np.zeros((0, len(self.tools)), dtype=np.float32)]
        likenesses = list(scores)
        for start in range(0, len(queries), AT_ONCE):
            texts = self._likeness.read(queries[start : start + AT_ONCE])
            score = likeness = self._likeness.between(texts, self._described, sparse=SPARSE)
            if self._nearest is not None and self._sounds is not None:
                likeness = self._with_new(score, self._nearest.read(texts))
                score = likeness + DESCRIBED * score + SOUNDS * self._sounds.read(texts)
            scores.append(score)
            likenesses.append(likeness)
        return Weighed(np.concatenate(scores), np.concatenate(likenesses))

    def shortlist(self, query: str, k: int = 5, *, among: Sequence[int] | None = None) -> Shortlist:
        """The k best for one query, of all tools or of those at some positions; equal ones in the order given."""
        weighed = self.weigh([query])
        positions = np.arange(len(self.tools)) if among is None else np.asarray(among, dtype=np.intp)
        best = positions[np.argsort(-weighed.score[0, positions], kind="stable")][:k]
        candidates = tuple(
            Candidate(self.tools[at], at, float(weighed.score[0, at]), float(weighed.likeness[0, at]))
            for at in best.tolist()
        )
        return Shortlist(candidates, self.fits(weighed.likeness[0, positions]))

    def fits(self, likeness: FloatArray) -> bool:
        """Whether any tool fits, from the likenesses of those to choose from; none of none does."""
        return bool(len(likeness) and float(likeness.max()) >= self.threshold)

    def _forget(self) -> None:
        """Know what tools say of themselves, and no examples."""
        self.threshold = THRESHOLD_BY_WORDS if self._embedder is None else THRESHOLD
        self._nearest = self._sounds = None
        self._lead = 0.0
        self._describe([])

    def _describe(self, queries: Sequence[str]) -> Texts:
        """Weigh words by the tools and these queries, and read both; returns the queries."""
        described = [tool_text(tool) for tool in self.tools]
        self._likeness = Likeness([*described, *queries], embedder=self._embedder)
        self._described = self._with_views(self._likeness.read(described))
        return self._likeness.read(queries) if queries else self._described

    def _with_views(self, whole: Texts) -> Texts:
        """The tools' texts, their vectors moved towards those of the name and of the description alone."""
        if whole.dense is None or self._embedder is None:
            return whole
        named = self._embedder.embed([words_of(tool.name) for tool in self.tools])
        described = self._embedder.embed([described_words(tool) for tool in self.tools])
        together = WHOLE * whole.dense + NAMED * named + DESCRIBED_ALONE * described
        lengths = np.linalg.norm(together, axis=1, keepdims=True)
        return replace(whole, dense=(together / np.maximum(lengths, TINY)).astype(np.float32))

    def _with_new(self, described: FloatArray, nearest: FloatArray) -> FloatArray:
        """The likeness to tools [..., tools], where those without examples are given half of the lead of the others."""
        likeness: FloatArray = np.maximum(described, nearest)
        if self._nearest is not None:
            likeness[..., self._nearest.without] += np.float32(NEW * self._lead)
        return likeness

    def _held_out(self, examples: Sequence[ToolExample], texts: Texts, nearest: NearestExamples) -> list[_HeldOut]:
        """Some of the examples, each as if it had not been learned."""
        count = min(len(examples), MOST_HELD_OUT)
        chosen = np.unique(np.linspace(0, len(examples) - 1, num=count).astype(np.intp))
        found: list[_HeldOut] = []
        for rows in _in_parts(chosen):
            described = self._likeness.between(texts.rows(rows), self._described, sparse=SPARSE)
            near = nearest.read_each_without_itself(rows)
            found += [_HeldOut(described[at], near[at], examples[row]) for at, row in enumerate(rows.tolist())]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """What an example looks like, [tools] each, when it is none itself."""

    described: FloatArray
    nearest: FloatArray
    example: ToolExample

    @property
    def among(self) -> slice | list[int]:
        among = self.example.among
        return slice(None) if among is None else list(among)


def _lead(held_out: Sequence[_HeldOut]) -> float:
    """By how much queries are more like other examples of their tool than like its description, in the median."""
    leads = [
        float(one.nearest[position] - one.described[position])
        for one in held_out
        for position in one.example.right
        if one.nearest[position] > NOTHING
    ]
    return max(0.0, float(np.median(leads))) if leads else 0.0


def _in_parts(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
