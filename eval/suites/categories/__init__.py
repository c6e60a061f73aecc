"""The suite `categories`: how well a router tells kinds of queries apart, and notices what is none of them."""

from eval.suites.categories.split import Parts, parts_by_split, parts_given
from eval.suites.categories.suite import PERTURB, judge_folds, judge_parts, judge_router

__all__ = ["PERTURB", "Parts", "judge_folds", "judge_parts", "judge_router", "parts_by_split", "parts_given"]
