"""LoRA adapters of the faked server."""

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from orchestrator.testing import FakeVLLM, Hold

pytestmark = pytest.mark.anyio

LOAD, UNLOAD, CHAT = "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "hi"}]


def came(server: FakeVLLM, count: int) -> bool:
    return server.running + server.waiting == count


@pytest.fixture
def adapter(tmp_path: Path) -> str:
    """A folder that vLLM would find an adapter in."""
    (tmp_path / "adapter_config.json").write_text("{}")
    return str(tmp_path)


async def test_adapter_is_loaded_addressed_by_name_and_unloaded(adapter: str) -> None:
    """Successes are plain text; /v1/models tells its parent."""
    async with FakeVLLM(enable_lora=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        loaded = await client.post(LOAD, json={"lora_name": "sql", "lora_path": adapter})
        models = (await client.get("/v1/models")).json()["data"]
        chat = await client.post(CHAT, json={"model": "sql", "messages": MESSAGES})
        unloaded = await client.post(UNLOAD, json={"lora_name": "sql"})
        gone = await client.post(CHAT, json={"model": "sql", "messages": MESSAGES})
    assert (loaded.status_code, loaded.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert loaded.text == "Success: LoRA adapter 'sql' added successfully."
    assert [(model["id"], model["root"], model["parent"]) for model in models] == [
        ("fake-model", "fake-model", None),
        ("sql", adapter, "fake-model"),
    ]
    assert chat.json()["model"] == "sql"
    assert unloaded.text == "Success: LoRA adapter 'sql' removed successfully."
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "model")


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        (LOAD, {"lora_name": "sql"}, 400, "InvalidUserInput"),
        (LOAD, {"lora_name": "old", "lora_path": "/there"}, 400, "InvalidUserInput"),
        (LOAD, {"lora_name": "fake-model", "lora_path": "/there"}, 400, "InvalidUserInput"),
        (LOAD, {"lora_name": "sql", "lora_path": "/nowhere"}, 404, "NotFoundError"),
        (UNLOAD, {}, 400, "InvalidUserInput"),
        (UNLOAD, {"lora_name": "sql"}, 404, "NotFoundError"),
    ],
)
async def test_what_cannot_be_loaded_is_refused_as_vllm_does(
    path: str, body: dict[str, Any], status: int, kind: str
) -> None:
    """Specified (vLLM): twice is 400, a missing path 404."""
    there: dict[str, Any] = {"enable_lora": True, "adapters": {"old": "/there"}, "adapter_exists": "/there".__eq__}
    async with FakeVLLM(**there) as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert server.adapters.loaded == {"old": "/there"}


async def test_adapter_is_loaded_anew_in_place(adapter: str) -> None:
    """Where the request says so."""
    async with FakeVLLM(enable_lora=True, adapters={"sql": "/old"}) as server, httpx.AsyncClient() as client:
        body = {"lora_name": "sql", "lora_path": adapter, "load_inplace": True}
        answer = await client.post(server.url + LOAD, json=body)
    assert (answer.status_code, server.adapters.loaded) == (200, {"sql": adapter})


async def test_server_without_lora_fails(adapter: str) -> None:
    """Specified (vLLM): 500; and 404 where adapters may not be loaded while it runs."""
    body = {"lora_name": "sql", "lora_path": adapter}
    async with FakeVLLM() as server, httpx.AsyncClient(base_url=server.url) as client:
        disabled = await client.post(LOAD, json=body)
    async with (
        FakeVLLM(enable_lora=True, runtime_lora=False) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        absent = await client.post(LOAD, json=body)
    assert (disabled.status_code, disabled.json()["error"]["type"]) == (500, "InternalServerError")
    assert (absent.status_code, absent.json()) == (404, {"detail": "Not Found"})


async def test_batch_takes_so_many_adapters_and_metrics_name_them() -> None:
    """A request whose adapter has no room waits; one of the base passes it."""
    settings: dict[str, Any] = {"enable_lora": True, "adapters": {"a": "/a", "b": "/b"}, "max_loras": 1}
    async with FakeVLLM(**settings) as server, httpx.AsyncClient(base_url=server.url) as client:
        server.fault = hold = Hold(after=0)

        async def ask(model: str) -> None:
            await client.post(CHAT, json={"model": model, "messages": MESSAGES})

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for count, model in enumerate(("a", "b", "fake-model", "a"), start=1):
                    group.start_soon(ask, model)
                    await server.until(partial(came, server, count))
                assert (server.running, server.waiting) == (3, 1)
                page = (await client.get("/metrics")).text
                hold.release.set()
        after = (await client.get("/metrics")).text
    busy = 'vllm:lora_requests_info{max_lora="1",running_lora_adapters="a",waiting_lora_adapters="b"}'
    idle = 'vllm:lora_requests_info{max_lora="1",running_lora_adapters="",waiting_lora_adapters=""}'
    assert busy in page
    told = {line.partition("} ")[0] + "}": float(line.rpartition(" ")[2]) for line in after.splitlines() if "{" in line}
    assert told[idle] > told[busy]


async def test_adapters_loaded_while_it_ran_are_gone_after_its_death(adapter: str) -> None:
    """Only those of its command line are there again."""
    async with FakeVLLM(enable_lora=True, adapters={"own": "/own"}) as server, httpx.AsyncClient() as client:
        await client.post(server.url + LOAD, json={"lora_name": "sql", "lora_path": adapter})
        await server.kill()
        await server.listen()
        models = (await client.get(server.url + "/v1/models")).json()["data"]
    assert [model["id"] for model in models] == ["fake-model", "own"]
