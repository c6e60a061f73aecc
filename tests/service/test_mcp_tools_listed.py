"""The list of tools over restarts: agents keep it in their prompts' cache, so it is the same bytes every time."""

import os
import subprocess
import sys

CODE = """
import anyio, hashlib, json
from mcp import Client
from orchestrator.service.mcp import create_server
from tests.flowing import config_of

async def main():
    server = create_server(config_of(["a", "b"], categories={"math": ["b"], "general": ["a"]}))
    tools = await server.list_tools()
    raw = json.dumps([tool.model_dump(mode="json", by_alias=True) for tool in tools]).encode()
    print(len(tools), hashlib.sha256(raw).hexdigest())

anyio.run(main)
"""


def test_every_process_lists_the_same_bytes() -> None:
    """Specified: whatever order its sets and hashes have."""
    seen = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    (only,) = seen
    assert only.startswith("6 ")
