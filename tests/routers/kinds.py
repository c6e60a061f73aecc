"""Every kind of classifier that is installed, loads, and can be built from an embedder alone."""

import inspect
from collections.abc import Iterator
from importlib.metadata import entry_points

from routers.classify.kinds import GROUP, classifier_kind
from routers.errors import UnknownClassifier

__all__ = ["KINDS"]


def _kinds() -> Iterator[str]:
    for name in sorted(entry_points(group=GROUP).names):
        try:
            needed = inspect.signature(classifier_kind(name)).parameters.values()
        except UnknownClassifier:  # somebody else's plugin, or one whose extras are not installed
            continue
        if not any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in needed):
            yield name


KINDS = tuple(_kinds())
"""Kinds whose parameters all have a default, by name."""
