"""Does a classifier keep the contract of `routers.classify.protocol`? And an embedder to try it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from zlib import crc32

import numpy as np

from orchestrator.testing.conformance import ConformanceError
from routers.classify.contribution import Part, total
from routers.classify.kinds import ClassifierKind
from routers.classify.protocol import CategoryClassifier, CrossFitted, Evident, Explained, Stated
from routers.embedding.protocol import Embedder, FloatArray

__all__ = ["WordEmbedder", "check_classifier"]

_EXAMPLES: Mapping[str, Sequence[str]] = {
    "weather": ("will it rain tomorrow", "how warm is it outside", "is there snow in the mountains"),
    "math": ("what is seven times eight", "solve the equation for x", "what is the square root of nine"),
    "code": ("why does this function raise an error", "write a loop in python", "fix the failing test"),
}


SLACK = 1e-3
"""How far a sum may be from its logit: both are float32, and are summed in another order."""


class WordEmbedder:
    """A bag of words, hashed: needs no weights, and texts that share words are near each other."""

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.fingerprint = f"words-{dim}"

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """float32 [n, dim], rows L2-normalised."""
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            # The word that every text has keeps the row of a text without words from being zero.
            for word in ("", *text.lower().split()):
                row[crc32(word.encode("utf-8", "replace")) % self.dim] += 1
        normalised: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return normalised


def check_classifier(
    kind: ClassifierKind, embedder: Embedder | None = None, *, parameters: Mapping[str, Any] | None = None
) -> None:
    """Train, ask, save and restore a kind of classifier; raises `ConformanceError` where it breaks a rule.

    What it can do beyond classifying (`Explained`, `Evident`, `CrossFitted`, `Stated`) is checked where it does it.
    embedder: a `WordEmbedder` if none is given. parameters: keyword arguments of the kind.
    """
    embedder = embedder or WordEmbedder()
    texts = [text for examples in _EXAMPLES.values() for text in examples]
    labels = [label for label, examples in _EXAMPLES.items() for _ in examples]
    classifier = kind(embedder, **(parameters or {}))
    if classifier.fit(texts, labels) is not classifier:
        raise _breach("fit must return self")
    if classifier.classes_ != tuple(sorted(_EXAMPLES)):
        raise _breach(f"classes_ must be the sorted labels as a tuple, not {classifier.classes_!r}")
    _check_outputs(classifier, texts)
    _check_outputs(classifier, texts[:1])
    _check_evidence(classifier, texts)
    _check_explanations(classifier, texts)
    _check_stated(classifier, texts)
    _check_held_out(kind(embedder, **(parameters or {})), texts, labels)
    _check_restored(kind, embedder, classifier, texts)


def _check_outputs(classifier: CategoryClassifier, texts: Sequence[str]) -> None:
    shape = (len(texts), len(classifier.classes_))
    posterior, logits = classifier.posterior(texts), classifier.logits(texts)
    for name, array in (("posterior", posterior), ("logits", logits)):
        if array.shape != shape:
            raise _breach(f"{name} of {len(texts)} texts must have the shape {shape}, not {array.shape}")
        if array.dtype != np.float32:
            raise _breach(f"{name} must be float32, not {array.dtype}")
        if not np.isfinite(array).all():
            raise _breach(f"{name} has numbers that are not finite")
    if (posterior < 0).any() or not np.allclose(posterior.sum(axis=1), 1, atol=1e-5):
        raise _breach(f"rows of posterior must be probabilities that sum to 1, not {posterior.sum(axis=1)}")
    if (posterior.argmax(axis=1) != logits.argmax(axis=1)).any():
        raise _breach("posterior and logits must agree on the likeliest category")


def _check_evidence(classifier: CategoryClassifier, texts: Sequence[str]) -> None:
    if not isinstance(classifier, Evident):
        return
    signals: object = classifier.signals
    if not isinstance(signals, tuple) or len({str(name) for name in signals if name}) != len(signals):
        raise _breach(f"signals must be a tuple of different names, not {signals!r}")
    logits, evidence = classifier.read(texts)
    if not np.array_equal(logits, classifier.logits(texts)):
        raise _breach("read must give the same logits as logits")
    _check_numbers("evidence", evidence, (len(texts), len(classifier.signals)))


def _check_held_out(classifier: CategoryClassifier, texts: Sequence[str], labels: Sequence[str]) -> None:
    """Every example is held out once, two of its category staying."""
    fold = np.arange(len(texts), dtype=np.intp) % 3
    if isinstance(classifier, Evident):
        logits, evidence = classifier.cross_read(texts, labels, fold)
        _check_numbers("evidence of cross_read", evidence, (len(texts), len(classifier.signals)))
    elif isinstance(classifier, CrossFitted):
        logits = classifier.cross_fitted(texts, labels, fold)
    else:
        return
    _check_numbers("held-out logits", logits, (len(texts), len(_EXAMPLES)))
    if classifier.classes_ != tuple(sorted(_EXAMPLES)):
        raise _breach("it must be fitted on everything once its held-out logits are known")
    _check_outputs(classifier, texts)


def _check_explanations(classifier: CategoryClassifier, texts: Sequence[str]) -> None:
    if not isinstance(classifier, Explained):
        return
    if classifier.unit not in {"logit", "score"}:
        raise _breach(f"unit must be 'logit' or 'score', not {classifier.unit!r}")
    for text in texts:
        backwards = classifier.classes_[::-1]
        parts = classifier.explain(text, backwards)
        if not parts:
            raise _breach("explain must give at least one contribution")
        for part in parts:
            if part.part not in get_args(Part) or len(part.values) != len(backwards):
                raise _breach(f"a contribution must be a known part with a value for each category asked for: {part}")
        _check_sums(classifier, np.array(total(parts)), classifier.logits([text])[0][::-1])
        pair = total(classifier.explain(text, backwards[:2]))
        if not np.allclose(pair, total(parts)[:2], atol=SLACK):
            raise _breach("what parts add to a category must not depend on the others that are asked for")


def _check_sums(classifier: Explained, sums: FloatArray, logits: FloatArray) -> None:
    """Logits are summed up; scores at least put the categories into the same order."""
    if classifier.unit == "logit" and not np.allclose(sums, logits, atol=SLACK):
        raise _breach(f"contributions must add up to the logits {logits}, not to {sums}")
    rising = np.argsort(sums, kind="stable")
    if (np.diff(logits[rising]) < -SLACK).any():
        raise _breach(f"the logits {logits} must rise with the scores {sums} to which contributions add up")


def _check_stated(classifier: CategoryClassifier, texts: Sequence[str]) -> None:
    if not isinstance(classifier, Stated):
        return
    stated = classifier.stated(texts)
    if stated.shape != (len(texts), len(classifier.classes_)):
        raise _breach(f"stated must have a row for each text and a column for each category, not {stated.shape}")
    told = ~np.isnan(stated).all(axis=1)
    if (stated[told] < 0).any() or not np.allclose(stated[told].sum(axis=1), 1, atol=1e-5):
        raise _breach("rows of stated must be probabilities that sum to 1, or NaN")


def _check_numbers(name: str, array: FloatArray, shape: tuple[int, int]) -> None:
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise _breach(f"{name} must be finite float32 numbers {shape}, not {array.dtype} {array.shape}")


def _check_restored(
    kind: ClassifierKind, embedder: Embedder, classifier: CategoryClassifier, texts: Sequence[str]
) -> None:
    state = classifier.state()
    for name, tensor in state.items():
        if tensor.dtype != np.float32:
            raise _breach(f"tensor {name!r} of state must be float32, not {tensor.dtype}")
    twin = kind(embedder, **classifier.parameters())
    if twin.restore(classifier.classes_, state) is not twin:
        raise _breach("restore must return self")
    if twin.classes_ != classifier.classes_:
        raise _breach(f"restore must keep the classes, not make them {twin.classes_!r}")
    if not np.array_equal(twin.logits(texts), classifier.logits(texts)):
        raise _breach("a classifier built from parameters and state must have the same logits")
    try:
        kind(embedder, **classifier.parameters()).restore((*classifier.classes_, "one more"), state)
    except ValueError:
        return
    raise _breach("restore must raise ValueError when the state does not fit the classes")


def _breach(how: str) -> ConformanceError:
    return ConformanceError(f"classifier: {how}")
