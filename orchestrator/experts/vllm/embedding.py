"""Embeddings requests to vLLM and its answers: bytes in, bytes out, with the name of the model exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from orchestrator.errors import ExpertFailed
from orchestrator.wire import with_model

__all__ = ["embeddings_request", "named_embeddings"]


def embeddings_request(raw: bytes, body: Mapping[str, Any], *, model: str) -> bytes:
    """The client's bytes with the servers' name of the model in them; written anew where that is not so simple.

    body: the same, parsed.
    """
    named = with_model(raw, model)
    # A name that stands in the body twice, or spelt with escapes: a server must not read another one than we did.
    return named if orjson.loads(named) == {**body, "model": model} else orjson.dumps({**body, "model": model})


def named_embeddings(answer: bytes, expert: str) -> bytes:
    """The server's answer with `model` naming the expert; raises ExpertFailed where it is no list of embeddings."""
    try:
        data = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise ExpertFailed(expert, f"the embeddings are no JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        raise ExpertFailed(expert, "the answer has no embeddings")
    return with_model(answer, expert)
