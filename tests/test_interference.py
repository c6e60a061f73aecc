"""What is warned of when an expert is added."""

from orchestrator.interference import Report
from routers.mapping.interference import Interference, Measured

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
