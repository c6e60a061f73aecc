"""The records hold what the data's published and measured baselines say, by a few lines of numpy."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.datasets.catalogue import open_dataset
from eval.datasets.record import Record

SHARED = Path(__file__).parents[4] / "shared" / "data"
"""Beside the repository; not part of it."""

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here")

Floats = NDArray[np.float64]
POOL = (
    "mathstral-7B",
    "Phi-3-mini-4k-instruct",
    "Meta-Llama-3_1-8B-Instruct",
    "Mistral-7B-Instruct-v0.2",
    "Qwen1.5-7B-Chat",
)


def scores(records: Sequence[Record], experts: Sequence[str]) -> Floats:
    """[records, experts]."""
    return np.array([[record.outcomes[expert].score for expert in experts] for record in records])


def majority(records: Sequence[Record], experts: Sequence[str]) -> float:
    """Accuracy of the commonest answer; among equals that of the expert listed first."""
    right = 0
    for record in records:
        votes = Counter(answer for expert in experts if (answer := record.drafts[expert].answer) is not None)
        right += bool(votes) and votes.most_common(1)[0][0] == record.gold
    return right / len(records)


def test_routellm_mmlu() -> None:
    """Measured on the data: weak .681, strong .806, oracle .859; five prompts are contaminated."""
    dataset = open_dataset(f"routellm:{SHARED / 'routellm' / 'mmlu'}")
    found = scores(dataset.records, ["mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"])
    assert found.mean(0) == pytest.approx([0.681, 0.806], abs=5e-4)
    assert found.max(1).mean() == pytest.approx(0.859, abs=5e-4)
    assert (len(dataset.records), len(dataset.skipped)) == (14042 - 5, 5)
    assert len({record.category for record in dataset.records}) == 57


def test_routellm_gsm8k() -> None:
    """Measured on the data: .638 / .857 / .929 with the contaminated prompts, which move it by less than .003."""
    dataset = open_dataset(f"routellm:{SHARED / 'routellm' / 'gsm8k_responses.csv.gz'}")
    found = scores(dataset.records, ["mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"])
    assert [*found.mean(0), found.max(1).mean()] == pytest.approx([0.638, 0.857, 0.929], abs=3e-3)
    assert (len(dataset.records), len(dataset.skipped)) == (1319 - 12, 12)


def test_routerbench() -> None:
    """Measured on the data, 2,205 rows; oracle: the cheapest right expert, or the cheapest where none is right."""
    dataset = open_dataset(f"routerbench:{SHARED / 'routerbench_zs'}")
    records = dataset.records
    assert (len(records), len(dataset.skipped)) == (2205, 20)
    experts = list(records[0].outcomes)
    assert len(experts) == 11
    found = scores(records, experts)
    cost = np.array([[record.outcomes[expert].cost_usd for expert in experts] for record in records], dtype=np.float64)
    gpt4 = experts.index("gpt-4-1106-preview")
    assert found[:, gpt4].mean() == pytest.approx(0.879, abs=5e-4)
    assert cost[:, gpt4].mean() == pytest.approx(0.00502, abs=5e-6)
    oracle = np.where(found == found.max(1, keepdims=True), cost, np.inf).argmin(1)
    rows = np.arange(len(records))
    assert found[rows, oracle].mean() == pytest.approx(0.976, abs=5e-4)
    assert cost[rows, oracle].mean() == pytest.approx(0.000207, abs=5e-7)
    assert found.mean() == pytest.approx(0.675, abs=5e-4)
    assert not any("\n\n" in record.query for record in records if record.category != "mbpp")
    assert len({record.query for record in records}) == len(records)


def test_zeroeval() -> None:
    """Measured on the data and published: 43 models, and the 14 under .85, which a vote lifts to .930."""
    records = open_dataset(f"zeroeval:{SHARED / 'zeroeval'}").records
    experts = list(records[0].outcomes)
    found = scores(records, experts)
    accuracy = dict(zip(experts, found.mean(0), strict=True))
    weak = [expert for expert in experts if accuracy[expert] < 0.85]
    assert (len(records), len(experts), len(weak)) == (1319, 43, 14)
    assert max(accuracy[expert] for expert in weak) == pytest.approx(0.8438, abs=5e-5)
    assert majority(records, weak) == pytest.approx(0.9303, abs=5e-5)
    assert majority(records, experts) == pytest.approx(0.9704, abs=5e-5)
    assert max(accuracy.values()) == pytest.approx(0.9666, abs=5e-5)
    assert found.max(1).mean() == pytest.approx(0.9962, abs=5e-5)
    published = {"Meta-Llama-3.1-8B-Instruct": 0.84, "Mixtral-8x7B-Instruct-v0.1": 0.7013, "gemma-2-2b-it": 0.5163}
    assert {expert: round(accuracy[expert], 4) for expert in published} == published


def test_mmlu_pro() -> None:
    """Measured on the data: the five-model pool's best single .444, oracle .707, majority .470."""
    dataset = open_dataset(f"mmlu-pro:{SHARED / 'mmlu_pro'}")
    records = dataset.records
    assert (len(records), len(dataset.skipped)) == (5981, 0)
    found = scores(records, POOL)
    assert found.mean(0).max() == pytest.approx(0.444, abs=5e-4)
    assert found.max(1).mean() == pytest.approx(0.707, abs=5e-4)
    assert majority(records, POOL) == pytest.approx(0.470, abs=5e-4)
    counts = Counter(record.category for record in records)
    assert (len(counts), counts["physics"], counts["history"]) == (14, 676, 199)
    asked = Counter(expert for record in records for expert in record.outcomes)
    assert (asked["DeepSeek-Coder-V2"], asked["gemini-1.5-pro-002"]) == (5981 - 850, 5981 - 6)
    silent = [r for r in records if "Qwen1.5-7B-Chat" in r.drafts and r.drafts["Qwen1.5-7B-Chat"].answer is None]
    assert len(silent) == 1367
    assert all(record.outcomes["Qwen1.5-7B-Chat"].score == 0 for record in silent)
    assert sum(record.drafts["mathstral-7B"].text is not None for record in records) == 997
    assert "184 rows repeat the query of an earlier one: split by its text" in dataset.notes


