"""Importing costs what it must and no more."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "mcp", "transformers", "sentence_transformers", "sklearn", "aiohttp", "fastapi")


@pytest.mark.parametrize("module", ["orchestrator", "routers", "eval", "orchestrator.config", "orchestrator.cli"])
def test_importing_a_package_loads_nothing_heavy(module: str) -> None:
    """What takes seconds loads when a configuration names it or a verb runs it."""
    code = f"import {module}, sys; print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
