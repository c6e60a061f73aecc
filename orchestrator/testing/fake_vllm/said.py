"""One answer as it goes over the wire, and the request it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.testing.answers import Answer
from orchestrator.testing.fake_vllm.tokens import LogprobOf, token_id, top_tokens

__all__ = ["Asked", "Said", "prompt_logprobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for text, checked as far as every kind of it is.

    model: the name it asks for. echo: the name that the answer tells. request_id: of its header, None without one.
    answer: what the model would say to it.
    """

    body: Mapping[str, Any]
    model: str
    echo: str
    request_id: str | None
    answer: Answer
    logprob_of: LogprobOf
    max_model_len: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer both as one body and as the data of events, without the closing `[DONE]`.

    aborted_whole, aborted_event: what is sent instead of the rest when the engine aborts the request.
    """

    whole: bytes
    events: Sequence[bytes]
    aborted_whole: bytes
    aborted_event: bytes
    prompt_tokens: int
    output_tokens: int
    finish_reason: str


def prompt_logprobs(
    asked: Asked, tokens: Sequence[str], alternatives: int
) -> list[dict[str, dict[str, object]] | None]:
    """What vLLM's field of this name tells: None for the first token, then each token by its number, with rivals."""
    entries: list[dict[str, dict[str, object]] | None] = [None] if tokens else []
    for place in range(1, len(tokens)):
        context, token = tokens[:place], tokens[place]
        own = asked.logprob_of(asked.model, context, token)
        top = top_tokens(asked.model, context, count=alternatives, logprob_of=asked.logprob_of)
        rated = {token: own, **top}
        entries.append(
            {
                str(token_id(other)): {
                    "logprob": logprob,
                    "rank": 1 + sum(value > logprob for value in rated.values()),
                    "decoded_token": other,
                }
                for other, logprob in rated.items()
            }
        )
    return entries
