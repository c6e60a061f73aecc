"""A loaded model: a tokenizer and a causal language model. Blocking, for one thread at a time; knows no requests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from orchestrator.experts.local.options import BadRequest
from orchestrator.experts.local.weights import quiet

__all__ = ["PIECE_TOKENS", "LoadedModel"]

PIECE_TOKENS = 64
"""Most tokens that one forward pass reads: a long prompt is read in pieces, so that whoever left stops it soon."""


class LoadedModel:
    """What transformers loads from one place, in float32 on the CPU.

    context: most tokens of prompt and answer together. ends: the tokens that end an answer.
    """

    def __init__(self, source: str) -> None:
        quiet()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
        if not self._tokenizer.chat_template:
            raise ValueError(f"{source!r} has no chat template: it is not a model to talk with")
        self._model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
        self.context: int = self._model.config.max_position_embeddings
        self._threads = max(1, _cores() // 2)
        self.ends = _ends(self._model.generation_config.eos_token_id, self._tokenizer.eos_token_id)

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of a conversation, up to where the answer begins.

        Raises:
            BadRequest: the model's chat template refuses it.
        """
        try:
            text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise BadRequest(f"messages: {error}") from error
        return self.tokens(text)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without those that a tokenizer puts around one."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def new_cache(self) -> DynamicCache:
        """Room for what the model remembers of one conversation."""
        return DynamicCache(config=self._model.config)

    def read(self, tokens: Sequence[int], cache: DynamicCache, *, keep: int = 1) -> torch.Tensor:
        """Read on; float32 [keep, vocabulary], the logits after each of the last `keep` tokens."""
        # Half of the cores: threads that wait for one which the event loop or another process has displaced cost far
        # more than they add (on two cores with one busy, 16 tokens took 5 to 40 s with two threads, 1.1 s with one).
        # Set at each call, since OpenMP keeps the number per thread and the caller's thread may be a new one.
        torch.set_num_threads(self._threads)
        with torch.inference_mode():
            out = self._model(
                input_ids=torch.tensor([tokens]), past_key_values=cache, use_cache=True, logits_to_keep=keep
            )
        logits: torch.Tensor = out.logits[0]
        return logits


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ends(*found: int | Sequence[int] | None) -> frozenset[int]:
    """Token ids, given one by one, in lists, or not at all."""
    return frozenset(token for ids in found if ids is not None for token in ([ids] if isinstance(ids, int) else ids))
