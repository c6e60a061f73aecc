"""Proposes new categories: what the gated queries that lie close together have in common.

Clusters are of average linkage (scikit-learn): the members of one are alike on average, and queries that are like
nothing else are in none. How near is near is measured by queries of known categories, since embedders differ in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import CountVectorizer

from routers.embedding.protocol import FloatArray
from routers.examples import same_text

__all__ = ["LEAST", "MOST", "NEAR", "GatedQuery", "Proposal", "propose"]

LEAST = 8
"""Fewest distinct queries of a proposal."""

MOST = 4000
"""Latest gated queries that are looked at: all pairs of them are compared."""

NEAR = 0.55
"""Mean distance within a cluster, as a share of the usual distance between two queries."""

EXAMPLES = 5
WORDS = 5
SAMPLE = 500
BLANK = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class GatedQuery:
    """A query that the gate sent to the general category. top: the category that it was likest to."""

    text: str
    top: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Queries that could be a category of their own.

    size: distinct queries. density: mean cosine of its queries with its centre, up to 1. examples: nearest to the
    centre first. words: that tell it from the other gated queries, most telling first. nearest: the category that most
    of its queries are likest to; nearest_share: how many of them, 0 to 1. members: their places in what was given.
    """

    name: str
    size: int
    density: float
    examples: tuple[str, ...]
    words: tuple[str, ...]
    nearest: str | None
    nearest_share: float
    members: tuple[int, ...]


def propose(
    queries: Sequence[GatedQuery],
    vectors: FloatArray,
    *,
    background: FloatArray,
    least: int = LEAST,
    taken: Collection[str] = (),
) -> list[Proposal]:
    """The proposals, largest first; queries of which there are several count once.

    vectors: float32 [n, dim], rows L2-normalised, of the queries. background: the same of queries of all
    categories, some hundreds do; distances are measured by the usual one among these. least: queries of a proposal.
    taken: names of the categories that there are.
    """
    latest = {same_text(query.text): place for place, query in enumerate(queries)}
    places = sorted(latest.values())[-MOST:]
    if len(places) < max(least, 2):
        return []
    near = NEAR * _usual_distance(background)
    labels = _clusters(vectors[places], near)
    texts = [queries[place].text for place in places]
    proposals: list[Proposal] = []
    for label, size in Counter(labels.tolist()).most_common():
        if size < least:
            break
        inside = labels == label
        members = [place for place, here in zip(places, inside, strict=True) if here]
        words = _telling_words(texts, inside)
        proposals.append(_proposal(queries, vectors, members, words))
    return _named(proposals, taken)


def _usual_distance(background: FloatArray) -> float:
    """Median cosine distance of two queries; 1 where there are not two."""
    if len(background) < 2:  # noqa: PLR2004 - a pair
        return 1.0
    some = background[-SAMPLE:].astype(np.float64)
    above = np.triu_indices(len(some), k=1)
    return float(np.median(1 - (some @ some.T)[above]))


def _clusters(vectors: FloatArray, near: float) -> npt.NDArray[np.int64]:
    clustering = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=max(near, np.finfo(np.float32).eps)
    )
    labels: npt.NDArray[np.int64] = clustering.fit_predict(vectors)
    return labels


def _proposal(
    queries: Sequence[GatedQuery], vectors: FloatArray, members: Sequence[int], words: tuple[str, ...]
) -> Proposal:
    inside = vectors[list(members)].astype(np.float64)
    centre = inside.mean(axis=0)
    nearness = inside @ (centre / max(float(np.linalg.norm(centre)), 1e-12))
    tops = Counter(top for member in members if (top := queries[member].top) is not None)
    nearest, times = tops.most_common(1)[0] if tops else (None, 0)
    return Proposal(
        name="",
        size=len(members),
        density=float(nearness.mean()),
        examples=tuple(queries[members[place]].text for place in np.argsort(-nearness, kind="stable")[:EXAMPLES]),
        words=words,
        nearest=nearest,
        nearest_share=times / len(members),
        members=tuple(members),
    )


def _telling_words(texts: Sequence[str], inside: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """By the share of its queries that have the word, times the log of how much more often than elsewhere that is."""
    counter = CountVectorizer(binary=True, token_pattern=r"(?u)\b[^\W\d]{2,}\b")  # noqa: S106 - no password
    try:
        found = counter.fit_transform(texts)
    except ValueError:  # no words at all
        return ()
    here, elsewhere = int(inside.sum()), int((~inside).sum())
    share = (np.asarray(found[inside].sum(axis=0)).ravel() + 0.0) / here
    other = (np.asarray(found[~inside].sum(axis=0)).ravel() + 1.0) / (elsewhere + 1.0)
    weight = share * np.log(np.maximum(share, 1e-12) / other)
    names = counter.get_feature_names_out()
    order = np.lexsort(
        (np.array([-len(name) for name in names]), -weight)
    )  # of equal ones the longer: short ones are particles
    return tuple(str(names[place]) for place in order[:WORDS] if weight[place] > 0)


def _named(proposals: Sequence[Proposal], taken: Collection[str]) -> list[Proposal]:
    """Each with a name of its own, of its words where they are ASCII, as an identifier of the configuration.

    Always with a hyphen: a word alone could be one that YAML takes for a truth value.
    """
    names = set(taken)
    named: list[Proposal] = []
    for number, proposal in enumerate(proposals, start=1):
        words = [*filter(None, (BLANK.sub("", word) for word in proposal.words[:2]))]
        name = "-".join(words)[:48] if len(words) > 1 else f"{words[0][:40] if words else 'new'}-{number}"
        while name in names:
            name = f"{name}-{number}"
        names.add(name)
        named.append(replace(proposal, name=name))
    return named
