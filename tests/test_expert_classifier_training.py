"""A router that asks an expert, from the file to the served decision: trained, saved, loaded and asked over HTTP."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.embedders import Embedders
from orchestrator.engine import running
from orchestrator.errors import ConfigError
from orchestrator.testing import Answer, FakeVLLM, Status, WordEmbedder
from orchestrator.training import load_router, train_router, why_train
from routers.embedding import Embedder
from routers.errors import TrainingError
from tests.config.samples import loaded

TEXT = """\
version: 1
categories:
  verse: {{description: poems and rhymes, examples: [on rain, rhyme with sea, an ode, a sonnet], experts: [judge]}}
  sums: {{description: adding up, examples: [2 + 2, 3 + 4, 5 + 9, 12 + 30], experts: [judge]}}
  general: {{description: the rest, experts: [judge]}}
general: general
experts:
  judge: {{kind: vllm, model: fake-model, replicas: ["{url}"], cost: {{input: 1, output: 2}}}}
routing: {{classifier: {classifier}, max_latency_ms: 10000}}
budget: {{deadline_s: {deadline_s}}}
"""
LLM = "llm, parameters: {expert: judge, examples: 1}"


def judged(body: Mapping[str, Any]) -> Answer:
    """Sums have a plus; nothing that is neither long nor a sum belongs anywhere. Sure, but not of everything."""
    if "response_format" not in body:
        return Answer(pieces=("an answer",))
    shown = json.loads(body["messages"][1]["content"])
    named = {each["name"]: each["mark"] for each in shown["categories"]}
    right = named["sums" if "+" in shown["query"] else "none of these" if "?" in shown["query"] else "verse"]
    listed = {mark: -0.1 if mark == right else -3.0 for mark in named.values()}
    return Answer(pieces=('{"category": "', right, '"}'), alternatives=({}, listed))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written in a folder of their own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[FakeVLLM]:
    """One that judges."""
    async with FakeVLLM(answer=judged) as server:
        yield server


class Words(Embedders):
    """Embedders that need no weights."""

    def load(self, name: str) -> Embedder:
        del name
        return WordEmbedder()


def config(url: str, classifier: str = LLM, *, deadline_s: float = 30) -> Config:
    return loaded(TEXT.format(url=url, classifier=classifier, deadline_s=deadline_s)).config


@pytest.mark.anyio
@pytest.mark.parametrize("classifier", [LLM, "rules, parameters: {inner: llm, inner_parameters: {expert: judge}}"])
async def test_a_router_that_asks_is_trained_and_served(server: FakeVLLM, classifier: str) -> None:
    """A call a training query with progress; then a query is asked about, answered, and both are paid for."""
    settings = config(server.url, classifier)
    seen: list[tuple[str, int, int]] = []

    def train() -> float:
        return train_router(settings, WordEmbedder(), progress=lambda *progress: seen.append(progress)).report.accuracy

    with anyio.fail_after(60):
        assert await to_thread.run_sync(train) == 1.0
        assert len(server.requests) == 8
        assert ("ask judge", 8, 8) in seen
        assert why_train(settings, lambda _: WordEmbedder()) == ""
        async with running(settings, embedders=Words(settings.folder)) as engine:
            found = []
            for query in ("7 + 7", "what is this?"):
                request, trace = engine.pipeline.request(
                    {"messages": [{"role": "user", "content": query}]}, model="auto"
                )
                await engine.pipeline.answer(request, _nowhere, trace)
                found.append(trace.decision())
    sums, neither = (decision.categorize for decision in found)
    assert sums is not None
    assert neither is not None
    assert (sums.category, neither.category, neither.reason) == ("sums", "general", "gate: score")
    assert sums.confidence is not None
    assert sums.confidence > 0.8
    assert [call.outcome for call in sums.calls] == ["answered"]
    assert found[0].cost_usd == pytest.approx(sums.calls[0].cost_usd + found[0].attempts[0].cost_usd)
    assert len(server.requests) == 8 + 4


async def _nowhere(_: object) -> None:
    """Nobody listens."""


@pytest.mark.anyio
async def test_descriptions_that_change_ask_for_training(server: FakeVLLM) -> None:
    """They are a part of what is asked; the loaded router has those that it was trained with."""
    settings = config(server.url)
    with anyio.fail_after(60):
        await to_thread.run_sync(train_router, settings, WordEmbedder())
    parameters = load_router(settings, WordEmbedder()).classifier.parameters()
    assert parameters["descriptions"]["verse"] == "poems and rhymes"
    assert "poems and rhymes" in server.requests[0].body["messages"][1]["content"]
    other = loaded(TEXT.replace("poems and", "songs and").format(url=server.url, classifier=LLM, deadline_s=30)).config
    assert why_train(other, lambda _: WordEmbedder()) == "the settings of 'routing' have changed"


@pytest.mark.anyio
async def test_training_fails_where_the_expert_does_not_answer(server: FakeVLLM) -> None:
    """One line that names the classifier and the expert, soon; nothing is saved."""
    server.fault = Status(code=401, message="no such key")
    settings = config(server.url)
    with anyio.fail_after(60), pytest.raises(TrainingError) as caught:
        await to_thread.run_sync(train_router, settings, WordEmbedder())
    (problem,) = caught.value.problems
    assert problem.startswith("classifier 'llm': expert 'judge' did not answer (")
    assert problem.endswith("try 'orchestrator experts'")
    assert "no trained router" in why_train(settings, lambda _: WordEmbedder())


@pytest.mark.anyio
async def test_examples_that_do_not_suffice_are_told_as_ever(server: FakeVLLM) -> None:
    """What training refuses comes out as it is, and nobody was asked."""
    text = TEXT.replace("2 + 2, 3 + 4, 5 + 9, 12 + 30", "2 + 2").format(url=server.url, classifier=LLM, deadline_s=30)
    with anyio.fail_after(60), pytest.raises(TrainingError, match="'sums' has 1 distinct examples"):
        await to_thread.run_sync(train_router, loaded(text).config, WordEmbedder())
    assert server.requests == []


@pytest.mark.parametrize(
    ("classifier", "path", "problem"),
    [
        (
            "llm, parameters: {expert: jugde}",
            "parameters.expert",
            "unknown expert 'jugde' (known: handbook, judge; did you mean 'judge'?)",
        ),
        (
            "llm, parameters: {expert: handbook}",
            "parameters.expert",
            "'handbook' is of kind 'retriever'",
        ),
        ("llm", "parameters", "classifier 'llm' needs the parameter 'expert'"),
        ("llm, parameters: {expert: 5}", "parameters", "parameter 'expert': input should be a valid string"),
        (
            "rules, parameters: {inner: llm, inner_parameters: {expert: jugde}}",
            "parameters.inner_parameters.expert",
            "unknown expert 'jugde'",
        ),
    ],
)
def test_an_expert_that_cannot_be_asked_is_a_problem_of_the_file(classifier: str, path: str, problem: str) -> None:
    """With its place; also within rules."""
    text = TEXT.replace("routing:", "  handbook: {{kind: retriever, corpus: handbook.jsonl}}\nrouting:")
    with pytest.raises(ConfigError) as caught:
        loaded(text.format(url="http://127.0.0.1:1", classifier=classifier, deadline_s=30))
    (line,) = caught.value.problems
    assert re.match(rf"experts.yaml:10:\d+: routing.{path}: ", line)
    assert problem in line
