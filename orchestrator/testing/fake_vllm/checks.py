"""What vLLM checks before it takes a request for text, with its refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.testing.fake_vllm.errors import Refused

__all__ = ["check_sampling", "check_size", "parsed"]

_MAX_LOGPROBS = 20


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body; raises Refused."""
    try:
        body: object = json.loads(raw)
    except ValueError as error:
        raise Refused(400, f"JSON decode error: {error}", param="body", kind="Bad Request") from error
    if not isinstance(body, dict):
        raise Refused(400, "Input should be a valid dictionary", param="body", kind="Bad Request")
    return body


def check_sampling(body: Mapping[str, Any]) -> None:
    """Refuse parameters that no model could follow."""
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and temperature < 0:
        raise Refused(400, f"temperature must be non-negative, got {temperature}.", param="temperature")
    for name in ("max_tokens", "max_completion_tokens"):
        most = body.get(name)
        if most is not None and (not isinstance(most, int) or most < 0):
            raise Refused(400, f"{name} must be at least 1, got {most!r}.", param=name)
    wanted = body.get("prompt_logprobs")
    if wanted is None:
        return
    if not isinstance(wanted, int) or wanted < 0:
        raise Refused(400, "`prompt_logprobs` must be a positive value or -1.", param="prompt_logprobs")
    if wanted > _MAX_LOGPROBS:
        message = f"Requested prompt logprobs of {wanted}, which is greater than max allowed: {_MAX_LOGPROBS}"
        raise Refused(400, message, param="prompt_logprobs")
    if body.get("stream") and wanted > 0:
        raise Refused(400, "`prompt_logprobs` are not available when `stream=True`.", param="prompt_logprobs")


def check_size(prompt_tokens: int, max_tokens: int | None, *, max_model_len: int) -> None:
    """Refuse what does not fit into the model's context."""
    limit = f"This model's maximum context length is {max_model_len} tokens."
    if prompt_tokens >= max_model_len:
        # vLLM stops counting where the prompt is too long, so it tells the limit and one more.
        told = f"{limit} However, your prompt contains at least {max_model_len + 1} tokens."
        raise Refused(400, told, param="input_tokens")
    if max_tokens is not None and prompt_tokens + max_tokens > max_model_len:
        told = f"{limit} However, you requested {max_tokens} output tokens and your prompt contains {prompt_tokens}."
        raise Refused(400, told, param="max_tokens")
