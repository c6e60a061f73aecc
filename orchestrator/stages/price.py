"""What an answer is expected to cost before anybody is asked."""

from __future__ import annotations

from orchestrator.config.settings import Budget, Cost
from orchestrator.types import ChatRequest, content_text

__all__ = ["CHARACTERS_PER_TOKEN", "expected_usd", "limit_usd"]

CHARACTERS_PER_TOKEN = 4
"""English prose under common subword tokenizers; the real count is in the decision afterwards."""
DEFAULT_OUTPUT_TOKENS = 256
"""Taken for the length of an answer where the request sets no limit."""


def expected_usd(cost: Cost, request: ChatRequest) -> float:
    """Price of one call in USD, from the length of the conversation and the request's token limit."""
    characters = sum(len(content_text(message.get("content"))) for message in request.messages)
    limit = request.body.get("max_completion_tokens") or request.body.get("max_tokens")
    output_tokens = limit if isinstance(limit, int) else DEFAULT_OUTPUT_TOKENS
    return cost.usd(input_tokens=characters // CHARACTERS_PER_TOKEN, output_tokens=output_tokens)


def limit_usd(budget: Budget, request: ChatRequest) -> float | None:
    """Most that a request's calls may be expected to cost: the lower of the service's limit and the client's."""
    own, asked = budget.cost_per_query, request.controls.max_cost_usd
    if own is None or asked is None:
        return asked if own is None else own
    return min(own, asked)
