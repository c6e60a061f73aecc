"""The knee of a curve: where it bends most away from the straight line between its ends.

After Satopaa et al., "Finding a 'Kneedle' in a Haystack" (ICDCS-W 2011): both axes scaled to 0..1, and the point
farthest from the chord, on the side that is asked for. Without their smoothing: these curves come from counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["knee"]

LEAST = 0.05
"""A curve that keeps nearer to its chord than this share of its height is called straight."""


def knee(xs: Sequence[float], ys: Sequence[float], *, side: Literal["below", "above"]) -> float | None:
    """The x of the knee; None for fewer than three points, a level curve or one without a bend to that side.

    xs ascend. side: of the chord; below for a cost that falls and levels off, or is level and then rises, above for a
    gain that rises and levels off.
    """
    width, height = (xs[-1] - xs[0], max(ys) - min(ys)) if xs else (0.0, 0.0)
    if len(xs) < 3 or not width or not height:  # noqa: PLR2004 - two points have no bend
        return None
    slope = (ys[-1] - ys[0]) / width
    sign = 1 if side == "above" else -1
    away = [sign * (y - ys[0] - slope * (x - xs[0])) / height for x, y in zip(xs, ys, strict=True)]
    farthest = max(away)
    return xs[away.index(farthest)] if farthest >= LEAST else None
