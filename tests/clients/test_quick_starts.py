"""The manual's quick starts, each run as it stands against the embedded example."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import PYTHON

MANUAL = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## ([^\n]+)\n\n```python\n(.*?)```", MANUAL, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("client", BLOCKS)
def test_a_quick_start_runs_as_it_stands(client: str, example: str, tmp_path: Path) -> None:
    """But for the port of the service."""
    program = tmp_path / "quick_start.py"
    program.write_text(BLOCKS[client].replace("http://127.0.0.1:8080", example), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": "", "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [PYTHON, program], env=environment, capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "17% of 4310 = 732.7" in done.stdout
    assert client != "openai" or "1728" in done.stdout


def test_every_client_has_a_quick_start() -> None:
    """Those that the tests of clients run."""
    assert set(BLOCKS) == {"openai", "OpenAI Agents SDK", "litellm", "langchain", "pydantic-ai", "anthropic", "mcp"}
