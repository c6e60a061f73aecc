"""What shows only when experts are reached: `orchestrator check --live`. Asks them side by side, each within a limit.

Experts that are `LiveChecked` say themselves what is wrong and which key is to blame. Others are started, and their
condition is what is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from anyio import to_thread

from orchestrator.config import Config
from orchestrator.errors import ExpertError
from orchestrator.experts import LiveChecked, LiveProblem, Supervised
from orchestrator.fleet.registry import LOOK_EVERY_S, Registry
from orchestrator.fleet.surroundings import embedders_of, experts_of
from routers.importing import load_name

__all__ = ["LIMIT_S", "live_problems"]

LIMIT_S = 30.0
"""For each expert; all are asked at once."""


async def live_problems(config: Config, *, limit_s: float = LIMIT_S) -> dict[str, Sequence[LiveProblem]]:
    """By expert, in the order of the configuration, what is wrong with it; nothing where all is well."""
    found: dict[str, Sequence[LiveProblem]] = dict.fromkeys(config.experts, ())

    async def one(registry: Registry, expert: str) -> None:
        with anyio.move_on_after(limit_s) as limit:
            found[expert] = await _problems(registry, expert)
        if limit.cancelled_caught:
            found[expert] = [LiveProblem(message=f"could not be looked at within {limit_s:g} s", grade="down")]

    async with experts_of(config, embedders_of(config)) as registry:
        # Built before any is asked: an import takes seconds, and nobody's limit is to pay for another's.
        for expert in config.experts:
            found[expert] = await _built(registry, expert)
        async with anyio.create_task_group() as group:
            for expert, unbuilt in found.items():
                if not unbuilt:
                    group.start_soon(one, registry, expert)
    return found


async def _built(registry: Registry, expert: str) -> list[LiveProblem]:
    try:
        await to_thread.run_sync(load_name, registry.settings(expert).implementation)
        registry[expert]  # in the event loop, where its constructor expects to be
    except Exception as error:  # noqa: BLE001 - supervised border: a kind is a plugin
        return [LiveProblem(key=("kind",), message=f"cannot be built: {type(error).__name__}: {error}")]
    return []


async def _problems(registry: Registry, expert: str) -> Sequence[LiveProblem]:
    instance: object = registry[expert]
    try:
        if isinstance(instance, LiveChecked):
            return await instance.live_problems()
        if isinstance(instance, Supervised):
            return await _as_started(registry, expert)
    except Exception as error:  # noqa: BLE001 - supervised border: a kind is a plugin
        return [LiveProblem(message=f"could not be looked at: {type(error).__name__}: {error}")]
    return []


async def _as_started(registry: Registry, expert: str) -> list[LiveProblem]:
    try:
        await registry.start(expert)
    except ExpertError as error:
        return [LiveProblem(message=str(error))]
    while (condition := registry.condition(expert)).state == "starting":  # noqa: ASYNC110 - changes without a word
        await anyio.sleep(LOOK_EVERY_S)
    return [] if condition.state == "up" else [LiveProblem(message=condition.reason, grade="down")]
