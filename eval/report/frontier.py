"""Cost against quality as a chart: every point with its intervals and its name, and the hulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, SymmetricalLogLocator

from eval.report.charts import errors_of
from eval.report.curves import Frontier, Kind, Line, Point
from eval.report.labels import Box, placed
from eval.report.numbers import interval, number, value
from eval.report.style import ACCENT, INK, MUTED, PAPER, SECOND, THIRD, Drawing, drawn
from eval.report.text import cut, one_line

__all__ = ["PIXELS_A_NAME", "chart"]

WIDE_RANGE = 12.0
"""From this ratio of the dearest to the cheapest on, the cost axis is logarithmic."""
PIXELS_A_NAME = 24.0
"""With more points than one in so many pixels of the width, only those that are no single expert, and the experts on a
hull, have their names; the table has all."""
LONGEST_NAME = 40
ROUND = (1.0, 2.0, 5.0)
"""The marks of a logarithmic axis in each power of ten."""
PAD = 3.0
"""Pixels that a name keeps from what it should not cover."""

LOOKS: Mapping[Kind, Mapping[str, Any]] = MappingProxyType(
    {
        "expert": {"marker": "o", "color": INK, "markersize": 6},
        "router": {"marker": "D", "color": ACCENT, "markersize": 7.5},
        "oracle": {"marker": "*", "color": THIRD, "markersize": 12},
        "random": {"marker": "s", "color": SECOND, "markersize": 6.5},
    }
)
LEGEND: Mapping[Kind, str] = MappingProxyType(
    {"expert": "single expert", "router": "router", "oracle": "oracle", "random": "at random"}
)


def chart(part: Frontier, *, size: tuple[float, float], name: str) -> Markup:
    """The chart; `name` is unique in the page, `size` in pixels."""
    points = [point for point in part.points if point.drawable]

    def draw(drawing: Drawing) -> None:
        axes = drawing.subplots()
        _scale(axes, points)
        _hull(axes, part.hull, points, color=ACCENT, linestyle="-", label="hull of all")
        _hull(axes, part.zero_hull, points, color=MUTED, linestyle=(0, (4, 3)), label="coin between experts")
        for number_of, point in enumerate(points):
            _point(axes, point, gid=f"point{number_of}")
        axes.set(xlabel=f"cost, {one_line(part.cost_unit)}", ylabel="quality")
        _legend(drawing, axes, points)
        _name(
            drawing,
            axes,
            [point for point in points if _named(point, part, few=len(points) <= size[0] / PIXELS_A_NAME)],
        )

    titles = {f"point{at}": _title(point, part.cost_unit) for at, point in enumerate(points)}
    title = f"Cost against quality of {len(points)} points: {', '.join(cut(one_line(p.name), 40) for p in points[:40])}"
    return drawn(draw, name=name, title=title, size=size, titles=titles)


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    costs = [point.cost.value for point in points]
    positive = [cost for cost in costs if cost > 0]
    formatter = FuncFormatter(lambda at, _: number(round(at, 12)))
    if positive and (max(positive) > WIDE_RANGE * min(positive)):
        if min(costs) > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=ROUND))
            axes.set_xlim(min(positive) / 1.6, max(positive) * 1.6)
        else:
            axes.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
            axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=min(positive), subs=[*ROUND]))
            axes.set_xlim(min(0.0, *costs) - 0.15 * min(positive), max(positive) * 1.6)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.08 * ((max(costs) - min(costs)) or max(costs) or 1)
        axes.set_xlim(min(costs) - room, max(costs) + room)
    axes.xaxis.set_major_formatter(formatter)
    ends = [end for point in points for end in (point.quality.value, *(point.quality.ci95 or ()))]
    room = 0.06 * ((max(ends) - min(ends)) or 0.1)
    axes.set_ylim(min(ends) - room, max(ends) + room)


def _hull(axes: Axes, line: Line, points: Sequence[Point], **look: Any) -> None:
    """Mixtures of two corners lie on a straight line of cost, which a logarithmic axis bends."""
    if not line.costs:
        return
    dearest = max([*line.costs, *(point.cost.value for point in points)])
    corners = zip([*line.costs, dearest], [*line.costs[1:], dearest, dearest], strict=True)
    costs = np.unique(np.concatenate([np.linspace(low, high, 60) for low, high in corners]))
    qualities = np.interp(costs, [*line.costs], [*line.qualities])
    axes.plot(costs, qualities, linewidth=1.4, zorder=1.5, **look)


def _point(axes: Axes, point: Point, *, gid: str) -> None:
    look = LOOKS[point.kind]
    axes.errorbar(
        [point.cost.value],
        [point.quality.value],
        xerr=np.array(errors_of([point.cost])),
        yerr=np.array(errors_of([point.quality])),
        fmt="none",
        ecolor=look["color"],
        elinewidth=1.3,
        alpha=0.75,
    )
    axes.plot(
        [point.cost.value],
        [point.quality.value],
        linestyle="none",
        markeredgecolor=PAPER,
        markeredgewidth=1,
        zorder=3,
        gid=gid,
        **look,
    )


def _legend(drawing: Drawing, axes: Axes, points: Sequence[Point]) -> None:
    for kind, text in LEGEND.items():
        if any(point.kind == kind for point in points):
            axes.plot([], [], linestyle="none", label=text, **LOOKS[kind])
    drawing.legend(loc="outside upper left", ncols=3 if drawing.get_figwidth() < 8 else 6, handletextpad=0.5)  # noqa: PLR2004


def _named(point: Point, part: Frontier, *, few: bool) -> bool:
    corners = {*zip(part.hull.costs, part.hull.qualities, strict=True)}
    corners |= {*zip(part.zero_hull.costs, part.zero_hull.qualities, strict=True)}
    return few or point.kind != "expert" or (point.cost.value, point.quality.value) in corners


def _name(drawing: Drawing, axes: Axes, points: Sequence[Point]) -> None:
    """Write the names where `labels` finds room, with a thin line to points that are not near."""
    texts = [cut(one_line(point.name), LONGEST_NAME) for point in points]
    artists = [axes.text(0, 0, text, in_layout=False, fontsize=11.5) for text in texts]
    drawing.draw_without_rendering()
    sizes = [(box.width, box.height) for box in (artist.get_window_extent() for artist in artists)]
    places = [tuple(axes.transData.transform((p.cost.value, p.quality.value)).tolist()) for p in points]
    frame = axes.get_window_extent()
    boxes = placed(
        places,
        sizes,
        taken=[*_taken(axes, points), *_along(axes)],
        frame=Box(frame.x0, frame.y0, frame.x1, frame.y1),
    )
    to_data = axes.transData.inverted()
    for artist, box, (x, y), point in zip(artists, boxes, places, points, strict=True):
        # Browsers have narrower letters than those measured here: the end that is near the point is the one to hold.
        left, align = (box.right, "right") if box.right < x else (box.left, "left")
        if box.left <= x <= box.right:
            left, align = (box.left + box.right) / 2, "center"
        artist.set(position=to_data.transform((left, box.bottom)), color=LOOKS[point.kind]["color"])
        artist.set(verticalalignment="bottom", horizontalalignment=align)
        near = (min(max(x, box.left), box.right), min(max(y, box.bottom), box.top))
        if abs(near[0] - x) + abs(near[1] - y) > 14:  # noqa: PLR2004 - pixels that the eye still joins
            ends = to_data.transform([(x, y), near])
            axes.plot(ends[:, 0], ends[:, 1], color=MUTED, linewidth=0.7, zorder=1)


def _taken(axes: Axes, points: Sequence[Point]) -> list[Box]:
    """What a name should not cover: the points and their intervals."""
    boxes = []
    for point in points:
        low, high = point.quality.ci95 or (point.quality.value, point.quality.value)
        x, y = axes.transData.transform((point.cost.value, point.quality.value))
        bottom, top = (axes.transData.transform((point.cost.value, end))[1] for end in (low, high))
        boxes += [Box(x - 6, y - 6, x + 6, y + 6), Box(x - PAD, bottom, x + PAD, top)]
        left, right = point.cost.ci95 or (point.cost.value, point.cost.value)
        if left > axes.get_xlim()[0]:
            x_left, x_right = (axes.transData.transform((end, point.quality.value))[0] for end in (left, right))
            boxes.append(Box(x_left - PAD, y - PAD, x_right + PAD, y + PAD))
    return boxes


def _along(axes: Axes) -> list[Box]:
    """Steps along the hulls, which are the only lines of many corners."""
    boxes = []
    for line in axes.get_lines():
        corners = axes.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        if len(corners) > 2:  # noqa: PLR2004 - points and leaders have fewer
            along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
            steps = np.arange(0.0, along[-1], 6.0)
            ways = (np.interp(steps, along, corners[:, 0]), np.interp(steps, along, corners[:, 1]))
            boxes += [Box(x - 1, y - 1, x + 1, y + 1) for x, y in zip(*ways, strict=True)]
    return boxes


def _title(point: Point, unit: str) -> str:
    quality, cost = (f"{value(of)} ({interval(of)})" if of.ci95 else value(of) for of in (point.quality, point.cost))
    return one_line(f"{point.name}: quality {quality}, cost {cost} {unit}")
