"""LoRA adapters that are loaded at run time on the servers of one base, and unloaded when others need their place.

Knows no HTTP: `Control` makes the calls. Adapters that a server has from its own command line need nothing of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from orchestrator.errors import (
    ExpertError,
    ExpertFailed,
    ExpertLate,
    ExpertMisconfigured,
    ExpertMissing,
    ExpertRejected,
)
from orchestrator.experts.vllm.replica import Replica

__all__ = ["Adapter", "Adapters", "Control"]

Control = Callable[[Replica, str, dict[str, str], float], Awaitable[None]]
"""Posts a JSON object to a path of a server, within a deadline; raises `ExpertError`."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """expert: whose it is. name: under which servers know it. path: where they find it."""

    expert: str
    name: str
    path: str


@dataclass(slots=True)
class _Loaded:
    """in_use: requests under way with it. used: the number of the use that was its last."""

    in_use: int = 0
    used: int = 0


@dataclass(slots=True)
class _Shelf:
    """What one server has been given. change: held while something is loaded or unloaded there."""

    loaded: dict[str, _Loaded] = field(default_factory=dict)
    change: anyio.Lock = field(default_factory=anyio.Lock)
    freed: anyio.Event = field(default_factory=anyio.Event)


class Adapters:
    """On every server of a base at most `most` loaded ones, None for no limit; the longest unused one makes room."""

    def __init__(self, control: Control, *, most: int | None) -> None:
        self._control = control
        self._most = most
        self._shelves: dict[Replica, _Shelf] = {}
        self._uses = 0

    def has(self, replica: Replica, adapter: Adapter) -> bool:
        """Whether it has been loaded there, as far as is known."""
        return adapter.name in self._shelf(replica).loaded

    def has_room(self, replica: Replica) -> bool:
        """Whether another one can be loaded there without unloading any."""
        return self._most is None or len(self._shelf(replica).loaded) < self._most

    async def take(self, replica: Replica, adapter: Adapter, deadline: float) -> None:
        """See that a server has it; it stays there until `give_back`. Loaded once, however many wait for it.

        Raises:
            ExpertMisconfigured: the server cannot load it, or not this one.
            ExpertLate: all that are there are in use, and none became free before the deadline.
            ExpertError: what else may go wrong with a call.
        """
        shelf = self._shelf(replica)
        if adapter.name not in shelf.loaded:
            with anyio.move_on_at(deadline) as waiting:
                async with shelf.change:
                    if adapter.name not in shelf.loaded:
                        await self._make_room(replica, shelf, deadline)
                        await self._load(replica, adapter, deadline)
                        shelf.loaded[adapter.name] = _Loaded()
            if waiting.cancelled_caught:
                raise ExpertLate(adapter.expert, f"{replica.shown}: no place for adapter {adapter.name!r} in time")
        entry = shelf.loaded[adapter.name]
        self._uses += 1
        entry.in_use += 1
        entry.used = self._uses

    def give_back(self, replica: Replica, adapter: Adapter) -> None:
        """The counterpart of `take`."""
        shelf = self._shelf(replica)
        entry = shelf.loaded.get(adapter.name)
        if entry is not None:
            entry.in_use = max(0, entry.in_use - 1)
            if entry.in_use == 0:
                shelf.freed.set()
                shelf.freed = anyio.Event()

    def forget(self, replica: Replica, adapter: Adapter) -> None:
        """The server does not have it, whatever was known: it was started anew."""
        self._shelf(replica).loaded.pop(adapter.name, None)

    def _shelf(self, replica: Replica) -> _Shelf:
        return self._shelves.setdefault(replica, _Shelf())

    async def _make_room(self, replica: Replica, shelf: _Shelf, deadline: float) -> None:
        while self._most is not None and len(shelf.loaded) >= self._most:
            idle = {name: entry for name, entry in shelf.loaded.items() if not entry.in_use}
            if not idle:
                await shelf.freed.wait()
                continue
            victim = min(idle, key=lambda name: idle[name].used)
            del shelf.loaded[victim]  # before the call: who wants it now waits for its turn to load it again
            try:
                await self._control(replica, "/v1/unload_lora_adapter", {"lora_name": victim}, deadline)
            except ExpertMissing:
                continue  # it was not there any more

    async def _load(self, replica: Replica, adapter: Adapter, deadline: float) -> None:
        body = {"lora_name": adapter.name, "lora_path": adapter.path}
        try:
            await self._control(replica, "/v1/load_lora_adapter", body, deadline)
        except ExpertError as error:
            reason = _reason(error, adapter)
            if reason is None:
                return
            if reason:
                raise ExpertMisconfigured(adapter.expert, f"{replica.shown}: {reason}") from error
            raise


def _reason(error: ExpertError, adapter: Adapter) -> str | None:
    """What the server's refusal means; None where it has the adapter already, empty where it means nothing special."""
    said = str(error)
    if isinstance(error, ExpertRejected) and "already" in said:
        return None
    if isinstance(error, ExpertMissing) and "adapter" in said.lower():
        return f"no adapter at {adapter.path!r}, as that server sees its disk; check path"
    if isinstance(error, ExpertMissing):
        return "adapters cannot be loaded at run time; start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
    if isinstance(error, ExpertFailed) and "LoRA is not enabled" in said:
        return "LoRA is not enabled; start it with --enable-lora"
    return ""
