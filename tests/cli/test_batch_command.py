"""`orchestrator batch`: a real process over a faked model server, killed and gone on with."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from orchestrator.testing import Answer, FakeVLLM

LINES = 40
CONCURRENCY = 4
WAIT_S = 120.0


@pytest.fixture
def fake() -> Iterator[FakeVLLM]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(FakeVLLM(models=("m",))) as server:
        server.answer = Answer(pieces=("forty", "-two"))
        yield server


@pytest.fixture
def folder(fake: FakeVLLM, tmp_path: Path) -> Path:
    """A configuration with a trained router, and the requests."""
    expert = {"kind": "vllm", "model": "m", "replicas": [fake.url]}
    config = {
        "version": 1,
        "categories": {
            "math": {"description": "sums", "examples": ["two and two", "add these numbers"], "experts": ["solver"]},
            "general": {"description": "all else", "examples": ["tell a story", "sing"], "experts": ["solver"]},
        },
        "general": "general",
        "routing": {"classifier": "static"},
        "experts": {"solver": expert},
    }
    (tmp_path / "experts.yaml").write_text(yaml.safe_dump(config))
    requests = [
        {
            "custom_id": f"r{number}",
            "url": "/v1/chat/completions" if number % 2 else "/v1/responses",
            "body": {"messages": [{"role": "user", "content": f"what is {number}"}]}
            if number % 2
            else {"input": f"what is {number}"},
        }
        for number in range(LINES)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, requests)) + "\n")
    ran = subprocess.run(
        [sys.executable, "-m", "orchestrator", "train", "experts.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    return tmp_path


def command(*more: str) -> list[str]:
    verb = [sys.executable, "-m", "orchestrator", "batch", "in.jsonl", "out.jsonl"]
    return [*verb, "--concurrency", str(CONCURRENCY), *more]


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*more), cwd=folder, capture_output=True, text=True, check=False, timeout=WAIT_S)


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_a_batch_that_is_killed_goes_on_where_it_was(folder: Path, fake: FakeVLLM) -> None:
    """Specified: resumable. Every request has one answer, and few were asked twice."""
    fake.first_s = 0.05
    with subprocess.Popen(command(), cwd=folder, stderr=subprocess.DEVNULL) as first:
        until = time.monotonic() + WAIT_S
        while not (folder / "out.jsonl").exists() or len((folder / "out.jsonl").read_bytes().splitlines()) < 5:
            assert time.monotonic() < until
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    before = len((folder / "out.jsonl").read_bytes().splitlines())
    assert 5 <= before < LINES
    ran = run(folder, "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["requests"], told["answered"], told["failed"]) == (LINES, LINES, 0)
    assert told["before"] in {before - 1, before}  # the last line may have been torn
    found = answers(folder)
    assert sorted(answer["custom_id"] for answer in found) == sorted(f"r{number}" for number in range(LINES))
    assert {answer["response"]["status_code"] for answer in found} == {200}
    assert fake.received <= LINES + CONCURRENCY + 1
    again = json.loads(run(folder, "--json").stdout)
    assert (again["before"], fake.received <= LINES + CONCURRENCY + 1) == (LINES, True)


def test_what_failed_is_said(folder: Path) -> None:
    """Exit 1 with how many, the others answered; a wrong request stays wrong however often it is asked."""
    requests = (folder / "in.jsonl").read_text().splitlines()[:3]
    bad = {"custom_id": "bad", "url": "/v1/chat/completions", "body": {"model": "nobody", "messages": []}}
    (folder / "in.jsonl").write_text("\n".join([*requests, json.dumps(bad)]) + "\n")
    ran = run(folder)
    assert ran.returncode == 1
    assert "1 of 4 requests failed" in ran.stderr
    statuses = {answer["custom_id"]: answer["response"]["status_code"] for answer in answers(folder)}
    assert statuses == {"r0": 200, "r1": 200, "r2": 200, "bad": 400}
    assert "tokens in" in ran.stdout
    assert run(folder, "--retry-failed").returncode == 1
    assert len(answers(folder)) == 4


def test_a_file_that_is_no_batch_is_refused_with_its_lines(tmp_path: Path) -> None:
    """Exit 2, before anything starts."""
    (tmp_path / "in.jsonl").write_text('{"custom_id": "a"}\nnonsense\n')
    ran = run(tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[0].startswith("in.jsonl:1: 'url' must be one of")
    assert "in.jsonl:2: not valid JSON" in ran.stderr
    assert not (tmp_path / "out.jsonl").exists()
