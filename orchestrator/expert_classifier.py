"""The classifier kind `llm`: asks an expert of the configuration which category a query belongs to.

Nothing is fitted but which examples are shown. How sure an expert is comes from the probabilities of its tokens where
it tells them; where it only states a choice, all its choices are equally likely to be right, and calibration on
held-out queries sets how likely. Each query costs a call, in training too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

from orchestrator.asking import ask
from orchestrator.multiple_choice import Choice, Question
from routers.calibrate import IntArray, softmax
from routers.classify.protocol import State
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["ExpertClassifier"]

EXAMPLES = "examples"
MOST_BYTE = 255


class ExpertClassifier:
    """A `CategoryClassifier` that asks an expert, through the line that `orchestrator.asking` finds around it.

    expert: the id of an expert that chats. examples: shown of each category, the first that were learned. descriptions:
    by category; those of the configuration where none are given. logprobs: ask for the probabilities of tokens; for
    servers that refuse such a request.

    An answer that names no category is asked for once more. If that one does not either, every category is equally
    likely, so the evidence is the least and the gate decides. The same holds for an expert that chooses none of them.

    Raises:
        ExpertError: on use, the expert does not answer.

    """

    classes_: tuple[str, ...]
    shown_: tuple[tuple[str, ...], ...]

    signals = ("score",)
    """The probability of the likeliest category, beside the others and none of them."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        expert: Annotated[str, Field(min_length=1)],
        examples: Annotated[int, Field(ge=0, le=100)] = 3,
        descriptions: Mapping[str, str] | None = None,
        logprobs: bool = True,
    ) -> None:
        del embedder  # the expert reads for itself
        self._expert = expert
        self._examples = examples
        self._descriptions = dict(descriptions or {})
        self._logprobs = logprobs

    @staticmethod
    def asks(parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The experts that it asks, by the path of the parameter."""
        expert = parameters.get("expert")
        return {"expert": expert} if isinstance(expert, str) else {}

    @staticmethod
    def described(parameters: Mapping[str, Any], descriptions: Mapping[str, str]) -> Mapping[str, Any]:
        """The parameters, with descriptions of the categories unless they have their own."""
        return {"descriptions": dict(descriptions), **parameters}

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Choose the examples to show. Asks nobody."""
        self.classes_ = tuple(sorted(set(labels)))
        self._show(_first(texts, labels, classes=self.classes_, most=self._examples))
        return self

    def cross_read(self, texts: Sequence[str], labels: Sequence[str], fold: IntArray) -> tuple[FloatArray, FloatArray]:
        """Fit, and give each text's logits and evidence where only examples of other folds are shown: a call a text."""
        self.fit(texts, labels)
        questions: dict[int, Question] = {}
        for number in np.unique(fold):
            others = np.flatnonzero(fold != number).tolist()
            shown = _first(
                [texts[row] for row in others],
                [labels[row] for row in others],
                classes=self.classes_,
                most=self._examples,
            )
            questions[int(number)] = self._question_with(shown)
        return self._seen([questions[int(number)] for number in fold], texts)

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits float32 [n, n_categories], and evidence float32 [n, 1], see `signals`. A call a text."""
        return self._seen([self._question] * len(texts), texts)

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], uncalibrated: log-probabilities, less what is the same for all categories."""
        return self.read(texts)[0]

    def posterior(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, n_categories], rows sum to 1, uncalibrated."""
        return softmax(self.logits(texts)).astype(np.float32)

    def state(self) -> State:
        """`examples`: those shown, as the bytes of UTF-8 JSON {category: [text]}, one number each."""
        written = json.dumps(dict(zip(self.classes_, self.shown_, strict=True))).encode()
        return {EXAMPLES: np.frombuffer(written, dtype=np.uint8).astype(np.float32)}

    def parameters(self) -> Mapping[str, Any]:
        """The keyword arguments of the constructor."""
        return {
            "expert": self._expert,
            "examples": self._examples,
            "descriptions": self._descriptions,
            "logprobs": self._logprobs,
        }

    def restore(self, classes: Sequence[str], state: State) -> Self:
        """Become what `state` describes; raises ValueError when it does not fit the classes."""
        if set(state) != {EXAMPLES}:
            message = f"expected the tensor {EXAMPLES!r}, found {', '.join(map(repr, sorted(state)))}"
            raise ValueError(message)
        shown = _written(state[EXAMPLES])
        if set(shown) != set(classes):
            message = f"tensor {EXAMPLES!r} has examples of other categories than {', '.join(classes)}"
            raise ValueError(message)
        self.classes_ = tuple(classes)
        self._show(tuple(tuple(shown[name]) for name in classes))
        return self

    def _show(self, shown: tuple[tuple[str, ...], ...]) -> None:
        self.shown_ = shown
        self._question = self._question_with(shown)

    def _question_with(self, shown: tuple[tuple[str, ...], ...]) -> Question:
        choices = [
            Choice(name, self._descriptions.get(name, ""), texts)
            for name, texts in zip(self.classes_, shown, strict=True)
        ]
        return Question(choices, logprobs=self._logprobs)

    def _seen(self, questions: Sequence[Question], texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Logits and evidence of each text by its question."""
        asked = list(zip(questions, texts, strict=True))
        drafts = ask(self._expert, [question.body(text) for question, text in asked]) if asked else []
        found = [question.read(draft) for (question, _), draft in zip(asked, drafts, strict=True)]
        unclear = [place for place, row in enumerate(found) if row is None]
        if unclear:
            bodies = [asked[place][0].mended(asked[place][1], drafts[place].text) for place in unclear]
            for place, draft in zip(unclear, ask(self._expert, bodies), strict=True):
                found[place] = asked[place][0].read(draft)
        rows = [row if row is not None else asked[place][0].undecided() for place, row in enumerate(found)]
        known = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.classes_) + 1)[:, :-1]
        return known.astype(np.float32), np.exp(known.max(axis=1, keepdims=True)).astype(np.float32)


def _first(
    texts: Sequence[str], labels: Sequence[str], *, classes: Sequence[str], most: int
) -> tuple[tuple[str, ...], ...]:
    """The first texts of each class."""
    of = {name: [text for text, label in zip(texts, labels, strict=True) if label == name] for name in classes}
    return tuple(tuple(of[name][:most]) for name in classes)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _written(tensor: FloatArray) -> Mapping[str, Sequence[str]]:
    """What a tensor of bytes says; raises ValueError unless it is {text: [text]}."""
    found: object = None
    if tensor.ndim == 1 and np.isin(tensor, np.arange(MOST_BYTE + 1)).all():
        found = json.loads(tensor.astype(np.uint8).tobytes())
    if isinstance(found, dict) and all(map(_is_texts, found.values())):
        return found
    message = f"tensor {EXAMPLES!r} holds no examples"
    raise ValueError(message)
