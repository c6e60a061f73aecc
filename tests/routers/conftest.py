"""What the tests of the learned part share: the real embedder, and one router trained on real queries."""

from pathlib import Path

import pytest

from routers.embedding import Embedder
from routers.embedding.cached import CachedEmbedder
from routers.embedding.load import load_embedder
from routers.examples import Example, read_examples
from routers.train import train
from routers.trained import Trained

QUERIES = Path(__file__).with_name("queries.jsonl")


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """The packaged MiniLM; loading it is most of what these tests cost."""
    return load_embedder("minilm", folder=Path(__file__).parent)


@pytest.fixture(scope="session")
def embedder(minilm: Embedder) -> Embedder:
    """The same, with a memory over the whole session."""
    return CachedEmbedder(minilm)


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Six categories of eight queries."""
    return read_examples(QUERIES)


@pytest.fixture(scope="session")
def trained(examples: list[Example], embedder: Embedder) -> Trained:
    """A router trained on them; `general` has no examples."""
    return train(examples, general="general", embedder=embedder)
