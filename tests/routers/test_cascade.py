"""The cascade: who answers what, what it costs in accuracy, and that the embedder is left alone where it may be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.testing import WordEmbedder, check_classifier
from routers import artifact
from routers.calibration import Calibration
from routers.classify import classifier_kind
from routers.classify.cascade import CascadeClassifier
from routers.classify.kernel import KernelClassifier
from routers.classify.kinds import seen_by
from routers.classify.protocol import Explained, Tiered
from routers.classify.tiers import Tiers
from routers.embedding import Embedder, FloatArray
from routers.embedding.layered import views_of
from routers.errors import TrainingError, UnknownClassifier
from routers.examples import Example
from routers.gate import Gate
from routers.router import Router
from routers.train import train

RNG = np.random.default_rng(0)
TOPICS = {
    "sea": "ship harbour wave sail anchor crew tide deck",
    "sky": "cloud wing pilot runway altitude glide storm jet",
    "soil": "seed plough root harvest worm field compost barn",
}
COMMON = "the a my where how please show tell old new"


def made_up(n: int, *, plain: float = 0.8) -> tuple[list[str], list[str]]:
    """Queries of three topics. plain: the share that names its topic; the others are words that all topics have."""
    texts, labels = [], []
    for number in range(n):
        topic = list(TOPICS)[number % 3]
        own = TOPICS[topic].split() if RNG.random() < plain else COMMON.split()
        words = [*RNG.choice(own, 3), *RNG.choice(COMMON.split(), 3)]
        texts.append(" ".join(RNG.permutation(words)) + f" {topic[:2]}{number}")
        labels.append(topic)
    return texts, labels


TEXTS, LABELS = made_up(900)
STRANGE = ["quantum flux of a tensor", "", "👩‍👩‍👧‍👦", "\ud800", "كيف حالك", "z" * 1_000_000]


class Telling(WordEmbedder):
    """Knows the topic of any query of ours by its last word, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        rows = super().embed(texts)
        for row, text in zip(rows, texts, strict=True):
            row[:3] += [8 * (text.split()[-1][:2] == topic[:2]) if text.split() else 0 for topic in TOPICS]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


@pytest.fixture(scope="module")
def fitted() -> CascadeClassifier:
    """A kernel behind the static tier, which can answer about four in five."""
    return CascadeClassifier(Telling(), loss=0.01).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"inner": "linear", "inner_parameters": {"c": 1.0}},
        {"inner": "nearest"},
        {"inner": "rules", "inner_parameters": {"rules": {"math": {"keywords": ["seven"]}}}},
        {"static_parameters": {"landmarks": 5}, "loss": 0.5, "strange": 0.0},
        {"inner": "cascade"},
    ],
)
def test_keeps_the_contract_of_classifiers(parameters: dict[str, Any]) -> None:
    """The public conformance check, over several inner kinds; the kind is found by its entry point."""
    check_classifier(classifier_kind("cascade"), parameters=parameters)


def test_what_the_fast_tier_answers_is_never_embedded(fitted: CascadeClassifier) -> None:
    """The embedder sees what is passed on and nothing else, in a batch and one by one."""
    embedder = Telling()
    served = CascadeClassifier(embedder, loss=0.01).restore(fitted.classes_, fitted.state())
    texts, _ = made_up(60)
    fast = served.answered_fast(texts)
    assert embedder.asked == []
    assert 0.3 < fast.mean() < 1
    logits = served.logits(texts)
    assert embedder.asked == [text for text, answered in zip(texts, fast, strict=True) if not answered]
    np.testing.assert_allclose(logits, np.concatenate([served.logits([text]) for text in texts]), atol=1e-5)


def test_accuracy_lost_is_within_the_bound() -> None:
    """On queries that nothing was learned or set from, within three standard errors of what was allowed."""
    allowed = 0.01
    cascade = CascadeClassifier(Telling(), loss=allowed).fit(TEXTS, LABELS)
    texts, labels = made_up(1500)
    truth = np.array([cascade.classes_.index(label) for label in labels])
    always = cascade.inner.logits(texts).argmax(axis=1) == truth
    ours = cascade.logits(texts).argmax(axis=1) == truth
    difference = always.astype(float) - ours
    assert cascade.answered_fast(texts).mean() > 0.3
    assert difference.mean() <= allowed + 3 * difference.std() / np.sqrt(len(texts))


