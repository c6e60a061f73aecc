"""What an index answers with. Knows rows and scores."""

from __future__ import annotations

import numpy as np

from routers.embedding import FloatArray

__all__ = ["Hit", "best"]

Hit = tuple[int, float]
"""Row of an entry in its corpus, and its score (higher is better)."""


def best(scores: FloatArray, limit: int) -> list[Hit]:
    """The highest scores with their rows, best first; equal ones in the order of the rows."""
    rows = np.arange(len(scores)) if limit >= len(scores) else np.argpartition(scores, -limit)[-limit:]
    rows = rows[np.lexsort((rows, -scores[rows]))]
    return list(zip(rows.tolist(), scores[rows].tolist(), strict=True))
