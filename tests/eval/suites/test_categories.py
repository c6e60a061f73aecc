"""The suite `categories` on small own data: three kinds of query by their words, and some that are of none."""

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from eval.datasets import DataError, Dataset, Record
from eval.findings import Figures, Findings, flat
from eval.metrics import Figure
from eval.metrics.calibration import expected_calibration_error
from eval.suites.categories import judge_folds, judge_parts, judge_router, parts_by_split, parts_given
from eval.suites.categories.answers import answered
from eval.suites.categories.learning import Lesson, learned, lesson_of
from eval.suites.categories.queries import queries_of
from orchestrator.testing import WordEmbedder
from routers.router import Router, Routing

WORDS = {
    "sums": "add subtract divide multiply number total percent digit",
    "tales": "story dragon princess once castle fable knight forest",
    "plants": "leaf root garden water soil seed flower prune",
}
COMMON = "please tell give make about which should would with some"
ELSEWHERE = "train ticket hotel passport flight luggage visa airport"
EMBEDDER = WordEmbedder(256)
GENERAL = "general"


def texts(words: str, n: int, *, seed: int) -> list[str]:
    """Four common words and two of the kind's own, a few without any."""
    chance = random.Random(f"{words}{seed}")  # noqa: S311 - reproducible
    own = [2 if chance.random() < 0.85 else 0 for _ in range(n)]
    return [" ".join(chance.sample(COMMON.split(), 4) + chance.sample(words.split(), k)) for k in own]


def records(n: int, *, seed: int, split: str | None = None, strange: int = 0) -> list[Record]:
    """So many queries of each category, and `strange` of none."""
    rows: list[tuple[str, str | None, bool]] = [
        (text, name, True) for name, words in WORDS.items() for text in texts(words, n, seed=seed)
    ]
    rows += [(text, None, False) for text in texts(ELSEWHERE, strange, seed=seed)]
    random.Random(seed).shuffle(rows)  # noqa: S311 - reproducible
    return [
        Record(id=f"{split}{seed}-{k}", query=f"{text} {split}{k}", category=name, in_scope=inside, split=split,
               source=f"{split}.jsonl:{k}")
        for k, (text, name, inside) in enumerate(rows, 1)
    ]  # fmt: skip


def dataset(*rows: Record, name: str = "own.jsonl") -> Dataset:
    return Dataset(name=name, records=rows)


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def trained(rows: Sequence[Record]) -> Router:
    return learned(lesson_of(queries_of([dataset(*rows)])), classifier="linear", embedder=EMBEDDER, seed=0)


LEARNED = records(20, seed=1, split="train")
JUDGED = records(30, seed=2, split="test", strange=25)


@pytest.fixture(scope="module")
def router() -> Router:
    return trained(LEARNED)


@pytest.fixture(scope="module")
def found(router: Router) -> Findings:
    """A trained router, judged."""
    return judge_router([dataset(*JUDGED)], router, name="abc", perturb=20, progress=silent)


@pytest.fixture(scope="module")
def said(router: Router) -> list[Routing]:
    """What the router itself says of the same queries."""
    return router.classify([record.query for record in JUDGED])


def figure(found: Findings, name: str) -> Figure:
    return dict(flat(found.figures))[name]


def in_scope(said: Sequence[Routing]) -> list[tuple[Record, Routing]]:
    return [(record, routing) for record, routing in zip(JUDGED, said, strict=True) if record.in_scope]


