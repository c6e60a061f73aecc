"""`experts`: which experts there are and how they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import AsJson, ConfigFile, read_config

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.experts import Condition, ReplicaSeen
    from orchestrator.fleet.residency.seats import ResidencySeen

__all__ = ["experts"]

COLOURS = {"up": "green", "starting": "yellow", "down": "red"}


def experts(
    config: ConfigFile = Path("experts.yaml"),
    wait_s: Annotated[float, typer.Option("--wait", help="Most seconds to wait for experts to start.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Start every expert, show how each is and why, and stop them again. Exit status 1 when one is not up.

    Example: orchestrator experts experts.yaml
    """
    settings = read_config(config)
    conditions, replicas, residency = anyio.run(_conditions, settings, wait_s)
    if as_json:
        shown = [
            {
                "id": name,
                "state": c.state,
                "reason": c.reason,
                "replicas": [asdict(seen) for seen in replicas[name]],
                "residency": asdict(residency[name]) if name in residency else None,
            }
            for name, c in conditions.items()
        ]
        print(json.dumps(shown, indent=2))
    else:
        Console().print(_table(settings, conditions))
        if any(replicas.values()):
            Console().print(_replica_table(replicas))
        if residency:
            Console().print(_residency_table(residency))
    if any(condition.state != "up" for condition in conditions.values()):
        raise typer.Exit(1)


async def _conditions(
    config: Config, wait_s: float
) -> tuple[dict[str, Condition], dict[str, list[ReplicaSeen]], dict[str, ResidencySeen]]:
    """The conditions, the servers of each and who is awake, once no expert is starting any more, or time is up.

    Who is awake is looked at and not changed.
    """
    from orchestrator.engine import embedders_of, experts_of

    async with experts_of(config, embedders_of(config), observing=True) as registry:
        await registry.start_all()
        with anyio.move_on_after(wait_s):
            await registry.settled()
            if registry.residency is not None:
                await registry.residency.looked.wait()
        conditions = {expert: registry.condition(expert) for expert in registry}
        replicas = {expert: registry.replicas(expert) for expert in registry}
        seen = {} if registry.residency is None else {expert: registry.residency.seen(expert) for expert in registry}
        return conditions, replicas, {expert: each for expert, each in seen.items() if each is not None}


def _table(config: Config, conditions: dict[str, Condition]) -> Table:
    table = Table("expert", "kind", "state", "categories", "reason")
    for name, condition in conditions.items():
        categories = [category for category, block in config.categories.items() if name in block.experts]
        state = f"[{COLOURS[condition.state]}]{condition.state}[/]"
        table.add_row(name, config.experts[name].kind, state, ", ".join(categories), condition.reason)
    return table


def _residency_table(residency: dict[str, ResidencySeen]) -> Table:
    table = Table("expert", "residency", "accelerator", "GB", "of", "leases", "waiting", "reason")
    for name, seen in residency.items():
        counts = [str(count) for count in (seen.leases, seen.waiting)]
        memory = (f"{seen.gb:g}", f"{seen.used_gb:g}/{seen.capacity_gb:g}")
        table.add_row(name, seen.state, seen.accelerator, *memory, *counts, seen.reason)
    return table


def _replica_table(replicas: dict[str, list[ReplicaSeen]]) -> Table:
    table = Table("expert", "server", "health", "breaker", "running", "waiting", "memory", "last trouble")
    health = {None: "not probed", True: "[green]well[/]", False: "[red]ill[/]"}
    for name, servers in replicas.items():
        for seen in servers:
            load = ["-" if count is None else str(count) for count in (seen.running, seen.waiting)]
            memory = "-" if seen.kv_usage is None else f"{seen.kv_usage:.0%}"
            table.add_row(name, seen.url, health[seen.healthy], seen.breaker, *load, memory, seen.last_trouble)
    return table
