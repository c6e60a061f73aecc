"""An MCP server on stdin and stdout that does what none should: for the tests, which say with its arguments what."""

import json
import os
import sys
import time
from typing import Any

TOOLS = [
    {"name": name, "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}
    for name in ("echo", "huge", "die", "babble", "blather")
]
TOOLS.append({**TOOLS[0], "name": "read", "annotations": {"readOnlyHint": True}})
TOOLS.append({**TOOLS[2], "name": "die_reading", "annotations": {"readOnlyHint": True}})


def main() -> None:
    """Answer what is asked, in the older protocol."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request and "method" in request:
            say({"jsonrpc": "2.0", "id": request["id"], **answer(request)})


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The result, or the error, of one request."""
    match request["method"]:
        case "initialize":
            served = {"capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"}}
            return {"result": {"protocolVersion": "2025-06-18", **served}}
        case "tools/list":
            return {"result": {"tools": TOOLS}}
        case "tools/call":
            return {"result": {"content": [{"type": "text", "text": called(**request["params"])}]}}
        case _:
            return {"error": {"code": -32601, "message": "Method not found"}}


def called(name: str, arguments: dict[str, str], **_: Any) -> str:
    """What a tool says, and does before."""
    if name in {"die", "die_reading"}:
        os._exit(1)
    if name == "babble":
        sys.stdout.write("not a message\n" * 5000)
    if name == "blather":
        while True:
            sys.stdout.write("x" * 1_000_000)
            time.sleep(0.001)
    if name == "huge":
        return "x" * 5_000_000
    return f"{os.getpid()} {arguments['text']}"


def say(message: dict[str, Any]) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
