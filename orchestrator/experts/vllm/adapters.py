"""LoRA adapters that are loaded at run time on the servers of one base, and unloaded when others need their place.

Knows no HTTP: the calls are given to it. Adapters without a path, which a server has from its own command line, need
nothing of this, are not counted and never unloaded.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from orchestrator import clock
from orchestrator.errors import (
    ExpertError,
    ExpertFailed,
    ExpertLate,
    ExpertMisconfigured,
    ExpertMissing,
    ExpertRejected,
)
from orchestrator.experts.vllm.replica import Replica

__all__ = ["NOT_ENABLED", "NOT_FOUND", "NO_RUN_TIME", "Adapter", "Adapters", "Loaded", "Post", "Served", "meant"]

Post = Callable[[Replica, str, dict[str, str], float], Awaitable[None]]
"""Posts a JSON object to a path of a server, within a deadline; raises `ExpertError`."""
Served = Callable[[Replica], Awaitable[Collection[str] | None]]
"""The names that a server answers to; None where it does not say."""

Answered = TypeVar("Answered")

NOT_ENABLED = "LoRA is not enabled; start it with --enable-lora"
NOT_FOUND = "no adapter at {path!r}, as that server sees its disk; check path"
NO_RUN_TIME = "adapters cannot be loaded at run time; start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"


@dataclass(frozen=True, slots=True)
class Adapter:
    """expert: whose it is. name: under which servers know it. path: where they find it."""

    expert: str
    name: str
    path: str


@dataclass(slots=True)
class Loaded:
    """One that has been loaded on one server; a further load makes another one of it.

    in_use: requests under way with it. used: the number of the use that was its last.

    leaving: it has to make room as soon as those are through; who wants it now queues behind what takes its place.
    """

    in_use: int = 0
    used: int = 0
    leaving: bool = False


@dataclass(slots=True, eq=False)
class _Coming:
    """One that a request has loaded for all who want it by then. Neither loaded nor failed: it gave up."""

    done: anyio.Event = field(default_factory=anyio.Event)
    loaded: Loaded | None = None
    failure: ExpertError | None = None


@dataclass(slots=True)
class _Shelf:
    """What one server has been given. change: held while something is loaded or unloaded there.

    coming: what requests wait for. failed: by name, how its last load failed, if it did. looked_at: when the server was
    last asked what it has.
    """

    loaded: dict[str, Loaded] = field(default_factory=dict)
    coming: dict[str, _Coming] = field(default_factory=dict)
    change: anyio.Lock = field(default_factory=anyio.Lock)
    freed: anyio.Event = field(default_factory=anyio.Event)
    failed: dict[str, ExpertError] = field(default_factory=dict)
    looked_at: float = -math.inf

    def free(self) -> None:
        """Some adapter is not in use any more, or gone: let those look who wait for its place."""
        self.freed.set()
        self.freed = anyio.Event()


class Adapters:
    """On every server of a base at most `most` loaded ones, None for no limit; the longest unused one makes room."""

    def __init__(self, post: Post, served: Served, *, most: int | None) -> None:
        self._post = post
        self._served = served
        self._most = most
        self._shelves: dict[Replica, _Shelf] = {}
        self._known: set[str] = set()
        self._uses = 0

    def has(self, replica: Replica, adapter: Adapter) -> bool:
        """Whether it has been loaded there, as far as is known."""
        return adapter.name in self._shelf(replica).loaded

    def failure(self, replica: Replica, adapter: Adapter) -> str:
        """Why it could not be loaded there when that was last tried; empty where it could."""
        return str(self._shelf(replica).failed.get(adapter.name, ""))

    async def load_ahead(self, replica: Replica, adapter: Adapter, deadline: float) -> bool:
        """Load it where that takes the place of no other; whether that was done now.

        Raises:
            ExpertError: as `take` does.
        """
        shelf = self._shelf(replica)
        async with shelf.change:
            full = self._most is not None and len(shelf.loaded) >= self._most
            if full or adapter.name in shelf.loaded:
                return False
            await self._load(replica, shelf, adapter, deadline)
            return True

    async def look(self, replica: Replica, adapter: Adapter, *, every_s: float) -> None:
        """Ask a server what it has, unless that was done lately: it may have been started anew, or loaded by others."""
        shelf = self._shelf(replica)
        self._known.add(adapter.name)
        now = clock.now()
        if now - shelf.looked_at < every_s:
            return
        shelf.looked_at = now
        served = await self._served(replica)
        if served is None or shelf.change.statistics().locked:  # what it said may be old by now
            return
        for name in self._known:
            if name in served:
                shelf.loaded.setdefault(name, Loaded())
            elif name in shelf.loaded and not shelf.loaded[name].in_use:
                self._drop(shelf, name)

    async def take(self, replica: Replica, adapter: Adapter, deadline: float) -> Loaded:
        """See that a server has it; it stays there until `give_back`. Loaded once, however many wait for it.

        Raises:
            ExpertMisconfigured: the server cannot load it, or not this one.
            ExpertLate: all that are there are in use, and none became free before the deadline.
            ExpertError: what else may go wrong with a call.
        """
        self._known.add(adapter.name)
        shelf = self._shelf(replica)
        there = shelf.loaded.get(adapter.name)
        entry = None if there is None or there.leaving else there
        if entry is None:
            with anyio.move_on_at(deadline):
                entry = await self._brought(replica, shelf, adapter, deadline)
        if entry is None:
            raise ExpertLate(adapter.expert, f"{replica.shown}: no place for adapter {adapter.name!r} in time")
        self._uses += 1
        entry.in_use += 1
        entry.used = self._uses
        return entry

    def give_back(self, replica: Replica, loaded: Loaded) -> None:
        """The counterpart of `take`, with what that gave."""
        loaded.in_use -= 1
        if loaded.in_use == 0:
            self._shelf(replica).free()

    async def during(
        self, replica: Replica, adapter: Adapter, call: Callable[[], Awaitable[Answered]], *, deadline: float
    ) -> Answered:
        """A call on a server that has it. One that lost it, because it was started anew, gets it and the call again.

        That it does not know the adapter shows before the first byte of an answer.

        Raises:
            ExpertError: as `take` and the call do.
        """
        loaded = await self.take(replica, adapter, deadline)
        try:
            return await call()
        except ExpertMissing:
            self.forget(replica, adapter, loaded)
        finally:
            self.give_back(replica, loaded)
        loaded = await self.take(replica, adapter, deadline)
        try:
            return await call()
        finally:
            self.give_back(replica, loaded)

    def forget(self, replica: Replica, adapter: Adapter, loaded: Loaded) -> None:
        """The server does not have it any more, unless it has been loaded again since."""
        shelf = self._shelf(replica)
        if shelf.loaded.get(adapter.name) is loaded:
            self._drop(shelf, adapter.name)

    def _shelf(self, replica: Replica) -> _Shelf:
        return self._shelves.setdefault(replica, _Shelf())

    def _drop(self, shelf: _Shelf, name: str) -> None:
        del shelf.loaded[name]
        shelf.free()

    async def _brought(self, replica: Replica, shelf: _Shelf, adapter: Adapter, deadline: float) -> Loaded:
        """The first who wants it has it loaded; the others wait for that, and what fails for one has failed for all."""
        while (coming := shelf.coming.get(adapter.name)) is not None:
            await coming.done.wait()
            if coming.failure is not None:
                said, wait_s = str(coming.failure), coming.failure.retry_after_s
                raise type(coming.failure)(adapter.expert, said, retry_after_s=wait_s)
            if coming.loaded is not None and shelf.loaded.get(adapter.name) is coming.loaded:
                return coming.loaded
        coming = shelf.coming[adapter.name] = _Coming()
        try:
            coming.loaded = await self._in_turn(replica, shelf, adapter, deadline)
        except ExpertLate:  # this request had little time; another one may have more
            raise
        except ExpertError as error:
            coming.failure = error
            raise
        finally:
            del shelf.coming[adapter.name]
            coming.done.set()
        return coming.loaded

    async def _in_turn(self, replica: Replica, shelf: _Shelf, adapter: Adapter, deadline: float) -> Loaded:
        async with shelf.change:
            if adapter.name not in shelf.loaded:
                await self._make_room(replica, shelf, deadline)
                await self._load(replica, shelf, adapter, deadline)
            return shelf.loaded[adapter.name]

    async def _make_room(self, replica: Replica, shelf: _Shelf, deadline: float) -> None:
        while self._most is not None and len(shelf.loaded) >= self._most:
            idle = {name: entry for name, entry in shelf.loaded.items() if not entry.in_use}
            if not idle:
                await self._one_idle(shelf)
                continue
            victim = min(idle, key=lambda name: idle[name].used)
            del shelf.loaded[victim]  # before the call: who wants it now waits for its turn to load it again
            try:
                await self._post(replica, "/v1/unload_lora_adapter", {"lora_name": victim}, deadline)
            except ExpertMissing:
                continue  # it was not there any more

    async def _one_idle(self, shelf: _Shelf) -> None:
        """Wait until one is not in use; the longest unused gets no further requests meanwhile, else it may never be."""
        victim = min(shelf.loaded.values(), key=lambda entry: entry.used)
        victim.leaving = True
        try:
            await shelf.freed.wait()
        finally:
            victim.leaving = False

    async def _load(self, replica: Replica, shelf: _Shelf, adapter: Adapter, deadline: float) -> None:
        body = {"lora_name": adapter.name, "lora_path": adapter.path}
        try:
            await self._post(replica, "/v1/load_lora_adapter", body, deadline)
        except ExpertLate:
            raise
        except ExpertError as error:
            why = meant(error, adapter, replica.shown)
            if why is not None:
                shelf.failed[adapter.name] = why
                raise why from error.__cause__
        shelf.failed.pop(adapter.name, None)
        shelf.loaded[adapter.name] = Loaded()


def meant(error: ExpertError, adapter: Adapter, server: str) -> ExpertError | None:
    """What a server's refusal to load an adapter means; None where it has it already."""
    said = str(error)
    if isinstance(error, ExpertRejected):
        if "already" in said:
            return None
        return ExpertMisconfigured(adapter.expert, f"adapter {adapter.path!r} cannot be loaded: {said}")
    if isinstance(error, ExpertMissing):
        reason = NOT_FOUND.format(path=adapter.path) if "No adapter found" in said else NO_RUN_TIME
        return ExpertMisconfigured(adapter.expert, f"{server}: {reason}")
    if isinstance(error, ExpertFailed) and "LoRA is not enabled" in said:
        return ExpertMisconfigured(adapter.expert, f"{server}: {NOT_ENABLED}")
    return error
