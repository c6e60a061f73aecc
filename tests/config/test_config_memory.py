"""Experts that sleep, and the memory that they share."""

from pathlib import Path

import pytest

from orchestrator.config import load
from orchestrator.errors import ConfigError

HEAD = """\
version: 1
categories:
  code: {description: code, examples: [sort a list], experts: [coder]}
  general: {description: everything else, experts: [writer]}
general: general
"""


def experts(coder: str, writer: str = "", rest: str = "") -> str:
    """Two vllm experts with further keys, and further blocks."""
    servers = "kind: vllm, model: m, replicas"
    return (
        f"{HEAD}experts:\n  coder: {{{servers}: [http://one:1]{coder}}}\n"
        f"  writer: {{{servers}: [http://two:1]{writer}}}\n{rest}"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (experts(", sleep: true"), "sleep without weights_gb or active_params_b"),
        (experts(", pin: true"), "pin without sleep: true means nothing"),
        (experts(", sleep: true, weights_gb: 81"), "it takes 81 GB and 'default' has 80 GB awake"),
        (experts(", sleep: true, active_params_b: 41"), "it takes 82 GB and 'default' has 80 GB awake"),
        (experts(", sleep: true, weights_gb: 9, accelerator: b"), "no accelerator 'b' in residency.awake_gb"),
        (
            experts(", sleep: true, weights_gb: 50", ", sleep: true, weights_gb: 40"),
            "it takes 50 GB beside writer, which never sleeps, and 'default' has 80 GB awake",
        ),
        (
            experts("", rest="  style: {kind: vllm, base: coder, adapter: a, sleep: true}\n"),
            "sleep of an adapter: it sleeps and wakes with its base",
        ),
        (experts("", rest="residency: {policy: belady}\n"), "residency.policy"),
    ],
)
def test_what_cannot_share_memory_is_a_problem_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """Found when the file is read, not when the first request waits."""
    file = tmp_path / "experts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environment={})
    assert any(problem in line and line.startswith(f"{file}:") for line in caught.value.problems), caught.value.problems


def test_what_fits_is_taken(tmp_path: Path) -> None:
    """Two that share an accelerator, each of which fits."""
    file = tmp_path / "experts.yaml"
    file.write_text(experts(", sleep: true, weights_gb: 30, pin: true", ", sleep: true, active_params_b: 20"))
    assert load(file, environment={}).config.residency.awake_gb == {"default": 80.0}
