"""The command line: `orchestrator VERB`. One module a verb or two; heavy imports wait until a verb runs."""

from orchestrator.cli.app import main

__all__ = ["main"]
