"""The suite `fusion` on recorded drafts of real models: measured baselines, and that the policy does no harm."""

from pathlib import Path

import pytest

from eval.datasets import Dataset
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings, flat
from eval.suites.fusion import judge_fusion

SHARED = Path(__file__).parents[4] / "shared" / "data"
"""Beside the repository; not part of it."""

pytestmark = [
    pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here"),
    pytest.mark.slow,
]

FIRST = ("mathstral-7B", "Phi-3-mini-4k-instruct", "Meta-Llama-3_1-8B-Instruct")
WEAK = (*FIRST, "Mistral-7B-Instruct-v0.2", "Qwen1.5-7B-Chat")
STRONG = ("Meta-Llama-3_1-70B-Instruct", "jamba-1.5-large", "Qwen1.5-72B-Chat", *FIRST)


@pytest.fixture(scope="module")
def questions() -> Dataset:
    """MMLU-Pro."""
    return open_dataset(f"mmlu-pro:{SHARED / 'mmlu_pro' / 'mmlu_pro_half0_preds.jsonl.gz'}")


def judged(data: Dataset, experts: tuple[str, ...], most: int | None = None) -> dict[str, float]:
    """The values of the figures by name."""
    found: Findings = judge_fusion([data], experts=experts, most_drafts=most, progress=lambda *_: None)
    return {name: figure.value for name, figure in flat(found.figures)}


def test_a_weak_even_pool_gains_by_voting(questions: Dataset) -> None:
    """Measured on the data: best .444, majority .470, weighted .483, oracle .707; the policy in under 3 calls."""
    found = judged(questions, WEAK)
    assert found["best_single"] == pytest.approx(0.444, abs=1e-3)
    assert found["majority"] == pytest.approx(0.470, abs=5e-3)
    assert found["weighted"] == pytest.approx(0.483, abs=3e-3)
    assert found["oracle"] == pytest.approx(0.707, abs=5e-4)
    assert found["policy"] > 0.482
    assert found["calls.policy"] < 3.05


def test_three_drafts_do_as_well_as_five(questions: Dataset) -> None:
    """Measured on the data: the first three weighted .483; which three draft is learned."""
    found = judged(questions, WEAK, most=3)
    assert found["weighted"] == pytest.approx(0.483, abs=1e-3)
    assert found["policy"] > 0.48
    assert found["calls.policy"] < 3


def test_a_strong_uneven_pool_is_left_alone(questions: Dataset) -> None:
    """Measured on the data: best .635, majority .620, weighted .621; the policy never more than .003 below."""
    found = judged(questions, STRONG)
    assert found["best_single"] == pytest.approx(0.635, abs=1e-3)
    assert found["majority"] == pytest.approx(0.620, abs=3e-3)
    assert found["weighted"] == pytest.approx(0.621, abs=3e-3)
    assert found["oracle"] == pytest.approx(0.825, abs=5e-4)
    assert found["policy"] >= found["best_single"] - 0.003


def test_sums_gain_most() -> None:
    """Measured on the data: 14 models under .85, best .844, majority .930, oracle .988."""
    data = open_dataset(f"zeroeval:{SHARED / 'zeroeval'}")
    shares = {
        expert: sum(record.outcomes[expert].score for record in data.records) / len(data.records)
        for expert in data.records[0].drafts
    }
    weak = tuple(expert for expert, accuracy in shares.items() if accuracy < 0.85)
    found = judged(data, weak)
    assert max(found[f"experts.{expert}"] for expert in weak) == pytest.approx(0.844, abs=5e-4)
    assert found["majority"] == pytest.approx(0.930, abs=6e-3)
    assert found["oracle"] == pytest.approx(0.988, abs=5e-4)
    assert found["policy"] > 0.925
    assert found["tokens.policy"] < found["tokens.consensus"]