def test_every_figure_of_the_issue_is_there(found: Findings) -> None:
    """Specified: the keys of the JSON, each figure with n and, but for none, an interval around it."""
    names = [name for name, _ in flat(found.figures)]
    assert names == [
        *("accuracy", "top_accuracy", "macro_f1", "top3", "ece", "brier", "coverage", "mean_set_size", "gated"),
        *("recall.plants", "recall.sums", "recall.tales"),
        *("auroc_ood", "ood_recall_at_95", "ood_gated", "in_scope_kept"),
        *("flip_rate.typo", "flip_rate.case", "flip_rate.paraphrase_template", "flip_rate.negation"),
    ]
    stored = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert set(stored["accuracy"]) == {"value", "ci95", "n"}
    assert {"risk_coverage", "reliability", "confusion", "slices"} == set(stored["parts"])
    assert Findings.from_dict(stored).as_dict() == stored
    for name in ("accuracy", "macro_f1", "brier", "auroc_ood"):
        interval = figure(found, name).ci95
        assert interval is not None
        assert interval[0] <= figure(found, name).value <= interval[1]


def test_shares_are_counts_of_what_the_router_says(found: Findings, said: list[Routing]) -> None:
    """Ours: accuracy includes the gate, top_accuracy does not; coverage and sizes are of the category sets."""
    pairs = in_scope(said)
    expected: dict[str, list[float]] = {
        "accuracy": [r.category == routing.category for r, routing in pairs],
        "top_accuracy": [r.category == routing.top for r, routing in pairs],
        "top3": [r.category in [name for name, _ in routing.posterior[:3]] for r, routing in pairs],
        "coverage": [r.category in routing.category_set for r, routing in pairs],
        "mean_set_size": [len(routing.category_set) for _, routing in pairs],
        "gated": [routing.gate.fired is not None for _, routing in pairs],
        "recall.sums": [r.category == routing.category for r, routing in pairs if r.category == "sums"],
        "brier": [
            sum((probability - (name == r.category)) ** 2 for name, probability in routing.posterior)
            for r, routing in pairs
        ],
    }
    for name, values in expected.items():
        assert figure(found, name).value == pytest.approx(np.mean(values)), name
        assert figure(found, name).n == len(values), name
    assert figure(found, "accuracy").value < figure(found, "top_accuracy").value < 1


def test_f1_and_calibration_error_are_those_of_others(found: Findings, said: list[Routing]) -> None:
    """Against scikit-learn, over the labels that occur, and against the router's own calibration error."""
    pairs = in_scope(said)
    truth, sent = [r.category for r, _ in pairs], [routing.category for _, routing in pairs]
    expected = f1_score(truth, sent, labels=sorted(WORDS), average="macro")
    assert figure(found, "macro_f1").value == pytest.approx(expected)
    columns = sorted(WORDS)
    posterior = np.array([[dict(routing.posterior)[name] for name in columns] for _, routing in pairs])
    labels = np.array([columns.index(name or "") for name in truth])
    assert figure(found, "ece").value == pytest.approx(expected_calibration_error(posterior, labels))


def test_out_of_scope_queries_enter_their_own_figures_alone(found: Findings, said: list[Routing]) -> None:
    """Specified: AUROC against scikit-learn; the threshold keeps 95 % of the judged queries in scope, which is said."""
    strange = np.array([not record.in_scope for record in JUDGED])
    unsure = np.array([1 - routing.confidence for routing in said])
    fired = np.array([routing.gate.fired is not None for routing in said])
    assert figure(found, "auroc_ood").value == pytest.approx(roc_auc_score(strange, unsure))
    threshold = np.sort(unsure[~strange])[int(np.ceil(0.95 * 90)) - 1]
    assert figure(found, "ood_recall_at_95").value == pytest.approx(np.mean(unsure[strange] > threshold))
    assert figure(found, "ood_gated").value == pytest.approx(fired[strange].mean())
    assert figure(found, "in_scope_kept").value == pytest.approx(1 - fired[~strange].mean())
    sizes = [figure(found, name).n for name in ("accuracy", "auroc_ood", "ood_recall_at_95", "in_scope_kept")]
    assert sizes == [90, 115, 25, 90]
    assert sum(sum(row.values()) for row in found.parts["confusion"].values()) == 90
    assert any("flatters" in note for note in found.notes)


