"""POST /v1/embeddings: passed on to an expert whose servers embed, or answered by a text embedder of this process."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from orchestrator import clock
from orchestrator.embedders import MOST_TEXTS
from orchestrator.engine import Engine
from orchestrator.errors import DeadlineExceeded, ExpertUnavailable, InvalidRequest, UnknownModel
from orchestrator.experts import EmbeddingServer
from orchestrator.service.body import read_object
from orchestrator.service.streaming import Hangup
from orchestrator.trace import Stopwatch
from routers.embedding import FloatArray
from routers.errors import WeightsError

__all__ = ["EMBEDDINGS_PATH", "embedding_models", "embeddings"]

EMBEDDINGS_PATH = "/v1/embeddings"
MOST_INPUTS = 2048
"""Texts of one request to an embedder of this process; as OpenAI's API has it."""
_ENCODINGS = ("float", "base64")

log = structlog.get_logger()


def embedding_models(engine: Engine) -> dict[str, str]:
    """What `model` may name here, with a word for people: experts that embed, then text embedders."""
    settings = {name: engine.registry.settings(name) for name in engine.registry}
    experts = {name: one.description for name, one in settings.items() if one.embeds}
    named = [engine.config.embedder, *(name for one in settings.values() for name in one.text_embedders())]
    inside = {name: "text embedder of this service" for name in named if name not in settings}
    return experts | inside


async def embeddings(http: Request) -> Response:
    """Vectors of texts, in the shape of OpenAI's API."""
    engine: Engine = http.app.state.engine
    raw, body = await read_object(http.scope, http.receive, limit=engine.config.serve.max_body_bytes)
    model = _model(body, engine)
    encoding = body.get("encoding_format")
    if encoding is not None and encoding not in _ENCODINGS:
        message = f"'encoding_format' must be one of {', '.join(_ENCODINGS)}."
        raise InvalidRequest(message, param="encoding_format")
    watch = Stopwatch()
    deadline_s = engine.config.budget.deadline_s
    deadline = clock.now() + deadline_s
    with Hangup(http.receive, deadline) as hangup:
        if model in engine.registry:
            answer = await _by_expert(engine, model, raw, body, deadline=deadline)
        else:
            answer = await _by_embedder(engine, model, body)
        log.info("embedded", model=model, took_ms=watch.ms)
        return Response(answer, media_type="application/json")
    if hangup.late:
        raise DeadlineExceeded(deadline_s, model)
    raise ClientDisconnect


def _model(body: Mapping[str, Any], engine: Engine) -> str:
    model = body.get("model")
    known = embedding_models(engine)
    if isinstance(model, str) and model in known:
        return model
    names = ", ".join(known)
    if not isinstance(model, str) or not model:
        raise InvalidRequest(f"'model' must name what embeds, one of {names}.", param="model")
    if model in engine.registry:
        raise InvalidRequest(f"The expert {model!r} does not embed; one of {names} does.", param="model")
    raise UnknownModel(f"No model {model!r} embeds here. Known: {names}.", param="model")


async def _by_expert(engine: Engine, model: str, raw: bytes, body: Mapping[str, Any], *, deadline: float) -> bytes:
    """The answer of an expert's servers, through its guard."""
    registry = engine.registry
    await registry.start(model)
    expert = registry[model]
    if not isinstance(expert, EmbeddingServer):
        raise ExpertUnavailable(model, "it says that it embeds, and cannot")
    with await registry.guard(model).enter(deadline):
        return await expert.embeddings(raw, body, deadline=deadline)


async def _by_embedder(engine: Engine, model: str, body: Mapping[str, Any]) -> bytes:
    """The answer of an embedder of this process; it counts no tokens."""
    if body.get("dimensions") is not None:
        message = f"The vectors of {model!r} have one length; leave 'dimensions' out."
        raise InvalidRequest(message, param="dimensions")
    texts = _texts(body.get("input"))
    rows = await _embedded(engine, model, texts)
    in_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(row) if in_base64 else row}
        for index, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    answer = {"object": "list", "data": data, "model": model, "usage": usage}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


async def _embedded(engine: Engine, model: str, texts: Sequence[str]) -> FloatArray:
    """float32 [n, dim], a few texts at a time: the classifier may wait for the same embedder."""
    embedder = engine.registry.embedder(model)
    try:
        parts = [await embedder.embed(texts[at : at + MOST_TEXTS]) for at in range(0, len(texts), MOST_TEXTS)]
    except WeightsError as error:
        raise ExpertUnavailable(model, str(error)) from error
    return np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        message = "'input' must be a non-empty string, or an array of such; token ids are not taken."
        raise InvalidRequest(message, param="input")
    if len(texts) > MOST_INPUTS:
        raise InvalidRequest(f"'input' has {len(texts)} texts; at most {MOST_INPUTS} are taken.", param="input")
    return texts


def _base64(row: FloatArray) -> str:
    """float32 in little-endian order, as OpenAI's API has it."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
