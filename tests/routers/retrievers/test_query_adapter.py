"""Adapters on the queries' side: the gradient, what is learned, and that nothing is kept which does not help."""

from pathlib import Path

import numpy as np
import pytest

from routers.calibrate import IntArray, Probabilities
from routers.embedding import FloatArray
from routers.errors import ArtifactError
from routers.retrievers.adapter import Judged, QueryAdapter, Recipe, learned_adapters
from routers.retrievers.fitting import Gain, fitted_adapter
from routers.retrievers.stored import AdapterFacts, load_adapter, save_adapter

DIM = 16


def unit(rows: FloatArray) -> FloatArray:
    """At length 1."""
    scaled: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def shifted(*, n: int = 60, seed: int = 0) -> tuple[FloatArray, FloatArray, list[list[int]]]:
    """Documents, and queries that lie beside theirs by one direction that a rank-one change takes out again."""
    random = np.random.default_rng(seed)
    documents = unit(random.standard_normal((n, DIM)).astype(np.float32))
    away = unit(random.standard_normal((1, DIM)).astype(np.float32))
    return documents, unit(documents + 1.5 * away), [[row] for row in range(n)]


def reciprocal_ranks(documents: FloatArray, relevant: list[list[int]]) -> Gain:
    """Of each query's document, as the gain of vectors."""

    def gain(vectors: FloatArray, of: IntArray) -> Probabilities:
        scores = vectors @ documents.T
        own = np.array([row[relevant[number][0]] for row, number in zip(scores, of, strict=True)])
        found: Probabilities = 1.0 / (1 + (scores > own[:, None]).sum(axis=1))
        return found

    return gain


def loss(adapter: QueryAdapter, queries: FloatArray, documents: FloatArray, relevant: list[list[int]]) -> float:
    """The cross-entropy that training lowers."""
    logits = (adapter.applied(queries).astype(np.float64) @ documents.T) / Recipe().temperature
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -float(np.mean([logits[row, rows].mean() for row, rows in enumerate(relevant)]))


def test_training_lowers_the_loss_step_by_step_and_begins_with_the_identity() -> None:
    """Specified: step 0 changes nothing; the same seed gives the same matrices."""
    documents, queries, relevant = shifted()
    found = learned_adapters(Judged(queries, relevant), documents, steps=[0, 5, 20, 60], seed=3)
    assert found[0].is_identity
    assert found[0].applied(queries) == pytest.approx(queries, abs=1e-6)
    losses = [loss(found[step], queries, documents, relevant) for step in (0, 5, 20, 60)]
    assert losses == sorted(losses, reverse=True)
    again = learned_adapters(Judged(queries, relevant), documents, steps=[60], seed=3)
    assert np.array_equal(again[60].up, found[60].up)


def test_the_first_step_goes_against_the_slope_that_differences_show() -> None:
    """The gradient is written out by hand: each entry of the first step has the sign of minus the numeric slope."""
    documents, queries, relevant = shifted(n=20)
    recipe = Recipe(r=2, decay=0.0, rate=1e-3)
    found = learned_adapters(Judged(queries, relevant), documents, steps=[0, 1], seed=0, recipe=recipe)
    start, after = found[0], found[1]
    for row, column in ((0, 0), (3, 1), (9, 0), (15, 1)):
        up = start.up.copy()
        up[row, column] += 1e-3
        slope = loss(QueryAdapter(start.down, up), queries, documents, relevant) - loss(
            start, queries, documents, relevant
        )
        assert np.sign(after.up[row, column]) == -np.sign(slope)


def test_an_adapter_is_kept_only_where_held_out_queries_gain() -> None:
    """Specified (no harm): queries that lie right already keep their vectors; those that lie beside theirs move."""
    documents, queries, relevant = shifted()
    fold = np.arange(len(queries)) % 3
    gain = reciprocal_ranks(documents, relevant)
    moved = fitted_adapter(Judged(queries, relevant), documents, gain=gain, fold=fold, seed=0)
    assert moved.kept
    assert moved.adapted.mean() > moved.plain.mean() + 0.02
    assert np.linalg.norm(moved.held_out, axis=1) == pytest.approx(np.ones(len(queries)), abs=1e-5)
    right = fitted_adapter(Judged(documents, relevant), documents, gain=gain, fold=fold, seed=0)
    assert not right.kept
    assert right.adapter.is_identity
    assert np.array_equal(right.held_out, documents)


def test_an_adapter_comes_back_from_its_file_and_a_damaged_one_does_not(tmp_path: Path) -> None:
    """Specified: hashed, with its facts; what is missing, cut or foreign is an ArtifactError."""
    path = tmp_path / "deep" / "one.safetensors"
    documents, queries, relevant = shifted(n=20)
    adapter = learned_adapters(Judged(queries, relevant), documents, steps=[5], seed=0)[5]
    facts = AdapterFacts(
        expert="a", embedder="words", data_sha256="0", queries=20, folds=5, seed=0, steps=5, plain=0.1, adapted=0.2
    )
    save_adapter(path, adapter, facts, probe=queries[0])
    stored = load_adapter(path)
    assert stored.facts == facts
    assert np.array_equal(stored.adapter.applied(queries), adapter.applied(queries))
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\1\2\3\4")
    with pytest.raises(ArtifactError, match="damaged"):
        load_adapter(path)
    path.write_bytes(content[:50])
    with pytest.raises(ArtifactError, match="no adapter"):
        load_adapter(path)
    with pytest.raises(ArtifactError, match="there is no adapter"):
        load_adapter(path.with_name("other"))


def test_what_does_not_fit_is_refused() -> None:
    """Shapes that are no pair, numbers that are none, and training without queries."""
    with pytest.raises(ValueError, match="none"):
        QueryAdapter(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="none"):
        QueryAdapter(np.full((1, 3), np.nan, np.float32), np.zeros((3, 1), np.float32))
    with pytest.raises(ValueError, match="do not fit"):
        learned_adapters(Judged(np.zeros((0, 3), np.float32), []), np.zeros((2, 3), np.float32), steps=[1], seed=0)
