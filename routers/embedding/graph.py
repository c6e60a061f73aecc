"""Sentence embeddings by ONNX Runtime over an exported graph: no torch in the process that routes.

In float32 the vectors are those of `SentenceEmbedder` but for the last bits, under the same fingerprint; with 8-bit
weights they are near to them, under a fingerprint of their own, at about a third of the time.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from routers.embedding.engine import MARK
from routers.embedding.protocol import Embedder, FloatArray
from routers.embedding.text import tokenizable

__all__ = ["GraphEmbedder", "LayeredGraphEmbedder"]

MOST_THREADS = 4

TOKENS_AT_ONCE = 1024
"""Padded tokens of a batch. Short texts gain from company, long ones fill the caches by themselves."""


class GraphEmbedder:
    """An `Embedder` over a graph file of `routers.embedding.export` and the tokenizer of the model it was made of.

    identity: names the weights, by content; with the token limit it makes the `fingerprint`.
    max_tokens: longer texts are cut there, and at the model's own limit where that is lower.
    eight_bit: the graph has 8-bit weights. Its activations are scaled by what is in a batch, so each text is a batch of
    its own: the vector of a text must not depend on who was waiting beside it.

    Threads may share one.
    """

    def __init__(self, graph: Path, tokenizer: Path, *, identity: str, max_tokens: int, eight_bit: bool) -> None:
        self.session = onnxruntime.InferenceSession(graph, _options(), providers=["CPUExecutionProvider"])
        own = int(self.session.get_modelmeta().custom_metadata_map["max_tokens"])
        self._max_tokens = min(max_tokens, own)
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self._max_tokens)
        self._alone = eight_bit
        self._threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
        self.fingerprint = f"{identity}:{self._max_tokens}" + (f":{MARK}" if eight_bit else "")
        _, self.views, self.dim = self.session.get_outputs()[0].shape

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised. Blocking."""
        return np.ascontiguousarray(self.embed_layers(texts)[:, 0])

    def layered(self) -> Embedder:
        """The same weights, with the layers as views."""
        return LayeredGraphEmbedder(self)

    def embed_layers(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, views, dim], blocks L2-normalised. Blocking."""
        readable = [tokenizable(text, max_tokens=self._max_tokens) for text in texts]
        if len(readable) == 1:
            return self._run([self.tokenizer.encode(readable[0]).ids])
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(readable)]
        rows = np.empty((len(tokens), self.views, self.dim), dtype=np.float32)
        batches = list(self._batches(tokens))
        for batch, result in zip(batches, self._results(tokens, batches), strict=True):
            rows[batch] = result
        return rows

    def _results(self, tokens: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]) -> Iterator[FloatArray]:
        chosen = ([tokens[row] for row in batch] for batch in batches)
        if self._threads == 1 or len(batches) == 1:
            yield from map(self._run, chosen)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(self._run, chosen)

    def _batches(self, tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Rows that run together, of like length."""
        batch: list[int] = []
        for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row])):
            if batch and (self._alone or len(tokens[row]) * (len(batch) + 1) > TOKENS_AT_ONCE):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _run(self, tokens: Sequence[Sequence[int]]) -> FloatArray:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        views: FloatArray = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return views


class LayeredGraphEmbedder:
    """An `Embedder` over the layers of another one: `views` blocks a row."""

    def __init__(self, inner: GraphEmbedder) -> None:
        self._inner = inner
        self.views = inner.views
        self.dim = self.views * inner.dim
        self.fingerprint = f"{inner.fingerprint}:layers"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised, and their blocks before the common scale. Blocking."""
        rows: FloatArray = self._inner.embed_layers(texts).reshape(len(texts), self.dim)
        rows /= np.float32(np.sqrt(self.views))
        return rows


def _options() -> onnxruntime.SessionOptions:
    """One thread a call: short texts gain nothing from more, and threads that wait cost what they add."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
