"""Colours, for light and dark, and how a matplotlib figure becomes SVG that takes them from the page's style sheet.

The colours are told apart with every common kind of colour blindness (after Okabe and Ito), and each has at least 4.5
to 1 of contrast with the paper.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import escape

from markupsafe import Markup
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

__all__ = ["ACCENT", "FAINT", "INK", "MUTED", "PALETTE", "PAPER", "SECOND", "THIRD", "Drawing", "drawn"]

PALETTE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ink": ("#1c2127", "#e8ebee"),
        "muted": ("#59626c", "#a3adb8"),
        "faint": ("#dce1e6", "#343b43"),
        "paper": ("#ffffff", "#15181c"),
        "accent": ("#0a67a8", "#6db4f2"),
        "second": ("#b04a0b", "#f09a5b"),
        "third": ("#08765a", "#54c7a3"),
    }
)
"""By role: the colour on light and on dark paper. CSS knows them as `--ink` and so on."""

# matplotlib wants colours while it draws; these stand for the roles until `_recoloured`.
STAND_INS = {role: f"#0000{number:02x}" for number, role in enumerate(PALETTE, start=1)}
INK, MUTED, FAINT, PAPER, ACCENT, SECOND, THIRD = STAND_INS.values()

SETTINGS: Any = MappingProxyType(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "expert-orchestrator",
        "font.family": "DejaVu Sans",
        "font.size": 12,
        "text.color": INK,
        "text.parse_math": False,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": MUTED,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": 11.5,
        "ytick.labelsize": 11.5,
        "figure.facecolor": "none",
        "figure.constrained_layout.use": True,
        "legend.frameon": False,
        "legend.fontsize": 11.5,
        "legend.labelcolor": INK,
        "lines.linewidth": 1.8,
    }
)
"""Of matplotlib, whose stubs want every key to be one of its own version."""

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def drawn(
    draw: Callable[[Drawing], None],
    *,
    name: str,
    title: str,
    size: tuple[float, float],
    titles: Mapping[str, str] = MappingProxyType({}),
) -> Markup:
    """What `draw` draws, as an `<svg>` element to stand in a page; the same bytes for the same drawing.

    name: unique in the page. title: what a screen reader says. size: width and height in CSS pixels. titles: by the
    gid of an artist, what a pointer reads on it.
    """
    with rc_context(), _any_script():
        rcdefaults()  # whatever the user has in a matplotlibrc
        rcParams.update(SETTINGS)
        drawing = Drawing(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        FigureCanvasAgg(drawing)
        draw(drawing)
        file = io.StringIO()
        drawing.savefig(file, format="svg", metadata=NO_METADATA)
    return Markup(_for_page(file.getvalue(), name=name, title=title, size=size, titles=titles))  # noqa: S704 - own SVG


@contextmanager
def _any_script() -> Iterator[None]:
    """Names in scripts that matplotlib's font lacks only measure a little wrong: the browser has its own fonts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def _for_page(svg: str, *, name: str, title: str, size: tuple[float, float], titles: Mapping[str, str]) -> str:
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' style="[^"]*"', _recoloured, body)
    body = re.sub(r'( id="| xlink:href="#|url\(#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")
    for gid, text in titles.items():
        start = f'<g id="{name}-{gid}">'
        body = body.replace(start, f"{start}<title>{escape(text)}</title>", 1)
    width, height = size
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-labelledby="{name}-title"><title id="{name}-title">{escape(title)}</title>{body}'
    )


def _recoloured(style: re.Match[str]) -> str:
    """Inside style attributes alone, so that no text that looks like a colour is touched."""
    text = re.sub(r"font-family:[^;\"]*;? ?", "", style[0])
    for role, stand_in in STAND_INS.items():
        text = text.replace(stand_in, f"var(--{role})")
    return text
