"""The suite `fusion`: do several drafts, a consensus and a verdict beat one expert."""

from eval.suites.fusion.suite import judge_fusion

__all__ = ["judge_fusion"]
