"""The suite `retrieval`: nDCG@10 of retrievers, of a router between them, and of what a perfect one would reach."""

from eval.suites.retrieval.judging import Pool
from eval.suites.retrieval.routing import Routing
from eval.suites.retrieval.suite import judge_retrieval

__all__ = ["Pool", "Routing", "judge_retrieval"]
