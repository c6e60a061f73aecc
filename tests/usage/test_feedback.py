"""Feedback over the wire, what is written down of it, and what is not."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from orchestrator.errors import ExpertFailed
from orchestrator.testing import ScriptedExpert
from orchestrator.usage.lines import UsageSet, read_usage
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver", "writer"], "poem": ["writer"], "general": ["writer"]}


@asynccontextmanager
async def service(file: Path | None, *, content: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """The real service; its first expert fails at its second query."""
    solver = ScriptedExpert("solver", "four", ExpertFailed("solver", "broke"), ExpertFailed("solver", "broke"), "five")
    usage = {} if file is None else {"usage": {"file": str(file), "content": content}}
    async with served(solver, ScriptedExpert("writer", "verse"), categories=CATEGORIES, **usage) as client:
        yield client


async def asked(client: httpx.AsyncClient, query: str, **more: Any) -> str:
    """The id of the decision on a query."""
    body = {"model": "auto", "messages": [{"role": "user", "content": query}], **more}
    response = await client.post("/v1/chat/completions", json=body)
    return str(response.headers["x-orchestrator-decision-id"])


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def test_a_decision_is_written_down_without_content(tmp_path: Path) -> None:
    """Specified: what was decided, who was tried and what it cost; neither query nor answer anywhere in the file."""
    file = tmp_path / "sub" / "usage.jsonl"
    async with service(file) as client:
        first = await asked(client, "math secret-word")
        second = await asked(client, "math secret-word", stream=True)
    rows = lines(file)
    assert [(row["id"], row["category"], row["outcome"], row["method"]) for row in rows] == [
        (first, "math", "answered", "router"),
        (second, "math", "answered", "router"),
    ]
    assert rows[0]["confidence"] > 0.9
    assert rows[0]["cost_usd"] == pytest.approx((3 * 1.0 + 2 * 2.0) / 1e6)
    assert [call["expert"] for call in rows[1]["calls"]] == ["solver", "solver", "writer"]
    assert rows[1]["expert"] == "writer"
    text = file.read_text(encoding="utf-8")
    assert all(word not in text for word in ("secret-word", "four", "verse", "broke"))
    assert file.stat().st_mode & 0o077 == 0


async def test_a_decision_on_a_category_that_the_client_named_is_written_down(tmp_path: Path) -> None:
    """Fuzzing found: a way of finding the category that the file did not know."""
    file = tmp_path / "usage.jsonl"
    async with service(file) as client:
        await asked(client, "a verse", orchestrator={"category": "math"})
    (row,) = lines(file)
    assert (row["category"], row["method"], "confidence" in row) == ("math", "override", False)


async def test_feedback_stands_beside_its_decision_and_the_last_one_wins(tmp_path: Path) -> None:
    """Specified: a rating is a score; saying the same again writes nothing, saying something else replaces it."""
    file = tmp_path / "usage.jsonl"
    async with service(file) as client:
        decision = await asked(client, "math")
        up = await client.post("/v1/feedback", json={"decision": decision, "rating": "up", "comment": "private-word"})
        again = await client.post("/v1/feedback", json={"decision": decision, "score": 1})
        down = await client.post("/v1/feedback", json={"decision": decision, "score": 0.25, "category": "poem"})
    assert (up.status_code, up.json()) == (
        202,
        {
            "object": "feedback",
            "decision": decision,
            "expert": "solver",
            "score": 1.0,
            "category": None,
            "comment_kept": False,
            "repeated": False,
        },
    )
    assert (again.json()["repeated"], down.json()["repeated"]) == (True, False)
    assert "private-word" not in file.read_text(encoding="utf-8")
    usage = read_usage(file)
    assert len(lines(file)) == 3
    assert usage.scores() == {decision: {"solver": 0.25}}
    assert usage.corrected() == {decision: "poem"}


async def test_content_is_kept_where_the_configuration_asks_for_it(tmp_path: Path) -> None:
    """Specified: the query and the comment, as they were said."""
    file = tmp_path / "usage.jsonl"
    async with service(file, content=True) as client:
        decision = await asked(client, "math näïve \u2028 🙂")
        told = await client.post("/v1/feedback", json={"decision": decision, "rating": "down", "comment": "no"})
    assert told.json()["comment_kept"] is True
    assert [(row.get("query"), row.get("comment")) for row in lines_of(file)] == [
        ("math näïve \u2028 🙂", None),
        (None, "no"),
    ]


def lines_of(file: Path) -> list[dict[str, Any]]:
    """By bytes: some characters end lines for `str.splitlines` alone."""
    return [json.loads(line) for line in file.read_bytes().split(b"\n") if line]


async def test_feedback_on_one_expert_of_several(tmp_path: Path) -> None:
    """Ours: each expert that was asked may be judged; those that were not may not."""
    file = tmp_path / "usage.jsonl"
    async with service(file) as client:
        await asked(client, "math")
        decision = await asked(client, "math")
        for expert, score in (("solver", 0), ("writer", 1)):
            await client.post("/v1/feedback", json={"decision": decision, "score": score, "expert": expert})
        poem = await asked(client, "poem")
        wrong = await client.post("/v1/feedback", json={"decision": poem, "score": 0, "expert": "solver"})
    assert read_usage(file).scores() == {decision: {"solver": 0.0, "writer": 1.0}}
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "expert")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "score"),
        ({"score": None, "rating": None}, "score"),
        ({"comment": "only words"}, "score"),
        ({"score": 1.5}, "score"),
        ({"score": -0.1}, "score"),
        ({"score": True}, "score"),
        ({"score": "1"}, "score"),
        ({"score": [1]}, "score"),
        ({"rating": "sideways"}, "rating"),
        ({"rating": ["up"]}, "rating"),
        ({"score": 1, "rating": "up"}, "rating"),
        ({"category": "cooking"}, "category"),
        ({"category": {"a": 1}}, "category"),
        ({"score": 1, "expert": ["solver"]}, "expert"),
        ({"score": 1, "comment": 7}, "comment"),
        ({"score": 1, "comment": "x" * 4001}, "comment"),
        ({"score": 1, "decision": 5}, "decision"),
        ({"score": 1, "decision": ""}, "decision"),
        ({"score": 1, "decision": None}, "decision"),
    ],
)
async def test_bad_feedback_says_which_field_is_wrong(tmp_path: Path, body: dict[str, Any], param: str) -> None:
    """Specified: 400 in OpenAI's shape, and nothing is written."""
    file = tmp_path / "usage.jsonl"
    async with service(file) as client:
        decision = await asked(client, "math")
        response = await client.post("/v1/feedback", json={"decision": decision, **body})
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert len(lines(file)) == 1


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"score": NaN}', b"\xff\xfe", b'"up"', b"[" * 3000])
async def test_a_body_that_is_no_feedback_is_a_400(tmp_path: Path, raw: bytes) -> None:
    """Specified: whatever the bytes."""
    async with service(tmp_path / "usage.jsonl") as client:
        response = await client.post("/v1/feedback", content=raw, headers={"content-type": "application/json"})
    assert (response.status_code, set(response.json()["error"])) == (400, {"message", "type", "param", "code"})


