"""The conformance checks find what they are for."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import numpy as np
import pytest

from orchestrator.errors import ExpertFailed
from orchestrator.experts import Capabilities
from orchestrator.testing import (
    ConformanceError,
    Reply,
    ScriptedExpert,
    WordEmbedder,
    check_classifier,
    check_expert,
    in_service,
)
from orchestrator.types import ChatRequest, Chunk, Draft, Emit
from routers.classify.contribution import Contribution
from routers.classify.kernel import KernelClassifier
from routers.classify.kinds import ClassifierKind
from routers.classify.linear import LinearClassifier
from routers.classify.nearest import NearestClassifier

Ask = Callable[[ChatRequest, Emit], Awaitable[Draft]]


class Altered(ScriptedExpert):
    """A scripted expert whose `draft` goes through a function that breaks one rule."""

    def __init__(self, alter: Callable[..., Any], **attributes: Any) -> None:
        super().__init__("a", "one two")
        self._alter = alter
        vars(self).update(attributes)

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        altered: Draft = await self._alter(super().draft, request, emit)
        return altered


async def foreign(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return replace(await draft(request, emit), expert="b")


async def talkative(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return await draft(request.replaced(stream=True), emit)


async def forgetful(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return replace(await draft(request, emit), text="one")


async def renamed(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return await draft(request, lambda chunk: emit(Chunk(chunk.raw.replace(b'"a"', b'"x"'))))


async def garbled(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return await draft(request, lambda chunk: emit(Chunk(chunk.raw[:-1])))


async def crashing(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    return (await draft(request, emit), request.body["messages"][0]["role"].upper())[0]


async def clinging(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    with anyio.CancelScope(shield=True), anyio.move_on_after(0.3):
        return await draft(request, emit)
    return Draft(expert="a", text="", total_s=0)


async def idle(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    del draft, emit
    return Draft(expert="a", text="" if request.stream else "x", total_s=0)


async def late(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    if request.left_s < 1:
        await anyio.sleep_forever()
    return await draft(request, emit)


async def failing(draft: Ask, request: ChatRequest, emit: Emit) -> Draft:
    del draft, request, emit
    raise ExpertFailed("a", "no")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("expert", "finding"),
    [
        (Altered(foreign), "answers for 'b'"),
        (Altered(talkative), "not streamed emitted"),
        (Altered(forgetful), "add up to 'one two'"),
        (Altered(renamed), "must be the expert's id"),
        (Altered(garbled), "not a chat.completion.chunk"),
        (Altered(crashing), "instead of an ExpertError"),
        (Altered(clinging), "to leave|went on"),
        (Altered(idle), "emitted nothing|the chunks say"),
        (Altered(late), "past the deadline"),
        (Altered(failing), "did not answer"),
        (ScriptedExpert("", "x"), "id must be"),
        (ScriptedExpert("a", Reply(pieces=("x",), completion=b'{"choices": []}')), "cannot be read"),
        (ScriptedExpert("a", Reply(pieces=("x",), completion=b'{"choices": [{"message": {"content": "y"}}]}')), "'y'"),
    ],
)
async def test_each_breach_is_found_and_named(expert: ScriptedExpert, finding: str) -> None:
    """The message says what is wrong in words."""
    with anyio.fail_after(20), pytest.raises(ConformanceError, match=finding):
        await check_expert(expert, limit_s=2, leaves_within_s=0.2)


@pytest.mark.anyio
async def test_stream_is_not_asked_of_an_expert_that_has_none() -> None:
    """Capabilities are part of the contract."""
    expert = Altered(forgetful, capabilities=Capabilities(stream=False))
    await check_expert(expert)


@pytest.mark.anyio
async def test_error_within_a_service_block_comes_out_as_it_is() -> None:
    """Not wrapped in the group of the experts' tasks."""
    with pytest.raises(KeyError):
        async with in_service(ScriptedExpert("a")):
            raise KeyError


def test_linear_keeps_the_contract_of_a_classifier() -> None:
    """The public conformance check, with and without parameters."""
    check_classifier(LinearClassifier)
    check_classifier(LinearClassifier, WordEmbedder(32), parameters={"c": 1.0})


class Unrestored(LinearClassifier):
    """Restores something else."""

    def restore(self, classes: Any, state: Any) -> "Unrestored":
        super().restore(classes, {**state, "intercept": state["intercept"] + 1})
        return self


class Unsummed(LinearClassifier):
    """Gives weights instead of probabilities."""

    def posterior(self, texts: Any) -> Any:
        return super().posterior(texts) * 2


class Double(LinearClassifier):
    """Computes in float64."""

    def logits(self, texts: Any) -> Any:
        return super().logits(texts).astype(np.float64)


class Selfless(LinearClassifier):
    """Forgets to return itself."""

    def fit(self, texts: Any, labels: Any) -> Any:
        super().fit(texts, labels)


class Overstated(LinearClassifier):
    """Explains more than there is."""

    def explain(self, text: str, categories: Any) -> Any:
        return (*super().explain(text, categories), Contribution("other", "more", (0.5,) * len(categories)))


class Mumbling(LinearClassifier):
    """Explains nothing."""

    def explain(self, text: str, categories: Any) -> Any:
        del text, categories
        return ()


class Backward(KernelClassifier):
    """Its scores fall where its logits rise."""

    def explain(self, text: str, categories: Any) -> Any:
        parts = super().explain(text, categories)
        return [Contribution(part.part, part.name, tuple(-value for value in part.values)) for part in parts]


class Unnamed(KernelClassifier):
    """Has two signals and one name."""

    signals = ("score", "score")


class Moody(KernelClassifier):
    """Reads something else than it says."""

    def read(self, texts: Any) -> Any:
        logits, evidence = super().read(texts)
        return logits, evidence[:, :1]


class Unfolded(NearestClassifier):
    """Forgets a text that was held out."""

    def cross_read(self, texts: Any, labels: Any, fold: Any) -> Any:
        logits, evidence = super().cross_read(texts, labels, fold)
        return logits[1:], evidence


class Boastful(LinearClassifier):
    """States what is no probability."""

    def stated(self, texts: Any) -> Any:
        return np.full((len(texts), len(self.classes_)), 0.9)


class Lenient(LinearClassifier):
    """Takes any state."""

    def restore(self, classes: Any, state: Any) -> "Lenient":
        return super().restore(classes[: len(state["intercept"])], state)


@pytest.mark.parametrize(
    ("kind", "finding"),
    [
        (Unrestored, "same logits"),
        (Unsummed, "sum to 1"),
        (Double, "float32"),
        (Selfless, "fit must return self"),
        (Lenient, "ValueError|keep the classes"),
        (Overstated, "add up to the logits"),
        (Mumbling, "at least one contribution"),
        (Backward, "must rise with the scores"),
        (Unnamed, "different names"),
        (Moody, "evidence must be"),
        (Unfolded, "held-out logits must be"),
        (Boastful, "probabilities that sum to 1, or NaN"),
    ],
)
def test_each_breach_of_a_classifier_is_found_and_named(kind: ClassifierKind, finding: str) -> None:
    """The message says what is wrong in words."""
    with pytest.raises(ConformanceError, match=finding):
        check_classifier(kind)


def test_word_embedder_puts_texts_that_share_words_near_each_other() -> None:
    """Unit rows, also for a text without words."""
    rows = WordEmbedder().embed(["is it raining", "it is raining now", "solve for x", ""])
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
