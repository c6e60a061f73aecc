"""Static tables (a vector a token, a text is their mean) by numpy: no torch, and a thousandth of an encoder's time.

The format is that of sentence-transformers' `StaticEmbedding`, which model2vec writes too. The vectors are those of
`SentenceEmbedder` but for the last bits, under the same fingerprint.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from routers.embedding.pieces import Pieces, read_pieces
from routers.embedding.protocol import FloatArray
from routers.embedding.text import tokenizable

__all__ = ["TableEmbedder", "table_of"]

MODULES, TOKENIZER, WEIGHTS = "modules.json", "tokenizer.json", "model.safetensors"
KEYS = ({"embedding.weight"}, {"embeddings"})
"""What the weights may hold; tables with more to them (weights of tokens, say) are left to torch."""


class TableEmbedder:
    """An `Embedder` over a folder that `table_of` has found to be a table.

    identity: names the weights, by content; with the token limit it makes the `fingerprint`.
    max_tokens: only bounds the text that is looked at; all of its tokens count, as in sentence-transformers.
    rows: float32 [tokens, dim].
    """

    def __init__(self, folder: Path, rows: FloatArray, *, identity: str, max_tokens: int) -> None:
        self._folder = folder
        self._rows = rows
        self._max_tokens = max_tokens
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.fingerprint = f"{identity}:{max_tokens}"
        self.dim = rows.shape[1]

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised, zero for a text without tokens. Blocking; threads may share it."""
        readable = [tokenizable(text, max_tokens=self._max_tokens) for text in texts]
        tokens = [found.ids for found in self._tokenizer.encode_batch_fast(readable, add_special_tokens=False)]
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        counts = np.array([len(ids) for ids in tokens], dtype=np.intp)
        some = np.flatnonzero(counts)
        if len(some):
            flat = np.fromiter(chain.from_iterable(tokens), dtype=np.intp, count=int(counts.sum()))
            starts = np.concatenate(([0], np.cumsum(counts[some])[:-1]))
            sums = np.add.reduceat(self._rows[flat], starts, axis=0)
            vectors[some] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-12))
        return vectors

    def pieces(self) -> Pieces | None:
        """What the table reads, as numbers."""
        return read_pieces(self._folder, max_tokens=self._max_tokens)


def table_of(folder: Path, *, identity: str, max_tokens: int) -> TableEmbedder | None:
    """The embedder of a folder that holds a static table and nothing behind it; None for any other."""
    place = _table_place(folder)
    if place is None:
        return None
    try:
        with safe_open(place / WEIGHTS, framework="numpy") as weights:
            keys = list(weights.keys())
            if set(keys) not in KEYS:
                return None
            rows = np.ascontiguousarray(weights.get_tensor(keys[0]), dtype=np.float32)
    except (OSError, SafetensorError, TypeError):  # torch's loader says what is wrong with it
        return None
    if rows.ndim != 2 or not (place / TOKENIZER).is_file():  # noqa: PLR2004 - a table has rows and columns
        return None
    return TableEmbedder(place, rows, identity=identity, max_tokens=max_tokens)


def _table_place(folder: Path) -> Path | None:
    """Where the table is kept, if the modules of the model are one and at most the scaling to unit length."""
    try:
        modules: list[Mapping[str, str]] = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        place = folder / modules[0]["path"] if modules else folder
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return place if kinds in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"]) else None
