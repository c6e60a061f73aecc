"""Measures of agreement, and what is kept by them: over scripted experts, and their algebra."""

from typing import Any

import anyio
import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.config.fusion import Rule
from orchestrator.decision import Consensus, Decision
from orchestrator.errors import ExpertRejected
from orchestrator.fair_lengths import fair_lengths
from orchestrator.stages.agreement.measure import Agreed
from orchestrator.stages.consensus import kept_of, nearest, peer_scores, shares
from orchestrator.stages.draft import nowhere
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.types import Draft
from tests.flowing import flowing

pytestmark = pytest.mark.anyio

CATEGORIES: dict[str, Any] = {"math": {"experts": ["a", "b", "c"], "plan": "fuse"}, "general": ["a"]}


def drafts_of(count: int) -> list[Draft]:
    return [Draft(expert=f"e{at}", text=f"text {at}", total_s=0.0) for at in range(count)]


def consensus_of(agreement: Any, **rule: Any) -> Consensus:
    matrix = np.array(agreement, dtype=np.float64)
    return kept_of(drafts_of(len(matrix)), Agreed.by_pairs("judge", matrix), Rule(**rule))


@st.composite
def agreements(draw: st.DrawFn, least: int = 2) -> np.ndarray:
    k = draw(st.integers(least, 6))
    cells = st.integers(0, 20).map(lambda cell: cell / 20)
    return np.array(draw(st.lists(st.lists(cells, min_size=k, max_size=k), min_size=k, max_size=k)), dtype=np.float64)


async def decided(*experts: ScriptedExpert, query: str = "math q", **fusion: Any) -> tuple[str, Decision]:
    """The answer to a query that is fused, and its decision."""
    async with flowing(*experts, categories=CATEGORIES, fusion={"verdict": "a", **fusion}) as engine:
        body = {"messages": [{"role": "user", "content": query}]}
        request, trace = engine.pipeline.request(body, model="auto")
        with anyio.fail_after(10):
            draft = await engine.pipeline.answer(request, nowhere, trace)
    return draft.text, trace.decision()


def pool(*texts: str) -> list[ScriptedExpert]:
    """a, b and c; the last words of a are its verdict."""
    return [ScriptedExpert(name, text, "the verdict") for name, text in zip("abc", texts, strict=True)]


def kept(decision: Decision) -> Consensus:
    assert decision.consensus is not None
    return decision.consensus


@given(agreements(), st.randoms(use_true_random=False))
def test_the_order_of_drafts_changes_nothing(matrix: np.ndarray, random: Any) -> None:
    """Permuting drafts permutes scores and shares, whatever each one's judgement weighs."""
    order = list(range(len(matrix)))
    random.shuffle(order)
    weights = np.linspace(0.5, 1.5, len(matrix))
    for table in (peer_scores, shares):
        expected = np.array(table(matrix, weights))[order]
        assert table(matrix[np.ix_(order, order)], weights[order]) == pytest.approx(expected)


@given(agreements(), st.floats(0.1, 10))
def test_scaling_distances_scales_scores_and_keeps_the_same(matrix: np.ndarray, factor: float) -> None:
    """And scaling all weights changes nothing."""
    assert peer_scores(matrix * factor) == pytest.approx(np.array(peer_scores(matrix)) * factor)
    weights = np.arange(1.0, len(matrix) + 1)
    assert peer_scores(matrix, weights * factor) == pytest.approx(peer_scores(matrix, weights))


@given(agreements())
def test_a_copy_of_a_draft_scores_as_the_draft(matrix: np.ndarray) -> None:
    """Who says the same as another is as near to the rest: a duplicate is neither better nor worse."""
    distance = 1.0 - np.clip((matrix + matrix.T) / 2, 0, 1)
    np.fill_diagonal(distance, 0.0)
    doubled = np.pad(distance, ((0, 1), (0, 1)))
    doubled[-1, :-1] = doubled[:-1, -1] = distance[0]
    scores = peer_scores(doubled)
    assert scores[0] == pytest.approx(scores[-1])


