"""The suite `pipeline` over scripted experts: what is asked, how it is graded, and that no query is ever lost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import numpy as np
import pytest

from eval.datasets import DataError, Dataset, Passage, Record
from eval.findings import Findings, flat
from eval.metrics import Figure
from eval.suites.pipeline import judge_pipeline, sampled
from eval.suites.pipeline.questions import text_sent
from orchestrator.errors import ExpertFailed, ExpertRejected, UnknownModel
from orchestrator.experts import Expert
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.types import ChatRequest, Draft, Emit
from orchestrator.types import Passage as Found
from tests.flowing import flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "verse": ["writer"], "general": ["writer"]}


def dataset(*records: Record, name: str = "own") -> Dataset:
    placed = (record.model_copy(update={"source": f"{name}:{n}"}) for n, record in enumerate(records, start=1))
    return Dataset(name=name, records=tuple(placed))


def asked(query: str, **fields: Any) -> Record:
    return Record(**{"id": query, "query": query, **fields})


async def judged(
    *experts: Expert, records: Sequence[Record], categories: dict[str, Any] = CATEGORIES, **options: Any
) -> Findings:
    with anyio.fail_after(20):
        async with flowing(*experts, categories=categories) as engine:
            return await judge_pipeline(engine, [dataset(*records)], **options)


def figure(findings: Findings, name: str) -> Figure:
    return dict(flat(findings.figures))[name]


def values(findings: Findings, name: str) -> list[float]:
    return [float(value) for value in findings.queries.values[name]]


ANSWERED = [
    asked("math 6 * 7", gold="42", category="math"),
    asked("math 6 * 8", gold="48", category="math"),
    asked("verse on the Rhine", gold="Rhine", category="verse"),
    asked("other things", gold="nothing", category="verse"),
]


async def test_answers_are_graded_and_counted_by_category_and_by_expert() -> None:
    """Means over queries with n and an interval, and each query's own values beside them."""
    experts = ScriptedExpert("solver", "42"), ScriptedExpert("writer", "O Rhine, O Rhine")
    found = await judged(*experts, records=ANSWERED)
    assert values(found, "score") == [1, 0, 1, 0]
    assert values(found, "routed") == [1, 1, 1, 0]
    assert figure(found, "score").value == 0.5
    assert figure(found, "score").ci95 is not None
    assert figure(found, "routed").n == 4
    assert figure(found, "score_by_category.math").value == 0.5
    assert figure(found, "score_by_category.verse").n == 2
    assert figure(found, "score_by_expert.solver").value == 0.5
    assert figure(found, "share_by_expert.writer").value == 0.5
    assert figure(found, "cost_usd").value == pytest.approx(7e-6)
    assert (figure(found, "calls").value, figure(found, "fused").value) == (1, 0)
    assert found.queries.ids == tuple(record.id for record in ANSWERED)
    assert np.isnan(values(found, "score_by_category.math")[2:]).all()


async def test_latency_has_a_mean_and_quantiles_and_a_note_that_it_varies() -> None:
    """It gates no comparison: its figures have a dot in their names."""
    found = await judged(ScriptedExpert("solver", "42"), ScriptedExpert("writer"), records=ANSWERED)
    for name in ("mean", "p50", "p95"):
        assert figure(found, f"latency_s.{name}").value >= 0
        assert figure(found, f"latency_s.{name}").n == 4
    assert any("latency_s varies between runs" in note for note in found.notes)


async def test_an_expert_that_fails_scores_nothing_and_its_query_stays() -> None:
    """The run goes on; the error is counted by its class, and the decision explains the example."""
    experts = ScriptedExpert("solver", ExpertRejected("solver", "too long")), ScriptedExpert("writer", "Rhine")
    found = await judged(*experts, records=ANSWERED)
    assert values(found, "answered") == [0, 0, 1, 1]
    assert values(found, "score") == [0, 0, 1, 0]
    assert found.parts["errors"] == {"ExpertRejected": 2}
    worst = found.parts["slices"][0]
    assert (worst["slice"], worst["figure"]["value"]) == ("category = math", 0)
    assert worst["examples"][0]["expected"] == "42"
    assert worst["examples"][0]["got"] == "no answer"
    assert "solver failed: ExpertRejected: too long" in worst["examples"][0]["detail"]


async def test_a_failed_query_scores_nothing_even_if_it_went_to_the_right_category() -> None:
    """Where nothing but the category is known, it still counts as routed."""
    experts = ScriptedExpert("solver", ExpertFailed("solver", "broke")), ScriptedExpert("writer")
    found = await judged(*experts, records=[asked("math sums", category="math")])
    assert (values(found, "score"), values(found, "routed"), values(found, "unanswered")) == ([0], [1], [1])


