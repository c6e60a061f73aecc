"""What a reader of the figures has to know, one sentence each."""

from __future__ import annotations

from eval.suites.categories.figures import MOST_CELLS, Judged
from eval.suites.categories.learning import Lesson
from eval.suites.categories.split import Parts

__all__ = ["notes_of_judged", "notes_of_lesson", "notes_of_parts"]

GATE = (
    "accuracy, macro_f1, recall and confusion are of where queries are sent, which for {gated} of {n} is the general "
    "category because the gate fired; published baselines have no gate: compare them with top_accuracy"
)
THRESHOLD = "the threshold of ood_recall_at_95 keeps 95 % of "
JUDGED_THEMSELVES = "the judged queries in scope, for want of others: it flatters a little"


def notes_of_judged(found: Judged, *, held: int) -> list[str]:
    """Of the gate, and of what is out of scope. held: how many queries set the threshold, if any were held for it."""
    inside = found.in_scope
    notes = [GATE.format(gated=int(found.answers.gated[inside].sum()), n=int(inside.sum()))]
    if strange := int((~inside).sum()):
        notes.append(f"{strange} queries are out of scope: they enter auroc_ood, ood_recall_at_95 and ood_gated alone")
        if held:
            notes.append(f"{THRESHOLD}{held} queries in scope of the split 'val', which nothing learns from")
        else:
            alone = len(set(found.answers.judge.tolist())) == 1
            notes.append(THRESHOLD + (JUDGED_THEMSELVES if alone else "the other folds' queries in scope"))
    if "negation" in found.answers.flipped:
        notes.append("flip_rate is of a sample of queries in scope; negation is of those that can be negated by rule")
    if len(found.names) * len(found.queries) > MOST_CELLS:
        notes.append("there are too many categories to keep recall a query: runs are not compared by it")
    return notes


def notes_of_lesson(lesson: Lesson) -> list[str]:
    """What was not learned from."""
    notes = []
    if lesson.ambiguous:
        notes.append(f"{lesson.ambiguous} queries whose text stands under several categories are not learned from")
    if lesson.out_of_scope:
        notes.append(f"{lesson.out_of_scope} queries that are out of scope are not learned from")
    return notes


def notes_of_parts(parts: Parts) -> list[str]:
    """What was not judged."""
    return [f"{parts.seen} queries are not judged: their text is also learned from"] if parts.seen else []
