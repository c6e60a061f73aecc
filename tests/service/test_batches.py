"""OpenAI's files and batches over the service: asked beside other requests, each caller's own, gone on with."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from orchestrator.testing import Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["solver"]}
CHAT = "/v1/chat/completions"


def requests(count: int, **body: Any) -> list[dict[str, Any]]:
    asked = {"messages": [{"role": "user", "content": "math"}], **body}
    return [{"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": asked} for number in range(count)]


def jsonl(lines: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@asynccontextmanager
async def batching(tmp_path: Path, *experts: ScriptedExpert, **serve: Any) -> AsyncIterator[httpx.AsyncClient]:
    blocks = {"serve": {"batches": str(tmp_path / "batches"), **serve}}
    async with served(*(experts or (ScriptedExpert("solver", "42"),)), categories=CATEGORIES, **blocks) as client:
        yield client


async def begun(client: httpx.AsyncClient, raw: bytes, **more: Any) -> dict[str, Any]:
    """A batch over these lines."""
    headers = more.pop("headers", {})
    sent = await client.post("/v1/files", files={"file": ("in.jsonl", raw)}, data={"purpose": "batch"}, headers=headers)
    assert sent.status_code == 200, sent.text
    body = {"input_file_id": sent.json()["id"], "endpoint": CHAT, "completion_window": "24h", **more}
    made = await client.post("/v1/batches", json=body, headers=headers)
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


async def ended(client: httpx.AsyncClient, name: str, **headers: str) -> dict[str, Any]:
    with anyio.fail_after(20):
        while True:
            found: dict[str, Any] = (await client.get(f"/v1/batches/{name}", headers=headers)).json()
            if found["status"] in {"completed", "failed", "cancelled"}:
                return found
            await anyio.sleep(0.01)


async def lines(client: httpx.AsyncClient, file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await client.get(f"/v1/files/{file}/content")).text.splitlines()]


async def test_a_batch_is_asked_and_its_answers_are_a_file(tmp_path: Path) -> None:
    """Answers and failures apart, as OpenAI has it."""
    asked = [*requests(5), *requests(1, model="nobody")]
    asked[-1]["custom_id"] = "bad"
    async with batching(tmp_path) as client:
        made = await begun(client, jsonl(asked), metadata={"of": "tests"})
        found = await ended(client, made["id"])
        good, bad = await lines(client, found["output_file_id"]), await lines(client, found["error_file_id"])
        listed = (await client.get("/v1/batches")).json()
        file = (await client.get(f"/v1/files/{found['output_file_id']}")).json()
    assert (found["status"], found["metadata"]) == ("completed", {"of": "tests"})
    assert found["request_counts"] == {"total": 6, "completed": 5, "failed": 1}
    assert sorted(line["custom_id"] for line in good) == [f"r{number}" for number in range(5)]
    assert {line["response"]["body"]["choices"][0]["message"]["content"] for line in good} == {"42"}
    assert (bad[0]["custom_id"], bad[0]["response"]["status_code"]) == ("bad", 404)
    assert [one["id"] for one in listed["data"]] == [made["id"]]
    assert (file["purpose"], file["bytes"] > 0) == ("batch_output", True)


async def test_a_batch_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Specified: resumable. What was answered is not asked again."""
    hold = anyio.Event()
    slow = ScriptedExpert("solver", "1", "2", "3", Reply(pieces=("x",), before=hold))
    async with batching(tmp_path, slow, batch_concurrency=1) as client:
        made = await begun(client, jsonl(requests(6)))
        with anyio.fail_after(20):
            while len(slow.requests) < 4:  # noqa: ASYNC110 - experts tell nobody
                await anyio.sleep(0.01)
    again = ScriptedExpert("solver", "42")
    async with batching(tmp_path, again) as client:
        found = await ended(client, made["id"])
        answers = await lines(client, found["output_file_id"])
    assert found["request_counts"] == {"total": 6, "completed": 6, "failed": 0}
    assert sorted(line["custom_id"] for line in answers) == [f"r{number}" for number in range(6)]
    assert len(again.requests) == 3


async def test_a_batch_can_be_cancelled(tmp_path: Path) -> None:
    """The request under way is given up, what was answered stays."""
    slow = ScriptedExpert("solver", "1", Reply(pieces=("x",), before=anyio.Event()))
    async with batching(tmp_path, slow, batch_concurrency=1) as client:
        made = await begun(client, jsonl(requests(3)))
        with anyio.fail_after(20):
            while len(slow.requests) < 2:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
        told = await client.post(f"/v1/batches/{made['id']}/cancel")
        found = await ended(client, made["id"])
        answers = await lines(client, found["output_file_id"])
        late = await client.post(f"/v1/batches/{made['id']}/cancel")
    assert told.json()["status"] in {"cancelling", "cancelled"}
    assert (found["status"], late.json()["status"]) == ("cancelled", "cancelled")
    assert [line["custom_id"] for line in answers] == ["r0"]
    assert slow.cancelled == 1