@given(agreements(), st.integers(1, 6))
def test_the_strength_is_how_far_the_others_agree_with_the_nearest(matrix: np.ndarray, keep: int) -> None:
    """Between 0 and 1, and of the draft that would be kept alone."""
    found = consensus_of(matrix, keep=keep)
    matrix = matrix.copy()
    np.fill_diagonal(matrix, 1.0)
    first = min(found.scores, key=found.scores.__getitem__)
    assert 0 <= found.strength <= 1
    if not found.unanimous:
        assert found.strength == pytest.approx(shares(matrix)[int(first[1:])], abs=1e-6)


def test_ties_within_a_trillionth_are_equal_and_drawn() -> None:
    """Specified (the paper's code): scores 1e-12 apart at the cut are drawn by seed 42, 1e-9 apart they are not."""
    assert nearest([1.0, 1.0 + 1e-13, 0.0], 2) in ([0, 2], [1, 2])
    assert {tuple(nearest([1.0, 1.0 + 1e-13, 0.0], 2, seed=seed)) for seed in range(20)} == {(0, 2), (1, 2)}
    assert {tuple(nearest([1.0, 1.0 + 1e-9, 0.0], 2, seed=seed)) for seed in range(20)} == {(0, 2)}
    assert nearest([2.0, 1.0, 1.0, 1.0], 2, seed=42) == nearest([2.0, 1.0, 1.0, 1.0], 2)


def test_a_threshold_keeps_whom_the_others_agree_with() -> None:
    """And the nearest where nobody reaches it."""
    matrix = [[1, 0.9, 0.2], [0.9, 1, 0.2], [0.2, 0.2, 1]]
    assert consensus_of(matrix, threshold=0.5).kept == ("e0", "e1")
    assert consensus_of(matrix, threshold=0.1).kept == ("e0", "e1", "e2")
    assert consensus_of(matrix, threshold=0.99).kept in {("e0",), ("e1",)}


def test_judgement_weighs_what_is_known_of_the_expert() -> None:
    """Ours: with reliability, whom the reliable one agrees with is nearer; who is unknown weighs as the mean."""
    matrix = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], dtype=np.float64)
    agreed = Agreed.by_pairs("judge", matrix)
    plain = kept_of(drafts_of(4), agreed, Rule(keep=1))
    weighed = kept_of(drafts_of(4), agreed, Rule(keep=1), reliability={"e0": 0.9, "e1": 0.1, "e2": 0.05, "e3": 0.05})
    assert plain.kept in {("e2",), ("e3",), ("e1",)}
    assert (weighed.kept, weighed.weights["e0"]) == (("e1",), 0.9)
    assert kept_of(drafts_of(4), agreed, Rule(), reliability={"e0": 0.4, "e1": 0.2}).weights["e3"] == pytest.approx(0.3)


@given(st.lists(st.integers(0, 500), max_size=8), st.integers(0, 1000))
@example([3, 3, 3], 8)
def test_space_is_shared_fairly(lengths: list[int], most: int) -> None:
    """All is used, nobody gets more than it has, and who is cut has no less than anybody else but for one."""
    found = fair_lengths(lengths, most)
    assert sum(found) == min(most, sum(lengths))
    assert all(0 <= share <= length for share, length in zip(found, lengths, strict=True))
    cut = [share for share, length in zip(found, lengths, strict=True) if share < length]
    assert not cut or min(cut) >= max(found) - 1


async def test_answers_that_are_the_same_need_no_verdict() -> None:
    """Specified: early exit when all agree; the words may differ, and the decision has what was read."""
    text, decision = await decided(
        *pool("It is 3 km.", "So, the answer is 3000 m", "3 km"), consensus="answer", answer="number"
    )
    assert (text, kept(decision).unanimous, kept(decision).strength) == ("It is 3 km.", True, 1.0)
    assert kept(decision).answers == {"a": "3 km", "b": "3000 m", "c": "3 km"}
    assert decision.verdict is not None
    assert (decision.verdict.kind, len(decision.attempts)) == ("choose", 3)
    assert set(kept(decision.without_content()).answers.values()) == {""}


