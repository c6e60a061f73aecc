"""The curves as charts. Each function takes a part as read by `curves` and gives an `<svg>` element for the page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from eval.metrics import Figure
from eval.report.curves import Calls, Drafts, Reliability, RiskCoverage
from eval.report.numbers import number, percent
from eval.report.style import ACCENT, INK, MUTED, Drawing, drawn
from eval.report.text import cut, one_line

__all__ = ["calls", "drafts", "errors_of", "reliability", "risk_coverage"]

HALF = (500.0, 380.0)
"""A chart of half the page's width, in pixels."""


def reliability(part: Reliability) -> Markup:
    """Accuracy by confidence with its intervals and the diagonal, over the number of queries."""

    def draw(drawing: Drawing) -> None:
        upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="calibrated")
        figures = [found.accuracy for found in part.bins]
        upper.errorbar(
            [found.confidence for found in part.bins],
            [figure.value for figure in figures],
            yerr=errors_of(figures),
            fmt="o",
            color=ACCENT,
            markersize=6,
            elinewidth=1.6,
            label="measured, 95 % interval",
        )
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share right")
        drawing.legend(loc="outside upper left", ncols=2)
        widths = [0.94 * (found.high - found.low) for found in part.bins]
        middles = [(found.low + found.high) / 2 for found in part.bins]
        lower.bar(middles, [figure.n for figure in figures], width=widths, color=ACCENT, alpha=0.55)
        lower.set(xlabel="confidence", ylabel="queries")
        lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        lower.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.0f}"))
        _percents(upper, "both")

    n = sum(found.accuracy.n for found in part.bins)
    title = f"Reliability diagram: share right by confidence, {len(part.bins)} bins of {n} queries"
    return drawn(draw, name="reliability", title=title, size=(HALF[0], HALF[1] + 40))


def risk_coverage(part: RiskCoverage) -> Markup:
    """The share of errors by the share of queries that is answered."""

    def draw(drawing: Drawing) -> None:
        axes = drawing.subplots()
        axes.fill_between(part.coverage, part.risk, color=ACCENT, alpha=0.12, linewidth=0)
        axes.plot(part.coverage, part.risk, color=ACCENT)
        axes.axhline(part.risk[-1], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            f"all answered: {percent(part.risk[-1])} wrong",
            (0.02, part.risk[-1]),
            xytext=(0, 4),
            textcoords="offset points",
            color=MUTED,
        )
        top = 1.2 * max([*part.risk, 1e-3])
        axes.set(xlim=(0, 1), ylim=(0, top), xlabel="share of queries answered", ylabel="share of them wrong")
        _percents(axes, "both")

    title = f"Risk by coverage; area under the curve {number(part.area)}"
    return drawn(draw, name="risk-coverage", title=title, size=(HALF[0], HALF[1] + 40))


def calls(part: Calls) -> Markup:
    """Quality by the share of calls to the strong expert, with the line between the two experts."""
    weak, strong = part.qualities[0], part.qualities[-1]

    def draw(drawing: Drawing) -> None:
        axes = drawing.subplots()
        ends = [part.shares[0], part.shares[-1]]
        straight = [weak + (strong - weak) * (at - ends[0]) / ((ends[1] - ends[0]) or 1) for at in part.shares]
        axes.fill_between(part.shares, part.qualities, straight, color=ACCENT, alpha=0.12, linewidth=0)
        axes.plot(ends, [weak, strong], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="a coin")
        axes.plot(part.shares, part.qualities, color=ACCENT, label="the router")
        axes.plot(ends, [weak, strong], "o", color=INK, markersize=6)
        low, high = min(part.qualities), max(part.qualities)
        room = 0.18 * ((high - low) or 0.1)
        axes.set(xlim=(-0.03, 1.03), ylim=(low - room, high + room), ylabel="quality")
        axes.set_xlabel("share of queries that go to the strong expert")
        for at, of, name, align in ((ends[0], weak, part.weak, "left"), (ends[1], strong, part.strong, "right")):
            below = align == "left"
            axes.annotate(
                f"{cut(one_line(name), 34)} {of:.3f}",
                (at, of),
                xytext=(0, -9 if below else 9),
                textcoords="offset points",
                horizontalalignment=align,
                verticalalignment="top" if below else "bottom",
                color=INK,
            )
        axes.legend(loc="lower right")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: percent(at)))

    title = f"Quality from {number(weak)} (weak) to {number(strong)} (strong) by the share of strong calls"
    return drawn(draw, name="calls", title=title, size=HALF)


def drafts(part: Drafts) -> Markup:
    """Accuracy with its intervals by the number of drafts; under each number, the calls a query."""

    def draw(drawing: Drawing) -> None:
        axes = drawing.subplots()
        axes.errorbar(
            part.drafts,
            [figure.value for figure in part.accuracy],
            yerr=errors_of(part.accuracy),
            fmt="o-",
            color=ACCENT,
            markersize=6,
            elinewidth=1.6,
        )
        room = 0.06 * (max(part.drafts) - min(part.drafts) or 1)
        axes.set(xlabel="drafts allowed (calls a query)", ylabel="accuracy")
        axes.set_xlim(min(part.drafts) - room, max(part.drafts) + room)
        names = [f"{number(at)}\n({number(round(made, 2))})" for at, made in zip(part.drafts, part.calls, strict=True)]
        axes.set_xticks(part.drafts, names)
        axes.grid(visible=False, axis="x")

    title = f"Accuracy by number of drafts, {number(part.drafts[0])} to {number(part.drafts[-1])}"
    return drawn(draw, name="drafts", title=title, size=HALF)


def errors_of(figures: Sequence[Figure]) -> tuple[list[float], list[float]]:
    """How far the intervals reach below and above the values; 0 where there is none."""
    below = [0.0 if figure.ci95 is None else max(0.0, figure.value - figure.ci95[0]) for figure in figures]
    above = [0.0 if figure.ci95 is None else max(0.0, figure.ci95[1] - figure.value) for figure in figures]
    return below, above


def _percents(axes: Axes, which: str) -> None:
    formatter = FuncFormatter(lambda at, _: percent(round(at, 6)))
    if which in {"x", "both"}:
        axes.xaxis.set_major_formatter(formatter)
    if which in {"y", "both"}:
        axes.yaxis.set_major_formatter(formatter)
