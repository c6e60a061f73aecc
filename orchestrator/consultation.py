"""Asks experts on behalf of classifiers: bounded, priced, remembered. For the service, and for training.

Knows no prompt. In the service a query is classified in a thread of its own, so that a client that leaves, or the
classifier's deadline, cancels the calls of that query and of no other.
"""

from __future__ import annotations

import concurrent.futures
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import TypeVar

import anyio
import anyio.lowlevel
import orjson
import stamina
from anyio import to_thread
from anyio.from_thread import start_blocking_portal

from orchestrator import from_thread
from orchestrator.asking import Body, Line, connected
from orchestrator.config import Config
from orchestrator.decision import Attempt
from orchestrator.errors import ExpertBusy, ExpertError, sole
from orchestrator.fleet.registry import Registry
from orchestrator.fleet.surroundings import embedders_of, experts_of
from orchestrator.stages.draft import Relay, call, nowhere
from orchestrator.types import ChatRequest, Draft
from routers.classify.kinds import asked_by
from routers.errors import TrainingError
from routers.train import Progress

__all__ = ["Consultant", "consulted_by", "experts_at_hand"]

AT_ONCE = 8
"""Calls side by side, of all queries together; whoever comes then waits, within its deadline."""

REMEMBERED = 64
"""Drafts that a service keeps, so that explaining what has just been decided asks nobody again."""

TRAINING_ATTEMPTS = 3
"""Calls for one training query at most: a hiccup must not cost the thousands of answers that are there."""

MOST_TRAINING_DRAFTS = 100_000
"""Drafts that one training run keeps, some kilobytes each with their probabilities."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def consulted_by(config: Config) -> tuple[str, ...]:
    """The experts that the configuration's classifier asks, each once; none for most kinds."""
    return tuple(dict.fromkeys(asked_by(config.routing.classifier, config.routing.parameters).values()))


class Consultant:
    """Asks the experts of a registry, at most `AT_ONCE` calls at a time.

    deadline_s: of each call. attempts: calls for one request at most, while it fails retryably. remembered: drafts
    kept, by content: the same request to the same expert, all at temperature 0, has the same answer.
    """

    def __init__(
        self, registry: Registry, *, deadline_s: float, attempts: int = 1, remembered: int = REMEMBERED
    ) -> None:
        self._registry = registry
        self._deadline_s = deadline_s
        self._attempts = attempts
        self._remembered = remembered
        self._known: OrderedDict[bytes, Draft] = OrderedDict()
        self._room = anyio.Semaphore(AT_ONCE)
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def run(
        self, work: Callable[[Argument], Result], argument: Argument, *, calls: list[Attempt], recall: bool = False
    ) -> Result:
        """Do blocking work in a thread in which `ask` works; leaves promptly when it is cancelled.

        calls: what was asked is added to it. recall: take drafts that are remembered.
        """

        def line(expert: str, bodies: Sequence[Body]) -> list[Draft]:
            return from_thread.run(partial(self.drafts, expert, bodies, calls=calls, recall=recall))

        try:
            with connected(line):
                return await to_thread.run_sync(work, argument, limiter=self._threads)
        except concurrent.futures.CancelledError:  # the calls of a thread are cancelled with the task that started it
            await anyio.lowlevel.checkpoint()
            raise

    async def drafts(
        self,
        expert: str,
        bodies: Sequence[Body],
        *,
        calls: list[Attempt],
        recall: bool,
        progress: Progress | None = None,
    ) -> list[Draft]:
        """The drafts for these requests, in their order.

        Raises:
            ExpertError: one did not come; the others are cancelled.

        """
        found: dict[int, Draft] = {}

        async def one(number: int, body: Body) -> None:
            async with self._room:
                found[number] = await self._draft(expert, body, calls=calls, recall=recall)
            if progress is not None:
                progress(f"ask {expert}", len(found), len(bodies))

        try:
            async with anyio.create_task_group() as group:
                for number, body in enumerate(bodies):
                    group.start_soon(one, number, body)
        except ExceptionGroup as errors:
            raise sole(errors) from errors
        return [found[number] for number in range(len(bodies))]

    async def _draft(self, expert: str, body: Body, *, calls: list[Attempt], recall: bool) -> Draft:
        key = sha256(orjson.dumps([expert, body], option=orjson.OPT_SORT_KEYS)).digest()
        if recall and key in self._known:
            return self._known[key]
        await self._registry.start(expert)
        request = ChatRequest(body={"model": expert, **body}, deadline=anyio.current_time() + self._deadline_s)
        retrying = stamina.AsyncRetryingCaller(attempts=self._attempts, timeout=self._deadline_s, wait_initial=0.2)
        draft = await retrying(_again, _once, self._registry, expert, request, calls)
        self._known[key] = draft
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return draft


def _again(error: Exception) -> bool | float:
    """An expert that others keep busy is asked again too: where this may be repeated, nobody waits for the answer."""
    if not isinstance(error, ExpertError) or not (error.retryable or isinstance(error, ExpertBusy)):
        return False
    return error.retry_after_s or True


async def _once(registry: Registry, expert: str, request: ChatRequest, calls: list[Attempt]) -> Draft:
    return await call(registry, expert, request, Relay(nowhere, request.deadline), role="categorize", attempts=calls)


@contextmanager
def experts_at_hand(config: Config, progress: Progress | None = None) -> Iterator[None]:
    """Around blocking work without an event loop: those experts that the classifier asks can be asked inside.

    Does nothing for a classifier that asks nobody. What was asked once is not asked again.

    Raises:
        TrainingError: an expert did not answer.

    """
    if not consulted_by(config):
        yield
        return
    try:
        with _open_line(config, progress) as line, connected(line):
            yield
    except ExpertError as error:
        problem = f"classifier {config.routing.classifier!r}: expert {error.expert!r} did not answer ({error})"
        raise TrainingError([f"{problem}; try 'orchestrator experts'"]) from error


@contextmanager
def _open_line(config: Config, progress: Progress | None) -> Iterator[Line]:
    """The experts of a configuration, alive on an event loop in a thread of its own."""
    try:
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(experts_of(config, embedders_of(config))) as registry,
        ):
            consultant: Consultant = portal.call(partial(_patient, registry, deadline_s=config.budget.deadline_s))

            def line(expert: str, bodies: Sequence[Body]) -> list[Draft]:
                return portal.call(partial(consultant.drafts, expert, bodies, calls=[], recall=True, progress=progress))

            yield line
    except BaseExceptionGroup as errors:  # what ends the block passes through the task groups of the experts
        raise sole(errors) from None


def _patient(registry: Registry, *, deadline_s: float) -> Consultant:
    return Consultant(registry, deadline_s=deadline_s, attempts=TRAINING_ATTEMPTS, remembered=MOST_TRAINING_DRAFTS)
