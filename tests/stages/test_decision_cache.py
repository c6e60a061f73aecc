"""The memory of the first stage: the same answer without asking, never a wrong or an old one, never a text."""

from collections.abc import Sequence
from threading import Thread
from typing import Any
from unicodedata import normalize

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import decision_cache
from orchestrator.decision import Categorized, Probability
from orchestrator.decision_cache import DecisionCache, query_key
from orchestrator.fleet.breaker import Breaker
from orchestrator.stages.categorize import Categorizer
from orchestrator.testing import ScriptedExpert
from routers.calibration import Calibration
from routers.embedding import FloatArray
from routers.gate import Gate
from routers.router import Router
from tests.flowing import FirstWord, flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["writer"], "verse": ["writer"], "general": ["writer"]}


class Counted(FirstWord):
    """Counts the texts it is asked about; fails while `broken`."""

    broken = False

    def __init__(self, categories: Sequence[str]) -> None:
        super().__init__(categories)
        self.asked: list[str] = []

    def logits(self, texts: Sequence[str]) -> FloatArray:
        self.asked.extend(texts)
        if self.broken:
            message = "broken"
            raise RuntimeError(message)
        return super().logits(texts)


def router(*categories: str) -> tuple[Router, Counted]:
    counted = Counted(categories or ("math", "verse"))
    made: Any = counted
    return Router(classifier=made, calibration=Calibration(1.0), gate=Gate(0.9), qhat=0.5, general="general"), counted


async def categorized(categorizer: Categorizer, *queries: str) -> list[Categorized]:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(categorizer.serve)
            found = [await categorizer.categorize(query) for query in queries]
            group.cancel_scope.cancel()
    return found


def same(stage: Categorized) -> dict[str, Any]:
    return stage.model_dump(exclude={"cached", "took_ms"})


async def test_a_query_that_comes_again_is_not_classified_again() -> None:
    """However it is spaced and composed; the decision says that it was remembered, and is the same else."""
    made, counted = router()
    queries = ["math café", "  math\n café ", normalize("NFD", "math café")]
    first, *others = await categorized(Categorizer(made, deadline_s=5, remembered=10), *queries)
    assert (counted.asked, first.cached, first.method) == (["math café"], False, "router")
    for other in others:
        assert (other.cached, same(other)) == (True, same(first))


async def test_another_case_is_another_query() -> None:
    """A classifier may tell them apart: this one does."""
    made, _ = router()
    found = await categorized(Categorizer(made, deadline_s=5, remembered=10), "math", "Math")
    assert [stage.category for stage in found] == ["math", "general"]


async def test_nothing_is_remembered_where_the_configuration_says_so() -> None:
    """`routing.cache: 0`."""
    made, counted = router()
    expert = ScriptedExpert("writer")
    async with flowing(expert, categories=CATEGORIES, router=made, routing={"cache": 0}) as engine:
        for _ in range(2):
            request, trace = engine.pipeline.request({"messages": [{"role": "user", "content": "math"}]}, model="auto")
            await engine.pipeline.route(request, trace)
            assert trace.categorized is not None
            assert trace.categorized.cached is False
    assert counted.asked == ["math", "math"]


async def test_another_router_forgets_what_the_last_one_said() -> None:
    """A query that was remembered is asked again."""
    old, _ = router("math", "verse")
    new, counted = router("code", "verse")
    categorizer = Categorizer(old, deadline_s=5, remembered=10)
    before = await categorized(categorizer, "math", "math")
    categorizer.use(new)
    after = await categorized(categorizer, "math", "math")
    assert [(stage.category, stage.cached) for stage in before] == [("math", False), ("math", True)]
    assert [(stage.category, stage.cached) for stage in after] == [("general", False), ("general", True)]
    assert counted.asked == ["math"]


async def test_what_is_under_way_while_the_router_changes_is_not_remembered() -> None:
    """Nobody can say which of the two routers it was."""
    categorizer = Categorizer(router()[0], deadline_s=5, remembered=10)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(categorizer.categorize, "math under way")
            await anyio.wait_all_tasks_blocked()
            categorizer.use(router()[0])
            group.start_soon(categorizer.serve)
            await anyio.wait_all_tasks_blocked()
            found = await categorizer.categorize("math under way")
            group.cancel_scope.cancel()
    assert found.cached is False


async def test_failures_are_not_remembered_and_what_is_known_outlives_them() -> None:
    """A broken classifier costs new queries their category, not those that came before."""
    made, counted = router()
    breaker = Breaker(failures=1, open_s=60)
    categorizer = Categorizer(made, deadline_s=5, breaker=breaker, remembered=10)
    await categorized(categorizer, "math one")
    counted.broken = True
    found = await categorized(categorizer, "math two", "math two", "math one")
    assert [(stage.method, stage.cached) for stage in found] == [
        ("degraded", False),
        ("degraded", False),
        ("router", True),
    ]


def test_the_longest_unused_is_forgotten_first() -> None:
    """Never more than the size."""
    cache, stages = DecisionCache(2), {name: _stage(name) for name in "abc"}
    keys = {name: cache.key(name) or b"" for name in "abc"}
    cache.put(keys["a"], stages["a"])
    cache.put(keys["b"], stages["b"])
    assert cache.get(keys["a"]) is stages["a"]
    cache.put(keys["c"], stages["c"])
    assert (len(cache), cache.get(keys["b"]), cache.get(keys["c"])) == (2, None, stages["c"])


def test_many_categories_make_it_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bounded in the end is memory."""
    monkeypatch.setattr(decision_cache, "MOST_ROWS", 100)
    cache = DecisionCache(10_000)
    for number in [*range(9), 8, 8]:
        cache.put(cache.key(str(number)) or b"", _stage("a", rows=25))
    assert [cache.get(cache.key(str(number)) or b"") is not None for number in range(9)] == [False] * 5 + [True] * 4
    cache.put(cache.key("too many") or b"", _stage("a", rows=101))
    assert len(cache) == 0


def test_threads_may_share_it() -> None:
    """Four at once, more queries than room; none fails and the bound holds."""
    cache, failures = DecisionCache(50), []

    def work(seed: int) -> None:
        try:
            for number in range(2000):
                key = cache.key(str((number * seed) % 97)) or b""
                if cache.get(key) is None:
                    cache.put(key, _stage(str(seed)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [Thread(target=work, args=(seed,)) for seed in (3, 5, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert (failures, len(cache)) == ([], 50)


@given(st.lists(st.text(st.characters(), min_size=1), min_size=1), st.sampled_from([" ", "\n", "\t ", "\u2003"]))
def test_keys_do_not_see_blanks_and_hold_no_text(words: list[str], blank: str) -> None:
    """32 bytes, the same for every spacing; lone surrogates and all."""
    key = query_key(" ".join(words))
    assert key == query_key(blank + blank.join(words) + blank)
    assert key is not None
    assert len(key) == 32


def test_a_very_long_query_is_not_remembered() -> None:
    """Hashing it would hold up everybody."""
    assert query_key("a" * 20_000) is not None
    assert query_key("a" * 20_001) is None


def _stage(category: str, *, rows: int = 1) -> Categorized:
    posterior = (Probability(category=category, probability=1.0),) * rows
    return Categorized(method="router", category=category, posterior=posterior, took_ms=0.0)
