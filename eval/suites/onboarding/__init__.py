"""The suite `onboarding`: what a new expert's few shots tell, and what its place in the mapping is worth."""

from eval.suites.onboarding.suite import judge_onboarding

__all__ = ["judge_onboarding"]
