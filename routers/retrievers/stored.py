"""What was learned, on disk: a query-side adapter in a file, a router of retrievers in a folder. Nothing is unpickled.

Written beside its place and moved there; what was damaged later is found by its hash. Knows files.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from routers.classify.protocol import State
from routers.embedding.protocol import FloatArray
from routers.errors import ArtifactError
from routers.retrievers.adapter import QueryAdapter
from routers.retrievers.router import ArmRule, ArmTable

__all__ = ["AdapterFacts", "RouterFacts", "load_adapter", "load_router", "save_adapter", "save_router"]

PROBE = "probe"
TABLE = "table.safetensors"
MANIFEST = "manifest.json"
FACTS = "facts"
AGAIN = "run 'orchestrator train' again"


class AdapterFacts(BaseModel):
    """How an adapter came to be.

    expert, embedder: their names in the configuration. data_sha256: of the judged queries. queries: how many, folds
    and seed: how they were split. steps: of training; 0: none did better than none, and nothing is changed. plain,
    adapted: nDCG@10 on held-out folds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    expert: str
    embedder: str
    data_sha256: str
    queries: int
    folds: int
    seed: int
    steps: int
    plain: float
    adapted: float


class RouterFacts(BaseModel):
    """How a router of retrievers came to be.

    arms: who is asked, the columns of the table. fingerprint: of the embedder of the queries. figures: mean nDCG@10 on
    held-out folds, of the router, of the best single retriever and of the best arm of each query.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    rule: ArmRule
    arms: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...]
    embedder: str
    fingerprint: str
    data_sha256: str
    folds: int
    seed: int
    figures: dict[str, float]
    sha256: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class StoredAdapter:
    """An adapter with its facts. probe: what its embedder made of a known text, float32 [dim]."""

    adapter: QueryAdapter
    facts: AdapterFacts
    probe: FloatArray


def save_adapter(path: Path, adapter: QueryAdapter, facts: AdapterFacts, *, probe: FloatArray) -> None:
    """Write or replace a file; raises ArtifactError where that cannot be done."""
    state: dict[str, FloatArray] = {**adapter.state(), PROBE: probe}
    metadata = {FACTS: facts.model_dump_json(), "sha256": _digest(state)}
    _write(path, save_tensors(state, metadata=metadata))


def load_adapter(path: Path) -> StoredAdapter:
    """The adapter of a file; raises ArtifactError where there is none that is whole."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: Mapping[str, str] = dict(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.get("sha256") != _digest(state):
            raise ArtifactError(f"{path} is damaged; train it again")
        facts = AdapterFacts.model_validate_json(metadata[FACTS])
        return StoredAdapter(QueryAdapter.restored(state), facts, state[PROBE])
    except FileNotFoundError as error:
        raise ArtifactError(f"there is no adapter at {path}") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is no adapter ({error}); train it again") from error


def save_router(folder: Path, table: ArmTable, facts: RouterFacts) -> None:
    """Write or replace a folder's content: the table first, then the manifest that names it."""
    content = save_tensors({"vectors": table.vectors, "scores": table.scores})
    digest = hashlib.sha256(content).hexdigest()
    _write(folder / f"{digest[:16]}.{TABLE}", content)
    _write(folder / MANIFEST, facts.model_copy(update={"sha256": digest}).model_dump_json(indent=1).encode() + b"\n")
    for old in folder.glob(f"*.{TABLE}"):
        if not old.name.startswith(digest[:16]):
            old.unlink(missing_ok=True)


def load_router(folder: Path) -> tuple[ArmTable, RouterFacts] | None:
    """What a folder holds, None where nothing was learned; raises ArtifactError for what is damaged."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        facts = RouterFacts.model_validate_json((folder / MANIFEST).read_bytes())
        content = (folder / f"{facts.sha256[:16]}.{TABLE}").read_bytes()
        if hashlib.sha256(content).hexdigest() != facts.sha256:
            raise ArtifactError(f"{folder}: the table is damaged; {AGAIN}")
        state: dict[str, Any] = load_tensors(content)
        return ArmTable(state["vectors"], state["scores"], facts.arms, facts.sources), facts
    except (OSError, SafetensorError, KeyError, ValueError, ValidationError) as error:
        raise ArtifactError(f"{folder} holds no router of retrievers ({error}); {AGAIN}") from error


def _digest(state: State) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(json.dumps([name, list(state[name].shape)]).encode() + state[name].tobytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        os.replace(beside, path)  # noqa: PTH105 - named for what matters here: it replaces, in one step
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error.strerror})") from error
    finally:
        beside.unlink(missing_ok=True)
