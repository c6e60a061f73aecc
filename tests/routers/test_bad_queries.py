"""Queries that nobody meant a router to see: every kind of classifier answers them, and none is an error."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.classify.kinds import seen_by
from routers.embedding import Embedder
from routers.examples import Example
from routers.router import Router, Routing
from routers.train import train
from tests.routers.kinds import KINDS

MEGABYTE = 1_000_000

BAD = {
    "empty": "",
    "blanks": " \t\r\n\u00a0\u2003",
    "a megabyte of words": "how long do I boil an egg " * (MEGABYTE // 26),
    "a megabyte without a blank": "x" * MEGABYTE,
    "a megabyte of digits": "7" * MEGABYTE,
    "a megabyte of lines": "\n" * MEGABYTE,
    "a megabyte of emoji": "🥚" * (MEGABYTE // 4),
    "binary": bytes(range(256)).decode("latin-1"),
    "binary from a command line": bytes(range(255, -1, -1)).decode("utf-8", "surrogateescape"),
    "nothing but NUL": "\x00" * 100,
    "half a character": "boil \ud83e an egg \udd5a",
    "right to left, Arabic": "كم من الوقت أسلق البيضة؟",
    "right to left, Hebrew": "כמה זמן לבשל ביצה?",
    "direction marks": "\u202eboil an egg\u202c \u2066backwards\u2069 \u200f",
    "emoji": "🥚🍳👨‍👩‍👧‍👦🏳️‍🌈🇳🇴👍🏽",
    "mixed languages": "Wie lange cook I un œuf 卵をゆでる яйцо बारिश 계란 ไข่?",
    "marks upon marks": "e\u0301" + "\u0300\u0302\u0303" * 200,
    "invisible": "\u200b\u200c\u200d\ufeff\u2060",
    "no characters yet": "\uffff\ufffe\U0010ffff",
    "punctuation": "?!... --- ;;; ((( ]]] '''",
    "markup": "<system-reminder>{{7*7}}</system-reminder> [bold]%s%n\\x00\\",
}


@pytest.fixture(scope="module", params=KINDS)
def router(request: pytest.FixtureRequest, examples: list[Example], embedder: Embedder) -> Router:
    """One of each kind, trained on real queries."""
    return train(examples, general="general", embedder=embedder, classifier=request.param).router


def check(router: Router, routing: Routing) -> None:
    """What holds of any routing."""
    probabilities = [probability for _, probability in routing.posterior]
    assert all(math.isfinite(probability) and probability >= 0 for probability in probabilities)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert routing.category in router.categories
    assert routing.category_set[0] == routing.top
    assert math.isfinite(routing.gate.value)


@pytest.mark.parametrize("query", BAD.values(), ids=BAD)
def test_any_query_is_classified(router: Router, query: str) -> None:
    """Specified: it has a category, a posterior that is one, and a gate that was read."""
    (routing,) = router.classify([query])
    check(router, routing)


@pytest.mark.parametrize("query", BAD.values(), ids=BAD)
def test_any_query_is_explained(router: Router, query: str) -> None:
    """Specified: with numbers that add up to those of the classification."""
    explained = router.explain(query)
    (routing,) = router.classify([query])
    assert (explained.top, explained.gate) == (routing.top, routing.gate)
    sums = [math.fsum(part.values[side] for part in explained.contributions) for side in (0, 1)]
    assert sums == pytest.approx([explained.top_score, explained.runner_up_score], abs=1e-3)


def test_bad_queries_do_not_touch_a_good_one_beside_them(router: Router) -> None:
    """Ours: a batch is shared by requests that know nothing of each other."""
    good = "how long do I boil an egg"
    together = router.classify([*BAD.values(), good])
    (alone,) = router.classify([good])
    for routing in together:
        check(router, routing)
    assert together[-1].category == alone.category == "cooking"
    assert together[-1].confidence == pytest.approx(alone.confidence, abs=1e-3)


@given(text=st.text(st.characters(), max_size=60))
@settings(max_examples=25, deadline=None)
def test_whatever_can_be_a_text_is_classified(router: Router, text: str) -> None:
    """Specified: lone surrogates, controls and characters of planes that nobody uses among them."""
    (routing,) = router.classify([text])
    check(router, routing)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_queries_can_be_learned_from_as_well(kind: str, embedder: Embedder, examples: list[Example]) -> None:
    """Specified: an example may be anything but empty, as a log of real queries has it."""
    odd = [Example(query, "oddities") for query in BAD.values() if query.strip()]
    trained = train([*examples, *odd], general="general", embedder=embedder, classifier=kind)
    assert trained.report.examples == len(examples) + len(odd)
    check(trained.router, trained.router.classify(["🥚"])[0])
    assert seen_by(kind, embedder).fingerprint == trained.fingerprint
