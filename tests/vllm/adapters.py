"""Random LoRA adapters in PEFT's form, and the same change made to weights: what an adapter must amount to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

__all__ = ["ALPHA", "RANK", "merged", "write_adapter"]

RANK, ALPHA = 8, 16
SPREAD = 0.02
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


def write_adapter(folder: Path, model: Path, *, seed: int) -> None:
    """An adapter of the attention projections of a model; the same seed gives the same one. It has no skill."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    with safe_open(model / "model.safetensors", "numpy") as weights:
        for name in weights.keys():  # noqa: SIM118 - no mapping
            module = name.removesuffix(".weight")
            if module.rpartition(".")[2] not in TARGETS:
                continue
            rows, columns = weights.get_slice(name).get_shape()
            down = random.normal(0, 1 / np.sqrt(columns), (RANK, columns)).astype(np.float32)
            up = random.normal(0, SPREAD, (rows, RANK)).astype(np.float32)
            tensors[f"base_model.model.{module}.lora_A.weight"] = down
            tensors[f"base_model.model.{module}.lora_B.weight"] = up
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(model),
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(TARGETS),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))


def merged(adapter: Path) -> dict[str, np.ndarray]:
    """What the adapter adds to each weight of the model: alpha / r * B A (LoRA, arXiv 2106.09685, section 4.1)."""
    tensors = load_file(adapter / "adapter_model.safetensors")
    added = {}
    for name, down in tensors.items():
        if ".lora_A." in name:
            up = tensors[name.replace(".lora_A.", ".lora_B.")]
            weight = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            added[weight] = ALPHA / RANK * up @ down
    return added
