"""Sentence embeddings by sentence-transformers. Heavy to import (torch): use `routers.embedding.load`.

Knows a folder with a model, not where it came from.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from routers.embedding.layers import Views, encode_layers, encoder_of
from routers.embedding.pieces import Pieces, read_pieces
from routers.embedding.protocol import Embedder, FloatArray
from routers.embedding.text import tokenizable
from routers.embedding.turns import Turns
from routers.errors import WeightsError

__all__ = ["LayeredEmbedder", "SentenceEmbedder", "opened"]

MOST_THREADS = 4


class SentenceEmbedder:
    """An `Embedder` over a sentence-transformers folder.

    identity: names the weights, by content; with the token limit it makes the `fingerprint`.
    max_tokens: longer texts are cut there, and at the model's own limit where that is lower.
    device: the accelerators belong to the experts, so it is the CPU unless said otherwise.

    Threads may share one: calls take turns, since the tokenizer holds state during a call.
    """

    def __init__(self, folder: Path, *, identity: str, max_tokens: int = 256, device: str = "cpu") -> None:
        self._folder = folder
        self._model = opened(folder, device=device)
        self._max_tokens = _cut_at(self._model, max_tokens)
        self._one = Turns()
        self._threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
        self.fingerprint = f"{identity}:{self._max_tokens}"
        self.dim = int(self._model.get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised. Blocking."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        with self._one:
            # At each call, since OpenMP keeps the number per thread. Half of the cores and few: texts are short, and
            # threads that wait for a displaced one cost far more than they add on a busy machine.
            torch.set_num_threads(self._threads)
            vectors = self._model.encode(
                [self._tokenizable(text) for text in texts],
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def layered(self) -> Embedder:
        """The same weights, with the layers as views; itself where the model has no layers to show."""
        return self if encoder_of(self._model) is None else LayeredEmbedder(self)

    def pieces(self) -> Pieces | None:
        """What the model reads, without running it."""
        return read_pieces(self._folder, max_tokens=self._max_tokens)

    def embed_layers(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, views, dim], blocks L2-normalised. Blocking; for a model that has layers."""
        with self._one:
            torch.set_num_threads(self._threads)
            readable = [self._tokenizable(text) for text in texts]
            return encode_layers(Views(self._model), readable, tokenize=self._tokenized, dim=self.dim)

    def _tokenized(self, texts: list[str]) -> dict[str, torch.Tensor]:
        features = self._model.tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        return {name: tensor.to(self._model.device) for name, tensor in features.items()}

    def _tokenizable(self, text: str) -> str:
        return tokenizable(text, max_tokens=self._max_tokens)


def opened(folder: Path, *, device: str = "cpu") -> SentenceTransformer:
    """The model of a folder; only safetensors are read, since the older format is a pickle."""
    try:
        with _without_progress_bars():
            return SentenceTransformer(
                str(folder), device=device, local_files_only=True, model_kwargs={"use_safetensors": True}
            )
    except (OSError, ValueError, LookupError, TypeError, ImportError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise WeightsError(f"{folder} holds no model that sentence-transformers can load ({reason})") from error


class LayeredEmbedder:
    """An `Embedder` over the layers of another one: `views` blocks a row."""

    views = 3

    def __init__(self, inner: SentenceEmbedder) -> None:
        self._inner = inner
        self.dim = self.views * inner.dim
        self.fingerprint = f"{inner.fingerprint}:layers"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised, and their blocks before the common scale. Blocking."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        rows: FloatArray = self._inner.embed_layers(texts).reshape(len(texts), self.dim) / np.float32(
            np.sqrt(self.views)
        )
        return rows

    def pieces(self) -> Pieces | None:
        """Those of the inner embedder."""
        return self._inner.pieces()


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """The library draws a bar on stderr while it loads; its switch is global, so it is put back."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _cut_at(model: SentenceTransformer, max_tokens: int) -> int:
    """The number of tokens at which the model cuts texts from now on."""
    least = min(max_tokens, model.max_seq_length or max_tokens)
    with suppress(AttributeError):  # a static table takes the mean of all words, and has no limit to set
        model.max_seq_length = least
    return int(least)
