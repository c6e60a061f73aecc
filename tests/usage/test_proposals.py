"""Proposals of new categories from gated queries: clear groups are found, odd ones are left alone."""

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pytest

from orchestrator.config.values import IDENTIFIER
from orchestrator.testing import WordEmbedder
from routers.usage.proposals import GatedQuery, propose

PLACES = ["kitchen", "garage", "office", "attic", "cellar"]
LAMPS = [
    f"{verb} the lamp in the {place}" for verb, place in itertools.product(["switch on", "dim", "switch off"], PLACES)
]
FLIGHTS = [
    f"book a flight to {city} {when}" for city in ("Oslo", "Rome", "Lima", "Cairo") for when in ("today", "soon")
]
ODD = ["quantum chromodynamics", "why do cats purr", "seven eighths", "recite Homer backwards", "hm"]


def vectors(texts: Sequence[str]) -> np.ndarray:
    return WordEmbedder().embed(list(texts))


def gated(texts: Sequence[str], top: str = "home") -> list[GatedQuery]:
    return [GatedQuery(text, top) for text in texts]


def test_groups_are_proposed_with_what_tells_them_apart() -> None:
    """Specified: size, examples nearest to the centre, words, the nearest category; odd queries are in none."""
    texts = [*LAMPS, *ODD, *FLIGHTS]
    queries = [*gated(LAMPS), *gated(ODD, "talk"), *gated(FLIGHTS, "travel")]
    lamps, flights = propose(queries, vectors(texts), background=vectors(texts))
    assert (lamps.size, flights.size) == (15, 8)
    assert set(lamps.examples) <= set(LAMPS)
    assert lamps.words[0] == "lamp"
    assert {"book", "flight"} <= set(flights.words)
    assert (lamps.nearest, lamps.nearest_share, flights.nearest) == ("home", 1.0, "travel")
    assert {texts[place] for place in flights.members} == set(FLIGHTS)
    assert 0 < lamps.density <= 1


def test_the_same_query_counts_once() -> None:
    """Ours: a thousand of one query are one query, in whatever case."""
    texts = [*(["Book a flight"] * 50), *(["book  a FLIGHT"] * 50)]
    assert propose(gated(texts), vectors(texts), background=vectors(LAMPS)) == []


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_queries_propose_nothing(count: int) -> None:
    """Ours: not even when they are alike."""
    texts = LAMPS[:count]
    assert propose(gated(texts), vectors(texts), background=vectors(LAMPS)) == []


def test_queries_without_words_have_a_name_all_the_same() -> None:
    """Ours: emoji and other scripts; names are identifiers, and none that is taken."""
    texts = [f"🙂 {number}" for number in range(10)]
    near = np.tile(np.eye(1, 4, dtype=np.float32), (10, 1))
    far = np.eye(4, dtype=np.float32)
    (proposal,) = propose(gated(texts), near, background=far)
    assert (proposal.words, proposal.name) == ((), "new-1")
    (again,) = propose(gated(texts), near, background=far, taken=["new-1"])
    assert again.name != "new-1"
    chinese = [f"天气 怎么样 {number}" for number in range(10)]
    (other,) = propose(gated(chinese), near, background=far)
    assert all(re.match(IDENTIFIER, one.name) for one in (proposal, again, other))


def test_nearness_is_measured_by_the_embedder_in_use() -> None:
    """Ours: an embedder of which all vectors lie in a narrow cone gives the same groups."""
    texts = [*LAMPS, *ODD, *FLIGHTS]
    wide = vectors(texts)
    cone = np.hstack([wide, np.full((len(wide), 1), 2.0, dtype=np.float32)])
    cone /= np.linalg.norm(cone, axis=1, keepdims=True)
    plain, narrow = (propose(gated(texts), rows, background=rows) for rows in (wide, cone.astype(np.float32)))
    assert [one.members for one in plain] == [one.members for one in narrow]
