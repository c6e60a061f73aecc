"""A pipeline over scripted experts: the flow without models, for tests that drive it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import anyio
import numpy as np

from orchestrator.config import Config
from orchestrator.consultation import Consultant, consulted_by
from orchestrator.conversation.sessions import Sessions
from orchestrator.engine import Engine, recording, storing
from orchestrator.experts import Expert, Site
from orchestrator.fleet.registry import Registry
from orchestrator.pipeline import Pipeline
from orchestrator.plans import Plans
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import Chooser
from orchestrator.stages.draft import Drafting
from orchestrator.testing import WordEmbedder
from orchestrator.types import Chunk
from routers.calibration import Calibration
from routers.classify.protocol import CategoryClassifier
from routers.embedding import FloatArray
from routers.gate import Gate
from routers.mapping.learned import LearnedMapping
from routers.router import Router


class FirstWord:
    """A classifier that is sure of the category which the query starts with, and of nothing otherwise."""

    def __init__(self, categories: Sequence[str]) -> None:
        self.classes_ = tuple(sorted(categories))

    def logits(self, texts: Sequence[str]) -> FloatArray:
        rows = [[9.0 if text.split()[0] == name else 0.0 for name in self.classes_] for text in texts]
        return np.asarray(rows, dtype=np.float32)


class Words:
    """The word embedder of `orchestrator.testing`, for the event loop."""

    def __init__(self) -> None:
        self._embedder = WordEmbedder()

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        return self._embedder.embed(texts)


class Collected:
    """An `emit` that keeps what it is given, and sets `first` with the first chunk."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.first = anyio.Event()

    async def __call__(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.first.set()

    @property
    def text(self) -> str:
        pieces = [choice["delta"].get("content") or "" for c in self.chunks for choice in c.data["choices"]]
        return "".join(pieces)


def config_of(experts: Sequence[str], /, *, categories: dict[str, Any], **blocks: Any) -> Config:
    """A configuration whose experts are stand-ins; `categories` maps names to blocks or to lists of experts."""
    shaped = {
        name: {"description": name, **(block if isinstance(block, dict) else {"experts": block})}
        for name, block in categories.items()
    }
    stand_in = {"kind": "scripted", "cost": {"input": 1.0, "output": 2.0}}
    return Config.model_validate(
        {
            "version": 1,
            "categories": shaped,
            "general": "general",
            "experts": dict.fromkeys(experts, stand_in),
            **blocks,
        }
    )


@asynccontextmanager
async def flowing(
    *experts: Expert,
    categories: dict[str, Any],
    router: Any = None,
    learned: LearnedMapping | None = None,
    who_is_awake: Any = None,
    **blocks: Any,
) -> AsyncIterator[Engine]:
    """An engine over these experts; a query goes to the category that its first word names."""
    config = config_of([expert.id for expert in experts], categories=categories, **blocks)
    cache = TemporaryDirectory()  # not the repository: retrievers index there
    folder = Path(cache.name)
    site = Site(folder=folder, cache=folder, expert=lambda name: registry[name], embedder=lambda _: Words())
    registry = Registry(config, site, built={expert.id: expert for expert in experts}, residency=who_is_awake)
    router = router or Router(
        classifier=cast("CategoryClassifier", FirstWord([name for name in config.categories if name != "general"])),
        calibration=Calibration(1.0),
        gate=Gate(0.9),
        qhat=0.5,
        general="general",
    )
    deadline_s = config.routing.max_latency_ms / 1000
    consultant = Consultant(registry, deadline_s=deadline_s) if consulted_by(config) else None
    categorizer = Categorizer(router, deadline_s=deadline_s, remembered=config.routing.cache, consultant=consultant)
    async with (
        recording(config) as usage,
        storing(config) as store,
        registry.background.open(),
        anyio.create_task_group() as group,
    ):
        group.start_soon(categorizer.serve)
        pipeline = Pipeline(
            categorizer=categorizer,
            chooser=Chooser(config, Plans(config, learned), registry),
            drafting=Drafting(registry),
            measures=Measures(registry, Words()),
            sessions=Sessions(most=config.sessions.most, ttl_s=config.sessions.ttl_s),
            budget=config.budget,
        )
        try:
            yield Engine(config=config, registry=registry, pipeline=pipeline, usage=usage, store=store)
        finally:
            cache.cleanup()
        group.cancel_scope.cancel()
