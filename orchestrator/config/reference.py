"""The keys of experts.yaml as a Markdown table, made from the settings themselves, so that it cannot be out of date."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr, SerializeAsAny
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from orchestrator.config.catalogue import expert_kinds
from orchestrator.config.settings import Config, ExpertSettings
from orchestrator.config.values import Settings

__all__ = ["key_table"]

NAMES = {"categories": "<name>", "experts": "<id>", "launch": "<id>", "panels": "<name>"}
"""What stands for the keys of a mapping that the user names."""


def key_table() -> str:
    """One row a key: where it stands, what it takes, its default, what it means."""
    rows = [*_rows(Config, ""), *_expert_rows()]
    head = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| `{key}` | {takes} | {default} | {text} |" for key, takes, default, text in rows)])


def _expert_rows() -> Iterator[tuple[str, str, str, str]]:
    common = set(ExpertSettings.model_fields)
    yield from _rows(ExpertSettings, "experts.<id>.")
    for kind, settings in sorted(expert_kinds().items()):
        for row in _rows(settings, f"experts.<id, {kind}>."):
            if row[0].removeprefix(f"experts.<id, {kind}>.").partition(".")[0] not in common:
                yield row


def _rows(model: type[Settings], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        inner = _settings_in(field.annotation)
        if inner is None:
            yield prefix + name, _takes(field.annotation), _default(field), _text(field)
        elif not issubclass(inner, ExpertSettings):
            place = f"{prefix}{name}.{NAMES[name]}." if get_origin(field.annotation) is dict else f"{prefix}{name}."
            yield from _rows(inner, place)


def _settings_in(annotation: Any) -> type[Settings] | None:
    """The block that a key holds, alone or by name; None for plain values."""
    candidates = [annotation, *get_args(annotation)]
    candidates += [inner for one in candidates if get_origin(one) is Annotated for inner in get_args(one)]
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, Settings)), None)


def _takes(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Annotated, SerializeAsAny}:
        return _takes(arguments[0])
    if origin in {Union, types.UnionType}:
        return _takes(next(one for one in arguments if one is not type(None)))
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_takes(arguments[0])}"
    if origin is dict:
        return f"mapping to {_takes(arguments[1])}"
    names = {str: "text", SecretStr: "secret text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "path" if getattr(annotation, "__name__", "") == "Path" else "any value")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ("", (), {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _text(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")
