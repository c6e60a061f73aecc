"""Arguments that several verbs share, and reading the configuration they name."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.config import Config, load

__all__ = ["AsJson", "ConfigFile", "ConfigOption", "read_config"]

ConfigFile = Annotated[Path, typer.Argument(help="The configuration.", show_default=True)]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def read_config(path: Path) -> Config:
    """The configuration; what it asks for and this version does not do yet is said on stderr.

    Raises:
        ConfigError: it has problems.

    """
    loaded = load(path, environment=os.environ)
    for note in loaded.notes:
        print(f"note: {note}", file=sys.stderr)
    return loaded.config