class Broken(ScriptedExpert):
    """An expert of a plugin that breaks the rule that only `ExpertError` comes out."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        del request, emit
        message = "a bug"
        raise KeyError(message)


async def test_a_plugin_that_raises_what_it_must_not_does_not_end_the_run() -> None:
    """Its error is counted as what it is."""
    found = await judged(Broken("solver"), ScriptedExpert("writer", "Rhine"), records=ANSWERED)
    assert found.parts["errors"] == {"KeyError": 2}
    assert values(found, "score") == [0, 0, 1, 0]


async def test_a_late_answer_is_none() -> None:
    """The deadline is the configuration's, fallbacks included."""
    never = ScriptedExpert("solver", Reply(pieces=("42",), before=anyio.Event()))
    with anyio.fail_after(20):
        async with flowing(
            never, ScriptedExpert("writer"), categories=CATEGORIES, budget={"deadline_s": 0.2}
        ) as engine:
            found = await judge_pipeline(engine, [dataset(ANSWERED[0])])
    assert found.run["settings"]["deadline_s"] == 0.2
    assert values(found, "answered") == [0]
    assert sum(found.parts["errors"].values()) == 1


async def test_options_are_sent_with_letters_and_the_letter_is_read() -> None:
    """And an answer without one is wrong and unanswered, though there was one."""
    record = asked("math which is prime?", options=("8", "9", "11"), gold="C", category="math")
    solver = ScriptedExpert("solver", "Eleven has no divisor. Answer: C", "Hard to say.")
    found = await judged(
        solver,
        ScriptedExpert("writer"),
        records=[record, record.model_copy(update={"id": "again"})],
        concurrency=1,
    )
    sent = solver.requests[0].messages[0]["content"]
    assert sent == text_sent(record)
    assert "A) 8\nB) 9\nC) 11" in sent
    assert sent.endswith('End your reply with "Answer: X", where X is the letter of that option.')
    assert values(found, "score") == [1, 0]
    assert (values(found, "answered"), values(found, "unanswered")) == ([1, 1], [0, 1])


async def test_a_retriever_is_graded_by_the_documents_that_it_cites() -> None:
    """Recall, each document once."""
    cited = tuple(
        Found(expert="solver", document=name, title="", text="t", score=1.0, rank=rank, start=0, end=1)
        for rank, name in enumerate(("a", "a", "x"), start=1)
    )
    relevant = (Passage(document="a", relevance=1), Passage(document="b", relevance=1))
    found = await judged(
        ScriptedExpert("solver", Reply(pieces=("see [1]",), passages=cited)),
        ScriptedExpert("writer"),
        records=[asked("math books", passages=relevant)],
    )
    assert values(found, "score") == [0.5]
    assert found.parts["graded_by"] == {"passages": 1}


async def test_fusing_is_counted_with_all_its_calls() -> None:
    """Two drafts that differ, and a verdict over them."""
    solver, writer = ScriptedExpert("solver", "42"), ScriptedExpert("writer", "forty-three", "42 it is")
    found = await judged(
        solver,
        writer,
        records=[ANSWERED[0]],
        model="fuse",
        categories={"math": ["solver", "writer"], "general": ["writer"]},
    )
    assert values(found, "fused") == [1]
    assert values(found, "calls")[0] >= 2
    assert found.run["settings"]["model"] == "fuse"


async def test_a_named_expert_answers_everything_and_nothing_is_routed() -> None:
    """No category is seen, so `routed` is undefined, not 0."""
    solver = ScriptedExpert("solver", "42")
    found = await judged(solver, ScriptedExpert("writer"), records=ANSWERED, model="solver")
    assert len(solver.requests) == 4
    assert np.isnan(figure(found, "routed").value)
    assert figure(found, "share_by_expert.solver").value == 1
    assert "confusion" not in found.parts


async def test_out_of_scope_belongs_to_the_general_category_and_foreign_categories_are_not_judged() -> None:
    """A benchmark's own categories say nothing about this configuration's; the note counts them."""
    records = [asked("unheard of", in_scope=False), asked("math 1 + 1", gold="2", category="algebra")]
    found = await judged(ScriptedExpert("solver", "2"), ScriptedExpert("writer"), records=records)
    assert values(found, "routed")[0] == 1
    assert np.isnan(values(found, "routed")[1])
    assert figure(found, "score_by_category.algebra").value == 1
    assert any(
        note.startswith("1 queries have a category that the configuration does not know") for note in found.notes
    )


