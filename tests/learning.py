"""A learned mapping whose every plan is known: two experts, two categories, three steps of the frontier."""

from routers.mapping.learned import LearnedMapping, Step
from routers.mapping.matrix import Cell

__all__ = ["learned_mapping"]


def learned_mapping(**changes: object) -> LearnedMapping:
    """Cheap answers all at 0; from 0.5 on sums go to `dear`, at 1 verses do too."""
    cell = Cell(n=10, mean=0.5, low=0.4, high=0.6)
    whole = LearnedMapping(
        experts=("cheap", "dear"),
        best_single="dear",
        confidence=0.7,
        fuse_confidence=0.95,
        cost_unit="usd_per_query",
        queries=20,
        ranking={"sums": ("dear", "cheap"), "verses": ("dear", "cheap")},
        general_ranking=("dear", "cheap"),
        frontier=(
            Step(cost=1.0, credit=0.2, changes={"sums": "cheap", "verses": "cheap"}),
            Step(cost=2.0, credit=0.5, changes={"sums": "dear"}),
            Step(cost=3.0, credit=0.6, changes={"verses": "dear"}),
        ),
        cells={category: {"cheap": cell, "dear": cell} for category in ("sums", "verses")},
    )
    return LearnedMapping.model_validate({**whole.model_dump(), **changes})
