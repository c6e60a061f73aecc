"""The answer to `/v1/completions`, the older API, whose worth today is that it tells how likely a prompt is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from orchestrator.testing.answers import Answer, usage_of
from orchestrator.testing.fake_vllm.checks import check_size
from orchestrator.testing.fake_vllm.errors import Refused
from orchestrator.testing.fake_vllm.said import Asked, Said, prompt_logprobs
from orchestrator.testing.fake_vllm.tokens import text_of, tokens_of, top_tokens

__all__ = ["completions", "prompts_of"]

_CREATED = 1_700_000_000
_MAX_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One prompt with what follows on it."""

    index: int
    prompt: list[str]
    answer: Answer


def prompts_of(body: Mapping[str, Any]) -> list[list[str]]:
    """The tokens of each prompt: one or several, each of them text or numbers; raises Refused."""
    prompt = body.get("prompt")
    if isinstance(prompt, str):
        return [tokens_of(prompt)]
    if isinstance(prompt, list) and prompt:
        several = prompt if isinstance(prompt[0], str | list) else [prompt]
        return [tokens_of(one) if isinstance(one, str) else _numbered(one) for one in several]
    raise Refused(400, "Either prompt or prompt_embeds must be provided and non-empty.", param="body.prompt")


def _numbered(ids: Sequence[int]) -> list[str]:
    try:
        return [text_of([number]) for number in ids]
    except (AttributeError, TypeError, ValueError) as error:
        raise Refused(400, str(error), param="prompt") from error


def completions(asked: Asked) -> Said:
    """What the model says; raises Refused."""
    body = asked.body
    most = _MAX_TOKENS if body.get("max_tokens") is None else body["max_tokens"]
    if most < (0 if body.get("echo") else 1):
        raise Refused(400, f"max_tokens must be at least 1, got {most}.", param="max_tokens")
    choices = []
    for index, prompt in enumerate(prompts_of(body)):
        check_size(len(prompt), most, max_model_len=asked.max_model_len)
        choices.append(_Choice(index=index, prompt=prompt, answer=asked.answer.limited(most)))
    used = sum(len(choice.prompt) for choice in choices), sum(len(choice.answer.pieces) for choice in choices)
    head = _head(asked)
    return Said(
        whole=_json({**head, "choices": [_whole(asked, choice) for choice in choices], "usage": usage_of(*used)}),
        events=_events(asked, choices, usage_of(*used)),
        aborted_whole=_json({**head, "choices": [_part(0, "", "abort")], "usage": usage_of(used[0], 0)}),
        aborted_event=_json({**head, "choices": [_part(0, "", "abort")]}),
        prompt_tokens=used[0],
        output_tokens=used[1],
        finish_reason=choices[-1].answer.finish_reason,
    )


def _head(asked: Asked) -> dict[str, Any]:
    name = f"cmpl-{asked.request_id or 'fake'}"
    return {"id": name, "object": "text_completion", "created": _CREATED, "model": asked.echo}


def _whole(asked: Asked, choice: _Choice) -> dict[str, Any]:
    shown = [*(choice.prompt if asked.body.get("echo") else []), *choice.answer.pieces]
    part = _part(choice.index, "".join(shown), choice.answer.finish_reason)
    if asked.body.get("logprobs") is not None:
        part["logprobs"] = _logprobs(asked, choice, shown)
    wanted = asked.body.get("prompt_logprobs")
    part["prompt_logprobs"] = None if wanted is None else prompt_logprobs(asked, choice.prompt, wanted)
    return part


def _logprobs(asked: Asked, choice: _Choice, shown: Sequence[str]) -> dict[str, Any]:
    """In OpenAI's old form: parallel lists, of which the first of an echoed prompt is null."""
    every = [*choice.prompt, *choice.answer.pieces]
    first = len(every) - len(shown)
    values: list[float | None] = []
    tops: list[dict[str, float] | None] = []
    for place in range(first, len(every)):
        context, token = every[:place], every[place]
        if place == 0:
            values.append(None)
            tops.append(None)
            continue
        values.append(asked.logprob_of(asked.model, context, token))
        top = top_tokens(asked.model, context, count=int(asked.body["logprobs"]), logprob_of=asked.logprob_of)
        tops.append({token: asked.logprob_of(asked.model, context, token), **top})
    offsets = [0, *accumulate(len(token) for token in shown)][: len(shown)]
    return {"text_offset": offsets, "token_logprobs": values, "tokens": list(shown), "top_logprobs": tops}


def _events(asked: Asked, choices: Sequence[_Choice], usage: Mapping[str, int]) -> list[bytes]:
    head = _head(asked)
    events: list[bytes] = []
    for choice in choices:
        pieces = [*(["".join(choice.prompt)] if asked.body.get("echo") else []), *choice.answer.pieces]
        events.extend(_json({**head, "choices": [_part(choice.index, piece, None)]}) for piece in pieces)
        events.append(_json({**head, "choices": [_part(choice.index, "", choice.answer.finish_reason)]}))
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        events.append(_json({**head, "choices": [], "usage": usage}))
    return events


def _part(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason, "stop_reason": None}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
