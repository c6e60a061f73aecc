"""A sentence encoder as an ONNX graph, in float32 or with 8-bit weights. Heavy to import (torch, onnx).

The graph takes token ids and their mask, and gives the views of `routers.embedding.layers`. What runs it needs none of
the libraries that made it.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer

from routers.embedding.layers import Views, encoder_of
from routers.embedding.sentence import opened
from routers.errors import NoGraph

__all__ = ["export"]

OPSET = 18
INPUTS = ("input_ids", "attention_mask")
PASSES_ON = frozenset({"Pooling", "Normalize", "Dense", "LayerNorm"})
"""Modules after the encoder whose part of a graph is known to be the same as theirs."""


def export(folder: Path, target: Path, *, eight_bit: bool) -> None:
    """Write the graph of the sentence-transformers model in `folder` to the file `target`.

    eight_bit: weights of the encoder's products have 7 bits and a scale a column, activations 8 bits and a scale found
    at run time, so integers never saturate on processors without wide dot products and any processor gives the same.

    Raises:
        NoGraph: the model does not become one; says why.
        WeightsError: there is no model.
    """
    model = opened(folder)
    reason = _objection(model)
    if reason:
        raise NoGraph(f"the model in {folder} does not become a graph: {reason}")
    with _quiet():
        graph = _graph(model)
        onnx.helper.set_model_props(graph, {"max_tokens": str(model.max_seq_length)})
        if eight_bit:
            quantize_dynamic(
                graph,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                op_types_to_quantize=["MatMul", "Gemm"],
            )
        else:
            onnx.save(graph, target)


def _objection(model: SentenceTransformer) -> str:
    if encoder_of(model) is None:
        return "it is no transformer with layers"
    other = [type(module).__name__ for module in list(model)[1:] if type(module).__name__ not in PASSES_ON]
    if other:
        return f"it ends in {other[0]}"
    if model.default_prompt_name is not None:
        return "it puts a prompt before each text"
    if not getattr(model.tokenizer, "is_fast", False):
        return "its tokenizer has no fast form"
    return ""


def _graph(model: SentenceTransformer) -> onnx.ModelProto:
    ids = torch.ones(2, 16, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    free = {0: "texts", 1: "tokens"}
    try:
        program = torch.onnx.export(
            Views(model).eval(),
            (ids, mask),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=["views"],
            dynamic_shapes=dict.fromkeys(INPUTS, free),
            verbose=False,
        )
    except Exception as error:  # a border: the exporter lets out whatever a model's own code raises
        reason = str(error).strip().split("\n")[0]
        raise NoGraph(f"the model does not become a graph: {reason}") from error
    assert program is not None  # noqa: S101 - without a file to write it gives one
    graph: onnx.ModelProto = program.model_proto
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of libraries that are not installed and not needed, in warnings and in its log."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
