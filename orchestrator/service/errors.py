"""The one mapping from the error tree to HTTP: status, OpenAI's error body, headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from orchestrator import errors

__all__ = ["BUG", "STATUS", "error_body", "error_response", "plain_error", "status_of"]

BUG = "Internal error; the service's log has the details."
STATUS: Mapping[type[errors.OrchestratorError], int] = {
    errors.InvalidRequest: 400,
    errors.NotAuthorized: 401,
    errors.UnknownModel: 404,
    errors.UnknownBatch: 404,
    errors.UnknownCategory: 404,
    errors.UnknownDecision: 404,
    errors.UnknownResponse: 404,
    errors.FeedbackOff: 403,
    errors.RequestTooLarge: 413,
    errors.WrongMediaType: 415,
    errors.RequestError: 400,
    errors.ExpertRejected: 400,
    errors.ExpertOverloaded: 503,
    errors.ExpertBusy: 429,
    errors.ExpertUnavailable: 503,
    errors.ExpertTimeout: 504,
    errors.ExpertError: 502,
    errors.DeadlineExceeded: 504,
    errors.RunError: 503,
    errors.ConfigError: 500,
    errors.OrchestratorError: 500,
}
"""Status by class; a class that is not here has its parent's."""

_TYPES = {401: "authentication_error", 408: "timeout_error", 429: "rate_limit_error", 504: "timeout_error"}
_TYPES |= dict.fromkeys((400, 403, 404, 413, 415, 431), "invalid_request_error")


def status_of(error: errors.OrchestratorError) -> int:
    """The HTTP status that says whose turn it is; a run that every expert refused is the caller's."""
    if isinstance(error, errors.NoExpertLeft) and error.failures:
        statuses = {status_of(failure) for failure in error.failures}
        return statuses.pop() if len(statuses) == 1 else 503
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_body(error: errors.OrchestratorError) -> dict[str, Any]:
    """OpenAI's error object."""
    code = error.code if isinstance(error, errors.RequestError) else _code(error)
    param = error.param if isinstance(error, errors.RequestError) else None
    kind = _TYPES.get(status_of(error), "server_error")
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


def error_response(error: errors.OrchestratorError, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a request that failed before its first byte."""
    extra = dict(headers or {})
    if (retry_after_s := _retry_after_s(error)) is not None:
        extra["retry-after"] = str(math.ceil(retry_after_s))
    if isinstance(error, errors.NotAuthorized):
        extra["www-authenticate"] = "Bearer"
    body = orjson.dumps(error_body(error))
    return Response(body, status_code=status_of(error), media_type="application/json", headers=extra)


def plain_error(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """OpenAI's error object for what is no error of ours: unknown paths, wrong methods, defects."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")  # noqa: PLR2004 - HTTP
    body = orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": None}})
    return Response(body, status_code=status, media_type="application/json", headers=dict(headers or {}))


def _code(error: errors.OrchestratorError) -> str:
    """The class name in the style of OpenAI's codes: NoExpertLeft -> no_expert_left."""
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _retry_after_s(error: errors.OrchestratorError) -> float | None:
    if isinstance(error, errors.ExpertError):
        return error.retry_after_s
    if isinstance(error, errors.NoExpertLeft):
        waits = [failure.retry_after_s for failure in error.failures if failure.retry_after_s is not None]
        return min(waits, default=None)
    return None
