"""What decided: the parts that a classifier names add up to what it says, and nothing is left out."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing import WordEmbedder
from routers.calibration import Calibration
from routers.classify.contribution import Contribution, most_telling, total
from routers.classify.kernel import KernelClassifier
from routers.classify.linear import LinearClassifier
from routers.classify.ngrams import NGrams
from routers.classify.protocol import Explained
from routers.embedding import FloatArray
from routers.examples import Example
from routers.gate import Gate, Signal
from routers.router import Router
from routers.train import train

TEXTS = [
    f"{verb} the {thing} {number}"
    for verb in ("boil", "add", "paint")
    for thing in ("egg", "sum", "wall")
    for number in range(4)
]
LABELS = [text.split(maxsplit=1)[0] for text in TEXTS]
KERNEL = KernelClassifier(WordEmbedder()).fit(TEXTS, LABELS)
PROJECTED = KernelClassifier(WordEmbedder(), landmarks=7).fit(TEXTS, LABELS)
LINEAR = LinearClassifier(WordEmbedder()).fit(TEXTS, LABELS)
SIGNALS = (Signal("score", 0.8, 0.2), Signal("nearness", 0.7, 0.1))

# Words that were learned, words that were not, and whatever Unicode has, in any mix.
queries = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from([*TEXTS, "BOIL", "17%", "ΟΔΟΣ", "İ", "\u2028"])).map(" ".join)
)


def router(classifier: KernelClassifier | LinearClassifier, *signals: Signal) -> Router:
    return Router(
        classifier=classifier, calibration=Calibration(0.5), gate=Gate(0.0, signals), qhat=0.5, general="general"
    )


@pytest.mark.parametrize("kernel", [KERNEL, PROJECTED], ids=["exact", "projected"])
@given(text=queries)
def test_contributions_of_the_kernel_add_up_to_its_scores(kernel: KernelClassifier, text: str) -> None:
    """Every category, any text."""
    found = total(kernel.explain(text, kernel.classes_))
    np.testing.assert_allclose(found, kernel.scores([text])[0], atol=1e-4)


@given(text=queries)
def test_contributions_of_the_linear_classifier_add_up_to_its_logits(text: str) -> None:
    """Meaning and category are all there is."""
    parts = LINEAR.explain(text, LINEAR.classes_)
    assert [part.part for part in parts] == ["meaning", "category"]
    np.testing.assert_allclose(total(parts), LINEAR.logits([text])[0], atol=1e-4)


@given(text=queries, most=st.integers(1, 5))
def test_an_explanation_adds_up_to_the_margin_however_short_it_is(text: str, most: int) -> None:
    """The sums, their difference, and the probabilities of `classify`."""
    found, (routing,) = router(KERNEL).explain(text, most=most), router(KERNEL).classify([text])
    scores = dict(zip(KERNEL.classes_, KERNEL.scores([text])[0], strict=True))
    assert (found.top, found.runner_up) == tuple(category for category, _ in routing.posterior[:2])
    assert found.margin == pytest.approx(routing.posterior[0][1] - routing.posterior[1][1])
    assert len(found.contributions) <= 4 * most + 1
    assert total(found.contributions) == pytest.approx((scores[found.top], scores[found.runner_up]), abs=1e-4)
    assert (found.top_score, found.runner_up_score) == pytest.approx(total(found.contributions), abs=1e-9)


@given(text=queries)
def test_pieces_of_a_text_add_up_to_its_row(text: str) -> None:
    """Words by themselves, spelling by word; repeated words and signs included."""
    ngrams = NGrams().fit(TEXTS)
    names, shares = ngrams.pieces(text)
    assert shares.shape[0] == len(names)
    np.testing.assert_allclose(shares.sum(axis=0), ngrams.transform([text]).toarray()[0], atol=1e-6)


def test_the_words_that_decided_are_named() -> None:
    """And the learned examples by their category; what adds nothing is left out."""
    found = router(KERNEL).explain("Boil 17 unheard-of things")
    parts = {(part.part, part.name) for part in found.contributions}
    assert (found.top, found.unit) == ("boil", "score")
    assert {("word", "boil"), ("letters", "boil")} <= parts
    assert not any("unheard" in name for part, name in parts if part == "word")
    (own,) = [part for part in found.contributions if "examples of boil" in part.name]
    assert own.name.startswith("12 examples of boil, nearest 0.")
    assert own.values[0] > 0 > own.values[1]


def test_what_holds_for_any_text_stands_by_itself() -> None:
    """The same for two texts, and all there is where nothing is near: neither examples nor words."""
    first, second = (
        {part.name: part.values for part in KERNEL.explain(text, KERNEL.classes_) if part.part == "category"}
        for text in ("boil the egg", "quantum chromodynamics")
    )
    assert first == second
    assert len(first) == 1

    class Blind(WordEmbedder):
        """Everything is unrelated to everything."""

        def embed(self, texts: Sequence[str]) -> FloatArray:
            return np.zeros((len(texts), self.dim), dtype=np.float32)

    blind = KernelClassifier(Blind()).restore(KERNEL.classes_, KERNEL.state())
    parts = blind.explain("?", KERNEL.classes_)
    assert next(part.values for part in parts if part.part == "category") == pytest.approx(total(parts), abs=1e-6)


def test_margin_in_logits_is_what_the_temperature_divides() -> None:
    """Log of the ratio of the two probabilities, times the temperature."""
    found = router(LINEAR).explain("boil the wall")
    (routing,) = router(LINEAR).classify(["boil the wall"])
    ratio = routing.posterior[0][1] / routing.posterior[1][1]
    assert found.unit == "logit"
    assert found.margin_logit == pytest.approx(0.5 * np.log(ratio), abs=1e-5)
    assert found.margin_logit == pytest.approx(found.top_score - found.runner_up_score, abs=1e-5)


@given(text=queries)
def test_signals_of_the_gate_average_to_its_value(text: str) -> None:
    """As standardised; as measured they are the classifier's evidence."""
    found = router(KERNEL, *SIGNALS).explain(text)
    assert [signal.name for signal in found.signals] == ["score", "nearness"]
    assert np.mean([signal.standard for signal in found.signals]) == pytest.approx(found.gate.value)
    assert [signal.value for signal in found.signals] == pytest.approx(KERNEL.read([text])[1][0].tolist(), abs=1e-6)


