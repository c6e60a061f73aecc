"""The measuring of the static tier: that it measures what it says, not how fast it is."""

import anyio
import numpy as np
import pytest

from eval.speed.service import routed
from eval.speed.static import bare_mean, bare_static, cascade_ratio, fitted, router_of
from orchestrator.decision import Chosen
from routers.classify.static import StaticClassifier
from routers.embedding import Embedder
from routers.embedding.load import load_embedder
from routers.examples import Example
from routers.weights import find

EXAMPLES = [
    Example(f"{verb} the {thing} {n}", verb) for verb in ("boil", "add") for thing in ("egg", "sum") for n in range(6)
]
TEXTS = [example.query for example in EXAMPLES]


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    """The packaged MiniLM."""
    return load_embedder("minilm", folder=find("minilm"))


def test_the_bare_loop_decides_as_the_classifier_does(minilm: Embedder) -> None:
    """Else it would not be the same work."""
    classifier = StaticClassifier(minilm).fit(TEXTS, [example.category for example in EXAMPLES])
    decide = bare_static(classifier)
    expected: list[int] = classifier.logits(TEXTS).argmax(axis=1).tolist()
    assert [decide(text) for text in TEXTS] == expected
    assert bare_mean(minilm, 7)("boil the egg") in range(7)


def test_the_cascade_is_measured_beside_its_inner_kind(minilm: Embedder) -> None:
    """With so few examples it embeds every query, and says so."""
    ratio, fast = cascade_ratio(minilm, EXAMPLES, TEXTS[:2], inner="linear")
    assert fast == 0
    assert ratio.figure == "cascade / always linear"
    assert np.isfinite(ratio.ratio)


@pytest.mark.anyio
async def test_both_stages_are_measured_as_the_service_runs_them(minilm: Embedder) -> None:
    """The query goes to its category, and that to two of so many experts."""
    categorizer, decide = routed(router_of(fitted(minilm, EXAMPLES)), 50)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(categorizer.serve)
            chosen = await decide("boil the egg 3")
            group.cancel_scope.cancel()
    assert isinstance(chosen, Chosen)
    assert (chosen.plan, len(chosen.experts), chosen.reason) == ("single", 2, "category 'boil'")
