"""Which engine runs an embedder: torch, or ONNX Runtime over a graph that is made once a machine and kept.

Light to import. The kept graph is named by what it was made of and checked against its digest, so a damaged or
half-written one is made again and never run.
"""

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from routers.embedding.protocol import Embedder
from routers.errors import NoGraph, WeightsError
from routers.importing import load_name
from routers.weights import file_sha256

__all__ = ["Engine", "embedder_of", "engine_of"]

Engine = Literal["auto", "onnx-int8", "onnx", "torch"]
"""auto: 8-bit weights where the model becomes a graph, else torch. onnx: float32."""

STATIC = "modules.json"
"""A folder without it holds no static table."""

MARK = "int8"
"""In the fingerprint of embedders with 8-bit weights."""

FORMAT = 1
"""Part of a kept graph's name; raised when `routers.embedding.export` makes other graphs."""

EIGHT_BIT = frozenset({"auto", "onnx-int8"})


def embedder_of(
    model: Path, *, identity: str, max_tokens: int, engine: Engine = "torch", cache: Path | None = None
) -> Embedder:
    """The embedder of a model folder. A static table needs no engine, and gets none.

    cache: where graphs are kept; without it there is only torch.

    Raises:
        WeightsError: the folder holds no such model, it does not become a graph and `engine` asks for one, or the
            graph cannot be kept.
    """
    if (model / STATIC).is_file():
        table: Embedder | None = _heavy("routers.embedding.table:table_of")(
            model, identity=identity, max_tokens=max_tokens
        )
        if table is not None:
            return table
    if engine == "torch" or cache is None:
        return _torch(model, identity=identity, max_tokens=max_tokens)
    try:
        graph = _kept(model, identity=identity, eight_bit=engine in EIGHT_BIT, cache=cache)
    except NoGraph:
        if engine == "auto":
            return _torch(model, identity=identity, max_tokens=max_tokens)
        raise
    built: Embedder = _heavy("routers.embedding.graph:GraphEmbedder")(
        graph, model / "tokenizer.json", identity=identity, max_tokens=max_tokens, eight_bit=engine in EIGHT_BIT
    )
    return built


def engine_of(fingerprint: str) -> Engine:
    """An engine that gives the vectors which a fingerprint names; float32 ones are the same from torch and onnx."""
    return "onnx-int8" if MARK in fingerprint.split(":") else "torch"


def _torch(model: Path, *, identity: str, max_tokens: int) -> Embedder:
    built: Embedder = _heavy("routers.embedding.sentence:SentenceEmbedder")(
        model, identity=identity, max_tokens=max_tokens
    )
    return built


def _kept(model: Path, *, identity: str, eight_bit: bool, cache: Path) -> Path:
    """The graph of the model, made where it is not there; its digest stands beside it."""
    name = hashlib.sha256(f"{FORMAT}:{identity}:{eight_bit}".encode()).hexdigest()[:16]
    graph = cache / f"{name}.onnx"
    digest = graph.with_suffix(".sha256")
    try:
        if graph.is_file() and digest.is_file() and digest.read_text(encoding="ascii") == file_sha256(graph):
            return graph
        cache.mkdir(parents=True, exist_ok=True)
        mark = secrets.token_hex(4)
        made, noted = graph.with_suffix(f".{mark}.new"), graph.with_suffix(f".{mark}.noted")
        try:
            _heavy("routers.embedding.export:export")(model, made, eight_bit=eight_bit)
            noted.write_text(file_sha256(made), encoding="ascii")
            made.replace(graph)
            noted.replace(digest)
        finally:
            for left in (made, noted):
                left.unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(f"{cache} cannot be used for graphs of embedders ({error.strerror})") from error
    return graph


def _heavy(name: str) -> Callable[..., Any]:
    """An object of a module that takes seconds to import, which only a process that embeds should pay."""
    try:
        loaded: Callable[..., Any] = load_name(name)
    except ImportError as error:
        raise WeightsError(
            f"embedders need sentence-transformers and onnxruntime ({error}); "
            f"run 'pip install expert-orchestrator[embed]'"
        ) from error
    return loaded
