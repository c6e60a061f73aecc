"""The HTTP client under a connection: what goes wrong with one request stays with it, and no message is too long.

The SDK ends a whole connection, and every call on it, for one request that cannot be made. Here such a request is
answered, in the server's place, by an error that says what happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import orjson

__all__ = ["BROKEN_OFF", "UNREACHED", "HttpClient"]

UNREACHED = -32801
"""Code of the error that stands for a server which the request has not reached."""
BROKEN_OFF = -32802
"""The same for one which may have had the request, and gave no answer."""
_CONNECT_S = 10.0  # for one TCP connection; how long an answer may take is the caller's affair


class HttpClient(httpx2.AsyncClient):
    """most_bytes: of an answer that is one message; the SDK limits the events of one that is a stream of them."""

    def __init__(self, headers: Mapping[str, str], *, most_bytes: int) -> None:
        # Unpacked, a small answer could be of any size.
        headers = {"accept-encoding": "identity", **headers}
        super().__init__(headers=headers, timeout=httpx2.Timeout(_CONNECT_S, read=None))
        self._most_bytes = most_bytes

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """See `httpx2.AsyncClient`; does not raise for what happens before there is a response.

        Raises:
            httpx2.StreamError: its body cannot be taken.

        """
        try:
            response = await super().send(request, stream=True, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return _instead(request, UNREACHED, error)
        except httpx2.TransportError as error:
            return _instead(request, BROKEN_OFF, error)
        packed = response.headers.get("content-encoding", "identity").lower()
        streamed = "text/event-stream" in response.headers.get("content-type", "")
        if isinstance(response.stream, httpx2.AsyncByteStream) and (packed != "identity" or not streamed):
            response.stream = _Limited(response.stream, self._most_bytes, packed)
        if not stream:
            await response.aread()
        return response


class _Limited(httpx2.AsyncByteStream):
    """A body of which no more is read than a message may have; `StreamError` is what the SDK takes for its failure."""

    def __init__(self, stream: httpx2.AsyncByteStream, most_bytes: int, packed: str) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._packed != "identity":
            raise httpx2.StreamError(f"it is packed ({self._packed}), which was not asked for")
        size = 0
        try:
            async for piece in self._stream:
                size += len(piece)
                if size > self._most_bytes:
                    raise httpx2.StreamError(f"a message of more than {self._most_bytes:,} bytes")
                yield piece
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"it broke off: {error}") from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _instead(request: httpx2.Request, code: int, error: Exception) -> httpx2.Response:
    """A response in place of the one that did not come: an error of the protocol, with an HTTP status to match."""
    message = f"{type(error).__name__}: {error}".rstrip(": ")
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}})
    headers = {"content-type": "application/json"}
    return httpx2.Response(503, headers=headers, content=body, request=request)
