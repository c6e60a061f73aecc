"""The answer to `/v1/chat/completions`."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.testing.answers import Answer
from orchestrator.testing.fake_vllm.checks import check_size
from orchestrator.testing.fake_vllm.errors import Refused
from orchestrator.testing.fake_vllm.said import Asked, Said, prompt_logprobs
from orchestrator.testing.fake_vllm.structured import formed
from orchestrator.testing.fake_vllm.tokens import chat_prompt, tokens_of

__all__ = ["chat"]


def chat(asked: Asked) -> Said:
    """What the model says; raises Refused."""
    body = asked.body
    prompt = _prompt(asked)
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    check_size(len(prompt), most, max_model_len=asked.max_model_len)
    answer = _answer(asked, prompt).limited(most)
    options = body.get("stream_options") or {}
    logprobs = bool(body.get("logprobs"))
    cut = replace(answer, pieces=(), reasoning=(), tool_calls=(), finish_reason="abort")
    return Said(
        whole=answer.completion(asked.echo, logprobs=logprobs),
        events=answer.chunks(asked.echo, logprobs=logprobs, usage=bool(options.get("include_usage"))),
        aborted_whole=cut.completion(asked.echo),
        aborted_event=answer.closing(asked.echo, "abort"),
        prompt_tokens=answer.input_tokens or 0,
        output_tokens=answer.output_tokens,
        finish_reason=answer.finish_reason,
    )


def _prompt(asked: Asked) -> list[str]:
    messages = asked.body["messages"]
    if not all(isinstance(message, dict) for message in messages):
        raise Refused(400, "Input should be a valid dictionary", param="body.messages", kind="Bad Request")
    continued = bool(asked.body.get("continue_final_message"))
    added = bool(asked.body.get("add_generation_prompt", not continued))
    if continued and added:
        raise Refused(400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    return tokens_of(chat_prompt(messages, continue_final=continued, generation_prompt=added))


def _answer(asked: Asked, prompt: list[str]) -> Answer:
    """What the model would say, in the form that is asked for and with what vLLM tells beside it."""
    answer = asked.answer
    text = formed(asked.body, answer.text)
    if text != answer.text:
        answer = replace(answer, pieces=tuple(tokens_of(text)), tool_calls=(), alternatives=())
    if answer.input_tokens is None:
        answer = replace(answer, input_tokens=len(prompt))
    if asked.request_id is not None:
        answer = replace(answer, request_id=f"chatcmpl-{asked.request_id}")
    wanted = asked.body.get("prompt_logprobs")
    if wanted is not None and not asked.body.get("stream"):
        scores = prompt_logprobs(asked, prompt, wanted)
        answer = replace(answer, extra={**answer.extra, "prompt_logprobs": scores})
    return answer
