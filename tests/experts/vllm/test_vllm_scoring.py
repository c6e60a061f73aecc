"""Scores through prompt log-probabilities: which tokens count, what goes over the wire, and what may go wrong."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from orchestrator.errors import ExpertFailed, ExpertMisconfigured, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts import BatchScorer, TokenLogprobs
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.testing import FakeVLLM
from orchestrator.testing.fake_vllm.tokens import token_logprob, tokens_of
from orchestrator.types import ChatRequest, Usage
from tests.experts.vllm.conftest import Hire
from tests.experts.vllm.scoring_server import ScoringServer, logprob

pytestmark = pytest.mark.anyio

QUESTION = [{"role": "user", "content": "Why?"}]
RENDERED = "<user>Why?<assistant>"


@pytest.fixture
async def scoring() -> AsyncIterator[ScoringServer]:
    async with ScoringServer() as running:
        yield running


@pytest.fixture
def judge(hire: Hire, scoring: ScoringServer) -> VllmExpert:
    return hire("judge", model="m", replicas=[scoring.url], score=True)


def asking(*, left_s: float = 5.0, **fields: Any) -> ChatRequest:
    return ChatRequest(body={"messages": QUESTION, **fields}, deadline=anyio.current_time() + left_s)


async def test_the_answers_tokens_are_scored_and_no_other(judge: VllmExpert, scoring: ScoringServer) -> None:
    """Conditioned on the conversation as the server's template renders it, up to where an answer begins."""
    found = await judge.score(asking(), "\nSo.")
    assert found.tokens == ("\n", "S", "o", ".")
    assert found.logprobs == tuple(logprob(ord(character)) for character in "\nSo.")
    (sent,) = scoring.bodies("/v1/completions")
    assert sent == {
        "model": "m",
        "prompt": [ord(character) for character in RENDERED + "\nSo."],
        "prompt_logprobs": 0,
        "max_tokens": 1,
    }
    assert found.usage == Usage(input_tokens=len(RENDERED) + 4, output_tokens=1)


async def test_scores_are_those_that_a_faked_vllm_tells(hire: Hire, server: FakeVLLM) -> None:
    """Adapters under their own names have others, as there."""
    hire("base", model="fake-model", replicas=[server.url])
    adapter = hire("adapted", base="base", adapter="lora", score=True)
    judge = hire("judge", model="fake-model", replicas=[server.url], score=True)
    server.models = ("fake-model", "lora")
    answer = "\n\nBecause of Rayleigh scattering<|im_end|>, mostly."
    for expert, model in ((judge, "fake-model"), (adapter, "lora")):
        found = await expert.score(asking(), answer)
        assert found.tokens == tuple(tokens_of(answer))
        assert found.logprobs == tuple(token_logprob(model, (), token) for token in tokens_of(answer))


async def test_the_template_sees_what_it_would_for_a_chat(hire: Hire, scoring: ScoringServer) -> None:
    """System prompt, tools and arguments of the template go along; sampling does not."""
    judge = hire("judge", model="m", replicas=[scoring.url], score=True, system="Be brief.")
    tools = [{"type": "function", "function": {"name": "f"}}]
    kwargs = {"enable_thinking": False}
    fields: dict[str, Any] = {
        "tools": tools,
        "chat_template_kwargs": kwargs,
        "documents": [{"text": "d"}],
        "temperature": 2,
        "n": 3,
    }
    await judge.score(asking(**fields, stream=True), "x")
    conversation, answer = scoring.bodies("/tokenize")
    assert conversation == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, *QUESTION],
        "add_generation_prompt": True,
        "tools": tools,
        "chat_template_kwargs": {"documents": [{"text": "d"}], **kwargs},
    }
    assert answer == {"model": "m", "prompt": "x", "add_special_tokens": False}