def test_figures_are_means_of_the_values_of_single_queries(found: Findings) -> None:
    """Specified: two runs are compared by those, under the figures' names."""
    assert found.queries.ids == tuple(record.id for record in JUDGED)
    assert {"accuracy", "brier", "recall.sums", "ood_gated", "flip_rate.typo"} <= set(found.queries.values)
    for name, values in found.queries.values.items():
        assert figure(found, name).value == pytest.approx(np.nanmean(values)), name
        assert figure(found, name).n == np.sum(~np.isnan(values)), name


def test_other_words_are_asked_of_a_sample(found: Findings, router: Router) -> None:
    """Specified: so many, in scope; a negation only where there is a place for it; words in capitals are the same."""
    assert figure(found, "flip_rate.typo").n == figure(found, "flip_rate.case").n == 20
    assert figure(found, "flip_rate.negation").n < 20
    assert figure(found, "flip_rate.case").value == 0
    asked = ~np.isnan(found.queries.values["flip_rate.typo"])
    assert not any(asked[[not record.in_scope for record in JUDGED]])
    none = judge_router([dataset(*JUDGED)], router, perturb=0, progress=silent)
    assert "flip_rate" not in none.figures
    assert dict(flat(none.figures)).items() <= dict(flat(found.figures)).items()


def test_a_change_of_category_is_a_flip(router: Router) -> None:
    """Ours: against the router, asked with the same other words."""
    rows = [record for record in JUDGED if record.in_scope]
    queries = queries_of([dataset(*rows)])
    other = {row: rows[(row + 7) % len(rows)].query for row in range(0, len(rows), 3)}
    answers = answered(
        queries,
        [(router, np.arange(len(rows)))],
        categories=router.categories,
        wordings={"typo": other},
        progress=silent,
    )
    tops = [routing.top for routing in router.classify([record.query for record in rows])]
    expected = [float(tops[row] != tops[(row + 7) % len(rows)]) if row in other else None for row in range(len(rows))]
    flips = answers.flipped["typo"]
    assert [None if np.isnan(flip) else flip for flip in flips] == expected
    assert 0 < np.nanmean(flips) < 1


def test_slices_are_the_worst_categories_with_what_it_was_surest_of(found: Findings, said: list[Routing]) -> None:
    """Specified: lowest recall first, at most three examples each, confidently wrong ones."""
    slices = found.parts["slices"]
    values = [one["figure"]["value"] for one in slices]
    assert values == sorted(values)
    worst = slices[0]["slice"].removeprefix("category = ")
    assert values[0] == min(figure(found, f"recall.{name}").value for name in WORDS)
    wrong = [(r, routing) for r, routing in in_scope(said) if r.category == worst != routing.category]
    surest = sorted(wrong, key=lambda pair: -pair[1].confidence)[:3]
    assert [example["query"] for example in slices[0]["examples"]] == [record.query for record, _ in surest]
    assert [example["got"] for example in slices[0]["examples"]] == [routing.category for _, routing in surest]


def test_curves_are_thinned_and_keep_their_ends(router: Router) -> None:
    """Specified: at most 200 points; all queries are covered at the end, at the error of the likeliest category."""
    many = judge_router([dataset(*records(120, seed=5, split="many"))], router, perturb=0, progress=silent)
    curve = many.parts["risk_coverage"]
    assert len(curve["coverage"]) == len(curve["risk"]) == len(curve["threshold"]) == 200
    assert curve["coverage"][-1] == 1
    assert curve["risk"][-1] == pytest.approx(1 - figure(many, "top_accuracy").value)


def test_the_same_seed_gives_the_same_file() -> None:
    """Specified: to the byte, routers trained on the way."""
    runs = [folds(seed=3).as_dict() for _ in range(2)]
    assert json.dumps(runs[0]) == json.dumps(runs[1])
    assert json.dumps(folds(seed=4).as_dict()) != json.dumps(runs[0])


