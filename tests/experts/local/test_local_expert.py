"""The local kind with the real SmolLM2: answers, streams, turns, deadlines, leaving."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import numpy as np
import pytest

from orchestrator.config.kinds import LocalSettings
from orchestrator.errors import ExpertFailed, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts import BatchScorer, Condition, Scorer, Site, TokenLogprobs
from orchestrator.experts.local import expert as expert_module
from orchestrator.experts.local.expert import LocalExpert
from orchestrator.experts.local.model import LoadedModel
from orchestrator.stages.agreement.likelihood import distances
from orchestrator.stages.consensus import peer_scores
from orchestrator.testing import check_expert, in_service
from orchestrator.types import ChatRequest, Chunk, Draft, Usage
from orchestrator.wire import Assembled
from tests.flowing import Collected, flowing

pytestmark = pytest.mark.anyio

Hire = Callable[..., LocalExpert]
PARIS = "The capital of France is Paris."


def asking(question: str = "What is the capital of France?", *, left_s: float = 60.0, **fields: Any) -> ChatRequest:
    """A request with one user message; `fields` are further fields of its body."""
    body = {"model": "auto", "messages": [{"role": "user", "content": question}], **fields}
    return ChatRequest(body=body, deadline=anyio.current_time() + left_s)


async def nowhere(_: Chunk) -> None:
    raise AssertionError


class Reads:
    """Counts the forward passes of a model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        read = LoadedModel.read

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return read(*args, **kwargs)

        monkeypatch.setattr(LoadedModel, "read", counted)


async def test_answer_is_the_models_own(expert: LocalExpert) -> None:
    """Whole, with its tokens counted."""
    async with in_service(expert):
        draft = await expert.draft(asking(), nowhere)
    assert (draft.expert, draft.text, draft.finish_reason) == ("small", PARIS, "stop")
    assert draft.usage == Usage(input_tokens=37, output_tokens=8)
    assert (draft.completion, draft.first_token_s) == (None, None)


