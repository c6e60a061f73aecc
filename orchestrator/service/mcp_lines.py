"""JSON-RPC messages as lines of bytes: cut out of a stream, read, and answered where a line is no message.

The SDK drops a line that it cannot read, and who sent it waits for an answer for ever. Here it becomes an error of the
protocol. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import structlog
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

__all__ = ["Lines", "NoMessage", "line_of", "read_line"]

SHAPE = "A message has \"jsonrpc\": \"2.0\", and 'method' with, if any, 'params' as an object; a request has an 'id'."

log = structlog.get_logger()


class NoMessage(Exception):
    """A line that is no message. answer: what its sender is told."""

    def __init__(self, code: int, message: str, *, number: RequestId | None = None) -> None:
        super().__init__(message)
        self.answer = _error(code, message, number=number)


class Lines:
    """Cuts bytes into lines, wherever the pieces end; empty ones are left out.

    longest: bytes of a line; of a longer one nothing is kept.
    """

    def __init__(self, *, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        """The lines that end in this piece, without their ends; None for each that gets too long."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            yield from self._add(part)
            yield from self.end()
        yield from self._add(rest)

    def end(self) -> Iterator[bytes]:
        """The line that was begun, if any."""
        if self._begun.strip():
            yield bytes(self._begun)
        self._begun.clear()
        self._skipping = False

    def _add(self, part: bytes) -> Iterator[None]:
        if self._skipping:
            return
        if len(self._begun) + len(part) > self._longest:
            self._skipping = True
            self._begun.clear()
            yield None
            return
        self._begun += part


def read_line(line: bytes | None, *, longest: int) -> JSONRPCMessage:
    """The message of a line. line: None for one that was longer than `longest` bytes.

    Raises:
        NoMessage: it is none.

    """
    if line is None:
        raise NoMessage(INVALID_REQUEST, f"The line is longer than {longest} bytes (serve.max_body_bytes).")
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NoMessage(PARSE_ERROR, f"The line is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise NoMessage(INVALID_REQUEST, "A line must be one JSON object; batches are not of this protocol.")
    if "method" in body and "id" in body and _id(body) is None:
        raise NoMessage(INVALID_REQUEST, "'id' must be a string or a whole number.")
    try:
        return jsonrpc_message_adapter.validate_python(body, by_name=False)
    except ValidationError as error:
        raise NoMessage(INVALID_REQUEST, SHAPE, number=_id(body) if "method" in body else None) from error


def line_of(message: JSONRPCMessage) -> bytes:
    """A message as its line; one that cannot be written (half a surrogate in a text) becomes an error that says so."""
    try:
        written = message.model_dump_json(by_alias=True, exclude_unset=True)
    except ValueError as error:
        log.exception("mcp.unwritable", error=str(error))
        number = message.id if isinstance(message, JSONRPCRequest | JSONRPCResponse | JSONRPCError) else None
        failed = _error(INTERNAL_ERROR, "The answer cannot be written as JSON.", number=number)
        written = failed.model_dump_json(by_alias=True, exclude_unset=True)
    return written.encode() + b"\n"


def _id(body: Mapping[str, Any]) -> RequestId | None:
    number = body.get("id")
    return number if isinstance(number, str | int) and not isinstance(number, bool) else None


def _error(code: int, message: str, *, number: RequestId | None = None) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=number, error=ErrorData(code=code, message=message))
