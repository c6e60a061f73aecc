"""The verb `experts` over experts on servers."""

import json
import os
import sys
from pathlib import Path

import anyio
import pytest

from orchestrator.testing import FakeVLLM

pytestmark = pytest.mark.anyio


async def test_experts_shows_each_server_in_json_and_as_a_table(tmp_path: Path) -> None:
    """Which one is ill and why, although the expert as a whole is up."""
    async with FakeVLLM() as well, FakeVLLM() as ill:
        ill.health = 503
        config = {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["writer"]}},
            "general": "general",
            "experts": {"writer": {"kind": "vllm", "model": "fake-model", "replicas": [well.url, ill.url]}},
        }
        (tmp_path / "experts.yaml").write_text(json.dumps(config), encoding="utf-8")
        verb = [sys.executable, "-m", "orchestrator", "experts"]
        with anyio.fail_after(60):
            listed = await anyio.run_process([*verb, "--json"], cwd=tmp_path)
            table = await anyio.run_process(verb, cwd=tmp_path, env={**os.environ, "COLUMNS": "200"})
    (writer,) = json.loads(listed.stdout)
    assert (writer["state"], [seen["url"] for seen in writer["replicas"]]) == ("up", [well.url, ill.url])
    assert [seen["healthy"] for seen in writer["replicas"]] == [True, False]
    assert writer["replicas"][1]["last_trouble"] == "/health answers 503"
    assert ill.url in table.stdout.decode()
    assert "/health answers 503" in table.stdout.decode()
