"""One answer in the making, in steps of bounded length that a thread runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from orchestrator.experts.local.model import PIECE_TOKENS, LoadedModel
from orchestrator.experts.local.text import AnswerText
from orchestrator.types import Usage

__all__ = ["Generation", "Sampler"]

_GREEDY_BELOW = 1e-4
"""Temperature from which on something is left to chance; dividing by one near 0 makes NaN of float32 logits."""


class Sampler:
    """Chooses the next token.

    temperature: 0, or nearly so, takes the likeliest token.
    top_p: share of the probability, in (0, 1], that may be chosen from.
    repetition_penalty: above 1 makes tokens that the answer has already less likely (Keskar et al. 2019, section
    4.1, on the answer alone: a prompt may well be repeated). seed: the same one chooses the same tokens; None is
    different every time.
    """

    def __init__(
        self,
        *,
        temperature: float,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        seed: int | None = None,
    ) -> None:
        self._repetition_penalty = repetition_penalty
        self._temperature = temperature
        self._top_p = top_p
        self._random = torch.Generator()
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed % 2**63)

    def pick(self, logits: torch.Tensor, said: Collection[int] = ()) -> int:
        """A token id; `logits` is float32 [vocabulary], `said` the tokens of the answer so far."""
        if self._repetition_penalty != 1 and said:
            logits = self._penalised(logits, torch.tensor(sorted(said)))
        if self._temperature < _GREEDY_BELOW:
            return int(logits.argmax())
        # Against the largest, so that a temperature near 0 gives -inf for the others and not inf for all.
        probabilities = torch.softmax((logits - logits.max()) / self._temperature, dim=-1)
        ordered, tokens = probabilities.sort(descending=True)
        # The smallest set that holds top_p, the token that crosses it included (Holtzman et al. 2020, section 3.1).
        ordered[ordered.cumsum(dim=-1) - ordered >= self._top_p] = 0
        return int(tokens[torch.multinomial(ordered, 1, generator=self._random)])

    def _penalised(self, logits: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        of_said, penalty = logits[said], self._repetition_penalty
        return logits.index_put((said,), torch.where(of_said > 0, of_said / penalty, of_said * penalty))


class Generation:
    """Reads a prompt, then generates token by token until an end, a stop text or the limit.

    finish_reason: `stop` or `length` once it is over, None before.
    """

    def __init__(
        self, model: LoadedModel, prompt: Sequence[int], *, sampler: Sampler, limit: int, stops: Sequence[str] = ()
    ) -> None:
        self.finish_reason: str | None = None
        self._model = model
        self._sampler = sampler
        self._limit = limit
        self._text = AnswerText(model.text, stops)
        self._cache = model.new_cache()
        self._unread = list(prompt)
        self._prompt_tokens = len(prompt)
        self._tokens = 0
        self._said: set[int] = set()

    @property
    def usage(self) -> Usage:
        """Tokens so far; the one that ended the answer counts, as vLLM counts it."""
        return Usage(input_tokens=self._prompt_tokens, output_tokens=self._tokens)

    def step(self) -> str:
        """Read a piece of the prompt or generate one token; the text that is certain now, often none."""
        piece, self._unread = self._unread[:PIECE_TOKENS], self._unread[PIECE_TOKENS:]
        logits = self._model.read(piece, self._cache)
        return "" if self._unread else self._take(self._sampler.pick(logits[-1], self._said))

    def _take(self, token: int) -> str:
        self._tokens += 1
        self._said.add(token)
        self._unread = [token]
        if token in self._model.ends:
            self.finish_reason = "stop"
            return self._text.close()
        text = self._text.add(token)
        if self._tokens == self._limit:
            self.finish_reason = "length"
            text += self._text.close()
        if self._text.stopped:
            self.finish_reason = "stop"
        return text
