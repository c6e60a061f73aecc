"""What vLLM answers when it refuses: statuses and bodies. Knows no HTTP library."""

from __future__ import annotations

import json

__all__ = ["NOT_FOUND", "Refused", "error_object"]

NOT_FOUND = b'{"detail":"Not Found"}'
"""The body of a path that the server does not have."""

_KINDS = {
    400: "BadRequestError",
    401: "Unauthorized",
    404: "NotFoundError",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}


class Refused(Exception):
    """The request is answered with this status and error. kind: its `type`; the status has one of its own."""

    def __init__(self, status: int, message: str, *, param: str | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_object(status, message, param=param, kind=kind)


def error_object(code: int, message: str, *, param: str | None = None, kind: str | None = None) -> bytes:
    """OpenAI's error body, with vLLM's name for the kind of error."""
    kind = kind or _KINDS.get(code, "InternalServerError")
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()
