"""Whole requests, drawn from a seed."""

from __future__ import annotations

import json
import random
from typing import Any

from eval.fuzz.frames import Sent, framed, odd_frame
from eval.fuzz.ground import MODELS
from eval.fuzz.oddities import damaged
from eval.fuzz.samples import BODIES

__all__ = ["PATHS", "drawn"]

PATHS = tuple(BODIES)


def drawn(seed: int) -> Sent:
    """The request of a seed."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    path = chance.choice(PATHS)
    body: dict[str, Any] = json.loads(json.dumps(chance.choice(BODIES[path])))
    if "model" in body and path != "/v1/embeddings" and chance.random() < 0.5:
        body["model"] = chance.choice(MODELS)
    if chance.random() < 0.2:
        return odd_frame(path, json.dumps(body).encode(), chance)
    kind, raw = damaged(body, chance)
    return Sent(path=path, kind=kind, raw=framed(path, raw))
