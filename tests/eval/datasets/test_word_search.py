"""Both kinds of collection as a search by words sees them: the published BM25 figures come out."""

from collections.abc import Sequence

import bm25s
import numpy as np
import pytest
import Stemmer
from reading import SHARED, needs_shared

from eval.datasets.catalogue import open_dataset

TOP = 10


def words(texts: Sequence[str]) -> list[list[str]]:
    """Stems; the longer of the two lists of stop words, as the baseline was measured with one of about that size."""
    stems: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords="en_plus", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )
    return stems


def ndcg(ranked: Sequence[float], ideal: Sequence[float]) -> float:
    """Linear gain over the best ten."""
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    best = sorted(ideal, reverse=True)[:TOP]
    return float(np.dot(ranked[:TOP], discounts[: len(ranked)]) / np.dot(best, discounts[: len(best)]))


@needs_shared
@pytest.mark.parametrize(
    ("spec", "expected", "within"), [("beir:nfcorpus.zip", 0.323, 0.005), ("smart:cran", 0.506, 0.01)]
)
def test_words_find_what_the_baseline_finds(spec: str, expected: float, within: float) -> None:
    """The data's README: BM25, k1 = .9, b = .4, title and text, nDCG@10 with linear gain."""
    reader, _, name = spec.partition(":")
    dataset = open_dataset(f"{reader}:{SHARED}/ir/{name}")
    identities = list(dataset.documents)
    index = bm25s.BM25(k1=0.9, b=0.4, backend="numpy")
    index.index(words([f"{one.title} {one.text}" for one in dataset.documents.values()]), show_progress=False)
    scores = []
    for record, asked in zip(dataset.records, words([record.query for record in dataset.records]), strict=True):
        relevance = {one.document: one.relevance for one in record.passages}
        known = index.get_tokens_ids(asked)
        found = index.get_scores_from_ids(known) if known else np.zeros(len(identities))
        best = [row for row in np.argsort(-found, kind="stable")[:TOP] if found[row] > 0]
        scores.append(ndcg([relevance.get(identities[row], 0) for row in best], list(relevance.values())))
    assert np.mean(scores) == pytest.approx(expected, abs=within)
