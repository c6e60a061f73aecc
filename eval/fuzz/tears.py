"""How answers of a model server are torn: each way takes the right chunks of a stream, and gives what is sent."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eval.fuzz.answers import CHUNKED, JSON, OK, completion, cut_up, framed, head, whole, written
from eval.fuzz.oddities import odd_literal, spoiled

__all__ = ["STREAM_TEARS", "WHOLE_TEARS", "Tear"]

Pieces = Iterator[bytes | None]
"""What is sent; None: nothing, for longer than anybody waits."""
Chunks = Sequence[dict[str, Any]]


def _odd_chunk(chunks: Chunks, chance: random.Random) -> Pieces:
    """Some part of one of them is of another type."""
    data = [written(chunk, chance) for chunk in chunks]
    at = chance.randrange(len(data))
    data[at] = spoiled(chunks[at], chance)
    yield head(streamed=True) + cut_up(framed(data, chance), chance) + b"0\r\n\r\n"


def _no_json(chunks: Chunks, chance: random.Random) -> Pieces:
    data = [written(chunk, chance) for chunk in chunks]
    at = chance.randrange(len(data))
    odd = (
        "",
        "{",
        "null",
        "5",
        '"a"',
        "[]",
        "x" * 50,
        data[at][:-1],
        data[at] + "}",
        "NaN",
        "\x00",
        "{}",
        '{"choices": null}',
    )
    data[at] = chance.choice(odd)
    yield head(streamed=True) + cut_up(framed(data, chance), chance) + b"0\r\n\r\n"


def _no_done(chunks: Chunks, chance: random.Random) -> Pieces:
    data = [written(chunk, chance) for chunk in chunks[: chance.randrange(len(chunks) + 1)]]
    yield (
        head(streamed=True)
        + cut_up(framed(data, chance, done=chance.choice(("", "[DONE", "done"))), chance)
        + b"0\r\n\r\n"
    )


def _after_done(chunks: Chunks, chance: random.Random) -> Pieces:
    data = [written(chunk, chance) for chunk in chunks]
    data.insert(chance.randrange(len(data) + 1), "[DONE]")
    yield head(streamed=True) + cut_up(framed(data, chance), chance) + b"0\r\n\r\n"


def _error_amid(chunks: Chunks, chance: random.Random) -> Pieces:
    data = [written(chunk, chance) for chunk in chunks]
    error = chance.choice(
        (
            '{"error": {"message": "x"}}',
            '{"error": "x"}',
            '{"error": null}',
            '{"error": [1]}',
            '{"error": {"message": {"a": 1}}}',
            '{"error": {}}',
        )
    )
    data.insert(chance.randrange(len(data) + 1), error)
    yield head(streamed=True) + cut_up(framed(data, chance), chance) + b"0\r\n\r\n"


def _bad_text(chunks: Chunks, chance: random.Random) -> Pieces:
    """Bytes that are no UTF-8, amid a character or on their own."""
    raw = bytearray(framed([json.dumps(chunk, ensure_ascii=False) for chunk in chunks], chance))
    for _ in range(chance.choice((1, 3))):
        raw[chance.randrange(len(raw))] = chance.choice((0xFF, 0xC3, 0xED, 0x00, 0x80))
    yield head(streamed=True) + cut_up(bytes(raw), chance) + b"0\r\n\r\n"


def _zipped(chunks: Chunks, chance: random.Random) -> Pieces:
    """Compressed though nobody asked for it, or said to be so."""
    raw = framed([written(chunk, chance) for chunk in chunks], chance)
    body = chance.choice((gzip.compress(raw), raw, gzip.compress(raw)[:-9], b"\x1f\x8b" + raw))
    coding = chance.choice((b"gzip", b"deflate", b"br", b"zstd", b"identity", b"x"))
    yield head(streamed=True, more=b"content-encoding: %b\r\n" % coding) + cut_up(body, chance) + b"0\r\n\r\n"


def _long_line(chunks: Chunks, chance: random.Random) -> Pieces:
    """A line of 1 MB: of text, of a comment, or of nothing that ends."""
    data = [written(chunk, chance) for chunk in chunks]
    raw = framed(data[:1], chance, done="")
    odd = (
        f"data: {json.dumps({**chunks[0], 'choices': [{'index': 0, 'delta': {'content': 'x' * 2**20}}]})}\n\n",
        ": " + "x" * 2**20 + "\n\n",
        "x" * 2**20,
        "data: " + "x" * 2**20 + "\n\n",
        "data: x\n" * 2**17 + "\n",
        "\n" * 2**20,
        "event: " + "x" * 2**20 + "\n\n",
    )
    raw += chance.choice(odd).encode() + framed(data[1:], chance)
    yield head(streamed=True) + b"%x\r\n%b\r\n" % (len(raw), raw) + b"0\r\n\r\n"


def _split_data(chunks: Chunks, chance: random.Random) -> Pieces:
    """One JSON over several lines of data, which is allowed, or cut amid a word, which is not."""
    data = [
        json.dumps(chunk, indent=1).replace("\n", "\ndata: ")
        if chance.random() < 0.7
        else written(chunk, chance).replace(":", "\ndata: :", 1)
        for chunk in chunks
    ]
    yield head(streamed=True) + cut_up(framed(data, chance), chance) + b"0\r\n\r\n"


def _bad_chunks(chunks: Chunks, chance: random.Random) -> Pieces:
    """HTTP's chunks: sizes that are none, too large, or without their line end."""
    raw = framed([written(chunk, chance) for chunk in chunks], chance)
    half = cut_up(raw[: len(raw) // 2], chance)
    odd = (
        b"zz\r\n",
        b"-1\r\n",
        b"fffffffffffffffff\r\n",
        b"5\r\nabc",
        b"\r\n\r\n",
        b"0\r\nx",
        b"3;" + b"y" * 90_000 + b"\r\nabc\r\n",
        b"\x00\xff",
    )
    yield head(streamed=True) + half + chance.choice(odd)


def _closed(chunks: Chunks, chance: random.Random) -> Pieces:
    """The connection ends anywhere, in the head too."""
    raw = head(streamed=True) + cut_up(framed([written(chunk, chance) for chunk in chunks], chance), chance)
    yield raw[: chance.randrange(1, len(raw))]


def _stalled(chunks: Chunks, chance: random.Random) -> Pieces:
    """Nothing comes any more."""
    raw = head(streamed=True) + cut_up(framed([written(chunk, chance) for chunk in chunks], chance), chance)
    yield raw[: chance.randrange(1, len(raw))]
    if chance.random() < 0.3:
        yield None


def _bad_head(chunks: Chunks, chance: random.Random) -> Pieces:
    """Of the answer: no HTTP, headers without end, statuses that are none, lengths that are wrong."""
    raw = framed([written(chunk, chance) for chunk in chunks], chance) if chunks else whole(chance)
    heads = (
        *(
            b"",
            b"garbage\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 99 X\r\n\r\n",
            b"HTTP/3 200\r\n\r\n",
        ),
        *(
            b"HTTP/1.1 204 No\r\n\r\n",
            b"HTTP/1.1 101 S\r\nupgrade: x\r\n\r\n",
            b"HTTP/1.1 302 F\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
        ),
        *(
            b"HTTP/1.1 100 C\r\n\r\n" * 50 + head(streamed=True),
            b"HTTP/1.1 999 X\r\ncontent-length: 2\r\n\r\n{}",
            OK + b"x: " + b"y" * 99_000 + b"\r\n\r\n",
        ),
        *(
            OK + b"a: b\r\n" * 9_000 + b"\r\n",
            OK + b"content-length: 3\r\n\r\n",
            OK + b"content-length: 99999999\r\n\r\n",
        ),
        *(
            OK + b"content-length: -1\r\n\r\n",
            OK + b"content-type: text/html\r\n\r\n",
            OK + b"\xff\xfe: \x00\r\n\r\n",
            OK + b" x\r\n\r\n",
        ),
        *(OK + b"transfer-encoding: gzip, chunked\r\n\r\n", OK + CHUNKED + b"content-length: 5\r\n\r\n"),
    )
    yield chance.choice(heads) + raw


def _refusal(_: Chunks, chance: random.Random) -> Pieces:
    """A status with an odd reason, and with odd advice when to come back."""
    status = chance.choice((400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 451, 499, 500, 502, 503, 504, 507, 599))
    waits = (
        "",
        "-5",
        "1e9",
        "99999999999",
        "\u0661",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "nan",
        "0",
        "Mon",
        "1.5.5",
    )
    odd = (
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"x"',
        b'{"error": null}',
        b'{"error": []}',
        b'{"error": {"message": null}}',
        b'{"message": {"a": [1]}}',
        b"\xff\xfe",
        b"<html>" + b"x" * 200_000,
    )
    body = chance.choice(
        (*odd, spoiled({"error": {"message": "x", "type": "y", "code": 5}}, chance).encode("utf-8", "surrogatepass"))
    )
    wait = f"retry-after: {chance.choice(waits)}\r\n".encode()
    yield b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, wait, len(body), body)


def _odd_whole(_: Chunks, chance: random.Random) -> Pieces:
    """Some part of an answer that is not streamed is of another type, or it is no JSON."""
    body = spoiled(completion(), chance).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        body = chance.choice((body[: len(body) // 2], body + b"}", b"", gzip.compress(body), b"\xff" + body, b"<html>"))
    yield OK + JSON + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def _closed_whole(_: Chunks, chance: random.Random) -> Pieces:
    body = whole(chance)
    raw = OK + JSON + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    yield raw[: chance.randrange(1, len(raw))]


def _odd_argument(_: Chunks, chance: random.Random) -> Pieces:
    """Arguments of a call that a model wrote badly."""
    answer = completion()
    answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = odd_literal(chance)
    body = written(answer, chance).encode("utf-8", "surrogatepass")
    yield OK + JSON + b"content-length: %d\r\n\r\n%b" % (len(body), body)


Tear = Callable[[Chunks, random.Random], Pieces]
STREAM_TEARS: Sequence[Tear] = (
    *(_odd_chunk, _odd_chunk, _odd_chunk, _odd_chunk, _no_json, _no_done, _after_done, _error_amid, _bad_text, _zipped),
    *(_long_line, _split_data, _bad_chunks, _closed, _stalled, _bad_head, _refusal),
)
WHOLE_TEARS: Sequence[Tear] = (_odd_whole, _odd_whole, _odd_whole, _odd_argument, _closed_whole, _bad_head, _refusal)