def test_a_few_queries_do_not_prove_that_nothing_is_lost() -> None:
    """With 60 examples each query is embedded."""
    embedder = Telling()
    cascade = CascadeClassifier(embedder).fit(TEXTS[:60], LABELS[:60])
    assert not cascade.answered_fast(TEXTS[:60]).any()
    inner = KernelClassifier(embedder).fit(TEXTS[:60], LABELS[:60])
    assert (cascade.logits(TEXTS[:60]).argmax(axis=1) == inner.logits(TEXTS[:60]).argmax(axis=1)).all()


def test_larger_loss_means_more_fast_answers() -> None:
    """And none may be lost where the fast tier is not better."""
    shares = [CascadeClassifier(Telling(), loss=loss).fit(TEXTS, LABELS).answered_fast_ for loss in (0.0, 0.01, 0.2)]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_strange_texts_are_passed_on(fitted: CascadeClassifier) -> None:
    """Out of scope, empty, other scripts, a megabyte: nothing raises, and the inner kind's gate sees them."""
    assert not fitted.answered_fast(STRANGE).any()
    logits, evidence = fitted.read(STRANGE)
    assert np.isfinite(logits).all()
    assert np.isfinite(evidence).all()


def test_evidence_of_both_tiers_means_the_same(fitted: CascadeClassifier) -> None:
    """What the fast tier shows is about what the inner kind would have shown of the same queries."""
    texts, _ = made_up(300)
    fast = fitted.answered_fast(texts)
    _, evidence = fitted.read(texts)
    _, inner = fitted.inner.read(texts)  # type: ignore[attr-defined]
    assert fitted.signals == ("score", "nearness")
    np.testing.assert_allclose(evidence[fast].mean(axis=0), inner[fast].mean(axis=0), atol=0.1)
    np.testing.assert_array_equal(evidence[~fast], fitted.tiers_.of_inner((inner, inner))[1][~fast])


def test_same_examples_give_the_same_classifier(fitted: CascadeClassifier) -> None:
    """To the last bit, and so does its state."""
    other = CascadeClassifier(Telling(), loss=0.01).fit(TEXTS, LABELS)
    one, another = fitted.state(), other.state()
    assert all(np.array_equal(one[name], another[name]) for name in one)


def test_state_that_does_not_fit_is_refused(fitted: CascadeClassifier) -> None:
    """ValueError, as the protocol says."""
    state = fitted.state()
    changes: list[dict[str, FloatArray]] = [
        {"tiers.settings": state["tiers.settings"][1:]},
        {"tiers.settings": -state["tiers.settings"]},
        {"tiers.gate": np.full_like(state["tiers.gate"], np.inf)},
        {"tiers.evidence": state["tiers.evidence"][:, 1:]},
        {"other.near": state["tiers.evidence"]},
        {"inner.near": state["inner.near"][:, 1:]},
        {"static.near": state["static.near"][:, 1:]},
    ]
    for change in changes:
        with pytest.raises(ValueError, match=r"tensor|range"):
            CascadeClassifier(Telling()).restore(fitted.classes_, {**state, **change})
    with pytest.raises(ValueError, match="tensor"):
        CascadeClassifier(Telling()).restore(fitted.classes_, {})


def test_inner_kinds_and_their_parameters_are_checked() -> None:
    """By the same words as when they stand alone."""
    with pytest.raises(UnknownClassifier, match="'cubic'"):
        CascadeClassifier(WordEmbedder(), inner="cubic")
    with pytest.raises(TrainingError, match="'linear' has no parameter 'depth'"):
        CascadeClassifier(WordEmbedder(), inner="linear", inner_parameters={"depth": 3})
    examples = [Example(text, label) for text, label in zip(TEXTS[:9], LABELS[:9], strict=True)]
    with pytest.raises(TrainingError, match="depth"):
        train(
            examples,
            general="x",
            embedder=WordEmbedder(),
            classifier="cascade",
            parameters={"static_parameters": {"depth": 3}},
        )


