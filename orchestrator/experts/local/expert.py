"""A small language model in this process as an expert."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.abc import TaskStatus

from orchestrator.config.kinds import LocalSettings
from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.local.conversation import conversation
from orchestrator.experts.local.generation import Generation, Sampler
from orchestrator.experts.local.model import LoadedModel
from orchestrator.experts.local.options import BadRequest, Options
from orchestrator.experts.local.scoring import Scoring
from orchestrator.experts.local.shared import SharedModel
from orchestrator.experts.local.speech import Speech
from orchestrator.experts.local.weights import missing, source_of
from orchestrator.experts.protocol import Capabilities, Condition, LiveProblem, TokenLogprobs
from orchestrator.experts.site import Site
from orchestrator.experts.user_words import APART, common_beginning, with_words
from orchestrator.types import ChatRequest, Draft, Emit

__all__ = ["LocalExpert"]

T = TypeVar("T")


class LocalExpert:
    """Experts that name the same model share it; they differ in their system prompt and defaults."""

    capabilities = Capabilities(score=True)

    def __init__(self, expert_id: str, settings: LocalSettings, site: Site) -> None:
        def load() -> LoadedModel:
            return LoadedModel(source_of(settings.model, folder=site.folder, cache=site.cache))

        self.id = expert_id
        self._settings = settings
        self._folder = site.folder
        self._shared = site.share(("local", settings.model), lambda: SharedModel(settings.model, load))

    @property
    def condition(self) -> Condition:
        """As the model is."""
        return self._shared.condition

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Load the model, unless an expert that shares it has."""
        await self._shared.load()
        task_status.started()
        await anyio.sleep_forever()

    async def live_problems(self) -> list[LiveProblem]:
        """Whether the model's files are there; see `LiveChecked`."""
        look = partial(missing, self._settings.model, folder=self._folder)
        problem = await to_thread.run_sync(look, abandon_on_cancel=True)
        return [LiveProblem(key=("model",), message=problem)] if problem else []

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        with anyio.move_on_after(request.left_s):
            speech = Speech(self.id, emit if request.stream else None)
            with self._refusing():
                options = Options.of(request.body)
            model, prompt = await self._prompt(request)
            generation = self._generation(model, prompt, options)
            async with self._shared.turn():
                while generation.finish_reason is None:
                    await speech.say(await self._work(generation.step))
            return await speech.end(generation.finish_reason, generation.usage, with_usage=options.with_usage)
        raise ExpertTimeout(self.id, "no whole answer before the deadline")

    async def score(self, request: ChatRequest, answer: str) -> TokenLogprobs:
        """How likely the model finds this answer to the request's messages; of the answer alone, no end token.

        Raises:
            ExpertError: as `draft` does.
        """
        result = (await self.score_many(request, [answer]))[0]
        if isinstance(result, ExpertError):
            raise result
        return result

    async def score_many(self, request: ChatRequest, answers: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """The same of several answers; the prompt, rendered as for a draft, is read once for all of them.

        Raises:
            ExpertError: for what concerns them all.
        """
        with anyio.move_on_after(request.left_s):
            return await self._scored(*await self._prompt(request), answers)
        raise ExpertTimeout(self.id, "no score before the deadline")

    async def score_turns(self, request: ChatRequest, texts: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """How likely the model finds texts as the user's words; see `TurnScorer`.

        Raises:
            ExpertError: for what concerns them all.
        """
        with anyio.move_on_after(request.left_s):
            said = [request.replaced(messages=with_words(request.body.get("messages"), word)) for word in APART]
            (model, one), (_, other) = [await self._prompt(asked) for asked in said]
            return await self._scored(model, common_beginning(one, other), texts)
        raise ExpertTimeout(self.id, "no score before the deadline")

    async def _scored(
        self, model: LoadedModel, prompt: list[int], answers: Sequence[str]
    ) -> list[TokenLogprobs | ExpertError]:
        split = [await self._work(partial(model.tokens, answer)) for answer in answers]
        fits = [len(prompt) + len(tokens) <= model.context for tokens in split]
        scoring = Scoring(model, prompt, [tokens for tokens, fit in zip(split, fits, strict=True) if fit])
        async with self._shared.turn():
            while not scoring.over:
                await self._work(scoring.step)
        scored = iter(scoring.results)
        return [
            next(scored) if fit else self._too_long(model, prompt=len(prompt), answer=len(tokens))
            for tokens, fit in zip(split, fits, strict=True)
        ]

    async def _prompt(self, request: ChatRequest) -> tuple[LoadedModel, list[int]]:
        """The model, once it is loaded, and the request's messages as its tokens."""
        with self._refusing():
            messages = conversation(request.body.get("messages"), system=self._settings.system)
        model = await self._shared.loaded()
        if model is None:
            raise ExpertUnavailable(self.id, self.condition.reason)
        prompt = await self._work(partial(model.prompt, messages))
        if len(prompt) + 1 > model.context:
            raise self._too_long(model, prompt=len(prompt), answer=1)
        return model, prompt

    def _generation(self, model: LoadedModel, prompt: list[int], options: Options) -> Generation:
        temperature = self._settings.temperature if options.temperature is None else options.temperature
        top_p = 1.0 if options.top_p is None else options.top_p
        penalty = options.repetition_penalty or self._settings.repetition_penalty
        return Generation(
            model,
            prompt,
            sampler=Sampler(temperature=temperature, top_p=top_p, repetition_penalty=penalty, seed=options.seed),
            limit=min(options.limit or self._settings.max_tokens, model.context - len(prompt)),
            stops=options.stops,
        )

    def _too_long(self, model: LoadedModel, *, prompt: int, answer: int) -> ExpertRejected:
        """What is said of a request that does not fit; lengths in tokens."""
        lengths = f"the prompt has {prompt} tokens and the answer at least {answer}"
        return ExpertRejected(self.id, f"messages: {lengths}; the model takes {model.context} together")

    async def _work(self, step: Callable[[], T]) -> T:
        with self._refusing():
            try:
                return await self._shared.work(step)
            except BadRequest:
                raise
            except Exception as error:
                raise ExpertFailed(self.id, f"{type(error).__name__}: {error}") from error

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except BadRequest as error:
            raise ExpertRejected(self.id, str(error)) from error
