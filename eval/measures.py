"""What each figure means and which way is better: for tables, reports and comparisons. Knows names alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["MEASURES", "Better", "Measure", "measure"]

Better: TypeAlias = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind of figure. better: which way is an improvement; `neither` for what only describes. meaning: a phrase."""

    meaning: str
    better: Better = "higher"


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        # categories
        "accuracy": Measure("share that is right; of categories: that is sent to its own, the gate included"),
        "top_accuracy": Measure("share whose most probable category is the true one, gate aside"),
        "macro_f1": Measure("mean F1 over the categories"),
        "top3": Measure("share whose true category is among the three most probable"),
        "ece": Measure("expected calibration error, 15 bins", "lower"),
        "brier": Measure("Brier score, 0 to 2", "lower"),
        "coverage": Measure("share whose category set holds the true category", "neither"),
        "mean_set_size": Measure("categories in a set", "lower"),
        "gated": Measure("share that the gate sent to the general category", "neither"),
        "answered_fast": Measure("share that the fast tier answered, of a classifier that has one", "neither"),
        "auroc_ood": Measure("chance that an out-of-scope query looks stranger than one in scope"),
        "ood_recall_at_95": Measure("share of out-of-scope queries found where 95 % of those in scope are kept"),
        "ood_gated": Measure("share of out-of-scope queries that the gate catches as it is set"),
        "in_scope_kept": Measure("share of in-scope queries that pass the gate as it is set"),
        "flip_rate": Measure("share of queries whose category changes under a harmless change of wording", "lower"),
        "recall": Measure("share of a category's queries that were sent to it"),
        # mapping
        "best_single": Measure("the expert that was best on the learning part, for every query", "neither"),
        "random": Measure("an expert at random", "neither"),
        "category_true": Measure("the best expert of the true category"),
        "category_predicted": Measure("the best expert of the predicted category"),
        "knn": Measure("the expert that was best on the nearest queries"),
        "plan": Measure("the learned mapping, within its budget"),
        "oracle": Measure("the best expert of each query, known only afterwards", "neither"),
        "gap_closed": Measure("(routed - best single) / (oracle - best single)"),
        "gap_closed_of": Measure("the same of another router"),
        "mean_cost": Measure("USD a query", "lower"),
        "cost_of": Measure("USD a query of another choice", "neither"),
        "avg_active_params": Measure("active parameters a query, in billions", "lower"),
        "active_params_of": Measure("active parameters a query of another choice, in billions", "neither"),
        "aiq": Measure("mean quality over the cost range, on the hull of the router"),
        "aiq_zero": Measure("the same for a coin between single experts", "neither"),
        "aiq_gain": Measure("aiq less aiq_zero"),
        "aiq_of": Measure("aiq of another router"),
        "apgr": Measure("mean performance gap recovered; a coin gets .5"),
        "apgr_of": Measure("apgr where another router says what is gained"),
        "cpt50": Measure("share of strong calls at which half of the gap is recovered", "lower"),
        "cpt80": Measure("share of strong calls at which 80 % of the gap are recovered", "lower"),
        "arena_score": Measure("RouterArena's score of quality and cost"),
        "experts": Measure("mean score of one expert", "neither"),
        # onboarding
        "without": Measure("the mapping without the new expert", "neither"),
        "with_all": Measure("the mapping learned from all grades of all experts", "neither"),
        "with_shots": Measure("the mapping with the new expert placed from so many shots"),
        "onboarding_gain": Measure("with_shots less without"),
        "onboarding_gain_of": Measure("the same of one new expert"),
        "estimate_error": Measure("mean distance of the new expert's estimated score from its true one", "lower"),
        "plain_error": Measure("the same of the plain mean of its shots", "neither"),
        "category_error": Measure("the same of the estimates by category", "lower"),
        "interval_coverage": Measure("share of categories whose 95 % interval holds the true score", "neither"),
        # retrieval
        "ndcg10": Measure("normalised discounted cumulative gain of the first ten"),
        "ndcg10_queries": Measure("the same, every query alike, however many its collection has"),
        "gain_over": Measure("nDCG@10 of the router less that of a fixed choice"),
        "gain_by": Measure("nDCG@10 of the router with all retrievers less that without one of them"),
        "gap_closed_fused": Measure("the same, to the best retriever or fused pair of each query"),
        "gap_closed_dataset": Measure("the same, to the best retriever of each collection"),
        "collection_accuracy": Measure("share of queries whose collection the pilots choose right"),
        # fusion
        "majority": Measure("the commonest answer"),
        "stable": Measure("answers weighted, without labels, by how often the others confirm each expert"),
        "weighted": Measure("answers weighted by how reliable each expert is in the category"),
        "fitted": Measure("answers weighted so that right ones win on the learning part"),
        "consensus": Measure("the answer that the kept drafts hold"),
        "policy": Measure("fuse where the learning part says that it pays, else one expert"),
        "random_filter": Measure("placebo: as many drafts dropped, at random", "neither"),
        "calls": Measure("expert calls a query", "lower"),
        "tokens": Measure("tokens of drafts a query", "lower"),
        "fused_gain_in": Measure(
            "mean score of the weighted vote less that of the best single expert, by category", "neither"
        ),
        "policy_gain_in": Measure(
            "mean score of the policy less that of the best single expert, by category", "neither"
        ),
        "overruled": Measure(
            "mean score where the weighted vote and the category's best expert differ: of that expert, of the vote",
            "neither",
        ),
        "minority_recovered": Measure("share answered right where most drafts were wrong and one was right"),
        "helped": Measure("share that fusion turned from wrong to right"),
        "harmed": Measure("share that fusion turned from right to wrong", "lower"),
        "gain": Measure("mean score less that of the best single expert"),
        "helped_by": Measure("share that was turned from wrong to right, against the best single expert"),
        "harmed_by": Measure("share that was turned from right to wrong, against the best single expert", "lower"),
        "filter_gain": Measure(
            "mean score of the consensus less that of another way; contested: where it drops an answer"
        ),
        "unanswered": Measure("share without an answer that could be read", "lower"),
        "unanswered_by": Measure("share of an expert's drafts without an answer", "lower"),
        # judges
        "agreement": Measure("share of pairs of answers in the order of their true grades; a tie counts half"),
        "agreement_gain": Measure("agreement of one way to judge less that of another, on the same pairs"),
        "correlation": Measure("rank correlation (Spearman) of grades given and true ones, over all answers"),
        "tau": Measure("Kendall's tau-b of the answers to one query, mean over the queries"),
        "steady": Measure("share of preferences that stay the same when the two answers change places"),
        "judge_failures": Measure("share of answers or pairs of which a judge said nothing that can be used", "lower"),
        "judge_tokens": Measure("tokens that judging the answers to one query takes", "lower"),
        # tools
        "recall1": Measure("share whose right tool comes first"),
        "recall5": Measure("share whose right tool is among the first five"),
        "abstain_precision": Measure("share of abstentions where no tool was right"),
        "abstain_recall": Measure("share of queries without a right tool where it abstains"),
        "abstain_kept": Measure("share of queries with a right tool where it does not abstain"),
        "mean_reciprocal_rank": Measure("mean of 1 / place of the first right tool"),
        # uncertain
        "ua_accuracy": Measure("accuracy against what annotators may have meant"),
        "ua_spread": Measure("standard deviation of that over what annotators may have meant", "neither"),
        "certainty": Measure("how sure the annotators' labels are", "neither"),
        # pipeline
        "answered": Measure("share of queries with an answer"),
        "score": Measure("mean score of the answers"),
        "latency_s": Measure("seconds until the whole answer", "lower"),
        "cost_usd": Measure("USD a query", "lower"),
        "fused": Measure("share answered by a verdict over drafts", "neither"),
        "routed": Measure("share sent to their category, of those that have one"),
        "score_by_category": Measure("mean score of the answers in one category"),
        "score_by_expert": Measure("mean score of the queries that one expert answered", "neither"),
        "share_by_expert": Measure("share of queries that one expert answered", "neither"),
        # episodes
        "episode_return": Measure("sum of an episode's rewards: scores less lambda times cost"),
        "episode_score": Measure("mean score of an episode's queries"),
        "episode_cost_usd": Measure("USD an episode", "lower"),
        "episode_latency_s": Measure("seconds of an episode's calls, one query after the other", "lower"),
        "episode_steps": Measure("queries of an episode that were reached before its budget was used up", "neither"),
    }
)
"""By the name of the figure, which is the key in the JSON."""

UNKNOWN = Measure("", "neither")


def measure(dotted: str) -> Measure:
    """The measure of a figure's dotted name: its outermost part that is known decides."""
    return next((MEASURES[part] for part in dotted.split(".") if part in MEASURES), UNKNOWN)
