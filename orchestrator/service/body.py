"""Request bodies: read within a limit, parsed, and checked as far as routing needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from orchestrator.errors import InvalidRequest, RequestTooLarge, WrongMediaType

__all__ = [
    "MOST_TOKENS",
    "chat_body",
    "chat_model",
    "cost_quality_of",
    "integer",
    "json_body",
    "nests_too_deeply",
    "read_json",
    "read_object",
    "streamed",
    "switch",
    "text_of",
    "tokens",
]

DEFAULT_MODEL = "auto"
MOST_TOKENS = 2**31 - 1
"""That a translated body may ask for; more is a mistake."""
FEW = 200
"""Brackets of a body that are too few to nest deeply, so that it need not be looked at."""
ROUND = 10
"""Levels that are put around a part of a request, at most."""


async def json_body(request: Request, *, limit: int) -> dict[str, Any]:
    """The JSON object in a request's body; see `read_json`."""
    return await read_json(request.scope, request.receive, limit=limit)


async def read_json(scope: Scope, receive: Receive, *, limit: int) -> dict[str, Any]:
    """The JSON object in the body; see `read_object`."""
    return (await read_object(scope, receive, limit=limit))[1]


async def read_object(scope: Scope, receive: Receive, *, limit: int) -> tuple[bytes, dict[str, Any]]:
    """The body and the JSON object in it; it is read no further than `limit` bytes.

    Raises:
        WrongMediaType: it is declared as something else.
        RequestTooLarge: there are more bytes.
        InvalidRequest: it is no JSON object.
        ClientDisconnect: the client left before it had sent it all.

    """
    media = _media(scope)
    if media != "application/json":
        raise WrongMediaType(f"The content type must be application/json, not {media or 'missing'!r}.")
    raw = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        raw += message.get("body", b"")
        if len(raw) > limit:
            raise RequestTooLarge(f"The body is larger than {limit} bytes (serve.max_body_bytes).")
        more = message.get("more_body", False)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_kind(body)}.")
    if nests_too_deeply(raw, body):
        raise InvalidRequest("The body is nested too deeply; about 240 levels are taken.")
    return raw, body


def nests_too_deeply(raw: bytes, value: object) -> bool:
    """Whether it could not be written any more, with what experts and answers put around it. raw: the same as JSON."""
    if raw.count(b"[") + raw.count(b"{") <= FEW:
        return False
    for _ in range(ROUND):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def _media(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            declared: str = value.decode("latin-1")
            return declared.partition(";")[0].strip().lower()
    return ""


def chat_model(body: Mapping[str, Any]) -> str:
    """The model asked for, blanks around it removed; `auto` where none is."""
    model = body.get("model")
    if model is None:
        return DEFAULT_MODEL
    if not isinstance(model, str) or not model.strip():
        raise InvalidRequest("'model' must be a non-empty string, such as 'auto'.", param="model")
    return model.strip()


def chat_body(body: dict[str, Any]) -> dict[str, Any]:
    """The body itself, once its messages can be routed; all else is the expert's to judge."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("'messages' must be a non-empty array.", param="messages")
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if not isinstance(message, dict):
            raise InvalidRequest(f"'{where}' must be an object, not {_kind(message)}.", param=where)
        if not isinstance(message.get("role"), str):
            raise InvalidRequest(f"'{where}.role' must be a string, such as 'user'.", param=f"{where}.role")
        content = message.get("content")
        if not isinstance(content, str | list | None):
            raise InvalidRequest(f"'{where}.content' must be a string or an array of parts.", param=f"{where}.content")
    streamed(body)
    if not isinstance(body.get("stream_options"), dict | None):
        raise InvalidRequest("'stream_options' must be an object.", param="stream_options")
    return body


def streamed(body: Mapping[str, Any]) -> bool:
    """Whether the body of any surface asks for a stream."""
    value = body.get("stream")
    if not isinstance(value, bool | None):
        raise InvalidRequest("'stream' must be true or false.", param="stream")
    return bool(value)


def cost_quality_of(value: object) -> float | None:
    """What was sent as `cost_quality`, None where nothing was; the one check for every surface."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        message = "'cost_quality' must be a number from 0 (cheapest) to 1 (best)."
        raise InvalidRequest(message, param="cost_quality")
    return float(value)


def integer(body: Mapping[str, Any], name: str, *, default: int, least: int, most: int) -> int:
    """A whole number of the body within its range."""
    value = body.get(name, default)
    if isinstance(value, float) and value.is_integer():  # 5.0 is a whole number too
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidRequest(f"{name!r} must be a whole number from {least} to {most}.", param=name)
    return value


def tokens(body: Mapping[str, Any], name: str) -> int:
    """How many tokens a translated body lets the answer have."""
    return integer(body, name, default=0, least=1, most=MOST_TOKENS)


def text_of(part: Mapping[str, Any], name: str, where: str) -> str:
    """A text that a part of a translated body must have. where: the part's place."""
    value = part.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"'{where}.{name}' must be a string.", param=f"{where}.{name}")
    return value


def switch(body: Mapping[str, Any], name: str) -> bool:
    """A field of the body that is true or false; false where it is missing."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name!r} must be true or false.", param=name)
    return value


def _kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), "an object")
