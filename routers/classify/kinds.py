"""Finds a kind of classifier by name; a kind's own imports load only when it is named."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeAlias, cast

from routers.classify.protocol import CategoryClassifier
from routers.embedding.protocol import Embedder
from routers.errors import UnknownClassifier

__all__ = ["GROUP", "ClassifierKind", "asked_by", "classifier_kind", "described_to", "seen_by"]

GROUP = "orchestrator.routers"
"""The entry point group whose objects are called as `kind(embedder, **parameters)`."""

ClassifierKind: TypeAlias = Callable[..., CategoryClassifier]


def classifier_kind(name: str) -> ClassifierKind:
    """The kind of that name.

    Raises:
        UnknownClassifier: nobody provides it, or what provides it does not import.
    """
    kinds = entry_points(group=GROUP)
    if name not in kinds.names:
        known = ", ".join(sorted(kinds.names)) or "none, since this package is not installed"
        raise UnknownClassifier(f"no classifier kind is called {name!r}; known: {known}")
    try:
        return cast("ClassifierKind", kinds[name].load())
    except (ImportError, AttributeError) as error:
        raise UnknownClassifier(f"the classifier kind {name!r} does not load ({error}); reinstall it") from error


def seen_by(name: str, embedder: Embedder, parameters: Mapping[str, Any] | None = None) -> Embedder:
    """What a kind wants to see of an embedder: all its layers, or as a rule the embedder as it is.

    A kind says so by a static method `sees(embedder, parameters)`; parameters: those that it will be built with.

    Raises:
        UnknownClassifier: as `classifier_kind`.
    """
    sees: Callable[[Embedder, Mapping[str, Any]], Embedder] | None = getattr(classifier_kind(name), "sees", None)
    return sees(embedder, parameters or {}) if sees else embedder


def asked_by(name: str, parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """The experts that a kind asks when it classifies, by the path of the parameter that names them; most ask nobody.

    A kind says so by a static method `asks(parameters)`; one that wraps other kinds passes on theirs.

    Raises:
        UnknownClassifier: as `classifier_kind`.
    """
    asks: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = getattr(classifier_kind(name), "asks", None)
    return asks(parameters) if asks else {}


def described_to(name: str, parameters: Mapping[str, Any], descriptions: Mapping[str, str]) -> Mapping[str, Any]:
    """The parameters of a kind, with the descriptions of the categories where it goes by them.

    A kind takes them by a static method `described(parameters, descriptions)`; one that wraps other kinds passes on.

    Raises:
        UnknownClassifier: as `classifier_kind`.
    """
    described: Callable[[Mapping[str, Any], Mapping[str, str]], Mapping[str, Any]] | None
    described = getattr(classifier_kind(name), "described", None)
    return described(parameters, descriptions) if described else parameters
