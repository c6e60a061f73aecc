"""The knee of a curve: where it bends most away from the straight line between its ends.

After Satopaa et al., "Finding a 'Kneedle' in a Haystack" (ICDCS-W 2011): both axes scaled to 0..1, and the point
farthest from the chord, on either side of it. Without their smoothing: these curves come from counts.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["knee"]

LEAST = 0.05
"""A curve that keeps nearer to its chord than this share of its height is called straight."""


def knee(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """The x of the knee; None for fewer than three points, a level curve or a straight one. xs ascend."""
    width, height = (xs[-1] - xs[0], max(ys) - min(ys)) if xs else (0.0, 0.0)
    if len(xs) < 3 or not width or not height:  # noqa: PLR2004 - two points have no bend
        return None
    slope = (ys[-1] - ys[0]) / width
    away = [abs(y - ys[0] - slope * (x - xs[0])) / height for x, y in zip(xs, ys, strict=True)]
    farthest = max(away)
    return xs[away.index(farthest)] if farthest >= LEAST else None
