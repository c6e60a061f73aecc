"""The layers of a sentence encoder as vectors. Heavy to import (torch): `SentenceEmbedder.layered` does.

One pass through the model gives the final vector and the means of two earlier layers, so the layers cost next to
nothing more.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize

from routers.embedding.protocol import FloatArray

__all__ = ["encode_layers", "encoder_of"]

AT_ONCE = 32


def encoder_of(model: SentenceTransformer) -> Any | None:
    """The transformer inside, None where there is none that shows hidden states (a static table)."""
    encoder = getattr(model[0], "auto_model", None) or getattr(model[0], "model", None)
    depth = getattr(getattr(encoder, "config", None), "num_hidden_layers", None)
    return encoder if isinstance(depth, int) and depth > 2 else None  # noqa: PLR2004 - there must be layers between


def encode_layers(
    model: SentenceTransformer, texts: Sequence[str], *, tokenize: Callable[[list[str]], dict[str, torch.Tensor]]
) -> FloatArray:
    """float32 [n, 3, d], blocks L2-normalised: the final vector, the mean of token embeddings, and of a late layer.

    The late layer is the one two thirds of the way up. Texts of like length are encoded together.
    """
    order = np.argsort([-len(text) for text in texts], kind="stable")
    rows = np.empty((len(texts), 3, int(model.get_embedding_dimension())), dtype=np.float32)
    for start in range(0, len(texts), AT_ONCE):
        some = order[start : start + AT_ONCE]
        rows[some] = _encoded(model, tokenize([texts[row] for row in some])).numpy()
    return rows


@torch.inference_mode()
def _encoded(model: SentenceTransformer, features: dict[str, torch.Tensor]) -> torch.Tensor:
    encoder = encoder_of(model)
    assert encoder is not None  # noqa: S101 - the caller asked before
    features = {name: tensor.to(model.device) for name, tensor in features.items()}
    states = encoder(**features, output_hidden_states=True).hidden_states
    mask = features["attention_mask"][..., None].to(states[0].dtype)
    means = [(states[at] * mask).sum(1) / mask.sum(1).clamp(min=1) for at in (0, round(2 * (len(states) - 1) / 3))]
    last: dict[str, Any] = {**features, "token_embeddings": states[-1]}
    for module in list(model)[1:]:
        last = module(last)
    return torch.stack([normalize(view.float(), dim=-1) for view in (last["sentence_embedding"], *means)], dim=1).cpu()
