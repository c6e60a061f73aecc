"""Parameters of the classifier kind: from the file to the trained router, or one line where they do not fit."""

import re
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.errors import ConfigError
from orchestrator.testing import WordEmbedder
from orchestrator.training import load_router, train_router, why_train
from routers.errors import TrainingError
from tests.config.samples import MINIMAL, loaded

EXAMPLES = MINIMAL.replace("[fix this]", "[fix this, fix that, mend this code]").replace(
    "{description: the rest, ", "{description: the rest, examples: [good day, a good one, have a good time], "
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written in a folder of their own."""
    monkeypatch.chdir(tmp_path)


def config(routing: str) -> Config:
    """A small configuration that can be trained on."""
    return loaded(f"{EXAMPLES}routing: {{{routing}}}\n").config


def why(routing: str) -> str:
    """Why it has to be trained."""
    return why_train(config(routing), lambda _name: WordEmbedder())


@pytest.mark.parametrize(
    ("routing", "problem"),
    [
        ("classifier: linear, parameters: {depth: 3}", "classifier 'linear' has no parameter 'depth'; known: c"),
        (
            "classifier: linear, parameters: {c: 0}",
            "classifier 'linear': parameter 'c': input should be greater than 0, found 0",
        ),
        (
            "classifier: linear, parameters: {c: much}",
            "classifier 'linear': parameter 'c': input should be a valid number, found \"much\"",
        ),
        ("classifier: linear, parameters: {c: .inf}", "classifier 'linear': parameter 'c' is not JSON"),
        ("parameters: [c]", "expected a mapping (keys and values), found a list"),
    ],
)
def test_parameters_that_the_kind_does_not_take_are_a_problem_of_the_file(routing: str, problem: str) -> None:
    """One line each, at the place of the parameters."""
    with pytest.raises(ConfigError) as caught:
        config(routing)
    (line,) = caught.value.problems
    assert re.match(r"experts.yaml:8:\d+: routing.parameters: ", line)
    assert problem in line


def test_parameters_of_an_unknown_kind_are_one_problem() -> None:
    """The kind is named as the problem, not what it would take."""
    with pytest.raises(ConfigError) as caught:
        config("classifier: cubic, parameters: {depth: 3}")
    assert len(caught.value.problems) == 1


def test_parameters_reach_the_router_and_a_change_of_them_is_noticed() -> None:
    """Also back to the default; giving the default is no change."""
    assert "no trained router" in why("classifier: linear, parameters: {c: 2}")
    settings = config("classifier: linear, parameters: {c: 2}")
    train_router(settings, WordEmbedder())
    assert load_router(settings, WordEmbedder()).classifier.parameters() == {"c": 2}
    assert why("classifier: linear, parameters: {c: 2.0}") == ""
    assert why("classifier: linear, parameters: {c: 3}") == "the settings of 'routing' have changed"
    assert why("classifier: linear, alpha: 0.1") == "the settings of 'routing' have changed"
    train_router(config("classifier: linear, alpha: 0.1"), WordEmbedder())
    assert why("classifier: linear, parameters: {c: 10}") == ""


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("rules: {code: {patterns: ['(']}}", "rules of 'code': pattern '('"),
        ("rules: {code: {words: [a]}}", "unknown key 'words'"),
        ("inner_parameters: {depth: 3}", "classifier 'linear' has no parameter 'depth'"),
    ],
)
def test_rules_that_cannot_be_used_are_one_line_of_training(parameters: str, said: str) -> None:
    """The reason to train is the reason why it fails."""
    routing = f"classifier: rules, parameters: {{{parameters}}}"
    with pytest.raises(TrainingError) as caught:
        train_router(config(routing), WordEmbedder())
    (line,) = caught.value.problems
    assert said in line
    train_router(config("classifier: rules"), WordEmbedder())
    assert said in why(routing)


def test_rules_in_a_file_are_certain_of_their_queries() -> None:
    """From YAML to the decision."""
    settings = config("classifier: rules, parameters: {rules: {code: {keywords: [segfault]}}, inner: nearest}")
    train_router(settings, WordEmbedder())
    router = load_router(settings, WordEmbedder())
    assert router.classify(["a good segfault"])[0].top == "code"
    assert why_train(settings, lambda _name: WordEmbedder()) == ""
