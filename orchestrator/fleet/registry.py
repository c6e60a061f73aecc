"""All experts of a configuration: built once, started when needed, watched while they live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from orchestrator.background import Background
from orchestrator.batching import TextEmbedder
from orchestrator.config import Config
from orchestrator.config.settings import ExpertSettings
from orchestrator.errors import ExpertUnavailable
from orchestrator.experts import (
    Condition,
    Expert,
    HedgeCounts,
    ReplicaSeen,
    Replicated,
    Searcher,
    Site,
    State,
    Supervised,
)
from orchestrator.fleet.guard import FAIR_SHARE, Guard
from orchestrator.types import ChatRequest, Draft, Emit
from routers.importing import load_name

if TYPE_CHECKING:
    from orchestrator.fleet.residency.residency import Residency

__all__ = ["Registry"]

log = structlog.get_logger()
LOOK_EVERY_S = 0.05
_UP, _NOT_STARTED = Condition(state="up"), Condition(state="starting", reason="not started yet")


class Registry(Mapping[str, Expert]):
    """Experts by id, in the order of the configuration.

    Building an expert imports its kind (torch for `local`, mcp for `mcp`), so that a configuration pays only for
    what it names. Experts live while `background` is open.
    """

    def __init__(
        self,
        config: Config,
        site: Site,
        *,
        built: Mapping[str, Expert] | None = None,
        residency: Residency | None = None,
    ) -> None:
        """Take the experts of a configuration.

        built: those that the caller made itself. residency: who is awake, where any of them sleeps, which the caller
        keeps in service.
        """
        self.residency = residency
        self._settings: dict[str, ExpertSettings] = dict(config.experts)
        self._site = replace(site, asked=self.draft)
        fair_s = FAIR_SHARE * config.budget.deadline_s
        self._guards = {
            name: Guard(name, settings, fair_s=fair_s, asleep=partial(self._asleep, name))
            for name, settings in self._settings.items()
        }
        self._experts: dict[str, Expert] = dict(built or {})
        self._lives: dict[str, Supervised | None] = {}
        self._started: set[str] = set()
        self._died: dict[str, str] = {}
        self.background = Background()

    def __getitem__(self, expert_id: str) -> Expert:
        if expert_id not in self._experts:
            self._make(expert_id, load_name(self._settings[expert_id].implementation))
        return self._experts[expert_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def settings(self, expert_id: str) -> ExpertSettings:
        """The configuration of one expert."""
        return self._settings[expert_id]

    def guard(self, expert_id: str) -> Guard:
        """What calls of an expert pass through, whoever makes them."""
        return self._guards[expert_id]

    async def draft(self, expert_id: str, request: ChatRequest, emit: Emit) -> Draft:
        """One call of an expert through its guard.

        Raises:
            ExpertError: it did not answer, or was not asked.

        """
        return await self._guards[expert_id].draft(self[expert_id], request, emit)

    def condition(self, expert_id: str) -> Condition:
        """How an expert is; one whose breaker lets nothing through is down.

        One without a life of its own is up otherwise, one not started yet is starting.
        """
        return self._guards[expert_id].condition(self._own_condition(expert_id))

    def _own_condition(self, expert_id: str) -> Condition:
        if expert_id in self._died:
            return Condition(state="down", reason=self._died[expert_id])
        expert = self._experts.get(expert_id)
        if expert is None:
            return _NOT_STARTED
        if expert_id not in self._lives:  # asked of every expert of every request: looked up once
            self._lives[expert_id] = expert if isinstance(expert, Supervised) else None
        life = self._lives[expert_id]
        return _UP if life is None else life.condition

    def searchers(self) -> list[str]:
        """The experts that can be asked for passages."""
        return [name for name in self if self._settings[name].searches or isinstance(self._experts.get(name), Searcher)]

    def embedder(self, name: str) -> TextEmbedder:
        """A text embedder by its name in the configuration."""
        return self._site.embedder(name)

    def built(self, expert_id: str) -> Expert | None:
        """An expert that has been built, None for one that has not (yet)."""
        return self._experts.get(expert_id)

    def replicas(self, expert_id: str) -> list[ReplicaSeen]:
        """An expert's servers and how each of them is; empty where it has none of its own, or is not built yet."""
        expert: object = self._experts.get(expert_id)
        return list(expert.replicas_seen()) if isinstance(expert, Replicated) else []

    def hedges(self, expert_id: str) -> HedgeCounts | None:
        """How often an expert asked a second server; None where it never may."""
        expert: object = self._experts.get(expert_id)
        return expert.hedges if isinstance(expert, Replicated) else None

    def _asleep(self, expert_id: str) -> bool:
        return self.residency is not None and not self.residency.is_awake(expert_id)

    def wait_s(self, expert_id: str) -> float:
        """Seconds until an expert can be awake; 0 for one that is, or never sleeps."""
        return 0.0 if self.residency is None else self.residency.wait_s(expert_id)

    async def start(self, expert_id: str) -> None:
        """Bring an expert and those it refers to into service; does nothing for one that is.

        Returns when the expert is under way, not when it is up. Its kind is imported in a thread: torch takes
        seconds, and other requests go on meanwhile.

        Raises:
            ExpertUnavailable: it cannot be built at all (a package that its kind needs is missing, say).

        """
        if expert_id in self._started:  # and those it refers to before it
            return
        for needed in self._with_references(expert_id):
            if needed not in self._experts:
                await self._build(needed)
            if needed not in self._started:
                self._launch(needed)

    async def start_all(self) -> None:
        """Bring every expert into service; one that cannot be is down, with the reason."""

        async def one(expert_id: str) -> None:
            with suppress(ExpertUnavailable):
                await self.start(expert_id)

        async with anyio.create_task_group() as group:
            for expert_id in self:
                group.start_soon(one, expert_id)

    async def settled(self) -> None:
        """Wait until no expert is starting any more."""
        await self._until(lambda states: "starting" not in states)

    async def first_up(self) -> None:
        """Wait until some expert is up."""
        await self._until(lambda states: "up" in states)

    async def _until(self, holds: Callable[[set[State]], bool]) -> None:
        """Look again every so often: conditions are the experts' own, and change without a word."""
        while not holds({self.condition(expert_id).state for expert_id in self}):  # noqa: ASYNC110 - see above
            await anyio.sleep(LOOK_EVERY_S)

    def _with_references(self, expert_id: str) -> list[str]:
        """The expert after those it refers to (the loader has ruled out cycles)."""
        others = self._settings[expert_id].refers_to().values()
        return [needed for other in others for needed in self._with_references(other)] + [expert_id]

    async def _build(self, expert_id: str) -> None:
        try:
            kind = await to_thread.run_sync(load_name, self._settings[expert_id].implementation)
            self._make(expert_id, kind)  # not self[...]: the event loop must not wait for another kind's import
            self._died.pop(expert_id, None)
        except Exception as error:  # supervised border: a kind is a plugin
            self._died[expert_id] = f"cannot be built: {type(error).__name__}: {error}"
            log.warning("expert.not_built", expert=expert_id, error=repr(error))
            raise ExpertUnavailable(expert_id, self._died[expert_id]) from error

    def _make(self, expert_id: str, kind: Callable[[str, ExpertSettings, Site], Expert]) -> None:
        """An instance of a kind, unless somebody else made it meanwhile."""
        if expert_id not in self._experts:
            self._experts[expert_id] = kind(expert_id, self._settings[expert_id], self._site)

    def _launch(self, expert_id: str) -> None:
        self._started.add(expert_id)
        expert = self[expert_id]
        if isinstance(expert, Supervised):
            self.background.start(self._live, expert_id, expert, name=f"expert {expert_id}")

    async def _live(self, expert_id: str, expert: Supervised) -> None:
        try:
            await expert.serve()
        except Exception as error:  # supervised border: one expert's death is not the service's
            self._died[expert_id] = f"its task ended: {type(error).__name__}: {error}"
            log.exception("expert.died", expert=expert_id)
