"""Runs the orchestrator of a configuration over questions and grades its answers."""

from eval.suites.pipeline.questions import questions_of, sampled
from eval.suites.pipeline.suite import judge_pipeline

__all__ = ["judge_pipeline", "questions_of", "sampled"]
