"""The suite `categories` on MMLU-Pro: what MiniLM and logistic regression are known to reach."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.datasets.catalogue import open_dataset
from eval.findings import flat
from eval.suites.categories import judge_folds
from orchestrator.engine import cache_folder
from routers.embedding import Embedder, FloatArray
from routers.embedding.load import load_embedder
from routers.embedding.stored import StoredEmbedder

DATA = Path(__file__).parents[4] / "shared" / "data" / "mmlu_pro" / "mmlu_pro_half0_preds.jsonl.gz"
"""Beside the repository; not part of it."""


class Stored:
    """The fingerprint of an embedder, without the minutes that embedding would take."""

    def __init__(self, inner: Embedder) -> None:
        self.dim, self.fingerprint = inner.dim, inner.fingerprint

    def embed(self, texts: Sequence[str]) -> FloatArray:
        pytest.skip(
            f"{len(texts)} questions have no vector in the cache yet; 'orchestrator eval categories' makes them"
        )


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_file(), reason="the evaluation data (../shared/data) is not here")
def test_five_folds_of_mmlu_pro() -> None:
    """Measured by others on the same data: .761, 14 categories, five folds; folds by text cost a little."""
    embedder = StoredEmbedder(Stored(load_embedder("minilm", folder=Path())), cache_folder() / "embeddings")
    found = judge_folds(
        [open_dataset(f"mmlu-pro:{DATA}")],
        folds=5,
        embedder=embedder,
        perturb=0,
        progress=lambda _what, _done, _total: None,
    )
    figures = dict(flat(found.figures))
    assert figures["top_accuracy"].value == pytest.approx(0.761, abs=0.01)
    assert figures["top_accuracy"].n == 5981
    assert figures["coverage"].value == pytest.approx(0.9, abs=0.02)
    assert figures["ece"].value < 0.03
