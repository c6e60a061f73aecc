"""experts.yaml -> typed config: every problem at once, each with file:line:col. Light to import."""

from orchestrator.config.catalogue import expert_kinds
from orchestrator.config.loading import Loaded, load
from orchestrator.config.schema import json_schema
from orchestrator.config.settings import Config

__all__ = ["Config", "Loaded", "expert_kinds", "json_schema", "load"]
