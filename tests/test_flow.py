"""The first read: the embedded example as a user runs it, from the README's commands to answers of every kind.

One real service in a process of its own: the router is trained on the way, the experts are the real ones.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
START_LIMIT_S = 180


class Service:
    """The example, running."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.url = url
        self.process = process
        self.folder = folder
        self.http = httpx.Client(base_url=url, timeout=90, trust_env=False)

    def chat(self, query: str, **fields: Any) -> httpx.Response:
        body = {"model": "auto", "messages": [{"role": "user", "content": query}], **fields}
        return self.http.post("/v1/chat/completions", json=body)

    def states(self) -> dict[str, str]:
        return {expert["id"]: expert["state"] for expert in self.http.get("/v1/experts").json()}

    def decision(self, response: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}").json()
        return found


def until(holds: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll another process: there is no event to wait for."""
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        assert process.poll() is None, log.read_text()
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`orchestrator serve experts.yaml --train` in a folder where nothing is trained yet, once all experts are up."""
    folder = tmp_path_factory.mktemp("example")
    for name in ("experts.yaml", "example"):
        (folder / name).symlink_to(ROOT / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "serve.log"
    command = [
        sys.executable,
        "-m",
        "orchestrator",
        "serve",
        str(folder / "experts.yaml"),
        "--train",
        "--port",
        str(port),
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=output, stderr=output, cwd=ROOT
        ) as process,
    ):
        running = Service(f"http://127.0.0.1:{port}", process, folder)
        try:
            until(lambda: running.http.get("/health/ready").is_success, process, log)
            until(lambda: set(running.states().values()) == {"up"}, process, log)
            yield running
        finally:
            running.http.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) in {0, -signal.SIGINT, 130}, log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_readmes_curl_line_is_answered_by_a_tool_with_the_exact_number(service: Service) -> None:
    """The command as it stands, run by a shell, and the answer that the README shows."""
    command, shown = re.search(r"```bash\n(curl.*?)```\n\n```json\n(.*?)\n```", README, re.DOTALL).groups()  # type: ignore[union-attr]
    command = command.replace("http://127.0.0.1:8080", service.url)
    done = subprocess.run([str(shutil.which("bash")), "-c", command], capture_output=True, check=True, timeout=60)
    answer, expected = json.loads(done.stdout), json.loads(shown)
    assert answer["model"] == expected["model"] == "calculator"
    assert answer["choices"] == expected["choices"]
    assert answer["choices"][0]["message"]["content"] == "17% of 4310 = 732.7"


def test_the_readmes_python_runs_unchanged(service: Service) -> None:
    """The official client, streaming and not, prints what the comments say."""
    code = re.search(r"```python\n(from openai.*?)```", README, re.DOTALL).group(1)  # type: ignore[union-attr]
    code = code.replace("http://127.0.0.1:8080", service.url)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("astronomy\n")
    assert "carbon dioxide" in done.stdout
    assert done.stdout.endswith("5 miles = 8.04672 kilometres")


def test_a_question_on_the_manual_is_answered_with_its_citation(service: Service) -> None:
    """Passages of the corpus, the best first, with document and offsets."""
    response = service.chat("Which key in experts.yaml names the category where the gate sends unknown queries?")
    message = response.json()["choices"][0]["message"]
    first = message["citations"][0]
    corpus = (ROOT / "example/corpus/manual.jsonl").read_text(encoding="utf-8").splitlines()
    documents = {row["id"]: row for row in map(json.loads, corpus)}
    assert response.headers["x-orchestrator-expert"] == "manual"
    assert documents[first["document"]]["text"][first["start"] : first["end"]] == first["text"]
    assert first["text"] in message["content"]
    assert f"[1] {first['title']}" in message["content"]


def test_small_talk_is_answered_by_the_model_in_this_process(service: Service) -> None:
    """Real tokens of a real model, counted."""
    response = service.chat("hello, how are you today?", max_tokens=12)
    answer = response.json()
    assert answer["model"] == "chatter"
    assert answer["choices"][0]["message"]["content"].strip()
    assert 1 <= answer["usage"]["completion_tokens"] <= 12


def test_a_local_answer_streams_token_by_token(service: Service) -> None:
    """Curl -N shows many chunks, and [DONE] at the end."""
    body = {"model": "chatter", "stream": True, "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}
    command = [
        str(shutil.which("curl")),
        "-sN",
        f"{service.url}/v1/chat/completions",
        "-H",
        "content-type: application/json",
    ]
    done = subprocess.run([*command, "-d", json.dumps(body)], capture_output=True, text=True, check=True, timeout=60)
    events = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    chunks = [json.loads(event) for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert len(chunks) >= 4
    assert {chunk["model"] for chunk in chunks} == {"chatter"}


def test_fuse_gives_a_verdict_over_at_least_two_drafts(service: Service) -> None:
    """Drafts of several experts, agreement, and a verdict that saw what was kept."""
    response = service.chat("Should I learn the piano or the guitar?", model="fuse", max_tokens=16)
    decision = service.decision(response)
    assert response.headers["x-orchestrator-path"] == "fuse"
    assert len(decision["drafts"]) >= 2
    assert set(decision["verdict"]["saw"]) == set(decision["consensus"]["kept"])
    assert decision["verdict"]["kind"] in {"synthesize", "choose"}
    assert response.json()["choices"][0]["message"]["content"].strip()


@pytest.mark.parametrize(
    ("query", "expert", "answer"),
    [
        ("convert 5 miles to km", "converter", "5 miles = 8.04672 kilometres"),
        ("what is the median of 4, 8, 15, 16, 23, 42?", "statistician", "median = 15.5 (n = 6: 4, 8, 15, 16, 23, 42)"),
        (
            "how many days between 2024-02-10 and 2024-03-01",
            "calendar",
            "20 days (2 weeks and 6 days) from 10 February 2024 to 1 March 2024",
        ),
    ],
)
def test_each_tool_gets_its_queries(service: Service, query: str, expert: str, answer: str) -> None:
    """Category, expert and exact result."""
    body = service.chat(query).json()
    assert (body["model"], body["choices"][0]["message"]["content"]) == (expert, answer)


def test_search_gives_passages_of_all_corpora(service: Service) -> None:
    """The three retrievers at once; the best passage on Venus is astronomy's."""
    found = service.http.post("/v1/search", json={"query": "why is Venus so hot", "top_k": 1}).json()
    assert [passage["expert"] for passage in found["passages"]] == ["manual", "astronomy", "baking"]
    assert "Venus" in found["passages"][1]["title"]


def test_the_openai_client_gets_openais_errors(service: Service) -> None:
    """Its own exception classes, with our message."""
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    with client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "model_not_found"


def test_a_killed_tool_server_is_down_and_its_queries_fall_back(service: Service) -> None:
    """Kill the MCP server: the expert is down, the next of the plan answers, and the server comes back by itself."""
    (server,) = [
        child
        for child in psutil.Process(service.process.pid).children(recursive=True)
        if "server.py" in " ".join(child.cmdline())
    ]
    server.kill()
    response = service.chat("What is 17% of 4310?", max_tokens=4)
    assert response.status_code == 200
    assert response.json()["model"] in {"generalist", "calculator"}
    until(lambda: service.states()["calculator"] == "up", service.process, service.folder / "serve.log")
    assert service.chat("What is 17% of 4310?").json()["model"] == "calculator"