def test_the_inner_kind_sees_what_it_wants_of_an_embedder(minilm: Embedder) -> None:
    """All layers for the kernel, the final vector for the linear one."""
    assert views_of(seen_by("cascade", minilm)) == 3
    assert seen_by("cascade", minilm, {"inner": "linear"}) is minilm


def test_rules_of_the_inner_kind_are_not_overruled() -> None:
    """A certainty stays one, however sure the fast tier is."""
    rules = {"soil": {"keywords": ["anchor"]}}
    cascade = CascadeClassifier(
        Telling(), inner="rules", inner_parameters={"rules": rules, "inner": "kernel"}, loss=0.2, strange=0
    ).fit(TEXTS, LABELS)
    texts = ["show the ship deck sail", "show the ship deck anchor"]
    assert cascade.answered_fast(texts).tolist() == [True, False]
    assert [cascade.classes_[column] for column in cascade.logits(texts).argmax(axis=1)] == ["sea", "soil"]
    assert np.isnan(cascade.stated(texts)[:, 0]).tolist() == [True, False]


def test_explains_what_answered_where_both_tiers_can(fitted: CascadeClassifier) -> None:
    """Parts add up in either tier; a kind whose parts add up to something else makes the whole say nothing."""
    assert isinstance(fitted, Explained)
    assert isinstance(fitted, Tiered)
    assert not isinstance(CascadeClassifier(WordEmbedder(), inner="linear"), Explained)
    texts, _ = made_up(40)
    fast = fitted.answered_fast(texts)
    for text in (texts[int(fast.argmax())], texts[int(fast.argmin())]):
        sums = np.sum([part.values for part in fitted.explain(text, fitted.classes_)], axis=0)
        assert sums.argmax() == fitted.logits([text]).argmax()


def test_a_router_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    """With the share of fast answers in its report, and saying the same after as before."""
    examples = [Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    trained = train(examples, general="general", embedder=Telling(), classifier="cascade", parameters={"loss": 0.01})
    assert trained.report.answered_fast is not None
    assert 0.3 < trained.report.answered_fast < 1
    artifact.save(trained, tmp_path / "router", embedder="telling")
    loaded = artifact.load(tmp_path / "router", embedder=Telling())
    texts, labels = made_up(30)
    assert loaded.classify(texts) == trained.router.classify(texts)
    assert np.mean([r.top == label for r, label in zip(loaded.classify(texts), labels, strict=True)]) > 0.9
    assert isinstance(loaded.explain(texts[0]).unit, str)
    linear = train(examples[:30], general="general", embedder=Telling(), classifier="linear")
    assert linear.report.answered_fast is None


def test_tiers_survive_being_stored() -> None:
    """All that a decision needs is in the tensors."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 400)
    logits = (rng.normal(size=(400, 3)) + 3 * np.eye(3)[labels]).astype(np.float32)
    evidence = rng.normal(size=(400, 2)).astype(np.float32)
    tiers = Tiers.learned(
        (logits, evidence), (logits, evidence), labels, names=("score", "nearness"), loss=0.05, strange=0.1
    ).as_stored()
    again = tiers.as_stored()
    assert tiers.answers((logits, evidence)).any()
    np.testing.assert_array_equal(tiers.answers((logits, evidence)), again.answers((logits, evidence)))
    assert 0 <= tiers.alpha <= 1


def test_routing_of_many_categories_is_in_order() -> None:
    """A posterior from likeliest to least, ties in the order of the categories, and a set that leads it."""

    class Fixed:
        classes_ = tuple(f"c{number:03}" for number in range(200))

        def logits(self, texts: Sequence[str]) -> FloatArray:
            rows = np.zeros((len(texts), 200), dtype=np.float32)
            rows[:, [7, 3]] = 9, 8
            return rows

    (routing,) = Router(
        classifier=Fixed(),  # type: ignore[arg-type]
        calibration=Calibration(),
        gate=Gate(0.0),
        qhat=0.99,
        general="x",
    ).classify(["any"])
    names = [name for name, _ in routing.posterior]
    assert names == ["c007", "c003", *(name for name in Fixed.classes_ if name not in {"c007", "c003"})]
    assert routing.category_set == ("c007", "c003")
    assert routing.confidence == routing.posterior[0][1]
    assert sum(share for _, share in routing.posterior) == pytest.approx(1)
