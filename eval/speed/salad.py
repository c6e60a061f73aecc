"""A made-up corpus of any size: words drawn by topic, and a static table of vectors for them. All of it by a seed.

Words follow Zipf's law within a topic, topics share rare words, so passages have near and far neighbours as real ones
do, and a word's list in a word index is as uneven as those of real words.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import orjson

__all__ = ["DIM", "made_embedder", "made_passages", "made_queries"]

DIM = 384
VOCABULARY = 30_000
TOPICS = 300
LENGTHS = (30, 120)
ASKED = 8
"""Words of a query."""

_FIRST, _LAST = "bcdfghjklmnprstvz", "aeiou"


@lru_cache(maxsize=1)
def _words() -> tuple[str, ...]:
    """Pronounceable, all different: numbers written in syllables."""
    syllables = [first + last for first in _FIRST for last in _LAST]
    count = len(syllables)
    return tuple(
        syllables[at % count] + syllables[at // count % count] + syllables[at // count**2 % count]
        for at in range(VOCABULARY)
    )


def made_embedder(folder: Path, *, seed: int, dim: int = DIM) -> Path:
    """A folder with a static table of a vector a word, as sentence-transformers loads it; made unless it is there."""
    if (folder / "modules.json").is_file():
        return folder
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - torch, for those who have no table yet
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding  # noqa: PLC0415 - with it
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: PLC0415 - with it

    numbers = {word: at for at, word in enumerate((*_words(), "[UNK]"))}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))  # noqa: S106 - a token of a text
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(seed).standard_normal((len(numbers), dim)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)]).save(str(folder))
    return folder


def made_passages(path: Path, *, count: int, seed: int) -> Path:
    """A JSONL file of so many documents, each short enough to be one passage; made unless it is there."""
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing")
    with beside.open("wb") as file:
        for number, text in enumerate(_texts(count, seed=seed)):
            file.write(orjson.dumps({"id": f"p{number}", "text": text}) + b"\n")
    beside.rename(path)
    return path


def made_queries(count: int, *, seed: int) -> list[str]:
    """Queries of words that stand together in passages; none is a piece of one."""
    return list(_texts(count, seed=seed + 1_000_003, lengths=(ASKED, ASKED)))


def _texts(count: int, *, seed: int, lengths: tuple[int, int] = LENGTHS) -> Iterator[str]:
    words = np.array(_words())
    shares = 1 / np.arange(1, VOCABULARY + 1)
    reach = np.cumsum(shares / shares.sum())
    orders = np.random.default_rng(0)  # topics are the same for passages and queries
    topics = np.stack([orders.permutation(VOCABULARY) for _ in range(TOPICS)])
    random = np.random.default_rng(seed)
    for _ in range(count):
        drawn = np.searchsorted(reach, random.random(random.integers(lengths[0], lengths[1], endpoint=True)))
        yield " ".join(words[topics[random.integers(TOPICS)][np.minimum(drawn, VOCABULARY - 1)]].tolist()) + "."