async def test_the_answer_that_most_give_is_kept_and_the_other_is_dissent() -> None:
    """A draft without an answer agrees with nobody, and the decision says so."""
    found = kept((await decided(*pool("Answer: B", "(B)", "Hm."), consensus="answer", answer="letter"))[1])
    assert (found.measure, found.kept, found.dissent) == ("answer", ("a", "b"), ("c",))
    assert found.answers == {"a": "B", "b": "B", "c": None}
    assert found.strength == 0.5


async def test_without_answers_embeddings_decide() -> None:
    """And the decision says why."""
    found = kept((await decided(*pool("one two", "two one", "three"), consensus="answer", answer="letter"))[1])
    assert found.measure == "embedding"
    assert found.reason == "not by answer: 0 of 3 drafts have an answer that can be read (letter)"


def judging(*replies: str | ExpertRejected | Reply) -> ScriptedExpert:
    return ScriptedExpert("judge", *replies)


async def test_a_judge_groups_drafts_by_their_answers() -> None:
    """One call for all, an attempt of the role `score`; the drafts reach it as data in JSON."""
    judge = judging('{"groups": [[1, 3], [2]]}')
    _, decision = await decided(*pool("left", "up", "to the left"), judge, consensus="judge", judge="judge")
    found = kept(decision)
    assert (found.measure, found.kept, found.dissent, found.strength) == ("judge", ("a", "c"), ("b",), 0.5)
    assert [attempt.role for attempt in decision.attempts if attempt.expert == "judge"] == ["score"]
    system, asked = judge.requests[0].body["messages"]
    assert orjson.loads(asked["content"])["drafts"] == {"1": "left", "2": "up", "3": "to the left"}
    assert "left" not in system["content"]


async def test_entailment_reads_every_ordered_pair() -> None:
    """1 where one follows, 0 where it contradicts, a half for neither."""
    said = [
        {"first": one, "second": two, "relation": relation}
        for (one, two), relation in {
            (1, 2): "entails", (2, 1): "neutral", (1, 3): "contradicts",
            (3, 1): "contradicts", (2, 3): "contradicts", (3, 2): "neutral",
        }.items()
    ]  # fmt: skip
    judge = judging(orjson.dumps({"pairs": said}).decode())
    found = kept((await decided(*pool("x", "y", "z"), judge, consensus="entailment", judge="judge"))[1])
    assert found.agreement == ((1.0, 1.0, 0.0), (0.5, 1.0, 0.0), (0.0, 0.5, 1.0))
    assert found.kept == ("a", "b")


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        (("nonsense", '{"groups": [[1, 1], [2]]}'), "Each number from 1 to 3 has to stand in one group."),
        ((ExpertRejected("judge", "no"),), "no"),
        (('{"groups": 7}', '{"groups": [7]}'), "`groups` has to be a list of lists of numbers."),
        (("", ""), "It is no JSON"),
    ],
    ids=["garbage", "refusal", "wrong form", "nothing"],
)
async def test_a_judge_that_is_of_no_use_leaves_it_to_the_answers(replies: tuple[Any, ...], why: str) -> None:
    """What it replied is mended once; then answers are compared, and the decision says why."""
    judge = judging(*replies)
    found = kept((await decided(*pool("42", "42!", "43"), judge, consensus="judge", judge="judge"))[1])
    assert (found.measure, found.kept) == ("answer", ("a", "b"))
    assert found.reason.startswith("not by judge: 'judge': ")
    assert why in found.reason


async def test_a_judge_that_hangs_has_a_share_of_the_time() -> None:
    """And the verdict is written all the same."""
    judge = judging(Reply(pieces=("late",), before=anyio.Event()))
    fusion = {"verdict": "a", "consensus": "judge", "judge": "judge"}
    experts = pool("42", "42!", "43")
    async with flowing(*experts, judge, categories=CATEGORIES, fusion=fusion, budget={"deadline_s": 1}) as engine:
        request, trace = engine.pipeline.request({"messages": [{"role": "user", "content": "math"}]}, model="auto")
        with anyio.fail_after(10):
            draft = await engine.pipeline.answer(request, nowhere, trace)
    assert (draft.text, kept(trace.decision()).measure) == ("the verdict", "answer")
    assert kept(trace.decision()).reason == "not by judge: 'judge' said nothing in time"


