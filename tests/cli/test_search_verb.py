"""`orchestrator search`, as a user runs it."""

import json
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from orchestrator.testing import FakeVLLM, Status
from tests.cli.test_verbs import Done, orchestrator

pytestmark = pytest.mark.anyio

CONFIG = """\
version: 1
categories: {general: {description: all, experts: [plants]}}
general: general
experts:
  plants: {kind: retriever, corpus: plants.jsonl, embedders: [bm25]}
  stones: {kind: retriever, corpus: stones.txt, embedders: [bm25]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    ferns = {"id": "fern", "title": "Ferns [tall]", "text": "Ferns like shade."}
    (tmp_path / "plants.jsonl").write_text(json.dumps(ferns), encoding="utf-8")
    (tmp_path / "stones.txt").write_text("Granite is hard.", encoding="utf-8")
    return tmp_path


async def ran(folder: Path, *arguments: str) -> Done:
    with anyio.fail_after(60):
        return await to_thread.run_sync(partial(orchestrator, "search", *arguments, cwd=folder))


async def test_passages_come_with_document_title_and_offsets(folder: Path) -> None:
    """As JSON for scripts; a retriever without a match has no passage."""
    done = await ran(folder, "ferns in the shade", "--json")
    shown = json.loads(done.stdout)
    (passage,) = shown["passages"]
    assert (passage["expert"], passage["document"], passage["title"]) == ("plants", "fern", "Ferns [tall]")
    assert (passage["start"], passage["end"], passage["text"]) == (0, 17, "Ferns like shade.")
    assert shown["experts"] == ["plants", "stones"]


async def test_a_person_gets_passages_and_unknown_retrievers_are_named(folder: Path) -> None:
    """Brackets of a title are no markup; a name that is no retriever ends with status 2."""
    done = await ran(folder, "ferns", "-e", "plants")
    assert done.returncode == 0
    assert "[tall]" in done.stdout
    wrong = await ran(folder, "ferns", "-e", "moss")
    assert wrong.returncode == 2
    assert "'moss' is no retriever (known: plants, stones)" in wrong.stderr
    alone = await ran(folder, "ferns", "--auto")
    assert (alone.returncode, "--auto needs --url" in alone.stderr) == (2, True)


async def test_a_service_that_is_none_of_ours_is_told(folder: Path) -> None:
    """Its error has another shape; nobody sees a stack trace."""
    async with FakeVLLM() as other:
        other.fault_at["/v1/search"] = Status(code=404, body=b'{"detail": "not here"}')
        done = await ran(folder, "ferns", "--url", other.url)
    assert done.returncode == 1
    assert f"{other.url}/v1/search: status 404; is this our service?" in done.stderr
    assert "Traceback" not in done.stderr
