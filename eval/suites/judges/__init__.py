"""The suite `judges`: how far panels of judging experts agree with grades that are known."""

from eval.suites.judges.suite import judge_panels

__all__ = ["judge_panels"]