async def test_long_drafts_are_cut_alike_for_the_judge() -> None:
    """A draft of 200 kB does not crowd the others out."""
    judge = judging('{"groups": [[1], [2], [3]]}')
    await decided(*pool("x" * 200_000, "short", "y" * 50_000), judge, consensus="judge", judge="judge")
    shown = orjson.loads(judge.requests[0].body["messages"][1]["content"])["drafts"]
    assert (len(shown["1"]), shown["2"], len(shown["3"])) == (5998, "short", 5997)


async def test_one_reference_judge_of_likelihood_scores_all_drafts() -> None:
    """The paper's one running model: its own draft is at 0, the others as far as it finds them less likely."""
    nll = {"alpha": 0.2, "beta": 0.5, "gamma": 3.0}
    a = ScriptedExpert("a", "alpha", "the verdict", nll=nll)
    others = [ScriptedExpert("b", "beta"), ScriptedExpert("c", "gamma")]
    found = kept((await decided(a, *others, consensus="likelihood", judge="a"))[1])
    assert (found.measure, found.judges, found.kept) == ("likelihood", ("a",), ("a", "b"))
    assert found.scores == pytest.approx({"a": 0.0, "b": 0.6, "c": 5.6})
    assert found.strength == pytest.approx((np.exp(-0.3) + np.exp(-2.8)) / 2, abs=1e-6)


async def test_a_threshold_on_one_judges_word_keeps_its_own_draft_by_the_others() -> None:
    """Its own draft is judged by nobody else: it agrees with them as far as they agree with it."""
    nll = {"alpha": 0.2, "beta": 0.3, "gamma": 0.4}
    a = ScriptedExpert("a", "alpha", "the verdict", nll=nll)
    others = [ScriptedExpert("b", "beta"), ScriptedExpert("c", "gamma")]
    found = kept((await decided(a, *others, consensus="likelihood", judge="a", threshold=0.8))[1])
    assert found.kept == ("a", "b", "c")


def coded(body: str) -> str:
    return f"Here it is:\n```python\n{body}\n```"


async def test_code_agrees_by_what_it_does_when_a_tool_runs_it() -> None:
    """Specified: code by test. Another form with the same outcome agrees, the same form with another does not."""
    tool = ScriptedExpert("tool", "3 passed", "3  passed", "1 failed")
    drafts = pool(coded("return a + b"), coded("return sum((a, b))"), coded("return a - b"))
    found = kept((await decided(*drafts, tool, consensus="outcome", judge="tool"))[1])
    assert (found.measure, found.kept, found.dissent) == ("outcome", ("a", "b"), ("c",))
    assert found.answers == {"a": "3 passed", "b": "3 passed", "c": "1 failed"}
    assert [request.body["messages"][0]["content"] for request in tool.requests] == [
        "return a + b\n",
        "return sum((a, b))\n",
        "return a - b\n",
    ]


async def test_code_that_cannot_be_run_agrees_with_nobody() -> None:
    """And where hardly any can, answers are compared instead."""
    tool = ScriptedExpert("tool", "ok", ExpertRejected("tool", "no sandbox"), "ok")
    drafts = pool(coded("a"), coded("b"), coded("c"))
    found = kept((await decided(*drafts, tool, consensus="outcome", judge="tool", threshold=0.4))[1])
    assert (found.kept, found.answers["b"]) == (("a", "c"), None)
    prose = pool("Paris", "Paris it is", "Rome")
    other = kept((await decided(*prose, ScriptedExpert("tool", "ok"), consensus="outcome", judge="tool"))[1])
    assert other.measure == "answer"
    assert "not by outcome: 0 of 3 drafts have code" in other.reason
