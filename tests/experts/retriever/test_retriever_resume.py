"""A build that is killed goes on where it was: a real process, and SIGKILL."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.speed.salad import made_embedder, made_passages

COUNT = 4_000
LIMIT_S = 60.0
CONFIG = """\
version: 1
embedder: ./table
engine: torch
categories:
  general: {description: all, examples: [bababa bebaba], experts: [books]}
general: general
experts:
  books: {kind: retriever, corpus: books.jsonl, embedders: [./table, bm25]}
"""


def prepare(folder: Path) -> subprocess.Popen[str]:
    """`orchestrator prepare` with a cache of its own."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "orchestrator", "prepare"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def embedded(output: str) -> int:
    """How many texts a run says it embedded."""
    found = re.search(rf"books\.jsonl: (\d+) passages of {COUNT} documents; \./table: (\d+) embedded now", output)
    assert found is not None, output
    return int(found[2])


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was embedded before the kill is not embedded again, and what comes of it is whole."""
    made_embedder(tmp_path / "table", seed=1, dim=64)
    made_passages(tmp_path / "made.jsonl", count=COUNT, seed=1).rename(tmp_path / "books.jsonl")
    (tmp_path / "experts.yaml").write_text(CONFIG, encoding="utf-8")
    with prepare(tmp_path) as first:
        until = time.monotonic() + LIMIT_S
        size = 0
        while size < 100_000 and first.poll() is None and time.monotonic() < until:
            size = max((path.stat().st_size for path in tmp_path.glob("cache/**/journal")), default=0)
        assert first.poll() is None, first.communicate()[0]
        first.kill()
    kept = max(path.stat().st_size for path in tmp_path.glob("cache/**/journal")) // (16 + 4 + 4 * 64)
    with prepare(tmp_path) as second:
        left = embedded(second.communicate(timeout=LIMIT_S)[0])
    assert 0 < left <= COUNT - kept + 1
    assert not list(tmp_path.glob("cache/**/journal"))
