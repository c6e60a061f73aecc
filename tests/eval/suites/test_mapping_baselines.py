"""The suite `mapping` on the public outcomes: the measured baselines come out. Needs no model.

What depends on what queries mean (`knn`, `category_predicted`, `plan`, `aiq`) is measured with a real embedder by the
command itself; hashed words stand in for it here.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.datasets import Dataset
from eval.datasets.catalogue import open_dataset
from eval.findings import Findings, flat
from eval.suites.mapping import judge_mapping
from eval.suites.mapping.calls import Pair, call_figures
from eval.suites.mapping.judging import Intervals
from eval.suites.mapping.pool import pool_of
from orchestrator.testing import WordEmbedder

SHARED = Path(__file__).parents[4] / "shared" / "data"
"""Beside the repository; not part of it."""

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data (../shared/data) is not here")

FIVE = (
    "mathstral-7B",
    "Phi-3-mini-4k-instruct",
    "Meta-Llama-3_1-8B-Instruct",
    "Mistral-7B-Instruct-v0.2",
    "Qwen1.5-7B-Chat",
)
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"


def judged(dataset: Dataset, *experts: str) -> Findings:
    """By hashed words."""
    return judge_mapping(
        [dataset],
        embedder=WordEmbedder(16),
        experts=experts or None,
        progress=lambda _what, _done, _total: None,
    )


def values(findings: Findings) -> dict[str, float]:
    """By dotted name."""
    return {name: figure.value for name, figure in flat(findings.figures)}


def test_mmlu_pro_pool_of_five() -> None:
    """Measured on the data: best single .444, best expert of the true category .462, oracle .707."""
    found = values(judged(open_dataset(f"mmlu-pro:{SHARED / 'mmlu_pro' / 'mmlu_pro_half0_preds.jsonl.gz'}"), *FIVE))
    assert found["best_single"] == pytest.approx(0.444, abs=5e-4)
    assert found["category_true"] == pytest.approx(0.462, abs=2e-3)
    assert found["oracle"] == pytest.approx(0.707, abs=5e-4)


def test_routellm_mmlu() -> None:
    """Measured on the data: weak .681, strong .806, oracle .859. Without its 57 subjects, which take long to learn."""
    dataset = open_dataset(f"routellm:{SHARED / 'routellm' / 'mmlu'}")
    unnamed = tuple(record.model_copy(update={"category": None}) for record in dataset.records)
    findings = judged(replace(dataset, records=unnamed))
    found = values(findings)
    assert found[f"experts.{WEAK}"] == pytest.approx(0.681, abs=5e-4)
    assert found["best_single"] == found[f"experts.{STRONG}"] == pytest.approx(0.806, abs=5e-4)
    assert found["oracle"] == pytest.approx(0.859, abs=5e-4)
    assert (findings.parts["calls"]["weak"], findings.parts["calls"]["strong"]) == (WEAK, STRONG)
    assert found["apgr"] > 0.5


def test_a_coin_recovers_half_of_the_gap() -> None:
    """Measured on RouteLLM's MMLU: an APGR of .499 for random preferences, CPT50 and CPT80 at about 50 and 80 %."""
    pool = pool_of([open_dataset(f"routellm:{SHARED / 'routellm' / 'mmlu'}")], experts=[WEAK, STRONG])
    preference = np.random.default_rng(0).random(len(pool.ids))
    found = call_figures(pool, Pair(0, 1), preference, Intervals(seed=0))
    assert found["apgr"].value == pytest.approx(0.499, abs=0.01)
    assert found["cpt50"].value == pytest.approx(0.50, abs=0.03)
    assert found["cpt80"].value == pytest.approx(0.80, abs=0.03)
    low, high = found["apgr"].ci95 or (0, 0)
    assert low < 0.5 < high


def test_routerbench() -> None:
    """Measured on the data: GPT-4 .879 at $.00502, oracle .976 at $.000207, zero router .818; routing beats it."""
    findings = judged(open_dataset(f"routerbench:{SHARED / 'routerbench_zs'}"))
    found = values(findings)
    assert found["best_single"] == pytest.approx(0.879, abs=5e-4)
    assert found["cost_of.best_single"] == pytest.approx(0.00502, abs=5e-6)
    assert found["random"] == pytest.approx(0.675, abs=5e-4)
    assert found["oracle"] == pytest.approx(0.976, abs=6e-4)
    assert found["cost_of.oracle"] == pytest.approx(2.07e-4, abs=5e-7)
    assert found["aiq_zero"] == pytest.approx(0.818, abs=5e-4)
    gain = dict(flat(findings.figures))["aiq_gain"]
    assert (gain.ci95 or (0, 0))[0] > 0
