"""The manual's page on MCP experts is true."""

import re
from pathlib import Path

from orchestrator.config import load
from orchestrator.config.kinds import McpServerSettings, McpSettings
from orchestrator.config.settings import ExpertSettings

PAGE = (Path(__file__).parents[3] / "docs" / "mcp-experts.md").read_text(encoding="utf-8")


def test_the_configuration_in_the_manual_loads(tmp_path: Path) -> None:
    """As it stands, with the variable that it names."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my.yaml").write_text(block, encoding="utf-8")
    loaded = load(tmp_path / "my.yaml", environment={"TOOLS_TOKEN": "t"})
    assert list(loaded.config.experts) == ["clock", "echo"]


def test_the_manual_names_every_key() -> None:
    """Those of the kind and of its servers."""
    own = set(McpSettings.model_fields) - set(ExpertSettings.model_fields) | set(McpServerSettings.model_fields)
    assert {key for key in own if f"`{key}`" not in PAGE and f"`server.{key}`" not in PAGE} == {"server"}
