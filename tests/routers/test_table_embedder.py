"""Static tables by numpy: the vectors of sentence-transformers, without torch."""

from pathlib import Path

import numpy as np
import pytest

from eval.speed.salad import made_embedder, made_queries
from routers.embedding.load import load_embedder
from routers.embedding.sentence import SentenceEmbedder
from routers.embedding.table import TableEmbedder, table_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_embedder(tmp_path_factory.mktemp("models") / "table", seed=3, dim=32)


def test_vectors_are_those_of_sentence_transformers(folder: Path) -> None:
    """Of texts with words that are known, that are not, and without any; the fingerprint is the same."""
    texts = [*made_queries(20, seed=3), "words nobody knows", "babada, babada!", "", "  ", "\ud800"]
    ours = load_embedder(str(folder), folder=Path())
    assert isinstance(ours, TableEmbedder)
    theirs = SentenceEmbedder(folder, identity=ours.fingerprint.rpartition(":")[0])
    assert (ours.dim, ours.fingerprint) == (theirs.dim, theirs.fingerprint)
    np.testing.assert_allclose(ours.embed(texts), theirs.embed(texts), atol=1e-6)


def test_a_text_has_its_vector_whoever_stands_beside_it(folder: Path) -> None:
    """No text or only empty ones make no trouble."""
    ours = load_embedder(str(folder), folder=Path())
    texts = ["", *made_queries(5, seed=4), ""]
    together = ours.embed(texts)
    assert [np.linalg.norm(row) > 0.5 for row in together] == [False, True, True, True, True, True, False]
    np.testing.assert_allclose(together, np.concatenate([ours.embed([text]) for text in texts]), atol=1e-6)
    assert ours.embed([]).shape == (0, 32)


def test_what_is_more_than_a_table_is_left_to_torch(folder: Path, tmp_path: Path) -> None:
    """A module that this reader does not know."""
    modules = '[{"path": "", "type": "a.StaticEmbedding"}, {"path": "1", "type": "a.Dense"}]'
    (tmp_path / "modules.json").write_text(modules, encoding="utf-8")
    assert table_of(tmp_path, identity="x", max_tokens=8) is None
    assert table_of(folder, identity="x", max_tokens=8) is not None
