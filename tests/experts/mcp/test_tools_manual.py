"""The manual's page on choosing among tools is true."""

import re
from pathlib import Path

from orchestrator.config import load
from orchestrator.config.kinds import McpSettings, ToolsSettings

PAGE = (Path(__file__).parents[3] / "docs" / "tools.md").read_text(encoding="utf-8")


def test_the_configuration_on_the_page_loads(tmp_path: Path) -> None:
    """As it stands; an expert without `tool` is the whole server."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my.yaml").write_text(block, encoding="utf-8")
    toolbox = load(tmp_path / "my.yaml", environment={}).config.experts["toolbox"]
    assert isinstance(toolbox, McpSettings)
    assert (toolbox.tool, toolbox.choosing.shortlist, toolbox.text_embedders()) == ("", 5, ("minilm",))


def test_the_page_names_every_key_of_the_choice() -> None:
    """Those below `tools`."""
    assert {key for key in ToolsSettings.model_fields if not re.search(rf"`(tools\.)?{key}`", PAGE)} == set()
