"""The suite `categories` on a classifier with a fast tier: the share that it answered is a figure."""

import numpy as np

from eval.datasets import Dataset, Record
from eval.findings import flat
from eval.suites.categories import judge_folds
from orchestrator.testing import WordEmbedder

WORDS = {"sums": "add subtract divide multiply number total", "tales": "story dragon princess once castle fable"}


def judged_by(classifier: str) -> dict[str, object]:
    """The figures of 1200 queries, most of which name their kind."""
    rng = np.random.default_rng(0)
    records = [
        Record(
            id=str(row), query=" ".join([*rng.choice(WORDS[name].split(), 4), str(row)]), category=name, source=f"{row}"
        )
        for row, name in enumerate(list(WORDS) * 600)
    ]
    found = judge_folds(
        [Dataset(name="own", records=tuple(records))],
        folds=2,
        embedder=WordEmbedder(),
        classifier=classifier,
        perturb=0,
        progress=lambda *_: None,
    )
    return dict(flat(found.figures))


def test_share_of_fast_answers_is_a_figure_where_there_is_a_fast_tier() -> None:
    """With its interval, and absent for a kind that has none."""
    figures = judged_by("cascade")
    assert 0.5 < figures["answered_fast"].value <= 1  # type: ignore[attr-defined]
    assert figures["answered_fast"].n == 1200  # type: ignore[attr-defined]
    assert "answered_fast" not in judged_by("linear")
