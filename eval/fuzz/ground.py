"""What the fuzzing runs on: a configuration with every kind of surface, over faked model servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from eval.serving import Service, started
from orchestrator.testing import FakeVLLM

__all__ = ["DEADLINE_S", "MODELS", "TORN", "serving"]

DEADLINE_S = 10.0
"""Of a request, by the configuration."""
MODELS = ("auto", "fuse", "crew", "gone", "vectors", "shelf", "minilm")
"""Names of the configuration: routed, fused, a good expert, one that is down, and what is no chat expert."""
TORN = tuple(f"torn-{number}" for number in range(8))
"""Experts whose server breaks its answers; several, since one that fails again and again is left alone."""
_NOBODY = "http://127.0.0.1:9"
"""The port of `discard`, where nothing listens."""
_PASSAGES = ("Venus is hotter than Mercury.", "Bread rises by yeast.", "A year has 365 days.")


@asynccontextmanager
async def serving(folder: Path, *, torn: str = _NOBODY, **blocks: Any) -> AsyncIterator[Service]:
    """The service over a good server, one that embeds, and one that is down.

    torn: address of the server of the experts `TORN`. blocks: of the configuration, beside its own.

    Raises:
        RuntimeError: it does not start.

    """
    rows = [json.dumps({"id": str(at), "title": text[:5], "text": text}) for at, text in enumerate(_PASSAGES)]
    (folder / "corpus.jsonl").write_text("\n".join(rows))
    chat, vectors = (
        FakeVLLM(models=("m",), max_model_len=2**62, keep=100),
        FakeVLLM(models=("e",), runner="pooling", keep=100),
    )
    async with chat, vectors:
        config = _config(chat=chat.url, vectors=vectors.url, torn=torn)
        async with started(folder, {**config, **blocks}) as service:
            yield service


def _config(*, chat: str, vectors: str, torn: str) -> Mapping[str, Any]:
    limits = {"connect_timeout_s": 1.0, "first_token_timeout_s": 2.0, "read_timeout_s": 2.0}
    experts = {
        "crew": {"kind": "vllm", "model": "m", "replicas": [chat], **limits},
        **{name: {"kind": "vllm", "model": "m", "replicas": [torn], **limits} for name in TORN},
        "gone": {"kind": "vllm", "model": "m", "replicas": [_NOBODY], **limits},
        "vectors": {"kind": "vllm", "model": "e", "runner": "pooling", "replicas": [vectors], **limits},
        "shelf": {"kind": "retriever", "corpus": "corpus.jsonl", "embedders": ["bm25"]},
    }
    categories = {
        "math": {"description": "calculation", "examples": ["solve for x", "17% of 4310"], "experts": ["crew", "gone"]},
        "books": {"description": "documents", "examples": ["look it up", "which page"], "experts": ["shelf", "crew"]},
        "general": {"description": "all else", "examples": ["tell a story", "who won"], "experts": ["crew"]},
    }
    return {
        "version": 1,
        "categories": categories,
        "general": "general",
        "experts": experts,
        "budget": {"deadline_s": DEADLINE_S},
        "fusion": {"verdict": "crew"},
        "serve": {"body_timeout_s": 3},
        "usage": {"file": "usage.jsonl"},
    }
