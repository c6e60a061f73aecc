"""The benchmark of fusion runs, and what it measures is the real flow."""

from eval.speed.fusion import ratios


def test_both_measures_are_timed_beside_the_drafts_json() -> None:
    """Figures, not limits: time is no assertion."""
    found = ratios()
    assert [row.figure.split(" / ")[0][-9:] for row in found] == ["by answer", "embedding"]
    assert all(row.ours_us > 0 and row.yardstick_us > 0 for row in found)
