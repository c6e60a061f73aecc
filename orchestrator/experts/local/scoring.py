"""Answers being scored, in steps of bounded length that a thread runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from transformers import DynamicCache

from orchestrator.experts.local.model import PIECE_TOKENS, LoadedModel
from orchestrator.experts.protocol import TokenLogprobs
from orchestrator.types import Usage

__all__ = ["Scoring"]


class Scoring:
    """Reads a prompt once, and then given answers to it, and notes how likely each token of them was."""

    def __init__(self, model: LoadedModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> None:
        self._model = model
        self._answers = answers
        self._logprobs: list[list[float]] = [[] for _ in answers]
        self._prompt_tokens = len(prompt)
        self._unread = list(prompt)
        self._cache = model.new_cache()
        self._after_prompt: torch.Tensor | None = None
        self._current: DynamicCache | None = None

    @property
    def over(self) -> bool:
        """Whether every token of every answer has its log-probability."""
        return self._next is None

    @property
    def _next(self) -> int | None:
        """The answer that is being read; None when all are."""
        pairs = enumerate(zip(self._answers, self._logprobs, strict=True))
        return next((number for number, (answer, known) in pairs if len(known) < len(answer)), None)

    @property
    def results(self) -> list[TokenLogprobs]:
        """Of each answer its tokens as text, and their log-probabilities; the prompt counts as read for the first."""
        return [
            TokenLogprobs(
                tokens=tuple(self._model.text([token]) for token in answer),
                logprobs=tuple(known),
                usage=Usage(input_tokens=len(answer) + (self._prompt_tokens if number == 0 else 0)),
            )
            for number, (answer, known) in enumerate(zip(self._answers, self._logprobs, strict=True))
        ]

    def step(self) -> None:
        """Read one piece."""
        number = self._next
        if number is None:
            return
        if self._after_prompt is None:
            self._read_prompt()
        else:
            self._read_answer(self._answers[number], self._logprobs[number], self._after_prompt)

    def _read_prompt(self) -> None:
        piece, self._unread = self._unread[:PIECE_TOKENS], self._unread[PIECE_TOKENS:]
        logits = self._model.read(piece, self._cache)
        if not self._unread:
            self._after_prompt = logits[-1:]

    def _read_answer(self, answer: Sequence[int], known: list[float], after_prompt: torch.Tensor) -> None:
        """The next piece of an answer; the logits after a token are those of the next."""
        if not known:
            self._current = copy.deepcopy(self._cache)  # each answer follows the prompt, not the answer before
            known += _logprobs(after_prompt, answer[:1])
        read = len(known) - 1
        piece = answer[read:-1][:PIECE_TOKENS]
        if piece and self._current is not None:
            logits = self._model.read(piece, self._current, keep=len(piece))
            known += _logprobs(logits, answer[read + 1 : read + 1 + len(piece)])


def _logprobs(logits: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """Of each token, by the row of logits that it has."""
    chosen = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(tokens)[:, None])
    found: list[float] = chosen[:, 0].tolist()
    return found
