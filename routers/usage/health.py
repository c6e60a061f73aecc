"""How the experts are doing: never chosen, falling, starved categories, and what the category says of the expert.

Knows counts, scores and names; neither time nor texts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score

__all__ = ["Alarm", "AlarmKind", "Dependence", "Health", "Use", "dependence", "health_of"]

AlarmKind = Literal["never_chosen", "falling", "failing", "starved_examples", "starved_grades", "category_says_nothing"]

CHANCE = 0.01
"""An alarm that compares shares or scores needs a chance below this, divided by the number of such comparisons."""

LEAST_SCORES = 20
"""Fewest scores of an expert, earlier and later ones each, that are compared."""

LEAST_EXAMPLES = 10
LEAST_GRADES = 10

LEAST_USES = 200
"""Fewest decisions from which it is said that the category tells nothing of the expert."""

LEAST_DEPENDENCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One decision. category: where it went. tried: experts in the order in which they were asked.

    expert: who answered; None where nobody did. answered: by expert asked, whether it answered; those that were
    cancelled have none. scores: by graded expert, 0 to 1.
    """

    category: str
    tried: tuple[str, ...]
    expert: str | None
    answered: Mapping[str, bool]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a person should look at. subject: an expert, or a category where `kind` is about one.

    n: observations that it stands on. expected, found: what was to be expected and what there is (a share of the
    queries, a mean score, a share of answers, a number of examples or grades). chance: of such a finding where all is
    well, None where that is no question of chance.
    """

    kind: AlarmKind
    subject: str
    n: int
    expected: float
    found: float
    chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """What the category says of the expert that answers.

    bits: mutual information. share: of the experts' entropy, 0 to 1; 1 where the category decides the expert.
    adjusted: mutual information less what chance alone would give, 0 for random routing, 1 at most.
    """

    n: int
    bits: float
    share: float
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All alarms, and the dependence where there are two categories and two experts in use."""

    alarms: tuple[Alarm, ...]
    dependence: Dependence | None


def health_of(uses: Sequence[Use], *, plans: Mapping[str, Sequence[str]], examples: Mapping[str, int]) -> Health:
    """What is wrong, by the decisions in the order in which they were made.

    plans: by category, the experts that its plan names. examples: by category, queries that the router learned from;
    a category that needs none is left out.
    """
    found = dependence(uses)
    alarms = [*_never_chosen(uses, plans), *_falling(uses), *_starved(uses, examples)]
    if found is not None and found.n >= LEAST_USES and found.adjusted < LEAST_DEPENDENCE:
        alarms.append(
            Alarm(
                kind="category_says_nothing",
                subject="",
                n=found.n,
                expected=LEAST_DEPENDENCE,
                found=found.adjusted,
            )
        )
    return Health(alarms=tuple(alarms), dependence=found)


def dependence(uses: Sequence[Use]) -> Dependence | None:
    """Mutual information of category and answering expert; None where either is always the same."""
    pairs = [(use.category, use.expert) for use in uses if use.expert is not None]
    categories, experts = [category for category, _ in pairs], [expert for _, expert in pairs]
    if len(set(categories)) < 2 or len(set(experts)) < 2:  # noqa: PLR2004 - else nothing can depend
        return None
    nats = float(mutual_info_score(categories, experts))
    shares = np.array(list(Counter(experts).values())) / len(pairs)
    entropy = float(-(shares * np.log(shares)).sum())
    return Dependence(
        n=len(pairs),
        bits=nats / float(np.log(2)),
        share=nats / entropy,
        adjusted=float(adjusted_mutual_info_score(categories, experts, average_method="min")),
    )


def _never_chosen(uses: Sequence[Use], plans: Mapping[str, Sequence[str]]) -> list[Alarm]:
    """Experts that were never asked, though so many queries came to their categories that even use would show.

    expected: their share of those queries were all experts of a plan used alike.
    """
    arrived = Counter(use.category for use in uses)
    asked = {expert for use in uses for expert in use.tried}
    experts = {expert: None for plan in plans.values() for expert in plan}
    alarms = []
    for expert in experts:
        mine = {category: len(plan) for category, plan in plans.items() if expert in plan}
        n = sum(arrived[category] for category in mine)
        if expert in asked or n == 0:
            continue
        chance = float(np.prod([(1 - 1 / size) ** arrived[category] for category, size in mine.items()]))
        expected = sum(arrived[category] / size for category, size in mine.items()) / n
        if chance < CHANCE / len(experts):
            alarms.append(Alarm(kind="never_chosen", subject=expert, n=n, expected=expected, found=0.0, chance=chance))
    return alarms


def _falling(uses: Sequence[Use]) -> list[Alarm]:
    """Experts whose later half of scores, or of calls answered, is worse than the earlier (Mann-Whitney, one-sided)."""
    scores: defaultdict[str, list[float]] = defaultdict(list)
    answers: defaultdict[str, list[float]] = defaultdict(list)
    for use in uses:
        for expert, score in use.scores.items():
            scores[expert].append(score)
        for expert, answered in use.answered.items():
            answers[expert].append(float(answered))
    series: list[tuple[AlarmKind, str, list[float]]] = [("falling", expert, row) for expert, row in scores.items()]
    series += [("failing", expert, row) for expert, row in answers.items()]
    long = [(kind, expert, row) for kind, expert, row in series if len(row) >= 2 * LEAST_SCORES]
    alarms = []
    for kind, expert, row in long:
        earlier, later = row[: len(row) // 2], row[len(row) // 2 :]
        if min(row) == max(row):
            continue
        chance = float(mannwhitneyu(earlier, later, alternative="greater", method="asymptotic").pvalue)
        if chance < CHANCE / len(long):
            means = float(np.mean(earlier)), float(np.mean(later))
            alarms.append(
                Alarm(kind=kind, subject=expert, n=len(row), expected=means[0], found=means[1], chance=chance)
            )
    return alarms


def _starved(uses: Sequence[Use], examples: Mapping[str, int]) -> list[Alarm]:
    """Categories with too few examples, and, where grades are given at all, those with too few of them.

    A category is only missed among the grades when its share of the queries would have brought it enough.
    """
    arrived = Counter(use.category for use in uses)
    graded = Counter(use.category for use in uses if use.scores)
    alarms = [
        Alarm(kind="starved_examples", subject=category, n=arrived[category], expected=LEAST_EXAMPLES, found=count)
        for category, count in examples.items()
        if count < LEAST_EXAMPLES
    ]
    share = sum(graded.values()) / len(uses) if uses else 0.0
    alarms += [
        Alarm(kind="starved_grades", subject=category, n=n, expected=share * n, found=graded[category])
        for category, n in arrived.items()
        if graded[category] < LEAST_GRADES and share * n >= 2 * LEAST_GRADES
    ]
    return alarms
