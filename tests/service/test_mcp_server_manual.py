"""The manual of the MCP server is true: its table of tools, its resources, its host configuration."""

import json
import re
from pathlib import Path

import anyio
import pytest
from mcp_types import Tool

from orchestrator.service.mcp import create_server
from orchestrator.service.mcp_resources import LISTED_DECISIONS, RESOURCES, TEMPLATES
from orchestrator.usage.feedback import MOST_COMMENT
from tests.flowing import config_of

ROOT = Path(__file__).parent.parent.parent
MANUAL = (ROOT / "docs/mcp-server.md").read_text(encoding="utf-8")
READS = {"yes": (True, True), "no": (False, False), "if no expert can act": (True, False)}
"""`readOnlyHint` where all experts are harmless, and where one may act."""


def tools(kind: str) -> list[Tool]:
    """As they are listed over one expert of this kind."""
    experts = {"solver": {"kind": kind}}
    config = config_of(["solver"], categories={"general": ["solver"]}, experts=experts)
    return anyio.run(create_server(config).list_tools)


def test_the_table_has_every_tool_as_the_server_lists_it() -> None:
    """Names, arguments in their order, which of them are required, results, hints."""
    shown = {
        name.strip("`"): (re.findall(r"`(\w+)`", given), re.findall(r"\*\*`(\w+)`\*\*", given), result, reads)
        for name, given, result, reads in (
            [cell.strip() for cell in row.split("|")] for row in _rows("<!-- tools: ", "<!-- /tools -->")
        )
    }
    harmless, acting = tools("vllm"), tools("scripted")
    assert list(shown) == [tool.name for tool in harmless]
    for tool, same in zip(harmless, acting, strict=True):
        arguments, required, result, reads = shown[tool.name]
        assert arguments == list(tool.input_schema["properties"])
        assert required == tool.input_schema.get("required", [])
        assert tool.output_schema is not None
        assert re.findall(r"`(\w+)`", result) == list(tool.output_schema["properties"])
        hints = tuple(one.annotations is not None and one.annotations.read_only_hint for one in (tool, same))
        assert READS[reads] == hints


def test_the_table_has_every_resource() -> None:
    """Lists and templates, and no other address."""
    listed = {str(one.uri) for one in RESOURCES} | {one.uri_template for one in TEMPLATES}
    assert set(re.findall(r"^\| `(orchestrator://[^`]*)` \|", MANUAL, re.MULTILINE)) == listed


def test_numbers_are_those_of_the_code() -> None:
    """Bounds that the manual gives."""
    assert f"the latest {LISTED_DECISIONS} decisions" in MANUAL
    assert f"at most {MOST_COMMENT:,} characters" in MANUAL


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL))
def test_what_hosts_are_given_is_json(block: str) -> None:
    """As it stands; its command is the verb of this product."""
    (server,) = json.loads(block)["mcpServers"].values()
    assert server.get("args", ["mcp"])[0] == "mcp"
    assert server.get("url", "/mcp").endswith("/mcp")


def test_the_readme_leads_there() -> None:
    """From its paragraph on agents."""
    assert "docs/mcp-server.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def _rows(start: str, end: str) -> list[str]:
    """The rows of the table between two marks, without its head and without the outer bars."""
    lines = MANUAL.partition(start)[2].partition(end)[0].splitlines()[1:]
    return [line.strip("|") for line in lines if line.startswith("|")][2:]
