"""Agreement by likelihood: its algebra against the golden vector and laws, and what it makes of experts that score."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decision import Decision
from orchestrator.errors import ExpertError, ExpertRejected
from orchestrator.experts import Expert
from orchestrator.stages.agreement.likelihood import distances
from orchestrator.stages.agreement.measure import Matrix
from orchestrator.stages.consensus import peer_scores
from orchestrator.testing import Reply, ScriptedExpert
from tests.flowing import Collected, flowing
from tests.stages.test_consensus import GOLDEN

pytestmark = pytest.mark.anyio

likelihoods = st.floats(0.01, 12)


def scored(nll: Matrix) -> list[float]:
    return peer_scores(distances(nll))


@st.composite
def tables(draw: st.DrawFn) -> Matrix:
    """Likelihoods of 2 to 6 experts, at least two of whose rows are whole; the others have a gap or are one."""
    k = draw(st.integers(2, 6))
    table = np.array(draw(st.lists(st.lists(likelihoods, min_size=k, max_size=k), min_size=k, max_size=k)))
    for row in draw(st.sets(st.integers(0, k - 1), max_size=k - 2)):
        table[row, list(draw(st.sets(st.integers(0, k - 1), min_size=1)))] = np.nan
    return table


def test_golden_likelihoods_give_the_golden_scores() -> None:
    """Specified (PAPERS.md, section 2): A 1.97, B 2.09, C 1.83, D 6.05, E 6.67."""
    assert scored(GOLDEN) == pytest.approx([1.97, 2.09, 1.83, 6.05, 6.67])


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_experts_changes_nothing(table: Matrix, random: Any) -> None:
    """Permuting experts permutes their scores, whoever has gaps."""
    order = list(range(len(table)))
    random.shuffle(order)
    expected = np.array(scored(table))[order]
    assert scored(table[np.ix_(order, order)]) == pytest.approx(expected)


@given(tables())
def test_which_draft_a_judge_could_not_score_changes_nothing(table: Matrix) -> None:
    """Ours: a judge with a gap is no judge, so that nobody is favoured by where the gap is."""
    without = np.where(np.isnan(table).any(axis=1, keepdims=True), np.nan, table)
    assert scored(table) == pytest.approx(scored(without))


@given(tables(), st.floats(0.1, 3))
def test_a_draft_that_every_judge_finds_as_likely_as_its_own_scores_best(table: Matrix, off: float) -> None:
    """Whatever the experts' levels are, and whoever judges: distances count, not likelihoods."""
    judges = ~np.isnan(table).any(axis=1, keepdims=True)
    table[:, 0] = np.diag(table)
    table[1:, 1:] += off * (1 - np.eye(len(table) - 1))
    table[0, 1:] = table[0, 0] + off
    scores = scored(np.where(judges, table, np.nan))
    assert scores[0] == pytest.approx(0)
    assert min(scores) >= 0


TEXTS = {"a": "alpha one", "b": "beta two", "c": "gamma three", "d": "delta four"}
TABLE = {  # a and b find each other's answers as likely as their own, c's unlikely
    "a": {"a": 0.2, "b": 0.3, "c": 2.0, "d": 0.4},
    "b": {"a": 0.4, "b": 0.3, "c": 2.5, "d": 0.3},
    "c": {"a": 1.5, "b": 1.4, "c": 0.1, "d": 1.0},
}


def judge(expert: str, **changed: float | ExpertError | anyio.Event) -> ScriptedExpert:
    row: dict[str, float | ExpertError | anyio.Event] = {**TABLE[expert], **changed}
    return ScriptedExpert(expert, TEXTS[expert], nll={TEXTS[other]: value for other, value in row.items()})


async def fused(
    *experts: Expert, verdict: Sequence[Reply | str] = ("the verdict",), tokens: str = "answer", **budget: Any
) -> Decision:
    """The decision over a request that these experts draft."""
    ids = [expert.id for expert in experts]
    categories: Mapping[str, Any] = {
        "talk": {"experts": ids, "plan": "fuse"},
        "general": {"experts": ["writer"]},
    }
    fusion = {"verdict": "writer", "consensus": "likelihood", "tokens": tokens}
    writer = ScriptedExpert("writer", *verdict)
    async with flowing(*experts, writer, categories=dict(categories), fusion=fusion, budget=budget) as engine:
        body = {"messages": [{"role": "user", "content": "talk to me"}]}
        request, trace = engine.pipeline.request(body, model="auto")
        with anyio.fail_after(5):
            await engine.pipeline.answer(request, Collected(), trace)
        return trace.decision()


async def test_drafts_that_the_others_find_likely_are_kept() -> None:
    """Specified: the two lowest of three scores; the decision has every likelihood and who judged."""
    decision = await fused(judge("a"), judge("b"), judge("c"))
    stage = decision.consensus
    assert stage is not None
    assert (stage.measure, stage.reason, stage.judges) == ("likelihood", "", ("a", "b", "c"))
    assert (stage.kept, stage.dissent) == (("a", "b"), ("c",))
    assert stage.nll == {name: tuple(row[other] for other in "abc") for name, row in TABLE.items()}
    assert stage.scores == pytest.approx({"a": 1.5, "b": 1.4, "c": 4.0})
    assert decision.verdict is not None
    assert (decision.verdict.kind, decision.verdict.saw) == ("synthesize", ("b", "a"))