async def test_who_answered_what_is_a_heat_map_and_where_queries_went_a_confusion() -> None:
    """As the report draws them."""
    found = await judged(ScriptedExpert("solver", "42"), ScriptedExpert("writer", "Rhine"), records=ANSWERED)
    heat = found.parts["heat_map"]
    assert (heat["rows"], heat["columns"]) == (["math", "verse"], ["solver", "writer"])
    assert heat["cells"][0][0]["n"] == 2
    assert heat["cells"][0][1] is None
    assert found.parts["confusion"]["verse"] == {"general": 1, "math": 0, "verse": 1}


async def test_no_more_queries_are_under_way_than_allowed() -> None:
    """And answers come back to their own queries, whatever the order in which they end."""
    gate = anyio.Event()
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=gate), "42")
    seen: list[int] = []

    def watched(_what: str, done: int, _total: int) -> None:
        seen.append(solver.running)
        if done == 3:
            gate.set()

    records = [asked(f"math {n}", gold="42" if n % 2 else "7") for n in range(6)]
    found = await judged(solver, ScriptedExpert("writer"), records=records, concurrency=2, progress=watched)
    assert max(seen) <= 2
    assert values(found, "score") == [0, 1, 0, 1, 0, 1]


async def test_the_findings_come_back_from_their_file(tmp_path: Any) -> None:
    """Everything in them is JSON."""
    found = await judged(ScriptedExpert("solver", "42"), ScriptedExpert("writer"), records=ANSWERED)
    found.write(tmp_path / "f.json")
    assert Findings.from_dict(found.as_dict()).as_dict() == found.as_dict()


async def test_an_unknown_model_is_refused() -> None:
    """With the names that are known."""
    with pytest.raises(BaseExceptionGroup) as caught:
        await judged(ScriptedExpert("solver"), ScriptedExpert("writer"), records=ANSWERED, model="gpt-9")
    assert caught.group_contains(UnknownModel)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (asked("q"), "there is nothing to grade by; it needs gold, passages, right_tools or category"),
        (asked("q", category="vers"), "category: 'vers' is none of the configuration (math, verse, general)"),
        (asked("q", gold="D", options=("x", "y")), "gold: 'D' is neither an option nor its letter"),
        (asked("q", gold="A", options=tuple(map(str, range(27)))), "options: 27, at most 26 have a letter"),
        (
            asked("q", right_tools=("saw",)),
            "right_tools: none of them is an expert of the configuration (solver, writer)",
        ),
        (Record(id="i", query=" ", gold="1"), "query: is empty"),
    ],
    ids=["nothing known", "unknown category", "gold is no option", "too many options", "unknown tool", "empty query"],
)
async def test_a_record_that_cannot_be_graded_is_told_with_its_place(record: Record, problem: str) -> None:
    """Before anybody is asked."""
    solver = ScriptedExpert("solver")
    async with flowing(solver, ScriptedExpert("writer"), categories=CATEGORIES) as engine:
        with pytest.raises(DataError) as caught:
            await judge_pipeline(engine, [dataset(ANSWERED[0], record)])
    assert caught.value.problems == [f"own:2: {problem}"]
    assert not solver.requests


async def test_a_category_alone_cannot_be_graded_where_nothing_is_classified() -> None:
    """An expert that is named sees no category."""
    async with flowing(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as engine:
        with pytest.raises(DataError, match="with --model solver nothing is classified"):
            await judge_pipeline(engine, [dataset(asked("q", category="math"))], model="solver")


async def test_the_same_data_twice_is_refused() -> None:
    """Two queries of one id cannot be paired with another run's."""
    async with flowing(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as engine:
        with pytest.raises(DataError, match="the same data is given twice"):
            await judge_pipeline(engine, [dataset(ANSWERED[0]), dataset(ANSWERED[0])])


def test_a_sample_is_drawn_by_the_seed_and_mostly_stays_when_the_data_grows() -> None:
    """In the order of the data; another seed draws others."""
    whole = dataset(*(asked(f"q{n}", gold="1") for n in range(100)))
    (drawn,) = sampled([whole], limit=20, seed=3)
    (grown,) = sampled([replace(whole, records=(*whole.records, asked("new", gold="1")))], limit=20, seed=3)
    ids = [record.id for record in drawn.records]
    assert len(ids) == 20
    assert ids == sorted(ids, key=lambda name: int(name[1:]))
    assert sampled([whole], limit=20, seed=3)[0].records == drawn.records
    assert sampled([whole], limit=20, seed=4)[0].records != drawn.records
    assert len(set(ids) & {record.id for record in grown.records}) >= 19
    assert sampled([whole], limit=None, seed=3) == [whole]
