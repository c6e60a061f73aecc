"""The whole product without a surface: what `serve`, `ask`, `mcp` and `eval` all run.

Builds the parts from a configuration, keeps them alive for as long as a block runs, and takes them down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.consultation import Consultant, consulted_by
from orchestrator.conversation.sessions import Sessions
from orchestrator.decision import Decision
from orchestrator.decision_log import DecisionLog
from orchestrator.embedders import Embedders
from orchestrator.errors import RunError
from orchestrator.fleet.registry import Registry
from orchestrator.fleet.surroundings import cache_folder, embedders_of, experts_of, site_of
from orchestrator.pipeline import Pipeline
from orchestrator.retriever_choice import RetrieverChoice, choice_of, learned_choice
from orchestrator.serving import Watch, load_serving
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import Chooser
from orchestrator.stages.draft import Drafting
from orchestrator.store.rows import Ended
from orchestrator.trace import Trace
from orchestrator.usage.journal import Journal
from orchestrator.usage.recorder import Recorder

if TYPE_CHECKING:
    from orchestrator.store.store import Store

__all__ = ["Engine", "cache_folder", "embedders_of", "experts_of", "recording", "running", "site_of", "storing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The running product. watch: which artifact decides; None where the parts were put together by hand.

    retrievers: chooses between retrievers; None where nothing was learned of them.
    """

    config: Config
    registry: Registry
    pipeline: Pipeline
    decisions: DecisionLog = field(default_factory=DecisionLog)
    watch: Watch | None = None
    usage: Recorder | None = None
    store: Store | None = None
    retrievers: RetrieverChoice | None = None

    def keep(self, trace: Trace) -> None:
        """Remember what a request came to, and write it down where the configuration says so."""
        if self.usage is not None:
            decision = trace.decision()
            self.usage.decided(decision if self.usage.content else decision.without_content())
        self.decisions.add(trace, content=self.config.serve.content)
        if self.store is not None:
            self.store.decided(Ended(trace, self.config.serve.content, trace.caller))

    async def decision(self, decision: str) -> Decision | None:
        """A decision by its id: of the latest, or of those in the store; None where it is not kept.

        Raises:
            RunError: it is in the store, if anywhere, and that does not answer.

        """
        found = self.decisions.get(decision)
        return found if found is not None or self.store is None else await self.store.decision(decision)

    def ready(self) -> tuple[bool, str]:
        """Whether queries can be answered: the router is there once the engine runs, and some expert must be up."""
        answering = [name for name in self.registry if self.registry.settings(name).unfit("answer") is None]
        states = {expert: self.registry.condition(expert) for expert in answering}
        if any(condition.state == "up" for condition in states.values()):
            return True, ""
        return False, "; ".join(f"{expert}: {c.state} ({c.reason})" for expert, c in states.items())


@asynccontextmanager
async def recording(config: Config) -> AsyncIterator[Recorder | None]:
    """What keeps the use of the service inside the block; None where the configuration names no file.

    Raises:
        RunError: the file cannot be written, or river is not installed.

    """
    if config.usage.file is None:
        yield None
        return
    recorder = Recorder(Journal(config.path(config.usage.file)), content=config.usage.content)
    async with recorder.open():
        yield recorder


@asynccontextmanager
async def storing(config: Config) -> AsyncIterator[Store | None]:
    """The store inside the block; None where the configuration names none.

    Raises:
        RunError: the address cannot be used, or what speaks to databases is not installed.

    """
    if config.serve.store is None:
        yield None
        return
    try:
        from orchestrator.store.database import address_of  # noqa: PLC0415 - an extra
        from orchestrator.store.store import Store  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RunError(f"serve.store needs {error.name}; run 'pip install expert-orchestrator[store]'") from error
    serve = config.serve
    store = Store(address_of(config.serve.store, config.folder), keep_days=serve.retention_days, content=serve.content)
    async with store.open():
        yield store


@asynccontextmanager
async def running(config: Config, *, embedders: Embedders | None = None) -> AsyncIterator[Engine]:
    """The engine of a configuration, alive inside the block.

    embedders: those that training has loaded already, to be used again.

    Raises:
        ArtifactError: there is no router, or not one for this configuration.
        WeightsError: the embedder cannot be loaded.
        RunError: the use cannot be written down where the configuration wants it.

    """
    embedders = embedders or embedders_of(config)
    embedder = await to_thread.run_sync(embedders.load, config.embedder)
    serving = await to_thread.run_sync(load_serving, config, embedder)
    deadline_s = config.routing.max_latency_ms / 1000
    learned = await to_thread.run_sync(learned_choice, config, embedder)
    async with (
        recording(config) as usage,
        storing(config) as store,
        experts_of(config, embedders) as registry,
        anyio.create_task_group() as group,
    ):
        categorizer = Categorizer(
            serving.router,
            deadline_s=deadline_s,
            remembered=config.routing.cache,
            consultant=Consultant(registry, deadline_s=deadline_s) if consulted_by(config) else None,
            generation=serving.label,
        )
        group.start_soon(categorizer.serve)
        retrievers = choice_of(config, learned, embedders(config.embedder))
        pipeline = Pipeline(
            categorizer=categorizer,
            chooser=Chooser(config, serving.plans, registry),
            drafting=Drafting(registry),
            measures=Measures(registry, embedders(config.embedder)),
            sessions=Sessions(most=config.sessions.most, ttl_s=config.sessions.ttl_s),
            retrievers=retrievers,
            budget=config.budget,
        )
        watch = Watch(config, embedder, serving, use=pipeline.use)
        group.start_soon(watch.serve)
        yield Engine(
            config=config,
            registry=registry,
            pipeline=pipeline,
            usage=usage,
            store=store,
            watch=watch,
            retrievers=retrievers,
        )
        group.cancel_scope.cancel()
