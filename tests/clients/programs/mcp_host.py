"""The OpenAI Agents SDK as an MCP host: it lists and calls the tools of the service at /mcp."""

import asyncio
import json
import sys
from typing import Any

from agents.mcp import MCPServerStreamableHttp

URL, MODEL = sys.argv[1:3]


async def main() -> dict[str, Any]:
    async with MCPServerStreamableHttp(params={"url": f"{URL}/mcp", "timeout": 20}, cache_tools_list=True) as server:
        tools = await server.list_tools()
        answer = await server.call_tool("ask", {"query": "Where is the tower?", "model": MODEL})
        return {"tools": [tool.name for tool in tools], "text": answer.content[0].text}


print(json.dumps(asyncio.run(main())))