async def test_a_file_that_is_no_batch_fails_with_its_lines(tmp_path: Path) -> None:
    """As OpenAI tells it; the batches after it are worked through."""
    other = [{**requests(1)[0], "url": "/v1/embeddings"}]
    async with batching(tmp_path) as client:
        bad = await ended(client, (await begun(client, b"nonsense\n" + jsonl(other)))["id"])
        good = await ended(client, (await begun(client, jsonl(requests(1))))["id"])
    assert bad["status"] == "failed"
    assert [error["message"] for error in bad["errors"]["data"]] == [
        "line:1: not valid JSON: invalid literal, expected 'null': line 1 column 1 (char 0)",
        f"line:2: 'url' must be {CHAT}",
    ]
    assert good["status"] == "completed"


async def test_two_keys_see_their_own_alone(tmp_path: Path) -> None:
    """Files, batches and lists."""
    async with batching(tmp_path, keys="one,two") as client:
        mine, yours = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
        made = await begun(client, jsonl(requests(1)), headers=mine)
        await ended(client, made["id"], **mine)
        places = [f"/v1/batches/{made['id']}", f"/v1/files/{made['input_file_id']}"]
        seen = [(await client.get(place, headers=who)).status_code for who in (mine, yours) for place in places]
        listed = [len((await client.get("/v1/batches", headers=who)).json()["data"]) for who in (mine, yours)]
        nobody = await client.get("/v1/batches")
    assert seen == [200, 200, 404, 404]
    assert listed == [1, 0]
    assert nobody.status_code == 401


@pytest.mark.parametrize("name", ["../../etc/passwd", "file_../x", "batch_1", "file_" + "g" * 24, "file_" + "0" * 24])
async def test_names_that_are_none_lead_nowhere(tmp_path: Path, name: str) -> None:
    """No path of a client is ever used."""
    async with batching(tmp_path) as client:
        for place in (f"/v1/files/{name}", f"/v1/files/{name}/content", f"/v1/batches/{name}"):
            assert (await client.get(place)).status_code == 404
        sent = await client.post("/v1/batches", json={"input_file_id": name, "endpoint": CHAT})
    assert sent.status_code == 404


async def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """By its field, and too much by its size."""
    async with batching(tmp_path, max_batch_bytes=1024) as client:
        file = {"file": ("in.jsonl", b"x")}
        refused = [
            await client.post("/v1/files", files=file, data={"purpose": "fine-tune"}),
            await client.post("/v1/files", data={"purpose": "batch"}),
            await client.post("/v1/files", content=b"x", headers={"content-type": "multipart/form-data"}),
            await client.post("/v1/files", files={"file": ("in", b"x" * 5000)}, data={"purpose": "batch"}),
            await client.get("/v1/batches", params={"limit": "0"}),
            await client.get("/v1/batches", params={"limit": "many"}),
        ]
        made = (await client.post("/v1/files", files=file, data={"purpose": "batch"})).json()["id"]
        bodies = [
            {"input_file_id": made},
            {"input_file_id": made, "endpoint": CHAT, "metadata": {"a": 1}},
            {"input_file_id": made, "endpoint": CHAT, "completion_window": 3},
        ]
        refused += [await client.post("/v1/batches", json=body) for body in bodies]
        gone = await client.delete(f"/v1/files/{made}")
        after = await client.get(f"/v1/files/{made}")
    assert [one.status_code for one in refused] == [400, 400, 400, 413, 400, 400, 400, 400, 400]
    assert (gone.json()["deleted"], after.status_code) == (True, 404)


async def test_without_a_folder_there_are_no_batches() -> None:
    """Off unless the configuration says where."""
    async with served(ScriptedExpert("solver"), categories=CATEGORIES) as client:
        assert (await client.get("/v1/batches")).status_code == 404


async def test_files_and_batches_are_in_the_document(tmp_path: Path) -> None:
    """Where they are served."""
    async with batching(tmp_path) as client:
        document = (await client.get("/openapi.json")).json()
    paths = {path for path in document["paths"] if "files" in path or "batches" in path}
    assert paths == {
        "/v1/files",
        "/v1/files/{file_id}",
        "/v1/files/{file_id}/content",
        "/v1/batches",
        "/v1/batches/{batch_id}",
        "/v1/batches/{batch_id}/cancel",
    }
    assert "422" not in json.dumps(document["paths"])
    assert document["paths"]["/v1/files"]["post"]["responses"]["413"]
