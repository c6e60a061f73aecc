"""The suite `tools`: is the right tool found among many, and noticed where there is none."""

from eval.suites.tools.suite import judge_tools

__all__ = ["judge_tools"]