def folds(rows: Sequence[Record] = (*LEARNED, *JUDGED), *, number: int = 3, seed: int = 0) -> Findings:
    return judge_folds([dataset(*rows)], folds=number, embedder=EMBEDDER, perturb=10, seed=seed, progress=silent)


def test_folds_judge_every_query_by_a_router_that_had_not_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified: K-fold cross-validation; out-of-scope queries are judged and never learned from."""
    lessons: list[Lesson] = []

    def noted(lesson: Lesson, **settings: object) -> Router:
        lessons.append(lesson)
        return learned(lesson, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("eval.suites.categories.suite.learned", noted)
    found = folds(number=4)
    assert (figure(found, "accuracy").n, figure(found, "ood_gated").n) == (150, 25)
    taught = [{example.query for example in lesson.examples} for lesson in lessons]
    for record in (*LEARNED, *JUDGED):
        assert sum(record.query in queries for queries in taught) == (3 if record.in_scope else 0)
    assert figure(found, "top_accuracy").value > 0.7
    assert any("the other folds' queries" in note for note in found.notes)


def test_a_test_set_is_judged_by_what_the_training_set_teaches(found: Findings) -> None:
    """Specified: the same as judging a router that was trained on it."""
    train, test = dataset(*LEARNED, name="a"), dataset(*JUDGED, name="b")
    parts = parts_given([train], [test])
    after = judge_parts([train, test], parts, embedder=EMBEDDER, perturb=20, progress=silent)
    assert dict(flat(after.figures)) == dict(flat(found.figures))
    assert after.queries.ids == tuple(record.id for record in JUDGED)


def test_the_sources_own_split_learns_from_train_and_sets_the_threshold_on_val() -> None:
    """Specified: test is judged; of validation queries in scope 95 % are kept; what is strange is not learned."""
    val = records(20, seed=3, split="val", strange=5)
    strange = records(0, seed=7, split="train", strange=4)
    whole = dataset(*LEARNED, *strange, *val, *JUDGED)
    found = judge_parts([whole], parts_by_split([whole]), embedder=EMBEDDER, perturb=0, progress=silent)
    router = trained(LEARNED)
    unsure = sorted(1 - routing.confidence for routing in router.classify([r.query for r in val if r.in_scope]))
    threshold = unsure[int(np.ceil(0.95 * 60)) - 1]
    said = router.classify([record.query for record in JUDGED if not record.in_scope])
    expected = np.mean([1 - routing.confidence > threshold for routing in said])
    assert figure(found, "ood_recall_at_95").value == pytest.approx(expected)
    assert figure(found, "accuracy").n == 90
    assert any("60 queries in scope of the split 'val'" in note for note in found.notes)
    assert "4 queries that are out of scope are not learned from" in found.notes


def test_queries_that_are_also_learned_from_are_not_judged() -> None:
    """Specified: left out whatever their case and spacing, and counted."""
    shouted = [record.model_copy(update={"id": f"s{n}", "query": record.query.upper() + "  "})
               for n, record in enumerate(LEARNED[:7])]  # fmt: skip
    parts = parts_given([dataset(*LEARNED, name="a")], [dataset(*shouted, *JUDGED, name="b")])
    assert (parts.seen, len(parts.judged)) == (7, len(JUDGED))
    found = judge_parts([], parts, embedder=EMBEDDER, perturb=0, progress=silent)
    assert "7 queries are not judged: their text is also learned from" in found.notes
    with pytest.raises(DataError, match="nothing to judge"):
        parts_given([dataset(*LEARNED, name="a")], [dataset(*shouted, name="b")])


def test_a_text_under_two_categories_is_judged_but_not_learned() -> None:
    """Ours: nobody knows which is right; the note counts both."""
    first = next(record for record in LEARNED if record.category == "sums")
    twin = first.model_copy(update={"id": "twin", "category": "tales", "query": first.query.upper()})
    found = folds([*LEARNED, twin])
    assert figure(found, "accuracy").n == 61
    assert "2 queries whose text stands under several categories are not learned from" in found.notes


def test_a_general_category_without_examples_is_only_reached_by_the_gate(router: Router) -> None:
    """Ours: its queries count, the posterior has no part for it, and nothing is undefined."""
    rest = [
        record.model_copy(update={"category": GENERAL, "in_scope": True}) for record in JUDGED if not record.in_scope
    ]
    found = judge_router([dataset(*rest)], router, perturb=0, progress=silent)
    values: Figures = found.figures
    assert figure(found, "accuracy").value == figure(found, "gated").value > 0
    assert (figure(found, "top_accuracy").value, figure(found, "coverage").value) == (0, 0)
    assert 1 < figure(found, "brier").value <= 2
    assert set(values) >= {"ece", "macro_f1"}


def test_recalls_of_many_categories_are_not_kept_a_query(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours: a file of mostly nothing helps nobody; the note says so."""
    monkeypatch.setattr("eval.suites.categories.figures.MOST_CELLS", 10)
    monkeypatch.setattr("eval.suites.categories.notes.MOST_CELLS", 10)
    found = judge_router([dataset(*JUDGED)], router, perturb=0, progress=silent)
    assert not [name for name in found.queries.values if name.startswith("recall.")]
    assert "recall.sums" in dict(flat(found.figures))
    assert any("recall" in note and "compared" in note for note in found.notes)


