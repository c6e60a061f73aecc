"""A learned mapping whose every plan is known: two experts, two categories, three steps of the frontier."""

from routers.mapping.learned import Fused, LearnedMapping, Step
from routers.mapping.matrix import Cell

__all__ = ["fusing_mapping", "learned_mapping"]


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


def fusing_mapping(
    *experts: str, weights: tuple[float, ...] = (), verdict: str | None = None, place: float = 0.0
) -> LearnedMapping:
    """Sums are for a fuse plan of these experts, all of whom are graded, from `place` on the frontier; else `dear`.

    weights: of their votes; without them a verdict is written, by `verdict`.
    """
    known = tuple(dict.fromkeys(["cheap", "dear", *experts]))
    ranking = ("dear", *(expert for expert in known if expert != "dear"))
    cell = Cell(n=10, mean=0.5, low=0.4, high=0.6)
    fused = Cell(n=10, mean=0.6, low=0.5, high=0.7, gain=0.1, gain_low=0.04, over="dear")
    single = Step(cost=1.0, credit=0.4, changes={"sums": "dear", "verses": "dear"})
    steps = [
        Step(cost=1.0 + place, credit=0.5, changes={"sums": "both", **({} if place else {"verses": "dear"})}),
        Step(cost=2.0, credit=0.6, changes={"verses": "cheap"}),
    ]
    return learned_mapping(
        experts=known,
        ranking={"sums": ranking, "verses": ranking},
        general_ranking=ranking,
        fused={"both": Fused(members=experts, weights={"sums": weights} if weights else {}, verdict=verdict)},
        frontier=[single, *steps] if place else steps,
        cells={"sums": {**dict.fromkeys(known, cell), "both": fused}, "verses": dict.fromkeys(known, cell)},
    )
