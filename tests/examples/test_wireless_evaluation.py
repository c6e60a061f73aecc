"""The example's questions, how answers are read, and the figures over them."""

import json
import re
from pathlib import Path

import pytest

from examples.wireless.arms import EXPERTS, LLM, Asked, Routed, label_in, summary
from examples.wireless.channel import TASKS, Task
from examples.wireless.findings import findings
from examples.wireless.questions import ASKED, ASKED_GENERAL, LEARNT, LEARNT_GENERAL, learnt_lines, questions
from orchestrator.config import load

FOLDER = Path(__file__).parents[2] / "examples" / "wireless"


def test_no_question_that_is_asked_was_learned() -> None:
    """Neither word for word, nor but for the id, case and punctuation."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z ]", "", text.replace("{id}", "").lower()).strip()

    learnt = {plain(text) for texts in (*LEARNT.values(), LEARNT_GENERAL) for text in texts}
    assert not learnt & {plain(text) for texts in (*ASKED.values(), ASKED_GENERAL) for text in texts}


def test_queries_file_is_what_the_templates_make() -> None:
    """`python -m examples.wireless.questions` writes it."""
    assert (FOLDER / "queries.jsonl").read_text().splitlines() == learnt_lines()
    assert {json.loads(line)["category"] for line in learnt_lines()} == {*TASKS, "general"}


def test_a_seed_asks_the_same_questions_each_of_its_own_capture() -> None:
    """As many of every task, options in changing order."""
    asked = questions(8, seed=1)
    assert asked == questions(8, seed=1)
    assert len({one.capture for one in asked}) == len(asked) == 24
    assert all(one.truth in one.options and one.capture in one.text for one in asked)
    assert len({one.options for one in asked if one.task == "doppler"}) > 1


def test_configuration_names_the_tools_that_are_graded() -> None:
    """Ids in experts.yaml are those the evaluation looks for."""
    config = load(FOLDER / "experts.yaml", environment={}).config
    assert {task: config.categories[task].experts[0] for task in TASKS} == EXPERTS
    assert LLM in config.experts


@pytest.mark.parametrize(
    ("answer", "task", "label"),
    [
        ("The answer is NLOS.", "line_of_sight", "nlos"),
        ("There is no line of sight.", "line_of_sight", "nlos"),
        ("It has a line-of-sight path.", "line_of_sight", "los"),
        ("A non-line-of-sight path, not los", "line_of_sight", "nlos"),
        ("High speed, not static", "doppler", "high-speed"),
        ("Rician or Rayleigh", "fading", "rician"),
        ("By wireless-line-of-sight, with confidence", "line_of_sight", None),
        ("It was not moving.", "doppler", "static"),
        ("It is blossoming in the loss.", "line_of_sight", None),
        ("", "fading", None),
    ],
)
def test_label_of_an_answer_is_the_first_it_names(answer: str, task: Task, label: str | None) -> None:
    """Whole words alone count."""
    assert label_in(answer, task) == label


def test_summary_says_what_the_receiver_measured() -> None:
    """Figures with their units, and no label."""
    text = summary("c-0042")
    assert {"GHz", "dB", "m/s", "ns"} <= set(re.findall(r"[A-Za-z/]+", text))
    assert not any(label_in(text, task) for task in ("line_of_sight", "doppler"))


def test_figures_of_the_arms() -> None:
    """Gains are paired, a wrong tool and an ignored output are counted."""
    asked = []
    for place, question in enumerate(questions(4, seed=2)):
        right, wrong = question.truth, next(label for label in question.options if label != question.truth)
        expert = "engineer" if place == 0 else EXPERTS["fading"] if place == 1 else EXPERTS[question.task]
        tool = right if place > 1 else None
        labels = {"llm": right if place % 2 else wrong, "llm_tools": wrong if place == 3 else right, "tools": tool}
        asked.append(Asked(question, Routed(expert, None if tool is None else {"label": tool}), labels, {}))
    figures = findings(asked, [Routed(LLM, None), Routed("sight", None)])
    assert figures["accuracy"]["llm"]["value"] == pytest.approx(6 / 12)
    assert figures["accuracy"]["llm_tools"]["value"] == pytest.approx(11 / 12)
    gain = figures["gain_over_llm"]["llm_tools"]
    assert gain["absolute"]["value"] == pytest.approx(5 / 12)
    assert gain["relative"]["value"] == pytest.approx(5 / 6)
    assert gain["absolute"]["ci95"][0] <= 5 / 12 <= gain["absolute"]["ci95"][1]
    shares = {name: figure["value"] for name, figure in figures["tools"].items()}
    assert shares == pytest.approx(
        {
            "selection_accuracy": 10 / 12,
            "wrong_tool": 1 / 12,
            "no_tool": 1 / 12,
            "ignored_output": 1 / 10,
            "needless_tool": 1 / 2,
        }
    )
