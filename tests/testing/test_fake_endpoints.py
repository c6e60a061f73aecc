"""The faked server's endpoints beside the chat, as vLLM has them."""

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from orchestrator.testing import FakeVLLM, Hold, WordEmbedder

pytestmark = pytest.mark.anyio

BODY = {"model": "fake-model", "messages": [{"role": "user", "content": "hi"}]}
CHAT = "/v1/chat/completions"


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[tuple[FakeVLLM, httpx.AsyncClient]]:
    """A server and a client of it."""
    async with FakeVLLM(**settings) as server, httpx.AsyncClient(base_url=server.url) as client:
        with anyio.fail_after(20):
            yield server, client


async def metric(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    """The value of the one series of this name that has these labels."""
    page = (await client.get("/metrics")).text
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    [value] = [
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith(f"vllm:{name}{{") and all(label in line for label in wanted)
    ]
    return value


@pytest.mark.parametrize("path", ["/health", "/ping"])
async def test_health_and_ping_are_probes(path: str) -> None:
    """Both have an empty body and the status that was set."""
    async with served() as (server, client):
        server.health = 503
        answer = await client.get(path)
    assert (answer.status_code, answer.content, server.probes) == (503, b"", 1)


async def test_version_and_load_are_told() -> None:
    """Load counts what runs and what waits."""
    async with served() as (_, client):
        assert set((await client.get("/version")).json()) == {"version"}
        assert (await client.get("/load")).json() == {"server_load": 0}


async def test_unknown_paths_have_no_error_object() -> None:
    """Specified (vLLM): FastAPI's body."""
    async with served() as (_, client):
        answer = await client.get("/v1/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_request_id_names_the_answer_and_its_header() -> None:
    """A request without one gets the server's."""
    async with served() as (_, client):
        named = await client.post(CHAT, json=BODY, headers={"X-Request-Id": "r-7"})
        streamed = await client.post(CHAT, json={**BODY, "stream": True}, headers={"X-Request-Id": "r-8"})
        unnamed = await client.post(CHAT, json=BODY)
    assert (named.headers["X-Request-Id"], named.json()["id"]) == ("r-7", "chatcmpl-r-7")
    assert (streamed.headers["X-Request-Id"], b'"id": "chatcmpl-r-8"' in streamed.content) == ("r-8", True)
    assert unnamed.headers["X-Request-Id"]


async def test_api_key_guards_the_api_and_not_health() -> None:
    """Specified (vLLM): every path under /v1, no other."""
    async with served(api_key="sk-right") as (_, client):
        refused = [(await client.get("/v1/models")).status_code, (await client.post(CHAT, json=BODY)).status_code]
        allowed = await client.post(CHAT, json=BODY, headers={"Authorization": "Bearer sk-right"})
        health = await client.get("/health")
    assert (refused, allowed.status_code, health.status_code) == ([401, 401], 200, 200)


async def test_metrics_follow_the_requests_that_run_and_wait() -> None:
    """With two places the third request waits, and runs when a place is free."""
    async with served(max_num_seqs=2) as (server, client):
        server.fault = hold = Hold(after=0)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: client.post(CHAT, json=BODY))
            await server.until(lambda: (server.running, server.waiting) == (2, 1))
            assert await metric(client, "num_requests_running", model_name="fake-model", engine="0") == 2
            assert await metric(client, "num_requests_waiting", model_name="fake-model") == 1
            assert await metric(client, "num_requests_waiting_by_reason", reason="capacity") == 1
            assert await metric(client, "kv_cache_usage_perc") == 1
            hold.release.set()
        assert await metric(client, "num_requests_running") == 0
        assert await metric(client, "request_success_total", finished_reason="stop") == 3
        assert await metric(client, "prompt_tokens_total") == 3 * 7
        assert await metric(client, "generation_tokens_total") == 3 * 3
        assert await metric(client, "e2e_request_latency_seconds_count") == 3
        assert await metric(client, "time_to_first_token_seconds_bucket", le="+Inf") == 3


async def test_metrics_tell_a_load_that_is_not_there() -> None:
    """So that a test of balancing needs no crowd."""
    async with served() as (server, client):
        server.counts.pretended_running, server.counts.pretended_waiting, server.counts.kv_cache_usage = 3, 9, 0.75
        values = [
            await metric(client, name)
            for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
        ]
    assert values == [3, 9, 0.75]


async def test_metrics_are_text_that_prometheus_reads() -> None:
    """Every series follows its type; histograms rise."""
    async with served(models=('odd "name"\\',), enable_lora=True) as (_, client):
        answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert r'model_name="odd \"name\"\\"' in answer.text
    typed = [line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")]
    series = {line.partition("{")[0] for line in answer.text.splitlines() if not line.startswith("#")}
    assert all(any(name == kind or name.startswith(f"{kind}_") for kind in typed) for name in series)
    assert len(typed) == len(set(typed))


async def test_tokens_and_their_numbers_lead_to_each_other() -> None:
    """Any text, also one of messages; numbers that no token has are refused."""
    text = "Straße  \n🗼 is <|im_end|> antidisestablishment"
    async with served() as (_, client):
        tokens = (await client.post("/tokenize", json={"prompt": text, "return_token_strs": True})).json()
        back = await client.post("/detokenize", json={"tokens": tokens["tokens"]})
        chat = await client.post("/tokenize", json={"messages": BODY["messages"], "return_token_strs": True})
        wrong = await client.post("/detokenize", json={"tokens": [7]})
        missing = await client.post("/tokenize", json={})
        unknown = await client.post("/tokenize", json={"model": "x", "prompt": "a"})
    assert "".join(tokens["token_strs"]) == back.json()["prompt"] == text
    assert tokens["count"] == len(tokens["tokens"]) > text.count(" ")
    assert "".join(chat.json()["token_strs"]) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert (wrong.status_code, missing.status_code, unknown.status_code) == (400, 400, 404)


async def test_pooling_servers_give_vectors_and_no_text() -> None:
    """And generating servers the other way round."""
    inputs = ["rain tomorrow", "rain today"]
    async with served(runner="pooling", embedder=WordEmbedder(16)) as (server, client):
        listed = await client.post("/v1/embeddings", json={"model": "fake-model", "input": inputs})
        packed = await client.post("/v1/embeddings", json={"input": inputs[0], "encoding_format": "base64"})
        chat = await client.post(CHAT, json=BODY)
    async with served() as (_, client):
        none = await client.post("/v1/embeddings", json={"input": inputs})
    rows = np.array([entry["embedding"] for entry in listed.json()["data"]], dtype=np.float32)
    assert np.array_equal(rows, WordEmbedder(16).embed(inputs))
    assert struct.unpack("<16f", base64.b64decode(packed.json()["data"][0]["embedding"])) == tuple(rows[0].tolist())
    assert listed.json()["usage"]["prompt_tokens"] == 6
    assert (chat.status_code, none.status_code) == (404, 404)
    assert [recorded.path for recorded in server.requests] == ["/v1/embeddings"] * 2


async def test_first_token_and_pace_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds on anyio's clock, here counted instead of waited for."""
    waited: list[float] = []
    sleep = anyio.sleep

    async def counted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    async with served() as (server, client):
        server.first_s, server.pace_s = 5.0, 0.25
        monkeypatch.setattr(anyio, "sleep", counted)
        await client.post(CHAT, json={**BODY, "stream": True})
    assert [seconds for seconds in waited if seconds] == [5.0] + [0.25] * 5


async def test_only_as_many_requests_are_kept_as_it_was_told() -> None:
    """Whatever runs for hours must not grow."""
    async with served(keep=3) as (server, client):
        for _ in range(20):
            await client.post(CHAT, json=BODY)
    assert server.received == 20
    assert len(server.requests) <= 6
    assert len(server.sent) <= 6
