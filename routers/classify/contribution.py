"""What one part of a query adds to the scores of categories. Knows no classifier."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from routers.calibrate import IntArray
from routers.embedding.protocol import FloatArray

__all__ = ["Contribution", "Part", "most_telling", "of_examples", "of_pieces", "total", "whatever_the_text"]

Part = Literal["examples", "pilot", "rule", "word", "letters", "meaning", "category", "other"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One part of what a classifier went by.

    part: examples (learned queries that this one is near to in meaning), pilot (the centroid of several of them), rule
        (a keyword or pattern that was found), word (a word or two in a row), letters (the pieces of a word's spelling),
        meaning (the embedding as a whole), category (what the category has whatever the query), other (several small
        ones together).
    values: what it adds to the score of each category that was asked for, in their order.
    """

    part: Part
    name: str
    values: tuple[float, ...]


def of_examples(
    values: npt.NDArray[np.float64], owner: IntArray, *, likeness: FloatArray, classes: Sequence[str]
) -> list[Contribution]:
    """What learned examples add, gathered by their category.

    values: [m, categories asked for]. owner: column in `classes` of each example's category, [m]. likeness: cosine
    of each to the query, [m].
    """
    gathered = []
    for column in np.unique(owner):
        here = owner == column
        name = f"{here.sum()} examples of {classes[column]}, nearest {likeness[here].max():.2f}"
        gathered.append(Contribution("examples", name, _row(values[here].sum(axis=0))))
    return gathered


def whatever_the_text(values: FloatArray | npt.NDArray[np.float64]) -> Contribution:
    """What each category asked for has to begin with."""
    return Contribution("category", "the category, whatever the text", _row(values))


def of_pieces(pieces: Sequence[tuple[Part, str]], values: npt.NDArray[np.float64]) -> list[Contribution]:
    """Named pieces of a text with what each adds, [pieces, categories asked for]; pieces that add nothing left out."""
    rows = zip(pieces, values, strict=True)
    return [Contribution(part, name, _row(row)) for (part, name), row in rows if row.any()]


def most_telling(contributions: Sequence[Contribution], *, most: int) -> tuple[Contribution, ...]:
    """Those that tell the first category most from the second, ranked, and all others as one; the sums stay.

    most: of each kind of part, so that many examples do not crowd out the words.
    """
    ranked = sorted(contributions, key=lambda part: -abs(part.values[0] - part.values[1]))
    seen: Counter[Part] = Counter()
    kept: list[Contribution] = []
    rest: list[Contribution] = []
    for contribution in ranked:
        seen[contribution.part] += 1
        (kept if seen[contribution.part] <= most else rest).append(contribution)
    return (*kept, Contribution("other", f"{len(rest)} smaller ones", total(rest))) if rest else tuple(kept)


def total(contributions: Sequence[Contribution]) -> tuple[float, ...]:
    """What the parts add up to, for each category."""
    return _row(np.sum([part.values for part in contributions], axis=0))


def _row(values: FloatArray | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
