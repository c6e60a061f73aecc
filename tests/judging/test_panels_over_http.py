"""A panel of experts on servers: structured output asked for on the wire, and a server that fails."""

import json
from pathlib import Path

import anyio
import pytest
import yaml

from orchestrator.config import load
from orchestrator.fleet.surroundings import embedders_of, experts_of
from orchestrator.judging import Judges
from orchestrator.testing import Answer, FakeVLLM, Status

pytestmark = pytest.mark.anyio

FULL = json.dumps({"scores": {"right": 5, "brief": 3}})


async def test_judges_on_servers_reply_in_the_form_that_they_are_asked_for(tmp_path: Path) -> None:
    """One server speaks JSON, one babbles and is held to the schema by its engine, one is broken and left out."""
    async with FakeVLLM(models=("m",)) as sound, FakeVLLM(models=("m",)) as babbling, FakeVLLM(models=("m",)) as broken:
        sound.answer, babbling.answer = Answer(pieces=(FULL,)), Answer(pieces=("A fine answer!",))
        broken.fault = Status(code=500)
        servers = {"sound": sound, "babbling": babbling, "broken": broken}
        experts = {name: {"kind": "vllm", "model": "m", "replicas": [server.url]} for name, server in servers.items()}
        criteria = {"right": "is it right", "brief": "is it brief"}
        blocks = {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["sound"]}},
            "general": "general",
            "experts": experts,
            "panels": {"all": {"judges": list(servers), "criteria": criteria}},
        }
        (tmp_path / "experts.yaml").write_text(yaml.safe_dump(blocks), encoding="utf-8")
        config = load(tmp_path / "experts.yaml", environment={}).config
        with anyio.fail_after(20):
            async with experts_of(config, embedders_of(config)) as registry:
                await registry.start_all()
                await registry.settled()
                judges = Judges(config.panels, registry)
                found = await judges.grade("all", "why?", "because", deadline=anyio.current_time() + 15)
    assert found.judges == {"sound": {"right": 1.0, "brief": 0.5}, "babbling": {"right": 0.0, "brief": 0.0}}
    assert found.value == pytest.approx(0.375)
    assert list(found.failed) == ["broken"]
    assert found.tokens > 0
