"""The suite `onboarding`: experts are left out and added again, on data whose answer is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings
from eval.metrics import Figure
from eval.suites.onboarding import judge_onboarding

SKILL = {"weak": (0.2, 0.3), "good": (0.5, 0.4), "best": (0.95, 0.95), "other": (0.3, 0.5)}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 queries of two categories; one expert is far better than the others in both."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(240):
        outcomes = {name: {"score": float(rng.random() < skill[number % 2])} for name, skill in SKILL.items()}
        category = ("sums", "verse")[number % 2]
        rows.append({"query": f"query number {number}", "category": category, "outcomes": outcomes})
    path = tmp_path_factory.mktemp("data") / "graded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(file: Path) -> Dataset:
    """The same, read."""
    return open_dataset(str(file))


def judged(data: Dataset, new: tuple[str, ...] = ("all",), shots: tuple[int, ...] = (5, 40)) -> Findings:
    return judge_onboarding([data], new=new, shots=shots, draws=2, folds=3, progress=lambda *_: None)


def test_more_shots_tell_more_and_the_best_expert_is_found(data: Dataset) -> None:
    """Specified: errors fall, and with forty shots most of what it can bring is there."""
    figures = judged(data).as_dict()
    assert figures["estimate_error"]["40"]["value"] < figures["estimate_error"]["5"]["value"]
    assert figures["onboarding_gain_of"]["best"]["40"]["value"] > 0.3
    assert figures["onboarding_gain_of"]["weak"]["40"]["value"] > -0.02
    assert figures["without"]["value"] <= figures["with_shots"]["40"]["value"] <= figures["with_all"]["value"]


def test_the_same_seed_gives_the_same_findings(data: Dataset) -> None:
    """Specified: byte for byte."""
    first, second = (json.dumps(judged(data, new=("best",)).as_dict()) for _ in range(2))
    assert first == second


def test_a_figure_is_the_mean_of_its_queries(data: Dataset) -> None:
    """Ours: so that two runs can be compared in pairs."""
    findings = judged(data, new=("best", "good"), shots=(10,))
    gains = findings.figures["onboarding_gain"]
    assert not isinstance(gains, Figure)
    figure = gains["10"]
    assert isinstance(figure, Figure)
    assert figure.value == pytest.approx(findings.queries.values["onboarding_gain.10"].mean())
    assert figure.n == len(findings.queries.ids) == 240


@pytest.mark.parametrize(
    ("new", "shots", "said"),
    [
        (("ghost",), (5,), "--new-expert ghost: not in the pool; known are weak, good, best, other"),
        (("all",), (4, 5), "--shots 4: at least 5"),
    ],
)
def test_what_cannot_be_left_out_is_told(
    new: tuple[str, ...], shots: tuple[int, ...], said: str, data: Dataset
) -> None:
    """Specified: what was named, and what there is."""
    with pytest.raises(DataError) as raised:
        judged(data, new=new, shots=shots)
    assert list(raised.value.problems) == [said]


def test_the_command_prints_and_writes_its_figures(file: Path, tmp_path: Path) -> None:
    """Specified: exit status 0 and a JSON file; 2 where the arguments are no use."""
    arguments = ["onboarding", str(file), "--new-expert", "best", "--draws", "1", "--folds", "2"]
    done = CliRunner().invoke(app, [*arguments, "--shots", "5", "--json", str(tmp_path / "found.json")])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "found.json").read_bytes())["suite"] == "onboarding"
    assert CliRunner().invoke(app, [*arguments, "--shots", "five"]).exit_code == 2
