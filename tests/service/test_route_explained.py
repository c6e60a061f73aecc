"""Explanations as people and programs get them: over REST, and as a tree."""

import io
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
from rich.console import Console

from orchestrator.cli.ask import _Question, _route_service
from orchestrator.cli.explain import decision_tree
from orchestrator.decision import Decision
from orchestrator.testing import ScriptedExpert, WordEmbedder
from routers.examples import Example
from routers.router import Router
from routers.train import train
from tests.flowing import flowing
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"boil": ["cook"], "paint": ["cook"], "general": ["cook"]}
EXAMPLES = [
    Example(f"{verb} the {thing}", verb) for verb in ("boil", "paint") for thing in ("egg", "wall", "rice", "tea")
]


def trained(classifier: str) -> Router:
    return train(EXAMPLES, general="general", embedder=WordEmbedder(), classifier=classifier).router


async def routed(classifier: str | None, **body: Any) -> tuple[int, dict[str, Any]]:
    router = trained(classifier) if classifier else None
    async with served(ScriptedExpert("cook"), categories=CATEGORIES, router=router) as client:
        response = await client.post("/v1/route", json=body)
    return response.status_code, response.json()


def shown(decision: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(decision_tree(Decision.model_validate(decision)))
    return out.getvalue()


@pytest.mark.parametrize("classifier", ["kernel", "linear"])
async def test_an_explanation_comes_where_it_is_asked_for(classifier: str) -> None:
    """Its parts add up to both sums, on the wire too."""
    _, decision = await routed(classifier, query="boil the wall", explain=True)
    found = decision["explanation"]
    assert {found["top"], found["runner_up"]} == {"boil", "paint"}
    assert sum(part["top"] for part in found["contributions"]) == pytest.approx(found["top_score"])
    assert sum(part["runner_up"] for part in found["contributions"]) == pytest.approx(found["runner_up_score"])
    probabilities = [row["probability"] for row in decision["categorize"]["posterior"]]
    assert found["margin"] == pytest.approx(probabilities[0] - probabilities[1])


@pytest.mark.parametrize("body", [{"explain": False}, {}, {"explain": True, "model": "cook"}])
async def test_nothing_is_explained_unasked_nor_where_nothing_was_classified(body: dict[str, Any]) -> None:
    """Null, and the router did no work for it."""
    _, decision = await routed("kernel", query="boil the wall", **body)
    assert decision["explanation"] is None


async def test_explain_must_be_true_or_false() -> None:
    """400 that names the field."""
    status, body = await routed("linear", query="boil the wall", explain="yes")
    assert (status, body["error"]["param"]) == (400, "explain")


async def test_a_kept_decision_tells_no_words_of_the_query() -> None:
    """Contributions name them, so they are content."""
    _, decision = await routed("kernel", query="boil the wall", explain=True)
    assert "wall" in str(decision["explanation"])
    assert "wall" not in Decision.model_validate(decision).without_content().model_dump_json()


async def test_the_tree_has_a_table_of_what_decided() -> None:
    """Parts, sums and the gate's signals; words in quotes."""
    _, decision = await routed("kernel", query="boil the [wall]", explain=True)
    text = shown(decision)
    assert "because     boil before paint by 0." in text
    assert "word 'boil'" in text
    assert "4 examples of paint, nearest 0." in text
    assert "gate signal nearness: " in text
    found = decision["explanation"]
    assert f"{found['top_score'] - found['runner_up_score']:+.3f}" in text.split("sum")[1]


async def test_a_classifier_that_cannot_say_is_shown_as_such() -> None:
    """With the margin that there is."""
    _, decision = await routed(None, query="boil")
    assert "because" not in shown(decision)
    _, decision = await routed(None, query="boil it", explain=True)
    assert "does not say what it went by" in shown(decision)


async def test_the_command_line_asks_a_service_for_it() -> None:
    """Only where the option says so: a service of an earlier version does not know the field."""
    async with served(ScriptedExpert("cook"), categories=CATEGORIES, router=trained("kernel")) as client:
        question = _Question(query="boil the wall", model="auto", cost_quality=None)
        for explain in (True, False):
            ask = partial(_route_service, str(client.base_url), question, explain=explain)
            with anyio.fail_after(10):
                decision = await anyio.to_thread.run_sync(ask)
            assert (decision.explanation is not None) is explain


async def test_an_explanation_that_fails_or_is_late_leaves_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The category stands; there is just no explanation."""
    router = trained("linear")

    def broken(*_: object, **__: object) -> None:
        message = "broken"
        raise RuntimeError(message)

    async with flowing(ScriptedExpert("cook"), categories=CATEGORIES, router=router) as engine:
        body = {"messages": [{"role": "user", "content": "boil the egg"}]}
        for late in (False, True):
            if late:  # for what is remembered no deadline is too short
                engine.pipeline._categorizer._deadline_s = 0
            else:
                monkeypatch.setattr(type(router.classifier), "explain", broken)
            request, trace = engine.pipeline.request(body, model="auto")
            with anyio.fail_after(10):
                await engine.pipeline.route(request, trace, explain=True)
            monkeypatch.undo()
            assert trace.categorized is not None
            assert (trace.categorized.method, trace.explanation) == ("router", None)
