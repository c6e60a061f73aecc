"""What the faked server says when an answer must have a form: the given one if it fits, else the plainest there is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["formed"]

_PLAIN: Mapping[str, Any] = {"string": "text", "integer": 0, "number": 0.0, "boolean": False, "null": None}


def formed(body: Mapping[str, Any], text: str) -> str:
    """The text in the form that `response_format` or `structured_outputs` asks for; without one, as it is.

    Of choices the text itself if it is one of them, else the first. For a schema the text if it is JSON, else the
    plainest value that the schema allows. `guided_json` is ignored, as vLLM does.
    """
    wanted = body.get("structured_outputs") or {}
    choices = wanted.get("choice")
    if choices:
        return text if text in choices else str(choices[0])
    schema = wanted.get("json") or _schema(body.get("response_format") or {})
    if schema is None:
        return text
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(_plainest(json.loads(schema) if isinstance(schema, str) else schema, schema))
    return text


def _schema(response_format: Mapping[str, Any]) -> Any:
    if response_format.get("type") == "json_schema":
        return response_format["json_schema"].get("schema", {})
    return {"type": "object"} if response_format.get("type") == "json_object" else None


def _plainest(schema: Any, root: Any) -> Any:
    """The first value that comes to mind under a schema."""
    if not isinstance(schema, Mapping):
        return {}
    if "$ref" in schema:
        return _plainest(_resolved(schema["$ref"], root), root)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return _plainest(schema[union][0], root)
    kind = schema.get("type", "object")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, root)


def _of_type(kind: str, schema: Mapping[str, Any], root: Any) -> Any:
    if kind == "object":
        return {name: _plainest(part, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_plainest(schema.get("items", {}), root) for _ in range(schema.get("minItems", 1))]
    if kind in {"integer", "number"}:
        return schema.get("minimum", _PLAIN[kind])
    if kind == "string":
        return str(_PLAIN[kind]).ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    return _PLAIN.get(kind)


def _resolved(reference: str, root: Any) -> Any:
    part: Any = json.loads(root) if isinstance(root, str) else root
    for name in reference.removeprefix("#/").split("/"):
        part = part[int(name)] if isinstance(part, Sequence) else part[name]
    return part
