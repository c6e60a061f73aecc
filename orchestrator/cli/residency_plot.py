"""The curves of `simulate` as a picture. matplotlib, of the extra `eval`, loads when a plot is asked for."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.errors import ConfigError
from orchestrator.fleet.residency.presets import Curve
from orchestrator.fleet.residency.sweep import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plotter"]

FORMATS = (".png", ".svg", ".html")
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>orchestrator simulate</title>
<img alt="the curves of orchestrator simulate" style="max-width: 100%" src="data:image/svg+xml;base64,{picture}">
</html>
"""


def plotter(path: Path) -> Callable[[Sequence[Cell] | Sequence[Curve]], None]:
    """What draws into `path`; found before the work, so that a long run does not end in an error.

    Raises:
        ConfigError: matplotlib is not installed, or the file's name has another ending.

    """
    if path.suffix not in FORMATS:
        message = f"expected a file name that ends in {', '.join(FORMATS)}, found {path.name!r}"
        raise typer.BadParameter(message)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        hint = "run 'pip install expert-orchestrator[eval]'"
        raise ConfigError([f"a plot needs matplotlib ({error}); {hint}"]) from error

    def draw(found: Sequence[Cell] | Sequence[Curve]) -> None:
        curves = [one for one in found if isinstance(one, Curve)]
        figure = Figure(figsize=(12, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        if curves:
            _draw_nodes(figure, curves)
        else:
            _draw_cells(figure, [one for one in found if isinstance(one, Cell)])
        _save(figure, path)

    return draw


def _draw_cells(figure: Figure, cells: Sequence[Cell]) -> None:
    left, middle, right = figure.subplots(1, 3)
    for policy in dict.fromkeys(cell.policy for cell in cells):
        own = [cell for cell in cells if cell.policy == policy]
        sizes = [cell.awake_bytes / 1e9 for cell in own]
        dashes = "--" if policy == "belady" else "-"
        for axes, values in (
            (left, [cell.in_order.hit_ratio for cell in own]),
            (middle, [cell.in_time.p95_s for cell in own]),
            (right, [cell.in_time.switch_share for cell in own]),
        ):
            axes.plot(sizes, values, dashes, marker="o", markersize=3, label=policy)
    middle.set_yscale("log")
    for axes, title in ((left, "hit ratio"), (middle, "p95 latency, s"), (right, "switch share of latency")):
        _label(axes, title, "accelerator memory, GB")


def _draw_nodes(figure: Figure, curves: Sequence[Curve]) -> None:
    left, middle, right = figure.subplots(1, 3)
    for curve in curves:
        line = left.plot(curve.experts, [1000 * value for value in curve.latency_s], label=curve.node.name)
        if curve.knee is not None:
            left.axvline(curve.knee, color=line[0].get_color(), linestyle=":")
        middle.plot(curve.experts, curve.hit_ratio, label=curve.node.name)
        right.plot(curve.experts, curve.switch_share, label=curve.node.name)
    left.set_yscale("log")
    for axes, title in ((left, "mean latency, ms"), (middle, "hit ratio"), (right, "switch share of latency")):
        _label(axes, title, "experts")


def _label(axes: Axes, title: str, along: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(along)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)


def _save(figure: Figure, path: Path) -> None:
    if path.suffix != ".html":
        figure.savefig(path, dpi=120)
        return
    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    path.write_text(PAGE.format(picture=base64.b64encode(picture.getvalue()).decode("ascii")), encoding="utf-8")
