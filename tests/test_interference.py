"""What is warned of when an expert is added."""

from orchestrator.interference import Report, expected_warnings
from routers.mapping.interference import Interference, Measured
from routers.mapping.learned import LearnedMapping, Step
from routers.mapping.matrix import Cell

WORSE = Measured(n=30, value=-0.4, low=-0.6, high=-0.2)
DOUBT = Measured(n=5, value=-0.2, low=-0.7, high=0.4)
BETTER = Measured(n=30, value=0.4, low=0.2, high=0.6)


def report(*rows: Interference, base: str | None = "coder") -> Report:
    return Report(expert="sql", base=base, categories=rows, overall=BETTER)


def row(*, answers: bool, on_base: Measured | None, routed: Measured) -> Interference:
    return Interference(category="tales", answers=answers, on_base=on_base, routed=routed)


def test_an_adapter_that_answers_where_its_base_is_better_is_warned_of() -> None:
    """Specified: for sure, or perhaps; not where it is not asked, nor where it is better."""
    (sure,) = report(row(answers=True, on_base=WORSE, routed=BETTER)).warnings
    assert sure == "tales is answered by sql, which scores 0.400 less there than its base coder (30 queries)"
    (perhaps,) = report(row(answers=True, on_base=DOUBT, routed=BETTER)).warnings
    assert "too few to be sure" in perhaps
    assert report(row(answers=False, on_base=WORSE, routed=BETTER)).warnings == []
    assert report(row(answers=True, on_base=BETTER, routed=BETTER)).warnings == []


def test_a_category_that_loses_is_warned_of() -> None:
    """Specified: whoever answers it now, an expert of its own included."""
    (loses,) = report(row(answers=True, on_base=None, routed=WORSE), base=None).warnings
    assert loses == "tales loses 0.400 on 30 queries"


def test_an_adapter_whose_base_was_graded_on_no_shot_cannot_be_compared() -> None:
    """Ours: how to have it compared."""
    (line,) = report(row(answers=True, on_base=Measured(n=0), routed=BETTER)).warnings
    assert "grade 'coder' on the same queries" in line


def mapping(sql: float, coder: float) -> LearnedMapping:
    """Of one category, which the adapter answers."""
    cells = {
        name: Cell(n=9, mean=mean, low=mean - 0.1, high=mean + 0.1) for name, mean in (("sql", sql), ("coder", coder))
    }
    return LearnedMapping(
        experts=("sql", "coder"),
        best_single="sql",
        confidence=0.7,
        fuse_confidence=0.95,
        queries=9,
        ranking={"tales": ("sql", "coder")},
        general_ranking=("sql", "coder"),
        frontier=(Step(cost=0, credit=0.5, changes={"tales": "sql"}),),
        cells={"tales": cells},
    )


def test_a_learned_mapping_is_warned_of_where_a_base_is_expected_to_do_better() -> None:
    """Ours: nothing is said of an adapter that is expected to do better, nor of experts that are none."""
    (line,) = expected_warnings(mapping(0.4, 0.6), {"sql": "coder"})
    assert line == (
        "tales is answered by sql, expected to score 0.400 [0.300, 0.500] there, its base coder 0.600 [0.500, 0.700]"
    )
    assert expected_warnings(mapping(0.6, 0.4), {"sql": "coder"}) == []
    assert expected_warnings(mapping(0.4, 0.6), {}) == []