async def test_an_unknown_decision_is_a_404_and_a_service_without_a_file_says_so(tmp_path: Path) -> None:
    """Specified: both in OpenAI's shape, told apart by their codes."""
    async with service(tmp_path / "usage.jsonl") as client:
        unknown = await client.post("/v1/feedback", json={"decision": "dec-none", "rating": "up"})
    async with service(None) as client:
        decision = await asked(client, "math")
        off = await client.post("/v1/feedback", json={"decision": decision, "rating": "up"})
        alerts = (await client.get("/v1/alerts")).json()
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "decision_not_found")
    assert (off.status_code, off.json()["error"]["code"]) == (403, "feedback_off")
    assert alerts == {"watching": False, "written": 0, "lost": 0, "alerts": []}


async def test_feedback_and_alerts_are_documented(tmp_path: Path) -> None:
    """Every field that feedback takes is in the OpenAPI document."""
    async with service(tmp_path / "usage.jsonl") as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    schema = paths["/v1/feedback"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"decision", "score", "rating", "category", "expert", "comment"}
    assert "/v1/alerts" in paths


async def test_a_shift_of_the_scores_is_raised_with_its_slice(tmp_path: Path) -> None:
    """Specified: the running service notices, and names what moved, since when, from what to what."""
    file = tmp_path / "usage.jsonl"
    decisions: list[str] = []
    async with service(file) as client:
        for number in range(160):
            decisions.append(await asked(client, "poem"))
            score = 1 - number % 5 / 10 if number < 100 else number % 5 / 10
            await client.post("/v1/feedback", json={"decision": decisions[-1], "score": score})
        with anyio.fail_after(10):
            while (shown := (await client.get("/v1/alerts")).json())["written"] < 320:
                await anyio.lowlevel.checkpoint()
    alerts = {(alert["slice"], alert["name"]): alert for alert in shown["alerts"]}
    assert set(alerts) == {("overall", ""), ("category", "poem"), ("expert", "writer")}
    found = alerts["expert", "writer"]
    assert found["signal"] == "score"
    assert found["since"] in decisions[98:103]  # the scores of before and after touch
    assert (found["before"], found["after"]) == (pytest.approx(0.8, abs=0.01), pytest.approx(0.2, abs=0.05))
    assert alerts["overall", ""]["led_by"] == "poem"
    assert shown["lost"] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has /dev/full")
async def test_a_full_disk_stops_no_answer(tmp_path: Path) -> None:
    """Specified: what is lost is counted. Linux's /dev/full is a disk without room."""
    file = tmp_path / "usage.jsonl"
    file.symlink_to("/dev/full")
    async with service(file) as client:
        for _ in range(3):
            decision = await asked(client, "poem")
        told = await client.post("/v1/feedback", json={"decision": decision, "rating": "up"})
        with anyio.fail_after(10):
            while (shown := (await client.get("/v1/alerts")).json())["lost"] < 4:
                await anyio.lowlevel.checkpoint()
    assert told.status_code == 202
    assert (shown["written"], shown["lost"]) == (0, 4)


def test_an_empty_set_has_neither_scores_nor_corrections() -> None:
    """The least that there is."""
    empty = UsageSet(decisions={}, feedback={}, unreadable=())
    assert (empty.scores(), empty.corrected()) == ({}, {})
