"""What `simulate` prints: a line for each policy and capacity, and where the curves bend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.sizes import as_text
from orchestrator.fleet.residency.presets import EXPERTS, Curve
from orchestrator.fleet.residency.sweep import Cell, knees, shortfalls

__all__ = ["as_dict", "show"]

WIDEST = 10_000
"""Columns of text that no table has."""
PAPER_SWITCHING = {"dgx-a100": "31", "dgx-h100": "15 or 16"}
"""Of SN40L's Table V: how many times faster it switches."""


def as_dict(found: Sequence[Cell] | Sequence[Curve]) -> dict[str, Any]:
    """All figures, as JSON."""
    curves = [one for one in found if isinstance(one, Curve)]
    cells = [one for one in found if isinstance(one, Cell)]
    if curves:
        return {"nodes": [_curve_as_dict(curve) for curve in curves]}
    return {
        "cells": [asdict(cell) for cell in cells],
        "knees_awake_bytes": {"in_order.hit_ratio": _knees_of_hits(cells), "in_time.mean_s": _knees_of_latency(cells)},
        "dependency": [asdict(shortfall) for shortfall in shortfalls(cells)],
    }


def show(found: Sequence[Cell] | Sequence[Curve], console: Console) -> None:
    """A table and a few lines."""
    curves = [one for one in found if isinstance(one, Curve)]
    cells = [one for one in found if isinstance(one, Cell)]
    table = _of_nodes(curves) if curves else _of_cells(cells)
    if not console.is_terminal:  # a file or a pipe takes lines of any length
        endless = console.options.update(width=WIDEST)
        console.width = max(console.width, console.measure(table, options=endless).maximum)
    console.print(table)
    for line in _about_nodes(curves) if curves else _about_cells(cells):
        console.print(Text(line), soft_wrap=True)


def _of_cells(cells: Sequence[Cell]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("awake", justify="right", no_wrap=True)
    table.add_column("fit", justify="right")
    table.add_column("policy", no_wrap=True)
    for heading in ("hit ratio", "in time", "switch share", "p50 s", "p95 s", "requests/s"):
        table.add_column(heading, justify="right")
    for heading in ("wakes", "from cold", "slept or dropped", "gone cold", "prefetched", "moved"):
        table.add_column(heading, justify="right")
    for _, group in groupby(cells, key=lambda cell: cell.awake_bytes):
        for number, cell in enumerate(group):
            order, time = cell.in_order, cell.in_time
            table.add_row(
                "" if number else as_text(cell.awake_bytes),
                "" if number else str(cell.fits),
                cell.policy,
                f"{order.hit_ratio:.4f}",
                f"{time.hit_ratio:.4f}",
                f"{time.switch_share:.3f}",
                f"{time.p50_s:.2f}",
                f"{time.p95_s:.2f}",
                f"{time.throughput_per_s:.2f}",
                str(time.loads),
                str(time.loads_from_cold),
                str(time.evictions["awake"]),
                str(time.evictions["asleep"]),
                str(time.prefetches),
                as_text(time.moved_bytes),
            )
        table.add_section()
    return table


def _about_cells(cells: Sequence[Cell]) -> list[str]:
    lines = ["hit ratio: by the order of the requests alone; everything else in time, where busy experts cannot leave"]
    if cells and cells[0].in_time.requests:
        lines.append(f"of {cells[0].in_time.requests} requests after the warm-up")
    fits = {cell.awake_bytes: cell.fits for cell in cells}
    for what, found in (("mean latency", _knees_of_latency(cells)), ("hit ratio", _knees_of_hits(cells))):
        places = ", ".join(f"{policy} {as_text(at)} ({fits[at]} fit)" for policy, at in found.items() if at is not None)
        lines.append(f"knee of the {what}: {places or 'none'}")
    if compared := shortfalls(cells):
        least, best = min(one.over_lru for one in compared), max(compared, key=lambda one: one.of_belady)
        lines.append(
            f"dependency-aware less LRU: {least:+.4f} at the least; at best {best.of_belady:.1%} of Belady's hits, "
            f"with {as_text(best.awake_bytes)}"
        )
    return lines


def _of_nodes(curves: Sequence[Curve]) -> Table:
    table = Table(title="mean latency in ms of one prompt, by number of experts", box=SIMPLE)
    table.add_column("experts", justify="right")
    for curve in curves:
        table.add_column(curve.node.name, justify="right")
    for number, count in enumerate(curves[0].experts):
        table.add_row(str(count), *(f"{curve.latency_s[number] * 1000:.1f}" for curve in curves))
    return table


def _about_nodes(curves: Sequence[Curve]) -> list[str]:
    lines: list[str] = []
    fastest = min(curve.node.switch_s for curve in curves)
    for curve in curves:
        node = curve.node
        bend = "no knee" if curve.knee is None else f"the knee is at {curve.knee:.0f} experts"
        switch = f"a switch {node.switch_s * 1000:.1f} ms"
        line = f"{node.name}: {node.fits} experts fit in {as_text(node.hbm_bytes)}; {bend}; {switch}"
        if node.switch_s > fastest:
            line += f", {node.switch_s / fastest:.1f} times SN40L's (the paper: {PAPER_SWITCHING[node.id]})"
        lines.append(f"{line}; {curve.switch_share[-1]:.0%} of latency is switching with {curve.experts[-1]}")
    return [
        *lines,
        f"from bytes and bytes a second alone, for up to {EXPERTS} experts; nothing was measured on hardware",
    ]


def _curve_as_dict(curve: Curve) -> dict[str, Any]:
    node = curve.node
    return {**asdict(curve), "node": {**asdict(node), "fits": node.fits, "switch_s": node.switch_s}, "knee": curve.knee}


def _knees_of_hits(cells: Sequence[Cell]) -> dict[str, int | None]:
    return knees(cells, lambda cell: cell.in_order.hit_ratio, side="above")


def _knees_of_latency(cells: Sequence[Cell]) -> dict[str, int | None]:
    return knees(cells, lambda cell: cell.in_time.mean_s, side="below")