async def test_scoring_is_in_the_decision_with_tokens_and_cost() -> None:
    """One attempt a judge, of the role score, over all drafts: 3 tokens each here, and one that was generated."""
    decision = await fused(judge("a"), judge("b"), judge("c"))
    scored = [attempt for attempt in decision.attempts if attempt.role == "score"]
    assert [(attempt.expert, attempt.outcome) for attempt in scored] == [(name, "answered") for name in "abc"]
    assert {(attempt.tokens.input, attempt.tokens.output) for attempt in scored if attempt.tokens} == {(9, 3)}
    assert {attempt.cost_usd for attempt in scored} == {15e-6}
    assert decision.cost_usd == pytest.approx(sum(attempt.cost_usd for attempt in decision.attempts))


async def test_an_expert_that_cannot_score_has_its_draft_scored_by_the_others() -> None:
    """Ours: it judges nobody, and its score is on the scale of the others'."""
    decision = await fused(judge("a"), judge("b"), ScriptedExpert("d", TEXTS["d"]))
    stage = decision.consensus
    assert stage is not None
    assert (stage.measure, stage.judges, list(stage.nll)) == ("likelihood", ("a", "b"), ["a", "b"])
    assert stage.scores == pytest.approx({"a": 2 * 0.1, "b": 2 * 0.1, "d": 2 * (0.2 + 0.0) / 2})


async def test_a_judge_with_a_gap_is_left_out_and_named() -> None:
    """Ours: the others' scores are those without it."""
    gap = ExpertRejected("c", "too long for it")
    decision = await fused(judge("a"), judge("b"), judge("c", b=gap))
    stage = decision.consensus
    assert stage is not None
    assert stage.judges == ("a", "b")
    assert stage.reason == "'c' does not judge: too long for it"
    assert stage.scores == pytest.approx({"a": 2 * 0.1, "b": 2 * 0.1, "c": 1.8 + 2.2})
    failed = [attempt for attempt in decision.attempts if attempt.outcome == "failed"]
    assert [(attempt.expert, attempt.role) for attempt in failed] == [("c", "score")]


@pytest.mark.parametrize(
    ("experts", "reason"),
    [
        (("a",), "only 'a' of the experts that drafted could score"),
        ((), "none of the experts that drafted could score"),
    ],
)
async def test_fewer_than_two_judges_leave_it_to_the_embeddings(experts: Sequence[str], reason: str) -> None:
    """Specified (issue 5): the decision says so; and nobody is asked for scores that would not count."""
    team = [judge(name) if name in experts else ScriptedExpert(name, TEXTS[name]) for name in "abc"]
    decision = await fused(*team)
    stage = decision.consensus
    assert stage is not None
    assert (stage.measure, stage.reason) == ("embedding", f"not by likelihood: {reason}")
    assert [expert.scored for expert in team] == [[], [], []]


async def test_too_few_whole_rows_leave_it_to_the_embeddings_too() -> None:
    """The likelihoods that there are stay in the decision."""
    gaps = {name: ExpertRejected(name, "no") for name in "ab"}
    decision = await fused(judge("a", b=gaps["a"]), judge("b", a=gaps["b"]), judge("c"))
    stage = decision.consensus
    assert stage is not None
    assert (stage.measure, stage.judges) == ("embedding", ())
    told = "only 'c' of the experts that drafted could score ('a' does not judge: no; 'b' does not judge: no)"
    assert stage.reason == f"not by likelihood: {told}"
    assert stage.nll["c"] == (1.5, 1.4, 0.1)


async def test_a_judge_that_is_late_does_not_hold_up_the_answer() -> None:
    """Ours: scoring takes a share of the time left; then the others decide, and the verdict follows."""
    decision = await fused(judge("a"), judge("b"), judge("c", a=anyio.Event()), deadline_s=0.4)
    stage = decision.consensus
    assert stage is not None
    assert (stage.measure, stage.judges) == ("likelihood", ("a", "b"))
    assert "'c' does not judge" in stage.reason
    assert decision.expert == "writer"


async def test_same_drafts_are_not_scored() -> None:
    """Specified (PAPERS.md): early exit when all answers match."""
    same = {"forty two": 0.1}
    team = [ScriptedExpert(name, "forty two", nll=same) for name in "abc"]
    decision = await fused(*team)
    assert decision.consensus is not None
    assert (decision.consensus.unanimous, [expert.scored for expert in team]) == (True, [[], [], []])
    assert decision.verdict is not None
    assert decision.verdict.kind == "choose"


async def test_a_likelihood_that_is_no_number_is_a_gap() -> None:
    """An expert that says NaN must not decide what is kept."""
    decision = await fused(judge("a"), judge("b"), judge("c", a=float("nan")))
    stage = decision.consensus
    assert stage is not None
    assert (stage.judges, stage.nll["c"][0]) == (("a", "b"), None)
    assert stage.reason == "'c' does not judge: a likelihood that is no number"


def together(text: str) -> str:
    return f"Question: talk to me\nAnswer: {text}"


async def test_with_the_question_its_tokens_count_too() -> None:
    """Specified: token masking. Both are told together as the user's words; the decision has the mode."""
    experts = [
        ScriptedExpert(name, TEXTS[name], nll={together(TEXTS[other]): value for other, value in TABLE[name].items()})
        for name in "abc"
    ]
    decision = await fused(*experts, tokens="question+answer")
    assert decision.choose is not None
    assert decision.choose.rule is not None
    assert decision.choose.rule.tokens == "question+answer"
    assert decision.consensus is not None
    assert (decision.consensus.judges, decision.consensus.kept) == (("a", "b", "c"), ("a", "b"))
    assert experts[0].scored == [together(TEXTS[name]) for name in "abc"]