def test_ulab() -> None:
    """Measured on the data: best .621, oracle .802, 2.6 % of the scores are fractions."""
    records = open_dataset(f"ulab:{SHARED / 'ulab_llmrouter'}").records
    found = scores(records, list(records[0].outcomes))
    assert found.shape == (5608, 9)
    assert found.mean(0).max() == pytest.approx(0.621, abs=5e-4)
    assert found.max(1).mean() == pytest.approx(0.802, abs=5e-4)
    assert ((found > 0) & (found < 1)).mean() == pytest.approx(0.026, abs=5e-4)


def test_clinc() -> None:
    """Specified: the source's counts a split, 150 intents, 10 domains of 15 intents."""
    records = open_dataset(f"clinc-domains:{SHARED / 'clinc150'}").records
    assert Counter((record.split, record.in_scope) for record in records) == {
        ("train", True): 15000,
        ("val", True): 3000,
        ("test", True): 4500,
        ("train", False): 100,
        ("val", False): 100,
        ("test", False): 1000,
    }
    pairs = {(record.category, record.gold) for record in records if record.in_scope}
    assert (len(pairs), len({domain for domain, _ in pairs})) == (150, 10)
    splits = {split: {r.query for r in records if r.split == split and r.in_scope} for split in ("train", "test")}
    assert len(splits["train"] & splits["test"]) == 2


def test_banking77() -> None:
    """Specified: 10,003 and 3,080 rows of 77 classes."""
    records = open_dataset(f"banking77:{SHARED / 'banking77'}").records
    assert Counter(record.split for record in records) == {"train": 10003, "test": 3080}
    assert len({record.category for record in records}) == 77
