"""The pieces of a text, before any encoder: what an embedder's own tokenizer makes of it, and each piece's own vector.

Light to import, and costs no model: the tokenizer and one table of the model's folder. Knows nothing of categories.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from routers.embedding.protocol import Embedder, FloatArray
from routers.embedding.text import tokenizable
from routers.errors import WeightsError

__all__ = ["Pieced", "Pieces", "TokenPieces", "pieces_of", "read_pieces"]

TOKENIZER = "tokenizer.json"
WEIGHTS = "model.safetensors"
TABLE = "word_embeddings.weight"
"""How the name of the table ends in the weights of an encoder."""


class Pieces(Protocol):
    """Cuts texts into numbered pieces. size: numbers are below it."""

    size: int

    def numbers(self, text: str) -> Sequence[int]:
        """Of the pieces of a text, in order; any text has some or none."""
        ...

    def names(self, text: str) -> Sequence[str]:
        """The same pieces as people read them."""
        ...

    def vectors(self) -> FloatArray:
        """What the embedder knows of each piece by itself: float32 [size, d], d 0 where it knows nothing."""
        ...


@runtime_checkable
class Pieced(Protocol):
    """An embedder that can say which pieces it reads."""

    def pieces(self) -> Pieces | None:
        """Its tokenizer, and its table of pieces; None where its files have no such."""
        ...


def pieces_of(embedder: Embedder) -> Pieces | None:
    """The pieces that an embedder reads, None where it does not say."""
    return embedder.pieces() if isinstance(embedder, Pieced) else None


def read_pieces(folder: Path, *, max_tokens: int) -> Pieces | None:
    """The pieces of a model's folder, cut where the embedder cuts; None where the folder has no such files.

    Raises:
        WeightsError: the files are there, and cannot be read.
    """
    if not all((folder / name).is_file() for name in (TOKENIZER, WEIGHTS)):
        return None
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        with safe_open(folder / WEIGHTS, framework="np") as weights:
            table = next((name for name in weights.keys() if name.endswith(TABLE)), None)  # noqa: SIM118 - no mapping
    except Exception as error:  # a border: the tokenizer's library raises it bare
        raise WeightsError(f"{folder} holds a tokenizer or weights that cannot be read ({error})") from error
    return None if table is None else TokenPieces(tokenizer, folder / WEIGHTS, table, max_tokens=max_tokens)


class TokenPieces:
    """Pieces by a tokenizer, with their vectors in a table of a file of weights."""

    def __init__(self, tokenizer: Tokenizer, weights: Path, table: str, *, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self._tokenizer = tokenizer
        self._weights, self._table = weights, table
        self._max_tokens = max_tokens
        self.size = tokenizer.get_vocab_size()

    def numbers(self, text: str) -> Sequence[int]:
        """Without the marks that an encoder wants at either end."""
        readable = tokenizable(text, max_tokens=self._max_tokens)
        (encoding,) = self._tokenizer.encode_batch_fast([readable], add_special_tokens=False)
        return encoding.ids

    def names(self, text: str) -> Sequence[str]:
        """As the vocabulary has them."""
        readable = tokenizable(text, max_tokens=self._max_tokens)
        return self._tokenizer.encode(readable, add_special_tokens=False).tokens

    def vectors(self) -> FloatArray:
        """Read from the file at each call: who needs them needs them once. Unknown rows, if any, are zero."""
        try:
            with safe_open(self._weights, framework="np") as weights:
                found = weights.get_tensor(self._table).astype(np.float32)[: self.size]
        except SafetensorError as error:
            raise ValueError(f"{self._weights} cannot be read ({error})") from error
        rows: FloatArray = np.zeros((self.size, found.shape[1]), dtype=np.float32)
        rows[: len(found)] = found
        return rows
