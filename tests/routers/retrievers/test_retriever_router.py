"""Which retriever, or which two: arms, blending, rules, and retrievers that come and go."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.errors import ArtifactError
from routers.retrievers.arms import arm_name, arms_of, blended
from routers.retrievers.impact import changes, held_out
from routers.retrievers.router import RULES, ArmRouter, ArmRule, ArmTable, best_rule, learned_router
from routers.retrievers.stored import RouterFacts, load_router, save_router

HITS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.1, 0.5, 0.9])), max_size=6).map(
    lambda hits: sorted(dict(hits).items(), key=lambda hit: -hit[1])
)


def planted(*, n: int = 120, seed: int = 0) -> ArmTable:
    """Three sources, each with an arm of its own that is best there, and one that is middling everywhere."""
    random = np.random.default_rng(seed)
    which = np.arange(n) % 3
    vectors = np.eye(3, 8)[which] + 0.2 * random.standard_normal((n, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = 0.3 + 0.4 * np.eye(3)[which] + 0.05 * random.standard_normal((n, 3))
    middling = np.full((n, 1), 0.45)
    arms = (("a",), ("b",), ("c",), ("all",))
    sources = tuple("xyz"[number] for number in which)
    return ArmTable(vectors.astype(np.float32), np.concatenate([scores, middling], axis=1), arms, sources)


def test_arms_are_each_retriever_and_every_two_that_search_differently() -> None:
    """Specified: two of one family find nearly the same, so they are not fused."""
    families = {"dense": "vectors", "dense-sql": "vectors"}
    assert arms_of(["words", "dense", "dense-sql"], families=families) == (
        ("dense",), ("dense-sql",), ("words",), ("dense", "words"), ("dense-sql", "words"),
    )  # fmt: skip
    assert arms_of(["b", "a"], fuse=False) == (("a",), ("b",))
    assert arm_name(("a", "b")) == "a+b"


def test_two_lists_are_blended_by_their_scaled_scores() -> None:
    """Specified (convex combination of min-max scaled scores): the last of a list counts as little as one not in it."""
    one = [("a", 10.0), ("b", 9.0), ("c", 0.0)]
    two = [("c", 0.9), ("b", 0.8), ("d", 0.7)]
    assert [document for document, _ in blended([one, two])] == ["b", "a", "c", "d"]
    assert dict(blended([one, two])) == pytest.approx({"b": 0.7, "a": 0.5, "c": 0.5, "d": 0.0})
    assert blended([one]) == one
    assert dict(blended([[], two])) == pytest.approx({"c": 0.5, "b": 0.25, "d": 0.0})
    assert blended([[("a", 3.0)], []]) == [("a", 0.5)]


@given(st.lists(HITS, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_blending_ignores_the_order_of_the_lists(lists: list[list[tuple[str, float]]], random: Random) -> None:
    """And finds every document once, best first."""
    found = blended(lists)
    shuffled = list(lists)
    random.shuffle(shuffled)
    assert blended(shuffled) == found
    assert sorted(document for document, _ in found) == sorted({d for hits in lists for d, _ in hits})
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_the_planted_arm(rule: ArmRule) -> None:
    """Learned on one half, nine of ten queries of the other go to their own arm, and their source is seen."""
    table = planted()
    learned, judged = np.arange(60), np.arange(60, 120)
    router = learned_router(table.at(learned), rule=rule)
    wanted = [("abc"["xyz".index(table.sources[row])],) for row in judged]
    found = router.route(table.vectors[judged])
    assert np.mean([a == b for a, b in zip(found, wanted, strict=True)]) > 0.9
    sources = router.source_of(table.vectors[judged])
    assert np.mean([a == table.sources[row] for a, row in zip(sources, judged, strict=True)]) > 0.9


def test_a_table_with_an_arm_added_or_removed_is_the_table_learned_anew() -> None:
    """Specified: nothing is trained; only columns come and go."""
    table = planted()
    without = table.without("b")
    assert without.arms == (("a",), ("c",), ("all",))
    back = without.with_scores([("b",)], table.scores[:, [1]])
    for rule in RULES:
        one, two = ArmRouter(table, rule=rule), ArmRouter(back, rule=rule)
        assert one.route(table.vectors) == two.route(table.vectors)
    with pytest.raises(ValueError, match="no arm asks"):
        table.without("nobody")
    with pytest.raises(ValueError, match="do not fit"):
        table.at(np.array([], dtype=np.intp))


def test_auto_takes_a_rule_that_is_good_on_folds_and_the_first_where_nothing_tells_them_apart() -> None:
    """Chosen by what is learned from alone."""
    table = planted(n=90)
    alike = ArmTable(table.vectors, np.ones_like(table.scores), table.arms, table.sources)
    assert best_rule(alike) == RULES[0]
    assert best_rule(table.at(np.array([0]))) == RULES[0]
    assert learned_router(table, rule="auto").rule == best_rule(table)


def test_who_gains_and_who_loses_by_an_arm_is_told_by_source() -> None:
    """Planted: queries of y lose their own retriever; those of x and z keep theirs."""
    table = planted()
    fold = np.arange(len(table.sources)) // 3 % 5
    before = held_out(table, fold, rule="profile")
    after = held_out(table.without("b"), fold, rule="profile")
    told = {change.source: change for change in changes(before, after)}
    assert told["y"].verdict == "loses"
    assert told["x"].verdict == told["z"].verdict == "same"
    assert told["mean"].verdict == "loses"
    assert told["y"].after < told["y"].before - 0.1
    assert told["y"].as_dict()["gain"] == pytest.approx(told["y"].after - told["y"].before)
    means = before.means()
    assert means["oracle"] >= means["router"] > means["best_single"]


def test_a_router_comes_back_from_its_folder_and_a_damaged_one_does_not(tmp_path: Path) -> None:
    """Specified: hashed; a folder without a manifest holds nothing; replacing leaves no old table."""
    folder = tmp_path / "retrievers"
    table = planted()
    facts = RouterFacts(
        rule="profile", arms=table.arms, sources=table.sources, embedder="words", fingerprint="words-8",
        data_sha256="0", folds=5, seed=0, figures={"router": 0.7},
    )  # fmt: skip
    assert load_router(folder) is None
    save_router(folder, table, facts)
    found = load_router(folder)
    assert found is not None
    assert found[0].arms == table.arms
    assert np.array_equal(found[0].scores, table.scores)
    smaller = table.without("all")
    save_router(folder, smaller, facts.model_copy(update={"arms": smaller.arms}))
    (tensors,) = folder.glob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactError):
        load_router(folder)
    tensors.unlink()
    with pytest.raises(ArtifactError):
        load_router(folder)
