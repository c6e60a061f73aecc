"""The consensus: its algebra against golden vectors and laws, and what it keeps of real drafts."""

from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator.config.fusion import Rule
from orchestrator.conversation.turns import turn_of
from orchestrator.decision import Consensus
from orchestrator.stages.agreement.likelihood import distances
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.consensus import elected, nearest, peer_scores
from orchestrator.testing import ScriptedExpert
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft
from routers.fusion.kept import default_keep
from tests.flowing import Words, flowing

pytestmark = pytest.mark.anyio


def draft(expert: str, text: str) -> Draft:
    return Draft(expert=expert, text=text, total_s=0.0)


async def by_embedding(drafts: list[Draft], **rule: Any) -> Consensus:
    """Of these drafts, over an embedder that counts words."""
    async with flowing(ScriptedExpert("a"), categories={"general": ["a"]}) as engine:
        request = ChatRequest(body={"messages": []}, deadline=anyio.current_time() + 10)
        measures = Measures(engine.registry, Words())
        return await measures.consensus(drafts, request, Trace(model="fuse", turn=turn_of(())), rule=Rule(**rule))


def square(k: int) -> st.SearchStrategy[np.ndarray]:
    cells = st.floats(0, 1, width=32)
    return arrays(np.float32, (k, k), elements=cells).map(lambda m: (m + m.T) / 2)


matrices = st.integers(2, 6).flatmap(square)


def test_golden_scores_pick_the_three_that_agree() -> None:
    """Specified (golden vector of the paper's scores): A 1.97, B 2.09, C 1.83, D 6.05, E 6.67; top three C, A, B."""
    assert nearest([1.97, 2.09, 1.83, 6.05, 6.67], 3) == [0, 1, 2]


GOLDEN = np.array(
    [
        [0.20, 0.25, 0.30, 1.50, 2.00],
        [0.22, 0.18, 0.28, 1.40, 1.90],
        [0.30, 0.26, 0.15, 1.70, 1.60],
        [0.90, 0.95, 0.85, 0.10, 1.80],
        [1.10, 1.20, 1.00, 2.10, 0.12],
    ]
)
"""Likelihoods of PAPERS.md section 2: row judge on column answer, A to E."""


def test_golden_likelihoods_give_the_golden_scores() -> None:
    """Specified (golden vector of the paper): d_j(y_i) = |NLL_j(y_i) - NLL_j(y_j)|, summed over the other judges."""
    scores = peer_scores(distances(GOLDEN))
    assert scores == pytest.approx([1.97, 2.09, 1.83, 6.05, 6.67])
    assert nearest(scores, 3) == [0, 1, 2]


def test_disagreement_sums_what_the_others_find_different() -> None:
    """Specified: s(y_i) is the sum over j != i of 1 - agree_j(y_i); the diagonal does not count."""
    agreement = np.array([[0.3, 0.9, 0.2], [0.9, 0.3, 0.4], [0.2, 0.4, 0.3]], dtype=np.float32)
    assert peer_scores(1.0 - agreement.astype(np.float64)) == pytest.approx([0.9, 0.7, 1.4], abs=1e-6)


def test_default_keeps_three_of_five() -> None:
    """Specified: three fifths, rounded up."""
    assert [default_keep(k) for k in range(1, 7)] == [1, 2, 2, 3, 3, 4]


@given(matrices, st.randoms())
def test_the_order_of_drafts_does_not_change_their_scores(matrix: np.ndarray, random: object) -> None:
    """Permuting the drafts permutes the scores and nothing else."""
    order = list(range(len(matrix)))
    random.shuffle(order)  # type: ignore[attr-defined]
    distance = 1.0 - matrix.astype(np.float64)
    expected = np.array(peer_scores(distance))[order]
    assert peer_scores(distance[np.ix_(order, order)]) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8), st.integers(1, 8))
