"""Names beside points so that none hides another. Knows rectangles in pixels, no charts.

Greedy, then improved in rounds: every label in turn takes the place with the least cost, given all others. With the
few dozen points of a frontier that is enough, and it always comes to the same end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Box", "placed"]

ROUNDS = 6
GAP = 7.0
"""Pixels between a point and the nearest place of its label."""
RINGS = (1.0, 1.9, 3.2, 4.8, 6.8, 9.5, 13.0)
"""How far out labels may stand, in gaps."""
ANGLES = (0, 180, 35, -35, 145, -145, 90, -90, 65, -65, 115, -115)
"""Directions in degrees, the most readable first."""
COLLIDES, OUTSIDE, COVERS, FAR, TURNED = 120.0, 80.0, 15.0, 1.0, 0.05
"""Costs: a pixel of overlap with a label (as its square root), of standing outside, on something, far, aslant."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, left to right and bottom to top."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The common area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def outside(self, frame: Box) -> float:
        """By how many pixels it sticks out of `frame`."""
        sideways = max(0.0, frame.left - self.left) + max(0.0, self.right - frame.right)
        return sideways + max(0.0, frame.bottom - self.bottom) + max(0.0, self.top - frame.top)


def placed(
    points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], *, taken: Sequence[Box], frame: Box
) -> list[Box]:
    """Where the label of each point goes; sizes: their width and height; taken: what they should not cover."""
    choices = [
        [(_own_cost(box, taken, frame) + cost, box) for cost, box in _places(point, size)]
        for point, size in zip(points, sizes, strict=True)
    ]
    boxes = [min(choice, key=lambda priced: priced[0])[1] for choice in choices]
    for _ in range(ROUNDS):
        before = list(boxes)
        for label, choice in enumerate(choices):
            others = boxes[:label] + boxes[label + 1 :]
            boxes[label] = min(choice, key=lambda priced: priced[0] + _collisions(priced[1], others))[1]
        if boxes == before:
            break
    return boxes


def _places(point: tuple[float, float], size: tuple[float, float]) -> Iterator[tuple[float, Box]]:
    (x, y), (width, height) = point, size
    for ring in RINGS:
        for rank, angle in enumerate(ANGLES):
            across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            centre_x = x + across * (GAP * ring + width / 2) if abs(across) > 0.1 else x  # noqa: PLR2004 - straight up
            centre_y = y + up * (GAP * ring + height / 2)
            box = Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
            yield FAR * ring**2 + TURNED * rank, box


def _own_cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    covered = sum(math.sqrt(box.overlap(other)) for other in taken)
    return OUTSIDE * box.outside(frame) + COVERS * covered


def _collisions(box: Box, others: Sequence[Box]) -> float:
    return sum(COLLIDES * math.sqrt(box.overlap(other)) for other in others)