async def test_an_answer_may_continue_what_the_client_began(judge: VllmExpert, scoring: ScoringServer) -> None:
    """As the draft does, when a request says so."""
    await judge.score(asking(continue_final_message=True, add_generation_prompt=False), "x")
    conversation = scoring.bodies("/tokenize")[0]
    assert (conversation["continue_final_message"], conversation["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize("fields", [{"chat_template_kwargs": "x", "documents": [1]}, {"tools": 3}])
async def test_what_the_template_cannot_use_is_left_to_the_server(
    judge: VllmExpert, scoring: ScoringServer, fields: dict[str, Any]
) -> None:
    """Which refuses it, as for a chat."""
    scoring.refuse = lambda _, __: 400
    with pytest.raises(ExpertRejected):
        await judge.score(asking(**fields), "x")


async def test_many_answers_share_the_conversation(judge: VllmExpert, scoring: ScoringServer) -> None:
    """It is rendered once; the results stand in the order of the answers."""
    assert isinstance(judge, BatchScorer)
    answers = [f"answer {number}" for number in range(30)]
    found = await judge.score_many(asking(), answers)
    assert ["".join(one.tokens) for one in found if isinstance(one, TokenLogprobs)] == answers
    assert len([body for body in scoring.bodies("/tokenize") if "messages" in body]) == 1
    assert scoring.most <= 8


async def test_no_more_run_at_once_than_the_expert_takes(hire: Hire, scoring: ScoringServer) -> None:
    """`max_concurrency` of 1 serves them one after the other."""
    judge = hire("judge", model="m", replicas=[scoring.url], score=True, max_concurrency=1)
    await judge.score_many(asking(), ["one", "two", "three"])
    assert scoring.most == 1


async def test_an_empty_answer_has_no_tokens(judge: VllmExpert, scoring: ScoringServer) -> None:
    """And costs no call."""
    assert await judge.score(asking(), "") == TokenLogprobs(tokens=(), logprobs=())
    assert scoring.bodies("/v1/completions") == []


async def test_an_adapter_scores_under_its_own_name(hire: Hire, scoring: ScoringServer) -> None:
    """On its base's servers."""
    hire("base", model="base-model", replicas=[scoring.url])
    scoring.model = "lora"
    adapter = hire("adapted", base="base", adapter="lora", score=True)
    assert (await adapter.score(asking(), "x")).tokens == ("x",)
    assert {body["model"] for _, body in scoring.seen} == {"lora"}


@pytest.mark.parametrize(("score", "runner"), [(False, "generate"), (True, "generate"), (False, "pooling")])
def test_capabilities_say_who_scores_and_who_embeds(hire: Hire, score: bool, runner: str) -> None:  # noqa: FBT001
    """Specified: `score: true` and `runner: pooling` of the configuration."""
    able = hire("judge", model="m", replicas=["http://127.0.0.1:1"], score=score, runner=runner).capabilities
    assert (able.score, able.embed, able.chat) == (score, runner == "pooling", runner != "pooling")


async def test_an_answer_that_the_server_refuses_is_an_error_in_its_place(
    judge: VllmExpert, scoring: ScoringServer
) -> None:
    """Too long a draft costs the others nothing."""
    scoring.refuse = lambda path, body: 400 if path == "/v1/completions" and len(body["prompt"]) > 40 else None
    short, long, last = await judge.score_many(asking(), ["fine", "far too long " * 9, "fine too"])
    assert isinstance(short, TokenLogprobs)
    assert isinstance(long, ExpertRejected)
    assert isinstance(last, TokenLogprobs)


@pytest.mark.parametrize("kind", ["image_url", ["image_url"], None])
async def test_pictures_cannot_be_scored(judge: VllmExpert, scoring: ScoringServer, kind: object) -> None:
    """Ours: they are no tokens before the model has seen them, and the server would leave them out."""
    parts = [{"type": "text", "text": "What is this?"}, {"type": kind, "image_url": {"url": "data:,"}}]
    with pytest.raises(ExpertRejected, match="text alone"):
        await judge.score(asking(messages=[{"role": "user", "content": parts}]), "A cat.")
    assert scoring.seen == []


async def test_a_model_that_the_server_does_not_know_is_our_mistake(hire: Hire, scoring: ScoringServer) -> None:
    """As for drafts."""
    judge = hire("judge", model="other", replicas=[scoring.url], score=True)
    with pytest.raises(ExpertMisconfigured):
        await judge.score(asking(), "x")


async def test_nobody_there_is_unavailable(hire: Hire) -> None:
    """As for drafts."""
    judge = hire("judge", model="m", replicas=["http://127.0.0.1:1"], score=True)
    with pytest.raises(ExpertUnavailable):
        await judge.score(asking(), "x")


async def test_another_server_is_asked_where_one_is_not_there(hire: Hire, scoring: ScoringServer) -> None:
    """As for drafts."""
    judge = hire("judge", model="m", replicas=["http://127.0.0.1:1", scoring.url], score=True)
    found = await judge.score_many(asking(), ["x", "y"])
    assert all(isinstance(one, TokenLogprobs) for one in found)


async def test_scores_end_at_the_deadline(judge: VllmExpert) -> None:
    """A request whose time is over is not sent."""
    with anyio.fail_after(5), pytest.raises(ExpertTimeout):
        await judge.score(asking(left_s=0.0), "x")


def without_logprobs(answer: dict[str, Any]) -> object:
    return {**answer, "choices": [{**answer["choices"][0], "prompt_logprobs": None}]}


def shortened(answer: dict[str, Any]) -> object:
    rows = answer["choices"][0]["prompt_logprobs"]
    return {**answer, "choices": [{"prompt_logprobs": rows[:-1]}]}


def of_other_tokens(answer: dict[str, Any]) -> object:
    rows = answer["choices"][0]["prompt_logprobs"]
    return {**answer, "choices": [{"prompt_logprobs": [*rows[:-1], {"1": {"logprob": -1.0}}]}]}


def not_numbers(answer: dict[str, Any]) -> object:
    rows = answer["choices"][0]["prompt_logprobs"]
    return {**answer, "choices": [{"prompt_logprobs": [*rows[:-1], {str(ord("x")): {"logprob": "NaN"}}]}]}


@pytest.mark.parametrize(
    "spoil",
    [without_logprobs, shortened, of_other_tokens, not_numbers, lambda _: b"<html>", lambda _: [], lambda _: {}],
)
async def test_what_is_no_score_is_a_failure(judge: VllmExpert, scoring: ScoringServer, spoil: Any) -> None:
    """A server that ignores `prompt_logprobs`, or breaks, is never taken for one that finds all equally likely."""
    scoring.change = lambda path, answer: spoil(answer) if path == "/v1/completions" else answer
    with pytest.raises(ExpertFailed):
        await judge.score(asking(), "x")


async def test_what_is_no_tokens_is_a_failure(judge: VllmExpert, scoring: ScoringServer) -> None:
    """Of the answer as of the conversation."""
    scoring.change = lambda path, answer: {"tokens": ["a"]} if path == "/tokenize" else answer
    with pytest.raises(ExpertFailed):
        await judge.score(asking(), "x")


async def test_pooling_servers_answer_no_chats(hire: Hire, scoring: ScoringServer) -> None:
    """A client that names one is told where to go."""

    async def nowhere(_: object) -> None:
        raise AssertionError

    expert = hire("vectors", model="m", replicas=[scoring.url], runner="pooling")
    with pytest.raises(ExpertRejected, match="/v1/embeddings"):
        await expert.draft(asking(), nowhere)


async def test_texts_are_scored_as_the_users_words(judge: VllmExpert, scoring: ScoringServer) -> None:
    """Where the words of the last user message begin is found whatever the template; what follows is left out."""
    messages = [{"role": "system", "content": "S"}, *QUESTION, {"role": "assistant", "content": "Hm"}]
    (found,) = await judge.score_turns(asking(messages=messages), ["Q: y"])
    assert isinstance(found, TokenLogprobs)
    assert "".join(found.tokens) == "Q: y"
    (sent,) = scoring.bodies("/v1/completions")
    assert sent["prompt"] == [ord(character) for character in "<system>S<user>Q: y"]


async def test_without_a_user_message_there_are_no_words_to_score(judge: VllmExpert) -> None:
    """An error that concerns all texts, not a score of something else."""
    with pytest.raises(ExpertRejected, match="no user message"):
        await judge.score_turns(asking(messages=[{"role": "system", "content": "S"}]), ["x"])
