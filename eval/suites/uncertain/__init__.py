"""The suite `uncertain`: accuracy where annotators disagree on what is right."""

from eval.suites.uncertain.suite import judge_uncertain

__all__ = ["judge_uncertain"]
