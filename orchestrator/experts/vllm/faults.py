"""What goes wrong between us and a model server, as errors of the expert. The one place where they are mapped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

import orjson
from pydantic import SecretStr

from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertMisconfigured,
    ExpertMissing,
    ExpertOverloaded,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.vllm.connection import (
    ConnectFailed,
    ConnectTimeout,
    Disconnected,
    HttpError,
    Malformed,
    ReadTimeout,
)

__all__ = ["Faults", "error_message", "retry_after_s"]

# A server that cannot be connected to in time is not there, however slowly it says so: another replica may be.
_WHILE_ASKING: Mapping[type[HttpError], type[ExpertError]] = MappingProxyType(
    {
        ConnectFailed: ExpertUnavailable,
        ConnectTimeout: ExpertUnavailable,
        Disconnected: ExpertUnavailable,
        ReadTimeout: ExpertTimeout,
        Malformed: ExpertFailed,
    }
)
_WHILE_READING: Mapping[type[HttpError], type[ExpertError]] = MappingProxyType(
    {Disconnected: ExpertCut, ReadTimeout: ExpertTimeout, Malformed: ExpertCut}
)
_STATUS: Mapping[int, type[ExpertError]] = MappingProxyType(
    {408: ExpertTimeout, 429: ExpertOverloaded, 503: ExpertOverloaded, 504: ExpertTimeout}
)
_CREDENTIALS = (401, 403)
_UNKNOWN_MODEL = 404
_UNAVAILABLE = 503
_MAX_MESSAGE_CHARS = 500


class Faults:
    """Makes the errors of one expert on one server, without ever repeating its API key.

    server: the server's address as people may see it.
    """

    def __init__(self, expert: str, server: str, api_key: SecretStr | None) -> None:
        self._expert = expert
        self._server = server
        self._api_key = api_key

    def asking(self, error: HttpError) -> ExpertError:
        """The error for what happened before the answer began."""
        return self.make(_WHILE_ASKING.get(type(error), ExpertFailed), str(error))

    def reading(self, error: HttpError) -> ExpertError:
        """The error for what happened while the answer was being read."""
        return self.make(_WHILE_READING.get(type(error), ExpertCut), str(error))

    def status(self, status: int, headers: Mapping[str, str], body: bytes) -> ExpertError:
        """The error for an answer whose status is not 200."""
        if status in _CREDENTIALS:
            # The body is left out: servers like to repeat the key that they refuse.
            return ExpertMisconfigured(
                self._expert, f"{self._server} refused our credentials (status {status}); check its api_key"
            )
        if status == _UNKNOWN_MODEL:
            return self.make(ExpertMissing, f"status {status}: {_message_of(body)}; check model and replicas")
        kind = _STATUS.get(status) or (ExpertRejected if 400 <= status < 500 else ExpertFailed)  # noqa: PLR2004 - HTTP
        wait_s = retry_after_s(headers.get("retry-after"), now=datetime.now(UTC))
        if status == _UNAVAILABLE and wait_s is None:
            kind = ExpertUnavailable  # it says not when to come back: its engine is gone, or nobody is behind a proxy
        return self.make(kind, f"status {status}: {_message_of(body)}", retry_after_s=wait_s)

    def make(self, kind: type[ExpertError], what: str, *, retry_after_s: float | None = None) -> ExpertError:
        """An error of that kind that names the server."""
        key = "" if self._api_key is None else self._api_key.get_secret_value()
        shown = what.replace(key, "***") if key else what
        return kind(self._expert, f"{self._server}: {shown[:_MAX_MESSAGE_CHARS]}", retry_after_s=retry_after_s)


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or an HTTP date); None where it says nothing readable."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value).astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or one beyond the calendar
        return None
    return max(0.0, (until - now).total_seconds())


def error_message(data: object) -> str | None:
    """The message of an error object as OpenAI's API has it; None where it is none."""
    error = data.get("error") if isinstance(data, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return None if error is None else str(error)


def _message_of(body: bytes) -> str:
    """What an error answer says, in whichever form."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace").strip() or "no message"
    message = error_message(data)
    if message is None and isinstance(data, dict):
        message = data.get("message") or data.get("detail")
    return str(message or data)
