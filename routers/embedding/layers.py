"""The layers of a sentence encoder as vectors. Heavy to import (torch).

One pass through the model gives the final vector and the means of two earlier layers, so the layers cost next to
nothing more. The same module runs here and is what `routers.embedding.export` makes a graph of.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize

from routers.embedding.protocol import FloatArray

__all__ = ["Views", "encode_layers", "encoder_of"]

AT_ONCE = 32


def encoder_of(model: SentenceTransformer) -> Any | None:
    """The transformer inside, None where there is none that shows hidden states (a static table)."""
    encoder = getattr(model[0], "auto_model", None) or getattr(model[0], "model", None)
    depth = getattr(getattr(encoder, "config", None), "num_hidden_layers", None)
    return encoder if isinstance(depth, int) and depth > 2 else None  # noqa: PLR2004 - there must be layers between


class Views(torch.nn.Module):
    """Token ids and their mask [n, t] -> float32 [n, 3, d], blocks L2-normalised.

    The final vector, the mean of the token embeddings, and that of the layer two thirds of the way up.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.encoder = encoder_of(model)
        self.after = torch.nn.ModuleList(list(model)[1:])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """See the class."""
        encoder: Any = self.encoder
        states = encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True).hidden_states
        mask = attention_mask[..., None].to(states[0].dtype)
        count = mask.sum(1).clamp(min=1)
        means = [(states[at] * mask).sum(1) / count for at in (0, round(2 * (len(states) - 1) / 3))]
        last: dict[str, Any] = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_embeddings": states[-1],
        }
        for module in self.after:
            last = module(last)
        views = torch.stack([last["sentence_embedding"], *means], dim=1)
        return normalize(views.float(), dim=-1)


def encode_layers(
    views: Views, texts: Sequence[str], *, tokenize: Callable[[list[str]], dict[str, torch.Tensor]], dim: int
) -> FloatArray:
    """float32 [n, 3, dim], see `Views`. Texts of like length are encoded together."""
    order = np.argsort([-len(text) for text in texts], kind="stable")
    rows = np.empty((len(texts), 3, dim), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(texts), AT_ONCE):
            some = order[start : start + AT_ONCE]
            features = tokenize([texts[row] for row in some])
            rows[some] = views(features["input_ids"], features["attention_mask"]).cpu().numpy()
    return rows
