"""One client's request: a streamed chat completion, read to its end or to the time when it must have ended."""

from __future__ import annotations

from dataclasses import replace

import anyio
import httpx

from eval.soak.outcomes import Outcome, of_refusal, of_stream

__all__ = ["ask", "client_of"]

_CHAT = "/v1/chat/completions"
_OK = 200


def client_of(url: str) -> httpx.AsyncClient:
    """A client for one stream after the other, on one connection that is kept, and without time-outs of its own.

    A pool that many streams share would cost more than the streams: it looks at all of its connections for each.
    """
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60)
    # No TLS is spoken here, and `ask` has a limit.
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=None, trust_env=False, verify=False)  # noqa: S113, S501


async def ask(client: httpx.AsyncClient, tag: str, *, within_s: float, model: str = "auto") -> Outcome:
    """The outcome of one stream. tag: of this request alone. within_s: later it is bad."""
    started = anyio.current_time()
    outcome, first_s = Outcome(kind="bad", reason=f"no end within {within_s:g} s", status=0), None
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": f"{tag} count"}]}
    pieces: list[bytes] = []
    try:
        with anyio.move_on_after(within_s):
            async with client.stream("POST", _CHAT, json=body) as response:
                async for piece in response.aiter_raw():
                    if first_s is None:
                        first_s = anyio.current_time() - started
                    pieces.append(piece)
            raw, status = b"".join(pieces), response.status_code
            outcome = of_stream(raw, tag=tag) if status == _OK else of_refusal(status, raw)
    except httpx.HTTPError as error:
        told = f"{type(error).__name__}: {error} after {b''.join(pieces)[-200:]!r}"
        outcome = Outcome(kind="bad", reason=told, status=0)
    return replace(outcome, took_s=anyio.current_time() - started, first_s=first_s)
