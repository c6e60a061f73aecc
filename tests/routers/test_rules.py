"""Rules: what they settle, what they leave to the inner kind, and which patterns are refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.testing import WordEmbedder, check_classifier
from routers.calibrate import softmax
from routers.calibration import Calibration
from routers.classify import classifier_kind
from routers.classify.contribution import total
from routers.classify.kernel import KernelClassifier
from routers.classify.kinds import seen_by
from routers.classify.linear import LinearClassifier
from routers.classify.patterns import expression
from routers.classify.protocol import Explained
from routers.classify.rules import RulesClassifier
from routers.embedding import Embedder
from routers.embedding.layered import views_of
from routers.errors import TrainingError, UnknownClassifier
from routers.examples import Example
from routers.train import train

TEXTS = [f"{verb} the {thing} {n}" for verb in ("boil", "add", "paint") for thing in ("egg", "sum") for n in range(4)]
LABELS = [text.split(maxsplit=1)[0] for text in TEXTS]
RULES: Mapping[str, Mapping[str, list[str]]] = {
    "add": {"keywords": ["plus", "square  root", "c++"], "patterns": [r"\d+\s*%"]},
    "paint": {"keywords": ["brush"]},
}
FITTED = RulesClassifier(WordEmbedder(), rules=RULES).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"inner": "kernel"},
        {"inner": "nearest", "inner_parameters": {"k": 2}},
        {"rules": {"math": {"keywords": ["seven"]}, "code": {"patterns": ["loop|test"]}}, "certainty": 0.9},
        {"inner": "rules", "inner_parameters": {"rules": {"math": {"keywords": ["seven"]}}, "inner": "pilots"}},
    ],
)
def test_keeps_the_contract_of_classifiers(parameters: dict[str, Any]) -> None:
    """The public conformance check, over several inner kinds; the kind is found by its entry point."""
    check_classifier(classifier_kind("rules"), parameters=parameters)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("what is two PLUS two", "add"),
        ("the square\nroot of it", "add"),
        ("boil it in C++, please", "add"),
        ("17 % of it", "add"),
        ("surplus", None),
        ("c++11", None),
        ("a brush", "paint"),
        ("a brush plus a wall", None),
        ("boil the egg", None),
        ("", None),
    ],
)
def test_rules_settle_what_they_alone_match(text: str, category: str | None) -> None:
    """Whole words in any case; where those of two categories match, neither is certain."""
    assert FITTED.settled([text]) == [category]
    posterior = FITTED.posterior([text])[0]
    if category is None:
        inner = LinearClassifier(WordEmbedder()).fit(TEXTS, LABELS)
        np.testing.assert_allclose(posterior, inner.posterior([text])[0], atol=1e-6)
    else:
        expected = [0.99 if name == category else 0.005 for name in FITTED.classes_]
        np.testing.assert_allclose(posterior, expected, atol=1e-6)


@pytest.mark.parametrize("inner", ["linear", "kernel", "nearest"])
def test_held_out_logits_are_those_of_the_inner_kind_but_for_what_is_settled(inner: str) -> None:
    """Kinds that know them by themselves, with evidence or without, and one that is fitted once a fold."""
    fold = np.arange(len(TEXTS)) % 3
    ruled = RulesClassifier(WordEmbedder(), rules={"add": {"patterns": ["sum 3$"]}}, inner=inner)
    plain = RulesClassifier(WordEmbedder(), inner=inner)
    (held_out, evidence), (expected, seen) = (one.cross_read(TEXTS, LABELS, fold) for one in (ruled, plain))
    settled = np.array([text.endswith("sum 3") for text in TEXTS])
    np.testing.assert_array_equal(held_out[~settled], expected[~settled])
    assert (held_out[settled].argmax(axis=1) == 0).all()
    np.testing.assert_array_equal(evidence[~settled], seen[~settled])
    assert (evidence[settled] == seen.max(axis=0)).all()
    if inner == "linear":
        others = np.flatnonzero(fold != 0).tolist()
        part = LinearClassifier(WordEmbedder()).fit([TEXTS[i] for i in others], [LABELS[i] for i in others])
        np.testing.assert_allclose(expected[fold == 0], part.logits(TEXTS[::3]), atol=1e-6)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"add": {"patterns": ["("]}}, [r"'add'", r"'\('", "no regular expression"]),
        ({"add": {"patterns": ["x*"]}}, ["'add'", "empty text"]),
        ({"add": {"patterns": ["ok", "(a+)+$"]}}, ["'add'", r"'\(a\+\)\+\$'", "forever"]),
        ({"add": {"keywords": [" "]}}, ["'add'", "' '", "blank"]),
        ({"add": {"keyword": ["plus"]}}, ["'add'", "'keyword'", "keywords, patterns"]),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_by_category_and_pattern(rules: Any, said: list[str]) -> None:
    """ValueError of the kind, one line of a TrainingError when a router is trained."""
    examples = [Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    for match in said:
        with pytest.raises(ValueError, match=match):
            RulesClassifier(WordEmbedder(), rules=rules)
        with pytest.raises(TrainingError, match=match) as caught:
            train(examples, general="x", embedder=WordEmbedder(), classifier="rules", parameters={"rules": rules})
        assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "pattern",
    ["(a|ab)*c", r"(\w+\s?)*x", ".*.*.*x", "(a?){30}a{30}", "(?:a{0,60}){8}b", "(?>a+)+b", "(" * 2000 + ")" * 2000],
)
def test_a_pattern_that_could_take_forever_is_refused(pattern: str) -> None:
    """Repeats within repeats, and many in a row."""
    with pytest.raises(ValueError, match="pattern"):
        expression(pattern)


@pytest.mark.parametrize(
    ("pattern", "characters"), [(r"\border \w{1,40} status\b", 8192), ("a.*x", 8192), (r"\d+\s*%", 512)]
)
def test_how_much_of_a_text_a_pattern_is_shown_goes_by_its_cost(pattern: str, characters: int) -> None:
    """Ours: two open repeats take the third power of the length at the worst."""
    shown = expression(pattern)
    assert shown.characters == characters
    text = "17 % a x order it status"
    assert shown.found_in(" " * (characters - len(text)) + text)
    assert not shown.found_in("." * characters + text)


def test_a_megabyte_is_cut_before_it_is_looked_at() -> None:
    """Quickly, with the worst of texts for each pattern; nothing is found in any."""
    rules = {"add": {"patterns": [".*a.*b", r"(\d{1,3},?){1,4}x"], "keywords": ["b"]}}
    fitted = RulesClassifier(WordEmbedder(), rules=rules).fit(TEXTS, LABELS)
    assert fitted.settled(["a" * 1_000_000, "1" * 1_000_000, "\0\ud800" * 500_000]) == [None, None, None]


def test_rules_of_a_category_without_examples_are_refused() -> None:
    """They could never speak."""
    rules = {"sing": {"keywords": ["sing"]}}
    with pytest.raises(TrainingError, match="'sing'"):
        RulesClassifier(WordEmbedder(), rules=rules).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="'sing'"):
        RulesClassifier(WordEmbedder(), rules=rules).restore(FITTED.classes_, FITTED.state())


def test_state_that_does_not_fit_is_refused() -> None:
    """ValueError, as the protocol says."""
    state = FITTED.state()
    assert set(state) == {"familiar", "inner.coef", "inner.intercept"}
    changes = (
        {"coef": state["inner.coef"]},
        {"inner.coef": state["inner.coef"][:, 1:]},
        {"familiar": np.zeros(2, dtype=np.float32)},
        {"familiar": np.full(1, np.inf, dtype=np.float32)},
    )
    for change in changes:
        with pytest.raises(ValueError, match="tensor"):
            RulesClassifier(WordEmbedder()).restore(FITTED.classes_, {**state, **change})


def test_inner_kinds_and_their_parameters_are_checked() -> None:
    """By the same words as when they stand alone."""
    with pytest.raises(UnknownClassifier, match="'cubic'"):
        RulesClassifier(WordEmbedder(), inner="cubic")
    with pytest.raises(TrainingError, match="'linear' has no parameter 'depth'"):
        RulesClassifier(WordEmbedder(), inner_parameters={"depth": 3})


def test_the_inner_kind_sees_what_it_wants_of_an_embedder(minilm: Embedder) -> None:
    """All layers for the kernel, the final vector for the linear one."""
    assert views_of(seen_by("rules", minilm, {"inner": "kernel"})) == 3
    assert seen_by("rules", minilm) is minilm


def test_trains_a_router_with_certainties(examples: list[Example], minilm: Embedder) -> None:
    """The rule wins over what was learned, and its parameters are kept in full."""
    parameters = {"rules": {"cooking": {"keywords": ["xyzzy"]}}, "inner": "kernel"}
    trained = train(examples, general="general", embedder=minilm, classifier="rules", parameters=parameters)
    (routing,) = trained.router.classify(["divide 17 by xyzzy"])
    assert (routing.category, routing.confidence > 0.9) == ("cooking", True)
    kept = trained.router.classifier.parameters()
    assert kept["inner_parameters"] == KernelClassifier(minilm).parameters()


def test_a_certainty_is_what_was_stated_whatever_the_temperature(examples: list[Example]) -> None:
    """It is neither calibrated nor taken for a query that taught the temperature, and it passes the gate."""
    rules = {"cooking": {"keywords": ["xyzzy"]}}
    for inner in ("linear", "kernel", "nearest"):
        parameters = {"rules": rules, "inner": inner, "certainty": 0.93}
        made = train(
            examples, general="general", embedder=WordEmbedder(), classifier="rules", parameters=parameters
        ).router
        plain = train(examples, general="general", embedder=WordEmbedder(), classifier=inner).router
        assert made.calibration.temperature == pytest.approx(plain.calibration.temperature)
        for temperature in (made.calibration.temperature, 0.1, 30.0):
            warmer = replace(made, calibration=Calibration(temperature))
            (routing,) = warmer.classify(["quantum xyzzy"])
            assert (routing.category, routing.gate.fired) == ("cooking", None)
            assert routing.confidence == pytest.approx(0.93, abs=1e-6)
            others = 0.93 - 0.07 / (len(made.classifier.classes_) - 1)
            assert warmer.explain("quantum xyzzy").margin == pytest.approx(others, abs=1e-6)


def test_what_rules_within_rules_state_is_kept_too() -> None:
    """The outer ones go first."""
    inner = {"rules": {"boil": {"keywords": ["pot", "brush"]}}, "certainty": 0.8}
    fitted = RulesClassifier(WordEmbedder(), rules=RULES, inner="rules", inner_parameters=inner).fit(TEXTS, LABELS)
    stated = fitted.stated(["a pot", "a brush", "a wall"])
    np.testing.assert_allclose(stated, [[0.1, 0.8, 0.1], [0.005, 0.005, 0.99], [np.nan] * 3])
    np.testing.assert_allclose(fitted.posterior(["a pot"]), stated[:1], atol=1e-6)


def test_stated_queries_do_not_teach_the_temperature() -> None:
    """However wrong a rule is, what is left to the inner kind is calibrated as if those queries were not there."""
    examples = [Example(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    wrong = [Example(f"{text} xyzzy", "boil") for text in TEXTS if text.startswith("add")]
    parameters = {"rules": {"paint": {"keywords": ["xyzzy"]}}, "inner": "nearest"}
    trained = train(
        [*examples, *wrong], general="x", embedder=WordEmbedder(), classifier="rules", parameters=parameters
    )
    assert trained.report.accuracy < 0.8
    assert trained.router.calibration.temperature < 5
    (routing,) = trained.router.classify(["add the sum xyzzy"])
    assert (routing.top, round(routing.confidence, 6)) == ("paint", 0.99)


@pytest.mark.parametrize("inner", ["linear", "kernel", "nearest", "pilots"])
def test_rules_that_decided_are_named_and_add_up_to_the_logit(inner: str) -> None:
    """Keywords and patterns share what they add; what no rule settled is explained by the inner kind."""
    fitted = RulesClassifier(WordEmbedder(), rules=RULES, inner=inner).fit(TEXTS, LABELS)
    parts = fitted.explain("17 % PLUS two", fitted.classes_)
    assert [(part.part, part.name) for part in parts] == [
        ("rule", "keyword 'PLUS' of add"),
        ("rule", r"pattern \d+\s*% of add"),
        ("category", "the category, whatever the text"),
    ]
    np.testing.assert_allclose(total(parts), fitted.logits(["17 % PLUS two"])[0], atol=1e-5)
    plain = classifier_kind(inner)(WordEmbedder()).fit(TEXTS, LABELS)
    assert isinstance(plain, Explained)
    assert fitted.unit == plain.unit
    assert list(fitted.explain("boil the egg", ("boil", "add"))) == list(plain.explain("boil the egg", ("boil", "add")))


def test_an_inner_kind_that_cannot_say_stands_as_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its logits, and its largest probability for evidence."""

    class Mute:
        """A linear classifier that only classifies."""

        def __init__(self, embedder: Embedder) -> None:
            self._inner = LinearClassifier(embedder)
            for name in ("fit", "logits", "posterior", "state", "parameters", "restore"):
                setattr(self, name, getattr(self._inner, name))

    monkeypatch.setattr("routers.classify.rules.classifier_kind", lambda _name: Mute)
    fitted = RulesClassifier(WordEmbedder(), rules=RULES).fit(TEXTS, LABELS)
    (part,) = fitted.explain("boil the egg", fitted.classes_)
    logits, evidence = fitted.read(["boil the egg"])
    assert (part.part, part.name, fitted.unit, fitted.signals) == (
        "other",
        "the classifier 'linear'",
        "logit",
        ("score",),
    )
    np.testing.assert_allclose(part.values, logits[0], atol=1e-6)
    assert evidence[0, 0] == pytest.approx(softmax(logits)[0].max())


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_has_a_finite_posterior(texts: list[str]) -> None:
    """Empty, other scripts, signs alone, and no text at all."""
    posterior = FITTED.posterior(texts)
    assert posterior.shape == (len(texts), 3)
    assert np.isfinite(FITTED.logits(texts)).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-5)
