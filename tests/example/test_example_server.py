"""The example's tool server as clients meet it."""

import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).parents[2] / "example" / "tools" / "server.py"
CALLS: list[tuple[str, dict[str, str], str, dict[str, object]]] = [
    ("calculate", {"expression": "What is 17% of 4310?"}, "17% of 4310 = 732.7", {"value": "732.7", "exact": True}),
    ("convert", {"quantity": "5 miles to km"}, "5 miles = 8.04672 kilometres", {"value": "8.04672"}),
    (
        "date_math",
        {"question": "what date is 90 days after 1 March 2025"},
        "90 days after 1 March 2025 is Friday 30 May 2025",
        {"date": "2025-05-30", "weekday": "Friday"},
    ),
    ("describe_numbers", {"numbers": "median of 3, 5, 8"}, "median = 5 (n = 3: 3, 5, 8)", {"median": "5", "count": 3}),
]


async def test_tools_are_listed_with_schemas_and_answer_over_stdio() -> None:
    """Specified by MCP: each result is its one line as text, and the typed data beside it."""
    parameters = StdioServerParameters(command=sys.executable, args=[str(SERVER)])
    with anyio.fail_after(30):
        async with Client(parameters) as client:
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(listed) == {name for name, *_ in CALLS}
            for name, arguments, text, fields in CALLS:
                schema = listed[name].output_schema
                assert schema is not None
                assert listed[name].description
                result = await client.call_tool(name, arguments)
                assert result.content == [TextContent(type="text", text=text)]
                assert result.structured_content is not None
                assert result.structured_content.keys() == schema["properties"].keys()
                assert {name: result.structured_content[name] for name in fields} == fields
                assert result.structured_content["answer"] == text
            refused = await client.call_tool("calculate", {"expression": "1 / 0"})
            assert refused.is_error
            assert refused.structured_content is None
            assert isinstance(refused.content[0], TextContent)
            assert refused.content[0].text.endswith("division by zero has no result")
