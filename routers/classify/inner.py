"""What a kind that has an inner kind says in its place: the parameters `inner` and `inner_parameters` mean the same."""

from collections.abc import Mapping
from typing import Any, ClassVar

from routers.classify.kinds import asked_by, described_to, seen_by
from routers.embedding.protocol import Embedder

__all__ = ["Outer"]


class Outer:
    """Base of kinds that ask another one. default_inner: which, where the parameters name none."""

    default_inner: ClassVar[str]

    @classmethod
    def sees(cls, embedder: Embedder, parameters: Mapping[str, Any]) -> Embedder:
        """What of an embedder the inner kind wants to see."""
        name, given = cls._named(parameters)
        return seen_by(name, embedder, given)

    @classmethod
    def asks(cls, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """The experts that the inner kind asks, by the path of the parameter."""
        name, given = cls._named(parameters)
        return {f"inner_parameters.{path}": expert for path, expert in asked_by(name, given).items()}

    @classmethod
    def described(cls, parameters: Mapping[str, Any], descriptions: Mapping[str, str]) -> Mapping[str, Any]:
        """The parameters, with the descriptions of the categories where the inner kind goes by them."""
        name, given = cls._named(parameters)
        told = described_to(name, given, descriptions)
        return parameters if told == given else {**parameters, "inner_parameters": told}

    @classmethod
    def _named(cls, parameters: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        return parameters.get("inner", cls.default_inner), parameters.get("inner_parameters") or {}