def test_data_that_say_nothing_are_told_with_their_place(router: Router) -> None:
    """Specified: no category, a category that the router has not, no text, the same data twice, nothing in scope."""
    bare = [
        Record(id="1", query="x", source="f:1"),
        Record(id="2", query=" ", category="sums", source="f:2"),
    ]
    with pytest.raises(DataError) as caught:
        judge_router([dataset(*bare)], router, progress=silent)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == ["f:1:", "f:2:"]
    with pytest.raises(DataError, match=r"f:9: unknown category 'sum' \(did you mean 'sums'\?\)"):
        judge_router([dataset(Record(id="9", query="x", category="sum", source="f:9"))], router, progress=silent)
    with pytest.raises(DataError, match="duplicate id"):
        judge_router([dataset(*JUDGED), dataset(*JUDGED)], router, progress=silent)
    with pytest.raises(DataError, match="no query has a category"):
        judge_router([dataset(Record(id="1", query="x", in_scope=False))], router, progress=silent)


def test_data_that_cannot_be_learned_from_are_told_with_their_place() -> None:
    """Specified: too few of a category in some fold, one category alone, a category that is not learned, no split."""
    rare = Record(id="r", query="rare thing", category="rare", source="f:1")
    with pytest.raises(DataError, match=r"f:1: category 'rare' has 0 distinct queries to learn from in one of 3 folds"):
        folds([*LEARNED, rare])
    with pytest.raises(DataError, match="a router needs two"):
        folds([record for record in LEARNED if record.category == "sums"])
    with pytest.raises(DataError, match="cannot be split into 200 folds"):
        folds(number=200)
    train, test = dataset(*LEARNED, name="a"), dataset(replace_category(JUDGED[0], "rare"), name="b")
    with pytest.raises(DataError, match="unknown category 'rare'"):
        judge_parts([], parts_given([train], [test]), embedder=EMBEDDER, progress=silent)
    with pytest.raises(DataError, match=r"found: 'train'\)"):
        parts_by_split([train])


def replace_category(record: Record, category: str) -> Record:
    return record.model_copy(update={"category": category, "in_scope": True})


def test_several_data_sets_are_judged_together(router: Router) -> None:
    """Ours: each id carries its set's name."""
    half = len(JUDGED) // 2
    sets = [dataset(*JUDGED[:half], name="a"), dataset(*JUDGED[half:], name="b")]
    found = judge_router(sets, router, perturb=0, progress=silent)
    assert found.queries.ids[0] == f"a#{JUDGED[0].id}"
    assert figure(found, "accuracy").n == 90
