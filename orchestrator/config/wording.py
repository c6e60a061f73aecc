"""pydantic's complaints in the words of someone who edits a file. Knows neither the file's keys nor its kinds.

Messages name what the file has, never what the environment put there: those written here go by the file's text,
and those that come from validators are redacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from orchestrator.config.problems import Path, nearest
from orchestrator.config.tree import Node, described, scalars_in, written
from orchestrator.config.values import IDENTIFIER

__all__ = ["FOREIGN", "known_keys", "worded"]

Context = Mapping[str, Any]

FOREIGN = frozenset({"value_error", "assertion_error"})
"""Types of errors whose message a validator wrote."""

EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping (keys and values)",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "frozen_set_type": "a list",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping (keys and values)",
    "set_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
}


def _plain(number: object) -> str:
    return str(number).removesuffix(".0")


def _too_short(context: Context) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"needs at least {least} entries, has {context['actual_length']}"


def _pattern(context: Context) -> str:
    if context["pattern"] == IDENTIFIER:
        return "a name is letters, digits, '.', '_' and '-', and begins with a letter or a digit"
    return f"must match the pattern {context['pattern']}"


LIMITS: Mapping[str, Callable[[Context], str]] = {
    "greater_than": lambda c: f"must be greater than {_plain(c['gt'])}",
    "greater_than_equal": lambda c: f"must be at least {_plain(c['ge'])}",
    "less_than": lambda c: f"must be less than {_plain(c['lt'])}",
    "less_than_equal": lambda c: f"must be at most {_plain(c['le'])}",
    "string_pattern_mismatch": _pattern,
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "too_long": lambda c: f"takes at most {c['max_length']} entries, has {c['actual_length']}",
    "too_short": _too_short,
}


def worded(error: ErrorDetails, node: Node, *, whole: Node) -> str:
    """The complaint about a node, without its place; `whole` is everything that a validator could have seen."""
    context: Context = error.get("ctx", {})
    if expected := EXPECTED.get(error["type"]):
        return f"expected {expected}, found {described(node)}"
    if limit := LIMITS.get(error["type"]):
        return limit(context)
    if error["type"] in {"literal_error", "enum"}:
        near = nearest(written(node), re.findall(r"'([^']*)'", context["expected"]))
        return f"expected {context['expected']}, found {described(node)}{near and f' ({near})'}"
    if error["type"] in FOREIGN:
        return _redacted(str(context["error"]), whole)
    return _redacted(error["msg"].removeprefix("Input "), whole)


def _redacted(message: str, whole: Node) -> str:
    """The message on one line, with what the environment put into the file replaced by what the file says."""
    secrets: dict[str, str] = {}
    for scalar in scalars_in(whole):
        if scalar.values:
            secrets[scalar.text] = scalar.written
            secrets |= {value: placeholder for placeholder, value in scalar.values.items()}
    secrets |= {repr(value)[1:-1]: placeholder for value, placeholder in secrets.items()}
    longest_first = sorted(filter(None, secrets), key=len, reverse=True)
    if longest_first:
        pattern = "|".join(map(re.escape, longest_first))
        message = re.sub(pattern, lambda found: secrets[found[0]], message)
    return " ".join(message.split())


def known_keys(annotation: Any, path: Path) -> list[str]:
    """The keys of the block to which a path of an error leads, from a type downwards; none if it is no block."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return known_keys(inner[0], path)
    if origin in {Union, UnionType}:  # the path may name which of the types was tried
        return [key for one in inner for key in known_keys(one, path) or known_keys(one, path[1:])]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items() if not field.exclude}
        if not path:
            return list(fields)
        return known_keys(fields[path[0]].annotation, path[1:]) if path[0] in fields else []
    return known_keys(inner[-1 if origin is dict else 0], path[1:]) if path and inner else []
