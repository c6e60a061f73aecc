"""The fuzzing: that it tells good answers from bad ones, draws the same for a seed, and runs against the service."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path

import anyio
import pytest

from eval.fuzz.api import fuzz as fuzz_api
from eval.fuzz.bodies import faults_of, figures_of
from eval.fuzz.exchange import Seen, exchange
from eval.fuzz.fuzzing import Plan, Report, fuzz, request_of
from eval.fuzz.judge import problem
from eval.fuzz.oddities import KINDS
from eval.fuzz.requests import PATHS

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
CHUNK = b'data: {"choices": []}\n\n'
SHARE = 300


def seen(status: int, body: bytes, headers: dict[str, str] | None = None, *, whole: bool = True) -> Seen:
    return Seen(status=status, headers=JSON if headers is None else headers, body=body, whole=whole)


def typed(*kinds: str) -> bytes:
    return b"".join(f'event: {kind}\ndata: {{"type": "{kind}"}}\n\n'.encode() for kind in kinds)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (CHAT, seen(200, b"{}")),
        (CHAT, seen(400, b'{"error": {"message": "why"}}')),
        (CHAT, seen(200, CHUNK + b": progress\n\n" + b"data: [DONE]\n\n", STREAM)),
        (CHAT, seen(200, CHUNK + b'data: {"error": {"message": "why"}}\n\n', STREAM)),
        (RESPONSES, seen(200, typed("response.created", "response.completed"), STREAM)),
        (MESSAGES, seen(200, typed("message_start", "error"), STREAM)),
        ("/mcp", seen(200, b'event: message\r\ndata: {"jsonrpc": "2.0", "id": 1, "result": {}}\r\n\r\n', STREAM)),
        ("/mcp", seen(202, b"", {})),
    ],
)
def test_an_answer_or_an_error_with_its_reason_is_well(path: str, answer: Seen) -> None:
    """In the form of each surface."""
    assert problem(path, answer) == ""


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (CHAT, Seen(late=True)),
        (CHAT, Seen()),
        (CHAT, Seen(malformed="x")),
        (CHAT, seen(200, b"{}", whole=False)),
        (CHAT, seen(500, b'{"error": {"message": "why"}}')),
        (CHAT, seen(422, b'{"error": {"message": "why"}}')),
        (CHAT, seen(400, b'{"error": {"message": ""}}')),
        (CHAT, seen(400, b'{"detail": "why"}')),
        (CHAT, seen(200, b"{")),
        (CHAT, seen(200, b"<html>", {"content-type": "text/html"})),
        (CHAT, seen(400, b'{"error": {"message": "Traceback (most recent call last)"}}')),
        (CHAT, seen(400, b'{"error": {"message": "<object object at 0x7f0000000000>"}}')),
        (CHAT, seen(200, b"", STREAM)),
        (CHAT, seen(200, CHUNK, STREAM)),
        (CHAT, seen(200, CHUNK + b"data: [DONE]", STREAM)),
        (CHAT, seen(200, b"data: [DONE]\n\n" + CHUNK, STREAM)),
        (CHAT, seen(200, b"data: {\n\n", STREAM)),
        (CHAT, seen(200, b"data: \xff\n\n", STREAM)),
        (CHAT, seen(200, b'data: {"error": {}}\n\n', STREAM)),
        (RESPONSES, seen(200, typed("response.created"), STREAM)),
        (RESPONSES, seen(200, typed("response.created", "response.failed", "response.completed"), STREAM)),
        (RESPONSES, seen(200, b'event: a\ndata: {"type": "response.completed"}\n\n', STREAM)),
        (MESSAGES, seen(200, typed("message_start"), STREAM)),
        ("/mcp", seen(200, b'data: {"method": "x"}\n\n', STREAM)),
    ],
)
def test_all_else_is_a_problem(path: str, answer: Seen) -> None:
    """No end, half an end, an error without a reason, a status that nobody documented, insides."""
    assert problem(path, answer) != ""


def test_to_half_a_request_silence_is_an_answer() -> None:
    """The service waits for the rest, or hangs up with its client; a bad answer stays one."""
    assert problem(CHAT, Seen(), whole=False) == ""
    assert problem(CHAT, seen(500, b"{}"), whole=False) != ""


def test_a_seed_draws_the_same_requests_again() -> None:
    """Of every kind of damage, for every path."""
    first = [request_of(number, seed=3) for number in range(1500)]
    assert first == [request_of(number, seed=3) for number in range(1500)]
    assert first != [request_of(number, seed=4) for number in range(1500)]
    assert {one.path for one in first} == set(PATHS)
    assert {one.kind for one in first} >= {*KINDS, "answer torn", "answer right", "chunks", "length too long", "header"}


def test_a_report_names_what_must_not_be() -> None:
    """Bad answers, a dead process, errors in the log, memory."""
    report = Report(Plan(count=2))
    report.add(1, request_of(1), Seen(late=True))
    assert report.problems[0].startswith("1: ")
    assert faults_of(report) == ["1 bad answers"]
    report.alive, report.defects, report.warm_mib, report.end_mib = False, 2, 100, 400
    assert len(faults_of(report)) == 4
    assert json.loads(json.dumps(figures_of(report)))["exchanges"] == 1


async def said_once(raw: bytes) -> Seen:
    """What the client makes of a server that says this, and hangs up."""
    async with anyio.create_task_group() as group:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - of anyio

        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(raw)

        group.start_soon(listener.serve, serve)
        found = await exchange(f"http://127.0.0.1:{port}", b"GET / HTTP/1.1\r\n\r\n", within_s=10)
        group.cancel_scope.cancel()
    await listener.aclose()
    return found


@pytest.mark.anyio
async def test_the_client_knows_a_whole_answer_from_a_part() -> None:
    """By length, by chunks, and by the end of the connection; interim answers are passed over."""
    head = b"HTTP/1.1 200 OK\r\n"
    whole = await said_once(b"HTTP/1.1 100 C\r\n\r\n" + head + b"content-length: 2\r\n\r\n{}")
    part = await said_once(head + b"content-length: 3\r\n\r\n{}")
    chunks = await said_once(head + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    open_end = await said_once(head + b"\r\n{}")
    none = await said_once(b"what\r\n\r\n")
    assert [(one.status, one.body, one.whole) for one in (whole, part, chunks, open_end)] == [
        (200, b"{}", True),
        (200, b"{}", False),
        (200, b"{}", True),
        (200, b"{}", True),
    ]
    assert none.malformed


@pytest.mark.slow
def test_the_service_stands_damaged_requests_and_answers(tmp_path: Path) -> None:
    """A share of `python -m eval.fuzz.bodies`: each exchange ends well, nothing in the log, nothing grows."""
    report = anyio.run(fuzz, Plan(count=SHARE), tmp_path)
    assert (faults_of(report), report.problems, report.exchanges) == ([], [], SHARE)
    assert report.asked >= SHARE // 4 * 0.9
    assert Counter(report.statuses).keys() >= {200, 400, 502}


@pytest.mark.slow
def test_the_service_is_as_its_document_says(tmp_path: Path) -> None:
    """A share of `python -m eval.fuzz.api`: schemathesis finds nothing."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed; it is in the lock")
    found = anyio.run(partial(fuzz_api, tmp_path, seconds=45, seed=0, phases="examples,coverage"))
    assert (found.status, found.defects, found.alive) == (0, 0, True), found.said[-6000:]