def test_a_classifier_that_cannot_say_has_a_margin_all_the_same() -> None:
    """A plugin need not explain itself."""

    class Mute:
        classes_ = KERNEL.classes_
        logits = KERNEL.logits

    made = Router(classifier=Mute(), calibration=Calibration(1.0), gate=Gate(0.0), qhat=0.5, general="general")  # type: ignore[arg-type]
    found = made.explain("boil the egg")
    assert not isinstance(Mute(), Explained)
    assert (found.top, found.unit, found.contributions, found.signals) == ("boil", None, (), ())
    assert found.margin > 0


def test_the_categories_of_landmarks_are_kept_with_the_router() -> None:
    """A restored classifier explains as the fitted one does; a tensor that names no category is refused."""
    state = PROJECTED.state()
    twin = KernelClassifier(WordEmbedder()).restore(PROJECTED.classes_, state)
    assert twin.explain("boil the egg", twin.classes_) == PROJECTED.explain("boil the egg", PROJECTED.classes_)
    for wrong in (0.5, -1, 3):
        with pytest.raises(ValueError, match="tensor 'owner'"):
            KernelClassifier(WordEmbedder()).restore(
                PROJECTED.classes_, {**state, "owner": np.full_like(state["owner"], wrong)}
            )


def test_small_contributions_become_one() -> None:
    """Ranked by what they tell the first from the second, each kind by itself."""
    parts = [Contribution("word", name, values) for name, values in (("a", (5.0, 5.0)), ("b", (1.0, 0)), ("c", (0, 3)))]
    kept = most_telling(parts, most=1)
    assert [part.name for part in kept] == ["c", "2 smaller ones"]
    assert kept[1] == Contribution("other", "2 smaller ones", (6.0, 5.0))
    assert most_telling(parts, most=3)[-1].name == "a"
    near = Contribution("examples", "near", (0.0, 0.5))
    assert [part.name for part in most_telling([*parts, near], most=1)] == ["c", "near", "2 smaller ones"]


def test_a_trained_router_explains_a_megabyte_and_real_queries(examples: list[Example]) -> None:
    """As it comes from training; what is beyond the n-grams' limit costs nothing."""
    made = train(examples, general="general", embedder=WordEmbedder(), classifier="kernel").router
    kernel = made.classifier
    assert isinstance(kernel, KernelClassifier)
    for text in (examples[0].query, "boil an egg " * 90_000):
        found = made.explain(text)
        best = kernel.scores([text])[0].max()
        assert found.top_score == pytest.approx(best, abs=1e-4)
        assert len(found.signals) == 2