def test_what_is_kept_is_never_worse_than_what_is_not(scores: list[float], keep: int) -> None:
    """Exactly `keep` are kept (or all), none of them above one that is not."""
    kept = nearest(scores, keep)
    rest = [score for i, score in enumerate(scores) if i not in kept]
    assert len(kept) == min(keep, len(scores))
    assert not rest or max(scores[i] for i in kept) <= min(rest) + 1e-9


def test_ties_at_the_cut_are_drawn_by_the_seed() -> None:
    """The same seed draws the same one of equals, and some seed draws another."""
    scores = [0.0, 1.0, 1.0, 1.0]
    assert nearest(scores, 2, seed=7) == nearest(scores, 2, seed=7)
    assert len({tuple(nearest(scores, 2, seed=seed)) for seed in range(20)}) > 1


async def test_the_outlier_is_dissent() -> None:
    """Of three drafts, the one that shares no words with the others is not kept."""
    drafts = [
        draft("a", "the answer is blue sky"),
        draft("b", "rotten potatoes everywhere"),
        draft("c", "the answer is blue"),
    ]
    consensus = await by_embedding(drafts)
    assert (consensus.kept, consensus.dissent, consensus.unanimous) == (("a", "c"), ("b",), False)


async def test_same_answers_are_unanimous() -> None:
    """Drafts that differ in case and white space only need no verdict; all of them are kept."""
    drafts = [draft("a", "Forty  two"), draft("b", "forty two"), draft("c", "forty two\n")]
    consensus = await by_embedding(drafts, keep=2)
    assert (consensus.unanimous, consensus.kept) == (True, ("a", "b", "c"))


async def test_a_draft_without_text_cannot_be_kept() -> None:
    """A draft of tool calls alone, or an empty one, is dissent whatever the others say."""
    drafts = [draft("a", "  "), draft("b", "something said")]
    consensus = await by_embedding(drafts, keep=2)
    assert (consensus.experts, consensus.kept, consensus.dissent) == (("b",), ("b",), ("a",))


async def test_no_draft_with_text_keeps_nothing() -> None:
    """When nobody said anything there is no consensus to give to a verdict."""
    consensus = await by_embedding([draft("a", ""), draft("b", " ")])
    assert (consensus.kept, consensus.dissent) == ((), ("a", "b"))


async def test_votes_elect_the_answer_with_the_most_weight_and_its_heaviest_voter_speaks() -> None:
    """Specified: the short answers are compared, however they are put; the rest is dissent."""
    drafts = [
        draft("a", "It is 41."),
        draft("b", "Half of 84, so the answer is 42."),
        draft("c", "42"),
        draft("d", " "),
    ]
    consensus = elected(drafts, {"a": 1.5, "b": 0.9, "c": 1.0, "d": 9.0})
    assert (consensus.measure, consensus.experts) == ("answer", ("a", "b", "c"))
    assert (consensus.kept, consensus.dissent, consensus.unanimous) == (("c", "b"), ("a", "d"), False)
    assert consensus.support == {"a": 1.5, "b": 1.9, "c": 1.9}
    assert consensus.scores == {"a": 2.0, "b": 1.0, "c": 1.0}


async def test_of_equal_votes_the_first_that_was_learned_wins() -> None:
    """Ours: in the order of the weights, not of the drafts."""
    drafts = [draft("b", "2"), draft("a", "1")]
    assert elected(drafts, {"a": 1.0, "b": 1.0}).kept == ("a",)


async def test_without_short_answers_the_first_speaks_for_itself() -> None:
    """Ours: essays cannot vote; and where nobody said anything nothing is kept."""
    essays = [draft("a", "word " * 100), draft("b", "word " * 100)]
    consensus = elected(essays, {"a": 1.0, "b": 2.0})
    assert (consensus.kept, consensus.dissent, consensus.support) == (("a",), ("b",), {})
    nothing = elected([draft("a", ""), draft("b", "")], {"a": 1.0, "b": 2.0})
    assert (nothing.kept, nothing.dissent) == ((), ("a", "b"))