async def test_stream_is_role_text_end_and_usage_if_asked(expert: LocalExpert) -> None:
    """A chunk a token, all with the expert's name and one id."""
    chunks: list[Chunk] = []

    async def keep(chunk: Chunk) -> None:
        chunks.append(chunk)

    async with in_service(expert):
        draft = await expert.draft(asking(stream=True, stream_options={"include_usage": True}), keep)
    role, *texts, end, usage = [chunk.data for chunk in chunks]
    assembled = Assembled()
    for chunk in chunks:
        assembled.add(chunk)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [text["choices"][0]["delta"]["content"] for text in texts] == [
        "The",
        " capital",
        " of",
        " France",
        " is",
        " Paris",
        ".",
    ]
    assert (end["choices"][0]["delta"], end["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 8)
    assert {(chunk.data["model"], chunk.data["id"]) for chunk in chunks} == {("small", role["id"])}
    assert (assembled.text, assembled.usage) == (draft.text, draft.usage)
    assert draft.first_token_s is not None


async def test_characters_of_several_tokens_are_streamed_whole(expert: LocalExpert) -> None:
    """No piece has a broken character; the model repeats what it is given."""
    pieces: list[str] = []

    async def keep(chunk: Chunk) -> None:
        pieces.extend(choice["delta"].get("content", "") for choice in chunk.data["choices"])

    async with in_service(expert):
        request = asking("Repeat after me: \U0001f1f3\U0001f1f4 \u8349", stream=True, max_tokens=14)
        draft = await expert.draft(request, keep)
    assert draft.text.startswith("\U0001f1f3\U0001f1f4 \u8349")
    assert "".join(pieces) == draft.text
    assert "\ufffd" not in draft.text


async def test_first_token_arrives_while_the_rest_is_not_generated(
    expert: LocalExpert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back-pressure: no token is generated before the last one was taken."""
    reads, first, go_on = Reads(monkeypatch), anyio.Event(), anyio.Event()

    async def slow(_: Chunk) -> None:
        first.set()
        await go_on.wait()

    with anyio.fail_after(30):
        async with in_service(expert), anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(stream=True), slow)
            await first.wait()
            await _settle()
            assert reads.count == 1
            go_on.set()
    assert reads.count == 8


async def test_client_that_leaves_stops_the_generation(expert: LocalExpert, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next token, and the model is free for the next request."""
    reads, taken = Reads(monkeypatch), 0
    async with in_service(expert):
        with anyio.CancelScope() as scope:

            async def leave(_: Chunk) -> None:
                nonlocal taken
                taken += 1
                if taken == 4:
                    scope.cancel()

            await expert.draft(asking("Tell me a long story.", stream=True, max_tokens=2000), leave)
        assert scope.cancelled_caught
        assert not expert._shared.busy
        before = reads.count
        await _settle()
        assert reads.count == before <= 5
        draft = await expert.draft(asking(), nowhere)
    assert draft.text == PARIS


async def test_client_that_leaves_while_a_long_prompt_is_read_stops_the_reading(
    expert: LocalExpert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt is read in pieces, so that leaving need not wait for all of it."""
    read, begun = LoadedModel.read, threading.Event()
    reads = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal reads
        reads += 1
        begun.set()
        return read(*args, **kwargs)

    monkeypatch.setattr(LoadedModel, "read", counted)
    async with in_service(expert), anyio.create_task_group() as group:
        group.start_soon(expert.draft, asking("cat hat dog log " * 500), nowhere)
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(begun.wait)
        group.cancel_scope.cancel()
    assert reads <= 2


async def test_requests_wait_for_their_turn_within_their_deadline(expert: LocalExpert) -> None:
    """One at a time, in the order of coming; who cannot wait is told so."""
    held, go_on, order = anyio.Event(), anyio.Event(), list[str]()

    async def holding(_: Chunk) -> None:
        held.set()
        await go_on.wait()

    async def answer(name: str) -> None:
        await expert.draft(asking(max_tokens=1), nowhere)
        order.append(name)

    with anyio.fail_after(30):
        async with in_service(expert), anyio.create_task_group() as group:
            group.start_soon(expert.draft, asking(stream=True, max_tokens=1), holding)
            await held.wait()
            with pytest.raises(ExpertTimeout):
                await expert.draft(asking(left_s=0.05), nowhere)
            for name in ("first", "second", "third"):
                group.start_soon(answer, name)
                await _settle()
            assert order == []
            go_on.set()
    assert order == ["first", "second", "third"]


async def test_deadline_ends_a_generation(expert: LocalExpert) -> None:
    """In the middle of an answer too."""
    async with in_service(expert):
        with pytest.raises(ExpertTimeout):
            await expert.draft(asking("Tell me a long story.", left_s=0.3, max_tokens=5000), nowhere)
        assert not expert._shared.busy


async def test_experts_of_one_model_share_it_and_differ_in_their_system_prompt(hire: Hire) -> None:
    """One load, one place in memory."""
    plain, pirate = hire("plain", max_tokens=6), hire("pirate", max_tokens=6, system="You are a pirate. Say Arrr.")
    async with in_service(plain, pirate):
        assert await plain._shared.loaded() is await pirate._shared.loaded()
        drafts = [await each.draft(asking("Who are you?"), nowhere) for each in (plain, pirate)]
    assert drafts[0].text != drafts[1].text
    assert drafts[0].usage.input_tokens != drafts[1].usage.input_tokens


async def test_request_overrides_the_settings_and_a_seed_repeats_an_answer(hire: Hire) -> None:
    """Temperature, limit and seed."""
    expert = hire(max_tokens=3, temperature=2.0)
    async with in_service(expert):
        warm = [await expert.draft(asking(seed=seed, max_tokens=6), nowhere) for seed in (1, 1, 2)]
        short = await expert.draft(asking(temperature=0), nowhere)
    assert warm[0].text == warm[1].text != warm[2].text
    assert (short.text, short.finish_reason, short.usage.output_tokens) == ("The capital of", "length", 3)


async def test_stop_text_never_reaches_the_client(expert: LocalExpert) -> None:
    """Also when it spans tokens, streamed."""
    pieces: list[str] = []

    async def keep(chunk: Chunk) -> None:
        pieces.extend(choice["delta"].get("content", "") for choice in chunk.data["choices"])

    async with in_service(expert):
        draft = await expert.draft(asking(stream=True, stop=["of Fr"]), keep)
    assert ("".join(pieces), draft.text, draft.finish_reason) == ("The capital ", "The capital ", "stop")


@pytest.mark.parametrize("fields", [{"n": 2}, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}])
async def test_request_that_it_cannot_follow_is_rejected(expert: LocalExpert, fields: dict[str, Any]) -> None:
    """At once, even while the model is loading."""
    with pytest.raises(ExpertRejected):
        await expert.draft(asking(**fields), nowhere)


async def test_prompt_beyond_the_context_is_rejected_with_its_length(expert: LocalExpert) -> None:
    """In tokens, exactly."""
    async with in_service(expert):
        model = await expert._shared.loaded()
        assert model is not None
        request = asking("cat hat dog log " * 3000)
        tokens = len(model.prompt([dict(message) for message in request.messages]))
        with pytest.raises(ExpertRejected, match=f"{tokens} tokens .* 8192"):
            await expert.draft(request, nowhere)


async def test_answer_never_outgrows_the_context(expert: LocalExpert, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is what the prompt leaves room for."""
    async with in_service(expert):
        model = await expert._shared.loaded()
        monkeypatch.setattr(model, "context", 37 + 2)
        draft = await expert.draft(asking(max_tokens=100), nowhere)
        assert (draft.text, draft.finish_reason) == ("The capital", "length")
        monkeypatch.setattr(model, "context", 37)
        with pytest.raises(ExpertRejected):
            await expert.draft(asking(), nowhere)


async def test_likely_answer_scores_higher_than_an_unlikely_one(expert: LocalExpert) -> None:
    """The values themselves are checked where they are computed."""
    assert isinstance(expert, Scorer)
    async with in_service(expert):
        likely, unlikely = [await expert.score(asking(), text) for text in (PARIS, "Paris green of the seven.")]
    assert "".join(likely.tokens) == PARIS
    assert likely.nll < 1
    assert unlikely.nll > 3


async def test_a_text_is_scored_as_the_users_words(expert: LocalExpert) -> None:
    """Conditioned on what stands before them, and on nothing that the user said or that followed."""
    async with in_service(expert):
        (alone,) = await expert.score_turns(asking(), [PARIS])
        said = [{"role": "user", "content": "Something else"}, {"role": "assistant", "content": "Yes"}]
        (other,) = await expert.score_turns(asking(messages=said), [PARIS])
        (after,) = await expert.score_many(asking(), [PARIS])
    assert isinstance(alone, TokenLogprobs)
    assert isinstance(other, TokenLogprobs)
    assert isinstance(after, TokenLogprobs)
    assert alone.tokens == other.tokens == after.tokens
    assert alone.logprobs == other.logprobs
    assert alone.nll > after.nll  # nobody had asked


async def test_many_answers_are_scored_as_each_would_be(expert: LocalExpert, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not fit is an error in its place, and costs the others nothing."""
    assert isinstance(expert, BatchScorer)
    async with in_service(expert):
        alone = await expert.score(asking(), PARIS)
        model = await expert._shared.loaded()
        monkeypatch.setattr(model, "context", 37 + 20)
        first, long, empty, last = await expert.score_many(asking(), ["Lyon.", "so " * 30, "", PARIS])
    assert isinstance(first, TokenLogprobs)
    assert isinstance(last, TokenLogprobs)
    assert isinstance(long, ExpertRejected)
    assert empty == TokenLogprobs(tokens=(), logprobs=())
    assert last.tokens == alone.tokens
    assert last.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
    assert (first.usage.input_tokens, last.usage.input_tokens) == (37 + len(first.tokens), len(last.tokens))


async def test_local_experts_agree_by_likelihood(hire: Hire) -> None:
    """The whole way without a GPU: real drafts, each scored by every expert, and a verdict from those kept."""
    prompts = {"plain": None, "pirate": "Talk like a pirate.", "poet": "Answer in a short poem."}
    team = [hire(name, system=system, max_tokens=6) for name, system in prompts.items()]
    fuse = {"experts": list(prompts), "plan": "fuse"}
    fusion = {"verdict": "plain", "consensus": "likelihood"}
    async with flowing(*team, categories={"What": fuse, "general": ["plain"]}, fusion=fusion) as engine:
        await engine.registry.start_all()
        request, trace = engine.pipeline.request(asking().body, model="auto")
        with anyio.fail_after(120):
            await engine.pipeline.answer(request, Collected(), trace)
    stage = trace.decision().consensus
    assert stage is not None
    assert (stage.measure, stage.judges, len(stage.kept)) == ("likelihood", tuple(prompts), 2)
    nll = [[cell for cell in stage.nll[judge] if cell is not None] for judge in prompts]
    expected = peer_scores(distances(np.array(nll)))
    assert stage.scores == pytest.approx(dict(zip(prompts, expected, strict=True)), abs=1e-4)
    scored = [attempt for attempt in trace.attempts if attempt.role == "score"]
    assert [attempt.outcome for attempt in scored] == ["answered"] * 3
    assert all(attempt.tokens and attempt.tokens.input > 30 for attempt in scored)


@pytest.fixture
def fresh(site: Site) -> Site:
    """A site where no model is loaded yet."""
    return Site(folder=site.folder, cache=site.cache, expert=site.expert, embedder=site.embedder)


async def test_request_waits_for_the_model_within_its_deadline(
    model: LoadedModel, fresh: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading is a thread's work and blocks nobody."""
    go_on = threading.Event()

    def load(_: str) -> LoadedModel:
        go_on.wait(30)
        return model

    monkeypatch.setattr(expert_module, "LoadedModel", load)
    expert = LocalExpert("small", LocalSettings(model="smollm2-135m"), fresh)
    drafts: list[Draft] = []
    answered = anyio.Event()

    async def ask() -> None:
        drafts.append(await expert.draft(asking(max_tokens=2), nowhere))
        answered.set()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(expert.serve)
            group.start_soon(ask)
            with pytest.raises(ExpertTimeout):
                await expert.draft(asking(left_s=0.05), nowhere)
            assert expert.condition.state == "starting"
            go_on.set()
            await answered.wait()
            group.cancel_scope.cancel()
    assert (drafts[0].text, expert.condition) == ("The capital", Condition(state="up"))


async def test_model_that_does_not_load_is_down_with_the_reason(fresh: Site) -> None:
    """A condition and an expert's error; the service goes on."""
    expert = LocalExpert("small", LocalSettings(model="no-such-owner/no-such-model"), fresh)
    async with in_service(expert):
        assert expert.condition.state == "down"
        assert "no-such-model" in expert.condition.reason
        with pytest.raises(ExpertUnavailable, match="no-such-model"):
            await expert.draft(asking(), nowhere)


async def test_model_that_breaks_fails_one_request(expert: LocalExpert, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a model raises is an expert's error, and its turn ends."""
    async with in_service(expert):
        with monkeypatch.context() as broken:
            broken.setattr(LoadedModel, "read", _out_of_memory)
            with pytest.raises(ExpertFailed, match="out of memory"):
                await expert.draft(asking(), nowhere)
        draft = await expert.draft(asking(max_tokens=1), nowhere)
    assert draft.text == "The"


async def test_local_keeps_the_contract_of_an_expert(expert: LocalExpert) -> None:
    """The public conformance check."""
    async with in_service(expert):
        await check_expert(expert)


def _out_of_memory(*_: Any, **__: Any) -> None:
    raise RuntimeError("out of memory")


async def _settle() -> None:
    """Let everything that can go on do so."""
    for _ in range(200):
        await anyio.lowlevel.checkpoint()
