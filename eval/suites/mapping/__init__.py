"""The suite `mapping`: what it brings to send each query to one expert, and what it costs."""

from eval.suites.mapping.suite import judge_mapping

__all__ = ["judge_mapping"]
