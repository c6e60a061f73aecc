"""How likely a model behind vLLM finds given answers, from vLLM's prompt log-probabilities. Knows no replicas.

Right to the token: the server renders and tokenizes the conversation with its own chat template up to where an answer
begins (`/tokenize`, as for a chat request), tokenizes each answer by itself, and completes the tokens of both, put
together by us, with `prompt_logprobs`. So the boundary is known, no token can lie across it, what a template does to
the messages of an assistant that spoke before (strip them, drop their reasoning) does not touch the answer, and no
token that ends a turn is scored. An answer that the model would have begun inside such a token is conditioned on what
it would have seen when it drafted, which is the prompt as it is.

Serve the model in float32: with bfloat16 a token's log-probability is off by up to 0.2.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio

from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected
from orchestrator.experts.protocol import TokenLogprobs
from orchestrator.experts.user_words import APART, common_beginning, with_words
from orchestrator.types import ChatRequest
from orchestrator.wire import read_usage

__all__ = ["SIDE_BY_SIDE", "PromptScorer"]

SIDE_BY_SIDE = 8
"""Most calls of one scoring that run at once: vLLM batches them, and other requests want a place too."""
_TEMPLATE = ("tools", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message")
"""Fields of a chat body that its server's template sees, beside the messages."""
_TEMPLATE_ARGUMENTS = ("documents", "reasoning_effort")
"""Those that chat requests have as fields of their own, and `/tokenize` takes as arguments of the template."""

Post = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Posts a JSON object to a path of the servers, and gives theirs; raises `ExpertError`."""


class PromptScorer:
    """Scores answers for one expert.

    model: its name on the servers. at_once: most calls that run side by side.
    """

    def __init__(self, expert: str, model: str, post: Post, *, at_once: int = SIDE_BY_SIDE) -> None:
        self._expert = expert
        self._model = model
        self._post = post
        self._at_once = at_once

    async def scores(self, request: ChatRequest, answers: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """A result for each answer, in their order. request: its body as a chat request would have it.

        Raises:
            ExpertError: the conversation cannot be tokenized.
        """
        return await self._scores(await self._tokens(self._conversation(request.body)), answers)

    async def turn_scores(self, request: ChatRequest, texts: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """The same of texts as the words of the last user message.

        Where those begin is where the conversation's tokens with two different words in their place part.

        Raises:
            ExpertError: the conversation cannot be tokenized, or has no user message.
        """
        spoken = [with_words(request.body.get("messages"), word) for word in APART]
        if not all(spoken):
            raise ExpertRejected(self._expert, "messages: there is no user message whose words could be scored")
        said = [self._conversation({**request.body, "messages": messages}) for messages in spoken]
        one, other = [await self._tokens(conversation) for conversation in said]
        return await self._scores(common_beginning(one, other), texts)

    async def _scores(self, conversation: list[int], answers: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        results: dict[int, TokenLogprobs | ExpertError] = {}
        room = anyio.Semaphore(self._at_once)

        async def one(number: int, answer: str) -> None:
            async with room:
                try:
                    results[number] = await self._scored(conversation, answer)
                except ExpertError as error:
                    results[number] = error

        async with anyio.create_task_group() as group:
            for number, answer in enumerate(answers):
                group.start_soon(one, number, answer)
        return [results[number] for number in range(len(answers))]

    async def _scored(self, conversation: list[int], answer: str) -> TokenLogprobs:
        tokens = await self._tokens({"prompt": answer, "add_special_tokens": False}) if answer else []
        if not tokens:
            return TokenLogprobs(tokens=(), logprobs=())
        body = {"model": self._model, "prompt": [*conversation, *tokens], "prompt_logprobs": 0, "max_tokens": 1}
        return self._read(await self._post("/v1/completions", body), tokens, before=len(conversation))

    async def _tokens(self, what: Mapping[str, Any]) -> list[int]:
        answer = await self._post("/tokenize", {"model": self._model, **what})
        tokens = answer.get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise ExpertFailed(self._expert, "/tokenize answers no tokens")
        return tokens

    def _conversation(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What to tokenize so that it is what a chat request with this body has the model read."""
        messages = body.get("messages")
        if not isinstance(messages, list) or any(_unreadable(message) for message in messages):
            # Images are no tokens before the model has seen them.
            raise ExpertRejected(self._expert, "messages: scores are for conversations of text alone")
        fields = {name: body[name] for name in _TEMPLATE if body.get(name) is not None}
        arguments = {name: body[name] for name in _TEMPLATE_ARGUMENTS if body.get(name) is not None}
        given = fields.get("chat_template_kwargs", {})
        if arguments and isinstance(given, Mapping):  # what is none, the server will refuse
            fields["chat_template_kwargs"] = {**arguments, **given}
        return {"messages": messages, "add_generation_prompt": True, **fields}

    def _read(self, completion: Mapping[str, Any], tokens: Sequence[int], *, before: int) -> TokenLogprobs:
        """The log-probabilities of the last tokens of the prompt; the first one of all has none."""
        try:
            seen = completion["choices"][0]["prompt_logprobs"]
            if len(seen) != before + len(tokens):
                raise ValueError("as many log-probabilities as tokens were expected")  # noqa: TRY301 - one way out
            found = [entry[str(token)] for entry, token in zip(seen[before:], tokens, strict=True)]
            logprobs = tuple(float(entry["logprob"]) for entry in found)
            if not all(math.isfinite(logprob) for logprob in logprobs):
                raise ValueError("a log-probability is no number")  # noqa: TRY301 - one way out
            texts = tuple(str(entry.get("decoded_token") or "") for entry in found)
            return TokenLogprobs(tokens=texts, logprobs=logprobs, usage=read_usage(completion.get("usage")))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise ExpertFailed(self._expert, f"no prompt_logprobs of these tokens: {error!r}") from error


def _unreadable(message: object) -> bool:
    """Whether a message has parts that are no text."""
    parts = message.get("content") if isinstance(message, Mapping) else None
    kinds = (
        [part.get("type") if isinstance(part, Mapping) else None for part in parts] if isinstance(parts, list) else []
    )
    return any(kind not in ("text", "refusal") for kind in kinds)
