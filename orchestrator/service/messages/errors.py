"""Errors in Anthropic's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from orchestrator.errors import OrchestratorError
from orchestrator.service.errors import error_response, status_of

__all__ = ["error_fields", "in_shape"]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_fields(status: int, message: str) -> dict[str, Any]:
    """The body, which is also the data of an error event."""
    return {"type": "error", "error": {"type": _TYPES.get(status, "api_error"), "message": message}}


def in_shape(error: OrchestratorError, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a request that failed before its first byte: status and headers as everywhere."""
    response = error_response(error, headers)
    body = orjson.dumps(error_fields(status_of(error), str(error)))
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, status_code=response.status_code, headers=kept)
