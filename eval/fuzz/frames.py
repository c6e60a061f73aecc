"""Requests as bytes: a body in a good frame, or in one that is damaged itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Sent", "framed", "odd_frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request on the wire.

    kind: what is wrong with it, for the tally. whole: whether HTTP has it, and its answer, for complete. hangs_up:
    whether its client ends sending.
    """

    path: str
    kind: str
    raw: bytes
    whole: bool = True
    hangs_up: bool = False


def framed(path: str, body: bytes, *, more: Sequence[bytes] = (), media: bytes = b"application/json") -> bytes:
    """A POST as it should be."""
    lines = [b"POST %b HTTP/1.1" % path.encode(), b"host: 127.0.0.1", b"content-type: " + media]
    lines += [b"accept: application/json, text/event-stream", b"connection: close", *more]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body)]) + b"\r\n\r\n" + body


Frame = Callable[[str, bytes, random.Random], Sent]


def odd_frame(path: str, body: bytes, chance: random.Random) -> Sent:
    """The body with headers, a length, a target or a version that nobody should send."""
    return chance.choice((_media, _header, _target, _short, _long, _no_length, _chunks, _old))(path, body, chance)


def _media(path: str, body: bytes, chance: random.Random) -> Sent:
    odd = [
        b"",
        b"text/plain",
        b"application/json; charset=utf-16",
        b"application/json; charset=\xff",
        b"APPLICATION/JSON",
    ]
    odd += [b"application/x-www-form-urlencoded", b"multipart/form-data", b";", b"application/json, text/html", b"\x80"]
    return Sent(path=path, kind="media type", raw=framed(path, body, media=chance.choice(odd)))


def _header(path: str, body: bytes, chance: random.Random) -> Sent:
    odd = [
        b"x-session-id: \xff\xfe",
        b"x-session-id: " + b"a" * 20_000,
        b"authorization: Bearer \xe9",
        b"authorization: x",
    ]
    odd += [b"host: [", b"host: a b", b"origin: http://evil.example", b"origin: \xff", b"expect: 100-continue"]
    odd += [b"accept-encoding: \x01", b"cookie: " + b"a=b; " * 2_000, b"mcp-session-id: \xff", b"mcp-session-id: x"]
    odd += [b"content-encoding: gzip", b"upgrade: websocket", b"x-http-method-override: DELETE", b"range: bytes=0-"]
    odd += [
        b"mcp-protocol-version: \xff",
        b"mcp-protocol-version: 1",
        b"accept: nothing",
        b"last-event-id: 1",
        b"x: " + b"y" * 40_000,
    ]
    odd += [b"no colon", b" folded", b"a\x00b: c", b"x: a\rb", b": empty", b"te: trailers", b"x-api-key: \xff"]
    return Sent(path=path, kind="header", raw=framed(path, body, more=[chance.choice(odd)]))


def _target(path: str, body: bytes, chance: random.Random) -> Sent:
    odd = [path + "/", "/" + path, path + "?" + "a=" * 999, path + "%00", path.upper(), path + "#x", path + "/../route"]
    odd += [
        "http://other.example" + path,
        path + "%ff%fe",
        "*",
        path.replace("/", "%2f"),
        "/v1/decisions/%ff%00",
        "/v1/models/%2e%2e%2f",
    ]
    raw = framed("PLACE", body).replace(b"PLACE", chance.choice(odd).encode(), 1)
    if chance.random() < 0.5:
        raw = raw.replace(
            b"POST", chance.choice((b"GET", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"HEAD", b"BREW")), 1
        )
    return Sent(path=path, kind="target", raw=raw, whole=not any(sign in raw for sign in (b"#", b"BREW", b"HEAD ")))


def _short(path: str, body: bytes, chance: random.Random) -> Sent:
    length = chance.randrange(len(body))
    raw = framed(path, body).replace(b"content-length: %d" % len(body), b"content-length: %d" % length)
    return Sent(path=path, kind="length too short", raw=raw)


def _long(path: str, body: bytes, chance: random.Random) -> Sent:
    length = len(body) + chance.choice((1, 100, 10**6, 10**12))
    raw = framed(path, body).replace(b"content-length: %d" % len(body), b"content-length: %d" % length)
    return Sent(path=path, kind="length too long", raw=raw, whole=False, hangs_up=chance.random() < 0.9)


def _no_length(path: str, body: bytes, chance: random.Random) -> Sent:
    odd = [
        b"content-length: -1",
        b"content-length: abc",
        b"content-length: ",
        b"content-length: 5, 7",
        b"content-length: 1e3",
    ]
    odd += [
        b"content-length: 99999999999999999999999",
        b"x: y",
        b"content-length: 5\r\ncontent-length: 6",
        b"content-length: 0",
    ]
    raw = framed(path, body).replace(b"content-length: %d" % len(body), chance.choice(odd))
    return Sent(path=path, kind="length", raw=raw, whole=False, hangs_up=chance.random() < 0.7)


def _chunks(path: str, body: bytes, chance: random.Random) -> Sent:
    head = (
        framed(path, body)
        .partition(b"\r\n\r\n")[0]
        .replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    )
    good = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    odd = [b"zz\r\n" + body, b"-5\r\n" + body, b"%x\r\n%b0\r\n\r\n" % (len(body), body), b"ffffffffffffffff\r\n" + body]
    odd += [good[:-5], b"5;" + b"x" * 9_000 + b"\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", good.replace(b"\r\n", b"\n")]
    odd += [good[:-2] + b"trailer: x\r\n\r\n"]
    if chance.random() < 0.3:
        head += b"\r\ncontent-length: 3"
    raw = head + b"\r\n\r\n" + chance.choice((good, *odd))
    return Sent(path=path, kind="chunks", raw=raw, whole=False, hangs_up=chance.random() < 0.7)


def _old(path: str, body: bytes, chance: random.Random) -> Sent:
    version = chance.choice(
        (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1 x", b"http/1.1", b"ICY/1.0")
    )
    raw = framed(path, body).replace(b"HTTP/1.1", version, 1)
    return Sent(path=path, kind="version", raw=raw, whole=False, hangs_up=chance.random() < 0.7)
