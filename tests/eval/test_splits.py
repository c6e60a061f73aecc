"""Which queries are learned from and which are judged."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.datasets import DataError, Record
from eval.splits import folds_of, split_names, text_folds

TEXTS = [f"query number {number}" for number in range(1000)]


def records(texts: list[str], split: str | None = None) -> list[Record]:
    return [Record(id=f"{split}-{n}", query=text, split=split, source=f"f:{n}") for n, text in enumerate(texts, 1)]


@given(st.lists(st.text(st.characters(), max_size=20), max_size=30), st.integers(1, 7), st.integers(0, 3))
def test_a_texts_fold_is_its_own(texts: list[str], folds: int, seed: int) -> None:
    """Ours: neither order nor company matters, so records that join later move no others."""
    found = text_folds(texts, folds=folds, seed=seed)
    assert found.shape == (len(texts),)
    assert all(text_folds([text], folds=folds, seed=seed)[0] == fold for text, fold in zip(texts, found, strict=True))
    assert all(0 <= fold < folds for fold in found)


def test_case_and_spacing_do_not_make_another_text() -> None:
    """Specified: a query that stands twice is never on both sides of a split."""
    same = ["What is IT", " what  is it\n", "WHAT IS IT"]
    assert all(len(set(text_folds(same, folds=50, seed=seed).tolist())) == 1 for seed in range(5))


def test_folds_are_even_and_differ_by_seed() -> None:
    """Ours: a thousand texts in five folds, each within four standard deviations of 200."""
    first, second = (text_folds(TEXTS, folds=5, seed=seed) for seed in (0, 1))
    assert all(abs(count - 200) < 4 * np.sqrt(160) for count in Counter(first.tolist()).values())
    assert 0.1 < np.mean(first == second) < 0.3


def test_folds_stay_as_they_are() -> None:
    """Ours: figures of an earlier version can be compared, so the assignment must not change."""
    assert text_folds(TEXTS[:10], folds=5, seed=0).tolist() == [2, 1, 2, 3, 3, 2, 4, 1, 3, 3]


def test_every_record_is_judged_once_and_never_learned_with() -> None:
    """Specified: each fold by what is learned from the others."""
    queries = records(TEXTS[:40] + TEXTS[:5])
    splits = list(folds_of(queries, folds=4, seed=2))
    assert sorted(row for split in splits for row in split.judged.tolist()) == list(range(45))
    for split in splits:
        assert sorted([*split.learned.tolist(), *split.judged.tolist()]) == list(range(45))
        assert not {queries[row].query for row in split.learned} & {queries[row].query for row in split.judged}


@pytest.mark.parametrize(("count", "folds"), [(3, 10), (40, 1), (40, 0), (40, -1), (0, 2)])
def test_folds_that_cannot_be_are_refused(count: int, folds: int) -> None:
    """Ours: fewer than two, or one of them empty; the message has the place and both numbers."""
    with pytest.raises(DataError, match=rf"{count} queries cannot be split into {folds} folds") as caught:
        list(folds_of(records(TEXTS[:count]), folds=folds, seed=0))
    assert count == 0 or str(caught.value).startswith("f:1: ")


def test_the_sources_own_split_is_found_by_name() -> None:
    """Ours: positions in order; None where one side has no record."""
    queries = records(TEXTS[:2], "test") + records(TEXTS[2:5], "train") + records(TEXTS[5:6], "val") + records(["x"])
    split = split_names(queries, learned=["train", "val"], judged=["test"])
    assert split is not None
    assert (split.learned.tolist(), split.judged.tolist()) == ([2, 3, 4, 5], [0, 1])
    assert split_names(queries, learned=["train"], judged=["dev"]) is None
    assert split_names(queries[-1:], learned=["train"], judged=["test"]) is None
    assert split_names([], learned=["train"], judged=["test"]) is None
