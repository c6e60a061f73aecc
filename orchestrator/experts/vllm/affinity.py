"""Which server a session or a prompt's beginning belongs to. Does no I/O.

Rendezvous hashing (Thaler and Ravishankar, 1998): each server draws a number for the key, the highest has it. When a
server leaves, only its own keys move, each to the server that was its second. The bound on load follows the idea of
consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018): a server that has much more to do than
the mean is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import orjson

__all__ = ["affinity_key", "bounded", "rendezvous"]

_FACTOR = 1.5
_SLACK = 4.0


def affinity_key(kind: str, session: str | None, messages: object) -> bytes | None:
    """What requests that belong together have in common; None where nothing is asked for, or nothing is there.

    kind: `session`, or `prefix`: what a conversation begins with up to the user's first message, which all its turns
    share, and with it the server's memory of that prompt. messages: of the body, whatever stands there.
    """
    if kind == "session":
        return None if session is None else session.encode("utf-8", "surrogatepass")
    if kind != "prefix" or not isinstance(messages, list):
        return None
    beginning = []
    for message in messages:
        if not isinstance(message, Mapping):
            return None
        beginning.append([message.get("role"), message.get("content")])
        if message.get("role") == "user":
            return blake2b(orjson.dumps(beginning), digest_size=16).digest()
    return None


def rendezvous(key: bytes, servers: Sequence[str]) -> list[str]:
    """The servers in the order in which they would have the key."""
    return sorted(servers, key=lambda server: (_draw(key, server), server), reverse=True)


def _draw(key: bytes, server: str) -> bytes:
    return blake2b(key, digest_size=8, key=blake2b(server.encode(), digest_size=32).digest()).digest()


def bounded(order: Sequence[str], burdens: Mapping[str, float]) -> str:
    """The first of that order whose burden is at most half above the mean and a few requests more.

    There always is one: the least busy is at most at the mean.
    """
    limit = _FACTOR * sum(burdens[server] for server in order) / len(order) + _SLACK
    return next(server for server in order if burdens[server] <= limit)
