"""Tool choice: by what tools say of themselves, by examples, and when no tool fits."""

import numpy as np
import pytest

from orchestrator.testing import WordEmbedder
from routers.embedding import Embedder
from routers.tools import Tool, ToolChooser, ToolExample, tool_text, words_of

PLACE = {"type": "object", "properties": {"city": {"type": "string", "description": "name of a town"}}}
TOOLS = (
    Tool("getWeather", "current conditions: rain, sun and temperature", PLACE),
    Tool("convert_currency", "exchange rates between euro, dollar and yen"),
    Tool("book_table", "reserve seats in a restaurant"),
    Tool("translate", "turn a text into another language"),
)
WEATHER, MONEY, TABLE, TRANSLATE = range(4)

EMBEDDERS = (None, WordEmbedder())
either = pytest.mark.parametrize("embedder", EMBEDDERS, ids=["by words", "with an embedder"])


def names(chooser: ToolChooser, query: str, **asked: int) -> list[str]:
    return [candidate.tool.name for candidate in chooser.shortlist(query, **asked).candidates]


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("get_weatherToday", "get weather Today"),
        ("parseHTTPPage2", "parse HTTP Page 2"),
        ("北京天气.search", "北京天气 search"),
        ("__", "__"),
    ],
)
def test_identifiers_are_read_as_words(identifier: str, words: str) -> None:
    """Ours: names of tools are joined words in every style."""
    assert words_of(identifier) == words


def test_the_text_of_a_tool_has_its_parameters() -> None:
    """Issue 6: tools are picked from names, descriptions and schemas; parts of a schema that are none do not matter."""
    assert tool_text(TOOLS[WEATHER]) == (
        "get Weather. current conditions: rain, sun and temperature city name of a town"
    )
    odd = {"properties": {"when": 7, "list": {"items": {"properties": {"at": {"description": ["x"]}}}}}}
    assert tool_text(Tool("x", parameters=odd)) == "x. when list at"
    assert tool_text(Tool("x", parameters={"properties": []})) == "x."


@either
def test_the_tool_that_says_what_is_asked_comes_first(embedder: Embedder | None) -> None:
    """By name, by description and by a parameter's description; every other tool follows, once."""
    chooser = ToolChooser(TOOLS, embedder=embedder)
    assert names(chooser, "weather")[0] == "getWeather"
    assert names(chooser, "exchange my dollar for yen")[0] == "convert_currency"
    assert names(chooser, "which town")[0] == "getWeather"
    assert sorted(names(chooser, "restaurant", k=9)) == sorted(tool.name for tool in TOOLS)


def test_no_tool_fits_what_none_is_like() -> None:
    """Issue 6: it can decide that no tool fits; the shortlist stands all the same."""
    chooser = ToolChooser(TOOLS)
    assert chooser.shortlist("reserve seats in a restaurant").fits
    nothing = chooser.shortlist("zzz qqq", k=2)
    assert (nothing.fits, len(nothing.candidates)) == (False, 2)


def test_a_shortlist_is_of_the_tools_that_are_offered() -> None:
    """A request may bring some of the tools alone; of none, none fits."""
    chooser = ToolChooser(TOOLS)
    offered = chooser.shortlist("weather", among=[TABLE, MONEY])
    assert {candidate.position for candidate in offered.candidates} == {TABLE, MONEY}
    assert not offered.fits
    empty = chooser.shortlist("weather", among=[])
    assert (empty.candidates, empty.fits) == ((), False)


@either
def test_examples_teach_words_that_no_description_has(embedder: Embedder | None) -> None:
    """What people ask is not what a tool says: 'umbrella' is of the weather once an example says so."""
    asked = "do I need an umbrella"
    examples = [
        ToolExample("should I take an umbrella", [WEATHER]),
        ToolExample("how much is that in pounds", [MONEY]),
        ToolExample("dinner for two at eight", [TABLE]),
        ToolExample("tell me a joke", []),
    ]
    chooser = ToolChooser(TOOLS, embedder=embedder)
    chooser.learn(examples)
    assert names(chooser, asked)[0] == "getWeather"
    assert names(chooser, "reserve seats")[0] == "book_table"


def test_a_tool_without_examples_is_still_found_by_what_it_says() -> None:
    """A tool that is new must not wait for its first example."""
    examples = [ToolExample(f"umbrella in {place}", [WEATHER]) for place in ("Oslo", "Rome", "Bern", "Graz", "Linz")]
    examples += [ToolExample(f"pay in {place}", [MONEY]) for place in ("Oslo", "Rome", "Bern", "Graz", "Linz")]
    chooser = ToolChooser(TOOLS).learn(examples)
    assert names(chooser, "turn this text into another language")[0] == "translate"
    assert names(chooser, "umbrella for Paris")[0] == "getWeather"


def test_a_new_tool_is_given_part_of_the_lead_that_examples_have() -> None:
    """Requests are more like each other than like a description: without it, a new tool would be hidden."""
    towns = ("Oslo", "Rome", "Bern", "Graz", "Linz", "Metz", "Kiel")
    chooser = ToolChooser(TOOLS).learn(
        [ToolExample(f"please tell me the umbrella of {town}", [WEATHER]) for town in towns]
    )
    query = "please tell me the restaurant table"
    weighed = chooser.weigh([query])
    described = ToolChooser(TOOLS).weigh([query])
    assert weighed.likeness[0, TABLE] > described.likeness[0, TABLE]
    assert names(chooser, query)[0] == "book_table"


def test_an_example_of_two_tools_teaches_both() -> None:
    """Some requests take two tools."""
    chooser = ToolChooser(TOOLS).learn([ToolExample("an evening out in Tokyo", [TABLE, TRANSLATE])])
    assert set(names(chooser, "an evening out", k=2)) == {"book_table", "translate"}


def test_the_learned_threshold_turns_away_no_more_than_was_allowed() -> None:
    """Each example is judged by the others, among the tools that it chose from."""
    words = [f"w{number}" for number in range(40)]
    random = np.random.default_rng(0)
    examples = [
        ToolExample(" ".join(random.choice(words, size=5)), [number % 4], (number % 4, (number + 1) % 4))
        for number in range(60)
    ]
    chooser = ToolChooser(TOOLS)
    chooser.learn(examples, false_abstain=0.2)
    strict = chooser.threshold
    chooser.learn(examples, false_abstain=0.0)
    assert 0 <= chooser.threshold <= strict
    assert all(chooser.shortlist(example.query, among=example.among).fits for example in examples)


def test_examples_without_a_right_tool_leave_what_tools_say() -> None:
    """There is nothing to learn a ranking from, and what was learned before is forgotten."""
    before = ToolChooser(TOOLS).weigh(["weather in town"]).score
    chooser = ToolChooser(TOOLS).learn([ToolExample("weather in town", [TABLE])])
    after = chooser.learn([ToolExample("a joke", [])]).weigh(["weather in town"]).score
    assert np.array_equal(before, after)


@pytest.mark.parametrize("tools", [[Tool("the")], [Tool("_")], [Tool("a", "")]])
def test_tools_without_a_word_that_counts_can_be_asked(tools: list[Tool]) -> None:
    """All stop words, or no word at all: everything is ranked, nothing fits."""
    chooser = ToolChooser(tools)
    assert not chooser.shortlist("").fits
    assert chooser.weigh([]).score.shape == (0, 1)


def test_no_tools_cannot_be_chosen_from() -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="no tools"):
        ToolChooser([])
