"""Two runs compared: which figures moved, in pairs where that can be, and what makes a user's CI fail."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eval.compare import Change, Comparison, compare
from eval.comparison_markdown import as_markdown
from eval.datasets import DataError
from eval.findings import Findings, PerQuery
from eval.metrics import UNDEFINED, Figure, Resampling
from tests.cli.test_verbs import orchestrator

N = 40
IDS = tuple(f"q{n}" for n in range(N))
SAME = {"data": [{"name": "own", "rows": N, "sha256": "0"}], "seed": 0}


def run(columns: Mapping[str, npt.ArrayLike], *, ids: tuple[str, ...] = IDS, **fields: Any) -> Findings:
    """Findings whose figures are the means of columns, and those of `extra`, which no query has a value of."""
    rows = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    figures: dict[str, Any] = {}
    for dotted, row in rows.items():
        name, _, part = dotted.partition(".")
        there = row[~np.isnan(row)]
        figure = Resampling(len(there)).mean(there)
        if part:
            figures.setdefault(name, {})[part] = figure
        else:
            figures[name] = figure
    given = {"suite": "pipeline", "run": SAME, "queries": PerQuery(ids=ids, values=rows), **fields}
    return Findings(**{**given, "figures": {**figures, **fields.get("figures", {})}})


def only(comparison: Comparison, name: str = "score") -> Change:
    (change,) = [change for change in comparison.changes if change.name == name]
    return change


RIGHT = np.tile([1.0, 0.0], N // 2)


def fewer(lost: int) -> npt.NDArray[np.float64]:
    """The same queries right but for so many."""
    column = RIGHT.copy()
    column[: 2 * lost : 2] = 0.0
    return column


def test_a_run_compared_with_itself_has_not_changed() -> None:
    """Nothing is distinguishable, nothing is a regression."""
    found = compare(run({"score": RIGHT}), run({"score": RIGHT}))
    assert (only(found).verdict, only(found).method, found.regressions) == ("not distinguishable", "paired", ())
    assert found.summary == "no regression; of the figures that count: 1 not distinguishable"


def test_a_loss_is_worse_and_a_gain_is_better() -> None:
    """Paired over the queries, with their number."""
    worse = compare(run({"score": RIGHT}), run({"score": fewer(10)}))
    better = compare(run({"score": fewer(10)}), run({"score": RIGHT}))
    assert (only(worse).verdict, only(worse).regression) == ("worse", True)
    assert (only(better).verdict, only(better).regression) == ("better", False)
    assert only(worse).difference.value == -0.25
    assert only(worse).difference.n == N
    assert worse.summary == "worse: score"


def test_pairs_show_what_two_intervals_cannot() -> None:
    """The same 8 of 40 lost: distinguishable in pairs, and not from the two means alone."""
    paired = compare(run({"score": RIGHT}), run({"score": fewer(8)}))
    alone = compare(run({"score": RIGHT}, queries=PerQuery()), run({"score": fewer(8)}, queries=PerQuery()))
    assert only(paired).verdict == "worse"
    assert (only(alone).verdict, only(alone).method) == ("not distinguishable", "unpaired")
    assert only(alone).difference.value == only(paired).difference.value


def test_queries_are_paired_by_their_ids_whatever_their_order() -> None:
    """The second run has them backwards."""
    backwards = run({"score": fewer(10)[::-1]}, ids=IDS[::-1])
    assert only(compare(run({"score": RIGHT}), backwards)).difference.value == -0.25


def test_only_queries_that_enter_on_both_sides_are_paired() -> None:
    """What an expert was not asked on one side says nothing of it."""
    before, after = RIGHT.copy(), fewer(10)
    before[:10] = np.nan
    after[30:] = np.nan
    change = only(compare(run({"score": before}), run({"score": after})))
    assert (change.difference.n, change.method) == (20, "paired")


def test_fewer_than_six_changed_queries_prove_nothing() -> None:
    """Ours: five that all got worse are chance in 1 of 16, and a bootstrap over them would not see it."""
    before, five, six = np.ones(N), np.ones(N), np.ones(N)
    five[:5], six[:6] = 0.0, 0.0
    assert only(compare(run({"score": before}), run({"score": five}))).verdict == "not distinguishable"
    assert only(compare(run({"score": before}), run({"score": six}))).verdict == "worse"


def test_the_direction_is_that_of_the_measure() -> None:
    """More cost is worse; more fusion is neither, and fails nothing."""
    columns = {"cost_usd": RIGHT, "fused": RIGHT}
    found = compare(run(columns), run(dict.fromkeys(columns, fewer(10))))
    assert (only(found, "cost_usd").verdict, only(found, "fused").verdict) == ("better", "changed")
    back = compare(run(dict.fromkeys(columns, fewer(10))), run(columns))
    assert (only(back, "cost_usd").regression, only(back, "fused").regression) == (True, False)


def test_a_regression_within_the_tolerance_is_let_pass() -> None:
    """It is still said to be worse; exactly the tolerance is within it."""
    before, after = run({"score": RIGHT}), run({"score": fewer(10)})
    for tolerance, regression in ((0.2, True), (0.25, False), (0.3, False)):
        change = only(compare(before, after, tolerance=tolerance))
        assert (change.verdict, change.regression) == ("worse", regression)


def test_figures_below_the_top_gate_only_where_they_are_named() -> None:
    """By their own name or that of their tree: the more figures gate, the more often one fails by chance."""
    before, after = run({"score_by_category.math": RIGHT}), run({"score_by_category.math": fewer(10)})
    name = "score_by_category.math"
    assert (only(compare(before, after), name).verdict, compare(before, after).regressions) == ("worse", ())
    for gate in (name, "score_by_category"):
        assert [change.name for change in compare(before, after, gate=[gate]).regressions] == [name]
    with pytest.raises(DataError, match="--figure score_by: not a figure that both have"):
        compare(before, after, gate=["score_by"])


def test_values_that_do_not_average_to_their_figure_are_not_paired() -> None:
    """A mean over collections is not the mean over their queries."""
    figures = {"score": Figure(0.9, (0.8, 1.0), N)}
    found = compare(run({"score": RIGHT}, figures=figures), run({"score": fewer(10)}, figures=figures))
    assert (only(found).method, only(found).difference.value) == ("unpaired", 0.0)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (Figure(0.9, (0.88, 0.92), 9), Figure(0.8, (0.78, 0.82), 9), "worse"),
        (Figure(0.9, (0.85, 0.95), 9), Figure(0.84, (0.8, 0.88), 9), "not distinguishable"),
        (Figure(0.9, None, 9), Figure(0.1, (0.0, 0.2), 9), "not distinguishable"),
        (Figure(0.9, (0.8, 1.0), 9), UNDEFINED, "undefined"),
    ],
    ids=["apart", "near", "no interval", "undefined"],
)
def test_figures_without_values_of_queries_stand_on_their_intervals(
    before: Figure, after: Figure, verdict: str
) -> None:
    """Half-widths add in squares; where one is missing nothing can be told."""
    found = compare(run({}, figures={"macro_f1": before}), run({}, figures={"macro_f1": after}))
    assert only(found, "macro_f1").verdict == verdict
    assert bool(found.regressions) == (verdict == "worse")


def test_figures_that_only_one_side_has_are_named() -> None:
    """And nothing is said of how they changed."""
    found = compare(run({"score": RIGHT, "calls": RIGHT}), run({"score": RIGHT, "fused": RIGHT}))
    assert (found.only_before, found.only_after) == (("calls",), ("fused",))
    assert [change.name for change in found.changes] == ["score"]
    assert found.remarks == ("only in the first: calls", "only in the second: fused")


def described(name: str = "own", sha256: str = "0", rows: int = N) -> dict[str, Any]:
    return {"data": [{"name": name, "rows": rows, "sha256": sha256}]}


def test_the_same_data_under_another_name_is_the_same() -> None:
    """By its hash; or, with a note, by the ids of its queries."""
    before = run({"score": RIGHT})
    assert compare(before, run({"score": RIGHT}, run=described(name="elsewhere"))).notes == ()
    (note,) = compare(before, run({"score": RIGHT}, run=described(sha256="1"))).notes
    assert note.startswith("the queries have the same ids")


def test_ids_that_carry_the_name_of_their_data_set_are_paired_too() -> None:
    """As they do where several sets are judged together."""

    def both(folder: str) -> Findings:
        names = [f"{folder}/a", f"{folder}/a#b"]
        ids = tuple(f"{names[n % 2]}#{n}" for n in range(N))
        data = [{"name": name, "rows": N // 2, "sha256": str(n)} for n, name in enumerate(names)]
        return run({"score": RIGHT}, ids=ids, run={"data": data})

    assert only(compare(both("here"), both("there"))).difference.n == N


def test_another_suite_or_other_data_cannot_be_compared() -> None:
    """The message names the difference."""
    before = run({"score": RIGHT})
    with pytest.raises(DataError, match="different suites: 'pipeline' and 'mapping'"):
        compare(before, run({"score": RIGHT}, suite="mapping"))
    other = run({"score": RIGHT}, ids=("new", *IDS[1:]), run=described("b", "1"))
    with pytest.raises(DataError) as caught:
        compare(before, other)
    assert caught.value.problems == [
        "different data: own (40 rows) and b (40 rows)",
        "only in the first: 1 of the queries (q0)",
        "only in the second: 1 of the queries (new)",
    ]
    with pytest.raises(DataError, match="data that is not described"):
        compare(run({}, ids=(), run={}), run({}, ids=(), run={}))


def test_the_comparison_is_the_same_each_time() -> None:
    """By the seed of its resamples."""
    before, after = run({"score": RIGHT}), run({"score": fewer(10)})
    assert compare(before, after).as_dict() == compare(before, after).as_dict()


def test_markdown_shows_what_counts_and_folds_the_rest_away() -> None:
    """With the regression named first, and nothing in a name that breaks the table."""
    columns = {"score": RIGHT, "score_by_category.a|b": RIGHT}
    text = as_markdown(compare(run(columns), run(dict.fromkeys(columns, fewer(10)))))
    assert text.startswith("## eval compare: pipeline\n\nworse: score\n")
    assert "| score ↑ | 0.5 | 0.25 | -0.25 |" in text
    assert "worse, REGRESSION |" in text
    assert "<details><summary>1 further figures</summary>" in text
    assert "score\\_by\\_category.a\\|b ↑" in text


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a run before, one that is worse, and one of another suite."""
    run({"score": RIGHT}).write(tmp_path / "before.json")
    run({"score": fewer(10)}).write(tmp_path / "worse.json")
    run({"score": RIGHT}, suite="mapping").write(tmp_path / "other.json")
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["before.json", "before.json"], 0),
        (["worse.json", "before.json"], 0),
        (["before.json", "worse.json"], 1),
        (["before.json", "worse.json", "--tolerance", "0.25"], 0),
        (["before.json", "other.json"], 2),
        (["before.json", "none.json"], 2),
        (["before.json", "absent.json"], 2),
        (["before.json", "worse.json", "--figure", "absent"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_status_says_whether_it_got_worse(files: Path, arguments: list[str], status: int) -> None:
    """1 for a regression beyond the tolerance, 2 for what cannot be compared, with no stack trace."""
    done = orchestrator("eval", "compare", *arguments, cwd=files)
    assert done.returncode == status, done.stderr
    assert bool(done.stdout) == (status != 2)
    assert "Traceback" not in done.stderr


def test_the_terminal_shows_every_figure_and_the_outcome(files: Path) -> None:
    """The last line is the summary."""
    done = orchestrator("eval", "compare", "before.json", "worse.json", cwd=files)
    assert "-0.25" in done.stdout
    assert done.stdout.rstrip().endswith("worse: score")


def test_json_and_markdown_are_written_for_scripts_and_pull_requests(files: Path) -> None:
    """On stdout nothing but the JSON."""
    arguments = ("before.json", "worse.json", "--json", "-", "--markdown", "c.md")
    done = orchestrator("eval", "compare", *arguments, cwd=files)
    found = json.loads(done.stdout)
    assert found["regressions"] == ["score"]
    assert found["figures"]["score"]["difference"] | {"ci95": None} == {"value": -0.25, "ci95": None, "n": N}
    assert (files / "c.md").read_text(encoding="utf-8").startswith("## eval compare: pipeline")
    assert orchestrator("eval", "compare", *arguments[:2], "--json", "c.json", cwd=files).returncode == 1
    assert json.loads((files / "c.json").read_text(encoding="utf-8")) == found
