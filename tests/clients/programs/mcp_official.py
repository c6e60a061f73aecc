"""The package `mcp`: the official client over streamable HTTP, of this protocol version or of the one before."""

import asyncio
import json
import sys
from typing import Any

from mcp.client import Client

URL, MODEL, MODE = sys.argv[1:4]


async def main() -> dict[str, Any]:
    async with Client(f"{URL}/mcp", mode=MODE) as client:
        tools = await client.list_tools()
        answer = await client.call_tool("ask", {"query": "Where is the tower?", "model": MODEL})
        return {
            "tools": [tool.name for tool in tools.tools],
            "text": answer.structured_content["answer"],
            "error": bool(answer.is_error),
        }


print(json.dumps(asyncio.run(main())))
