"""`simulate`: replay a trace over experts that share memory, under every residency policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from orchestrator.cli.options import AsJson, read_config
from orchestrator.cli.sizes import as_text, size
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.fleet.residency.presets import Curve
    from orchestrator.fleet.residency.simulate import Scenario
    from orchestrator.fleet.residency.sweep import Cell
    from orchestrator.training import Progress as Report

__all__ = ["simulate"]

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.67, 0.8)
"""Capacities where none are asked for, as shares of the bytes of all experts."""
PRESET_COUNTS = range(5, 151, 5)


class PolicyName(StrEnum):
    """What --policy takes."""

    all = "all"
    lru = "lru"
    lfu = "lfu"
    usage = "usage"
    dependency = "dependency"
    belady = "belady"


def simulate(
    trace: Annotated[
        Path | None, typer.Argument(help="Azure's CSV or our JSONL, plain or .gz; none with --preset.")
    ] = None,
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take experts, bases and the order of calls from this file.")
    ] = None,
    experts: Annotated[
        int, typer.Option(min=2, help="How many experts, where neither the trace nor a file names any.")
    ] = 150,
    policy: Annotated[list[PolicyName] | None, typer.Option(help="Which policies; can be given again.")] = None,
    awake: Annotated[str | None, typer.Option(metavar="SIZE", help="Accelerator memory for experts.")] = None,
    capacities: Annotated[
        str | None,
        typer.Option(metavar="SIZE,...", help="Several sizes of it; default: eight shares of all experts' bytes."),
    ] = None,
    asleep: Annotated[str, typer.Option(metavar="SIZE", help="Host memory for experts.")] = "512GB",
    wake_rate: Annotated[str, typer.Option(metavar="SIZE", help="Bytes a second, host to accelerator.")] = "32GB",
    wake_fixed_s: Annotated[float, typer.Option(min=0, help="Seconds of a wake beside those of its bytes.")] = 0.0,
    load_rate: Annotated[str, typer.Option(metavar="SIZE", help="Bytes a second, disk to host.")] = "5GB",
    write_back: Annotated[
        bool, typer.Option("--write-back", help="Going to sleep copies the weights, at the rate of waking.")
    ] = False,
    expert_size: Annotated[str, typer.Option(metavar="SIZE", help="Of experts whose size is not known.")] = "13.5GB",
    adapter_size: Annotated[str, typer.Option(metavar="SIZE", help="Of an adapter, without its base.")] = "100MB",
    pin: Annotated[list[str] | None, typer.Option(help="An expert that stays awake; can be given again.")] = None,
    input_rate: Annotated[float, typer.Option(min=1, help="Prompt tokens a second of one request.")] = 10_000,
    output_rate: Annotated[float, typer.Option(min=0.1, help="Generated tokens a second of one request.")] = 50,
    overtakes: Annotated[
        int | None, typer.Option(min=0, help="Batch by expert; at most so many requests go before an earlier one.")
    ] = None,
    prefetch: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Wake followers of this probability or more early.")
    ] = None,
    warm_up: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the trace that is not reported.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the model of experts and sessions.")] = 0,
    shuffle: Annotated[
        bool, typer.Option("--shuffled", help="The control: the same requests, whose experts come in any order.")
    ] = False,
    preset: Annotated[
        Literal["sn40l"] | None, typer.Option(help="SN40L and DGX from their bandwidths, by number of experts.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this .png, .svg or .html.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a trace over experts in three tiers of memory: hits, switching, latency and knees, by policy.

    A trace that names no experts gets them, and sessions, from a stated model (docs/residency.md).

    Example: orchestrator simulate AzureLLMInferenceTrace_conv.csv.gz --experts 150 --plot curves.png
    """
    from orchestrator.cli.residency_plot import plotter
    from orchestrator.fleet.residency.configured import names_of
    from orchestrator.fleet.residency.scenarios import scenario_of
    from orchestrator.fleet.residency.simulate import Rates
    from orchestrator.fleet.residency.tiers import Link, Tiers
    from orchestrator.fleet.residency.traces import read_trace

    if (trace is None) == (preset is None):
        message = "name a trace, or --preset"
        raise typer.BadParameter(message)
    draw = None if plot is None else plotter(plot)
    if trace is None:
        curves = _curves(seed)
        _told(curves, as_json=as_json)
        if draw is not None:
            draw(curves)
        return
    read = None if config is None else read_config(config)
    wake = Link(size(wake_rate), wake_fixed_s)
    scenario = scenario_of(
        read_trace(trace, experts={} if read is None else names_of(read)),
        read,
        tiers=Tiers(0, size(asleep), wake=wake, load=Link(size(load_rate)), sleep=wake if write_back else None),
        experts=experts,
        expert_bytes=size(expert_size),
        adapter_bytes=size(adapter_size),
        pin=pin or (),
        seed=seed,
        shuffle=shuffle,
    )
    scenario = replace(
        scenario,
        rates=Rates(input_rate, output_rate),
        warm_up=int(len(scenario.trace) * warm_up),
        overtakes=overtakes,
        prefetch=prefetch,
    )
    cells = _cells(scenario, _policies(policy or [PolicyName.all]), _capacities(scenario, awake, capacities))
    _told(cells, as_json=as_json)
    if draw is not None:
        draw(cells)


def _policies(asked: Sequence[PolicyName]) -> list[str]:
    every = [name for name in PolicyName if name is not PolicyName.all]
    return [name.value for name in (every if PolicyName.all in asked else dict.fromkeys(asked))]


def _capacities(scenario: Scenario, awake: str | None, capacities: str | None) -> list[int]:
    """What is asked for, or shares of the whole; each must hold any one expert beside those that are pinned."""
    footprints, pinned = scenario.footprints, scenario.pinned
    asked = [size(text) for text in (capacities or "").split(",") if text.strip()]
    asked += [] if awake is None else [size(awake)]
    most, expert = max((footprints.bytes_of({*pinned, expert}), expert) for expert in scenario.knowledge.experts)
    if not asked:
        whole = footprints.bytes_of(footprints)
        asked = [round(whole * share) for share in SHARES if whole * share >= most] or [most]
    if min(asked) < most:
        beside = f" beside {', '.join(sorted(pinned - {expert}))}" if pinned - {expert} else ""
        raise ConfigError([f"{as_text(min(asked))} do not hold {expert}{beside}: {as_text(most)} are needed"])
    return asked


def _cells(scenario: Scenario, policies: list[str], capacities: list[int]) -> list[Cell]:
    from orchestrator.cli.progress import progress_bars
    from orchestrator.fleet.residency.sweep import sweep

    with progress_bars() as report:
        return sweep(scenario, policies=policies, capacities=capacities, progress=report)


def _curves(seed: int) -> list[Curve]:
    from orchestrator.cli.progress import progress_bars
    from orchestrator.fleet.residency.presets import NODES, curve_of

    with progress_bars() as report:
        return [
            curve_of(node, PRESET_COUNTS, seed=seed, progress=partial(_report, report, node.name)) for node in NODES
        ]


def _report(report: Report, name: str, done: int) -> None:
    report(name, done, len(PRESET_COUNTS))


def _told(found: Sequence[Cell] | Sequence[Curve], *, as_json: bool) -> None:
    from orchestrator.cli.residency_report import as_dict, show

    if as_json:
        print(json.dumps(as_dict(found), indent=2))
    else:
        show(found, Console(highlight=False))
