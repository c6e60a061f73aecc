"""The arguments of a tool: filled into a template, read from a model's reply, and checked before the tool sees them.

Knows no server and asks nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from jsonschema import SchemaError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from orchestrator.experts.mcp.listing import cleaned_schema

__all__ = ["Signature", "filled", "read_arguments"]

_QUERY = "{query}"
_REPLY_CHARS = 65_536  # of a reply that are looked at, and
_TRIES = 32  # braces at which an object may begin: arguments are short, and looking for them in a flood is not
_PROBLEM_CHARS = 400  # of a problem's text, which quotes the arguments


class Signature:
    """What a tool takes. schema: as the server has it, for checking; shown: the same for a model to read.

    Raises:
        ValueError: its schema is not one.

    """

    def __init__(self, name: str, description: str, schema: dict[str, Any]) -> None:
        self.name = name
        self.description = description
        self.schema = schema
        self.shown = cleaned_schema(schema)
        self._validator = _validator(schema)

    @property
    def only_string(self) -> str | None:
        """The one property that must be given, where that is a string: the place for a query. None otherwise."""
        required = self.schema.get("required", [])
        if len(required) != 1:
            return None
        declared = self.schema.get("properties", {}).get(required[0], {})
        return required[0] if isinstance(declared, Mapping) and declared.get("type") == "string" else None

    def problem(self, arguments: Mapping[str, Any]) -> str:
        """Why the tool cannot take these arguments, with the place; empty when it can."""
        try:
            error = best_match(self._validator.iter_errors(arguments))
        except Unresolvable as unresolvable:
            return f"the tool's schema refers to what is not there: {unresolvable}"
        return "" if error is None else f"{error.json_path}: {error.message}"[:_PROBLEM_CHARS]


def filled(template: Any, query: str) -> Any:
    """The template with `{query}` in its strings replaced, however deep; other braces and values stay as they are."""
    if isinstance(template, str):
        return template.replace(_QUERY, query)
    if isinstance(template, Mapping):
        return {key: filled(value, query) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, query) for value in template]
    return template


def read_arguments(reply: str) -> dict[str, Any]:
    """The first JSON object in a model's reply, whatever stands around it.

    Raises:
        ValueError: there is none.

    """
    text = reply[:_REPLY_CHARS]
    decoder = json.JSONDecoder(parse_constant=_refuse)
    start = -1
    for _ in range(_TRIES):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            found, _end = decoder.raw_decode(text, start)
        except ValueError:
            continue
        except RecursionError:
            break
        return dict(found)
    message = "the reply holds no JSON object"
    raise ValueError(message)


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise ValueError(message)


def _validator(schema: dict[str, Any]) -> Validator:
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        message = f"the tool's schema is not a JSON Schema: {error.message}"
        raise ValueError(message) from error
    # An empty registry: a reference to another document is an error, never a download.
    return kind(schema, registry=Registry())
