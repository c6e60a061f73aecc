"""The kinds of expert that are installed, our own included: entry points of the group `orchestrator.experts`.

Loads their settings, which are light, and never the experts themselves.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from orchestrator.config.settings import ExpertSettings
from orchestrator.errors import ConfigError

__all__ = ["GROUP", "expert_kinds"]

GROUP = "orchestrator.experts"


def expert_kinds() -> dict[str, type[ExpertSettings]]:
    """The settings class of each kind, by the name that `kind:` has in the file, sorted.

    Raises:
        ConfigError: a plugin cannot be imported, breaks the contract, or takes a name that is taken.

    """
    kinds: dict[str, type[ExpertSettings]] = {}
    origins: dict[str, EntryPoint] = {}
    problems: list[str] = []
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name in origins:
            if entry.value != origins[entry.name].value:
                problems.append(f"{_called(entry)}: the name is taken by {_origin(origins[entry.name])}")
            continue
        origins[entry.name] = entry
        try:
            kinds[entry.name] = _settings(entry)
        except (ImportError, AttributeError, TypeError) as error:
            problems.append(f"{_called(entry)}: {error}")
    if not (kinds or problems):
        problems.append("no kind of expert is installed: install this project (pip install --editable .)")
    if problems:
        raise ConfigError(problems)
    return kinds


def _called(entry: EntryPoint) -> str:
    return f"expert kind {entry.name!r} ({_origin(entry)})"


def _origin(entry: EntryPoint) -> str:
    return entry.value + (f" of {entry.dist.name}" if entry.dist else "")


def _settings(entry: EntryPoint) -> type[ExpertSettings]:
    loaded = entry.load()
    if not (isinstance(loaded, type) and issubclass(loaded, ExpertSettings)):
        message = "is no subclass of ExpertSettings"
        raise TypeError(message)
    field = loaded.model_fields["kind"]
    if get_args(field.annotation) != (entry.name,) or field.default != entry.name:
        message = f'lacks the field: kind: Literal["{entry.name}"] = "{entry.name}"'
        raise TypeError(message)
    if not isinstance(getattr(loaded, "implementation", None), str):
        message = "lacks the class variable `implementation`"
        raise TypeError(message)
    return loaded
