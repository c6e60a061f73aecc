"""OpenAI's objects: built right, read right, and otherwise left alone."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import wire
from orchestrator.types import Chunk, Draft, Passage, Usage

PASSAGE = Passage(expert="m", document="d1", title="T", text="words", score=0.5, rank=1, start=0, end=5)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_draft_becomes_a_completion_with_its_extensions() -> None:
    """Citations and structured content stand in the message, beside what OpenAI has."""
    draft = Draft(
        expert="m",
        text="hi",
        usage=Usage(input_tokens=3, output_tokens=4),
        passages=(PASSAGE,),
        structured={"a": 1},
        total_s=0.0,
    )
    body = orjson.loads(wire.completion(draft, model="m"))
    assert body["choices"][0] == {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": "hi",
            "citations": [wire.citation(PASSAGE)],
            "structured_content": {"a": 1},
        },
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_an_experts_own_body_changes_in_its_model_alone() -> None:
    """Unknown fields, spacing and number forms survive: the bytes around the model are the expert's."""
    own = b'{ "id":"x", "model" : "served/name", "odd": 1.50, "choices":[{"message":{"model":"inner"}}]}'
    draft = Draft(expert="e", text="", completion=own, total_s=0.0)
    assert wire.completion(draft, model="e") == own.replace(b'"served/name"', b'"e"')


@given(st.text(), st.text(), st.dictionaries(st.text().filter(lambda key: key != "model"), json_values, max_size=4))
def test_the_model_is_replaced_and_nothing_else(old: str, new: str, rest: dict[str, object]) -> None:
    """Whatever strings stand around it, parsed back only `model` differs."""
    raw = orjson.dumps({"id": '"model":"trap"', "model": old, **{f"_{key}": value for key, value in rest.items()}})
    assert orjson.loads(wire.with_model(raw, new)) == {**orjson.loads(raw), "model": new}


@given(st.text(), st.text(), json_values, json_values)
def test_a_nested_model_before_the_objects_own_is_left_alone(old: str, new: str, before: object, after: object) -> None:
    """Whatever the order of keys: servers written in other languages sort them, and `choices` comes first."""
    nested = {"model": "inner", "before": before, "model2": '"model":"'}
    body = {"choices": [nested, {"x": nested}], "y": "model", "model": old, "after": {"model": after}}
    assert orjson.loads(wire.with_model(orjson.dumps(body), new)) == {**body, "model": new}


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'[{"model": "a"}]', b'{"x": {"model": "a"}}', b'{"x": ["model"], "y', b'{"x": {"model": "a"}, "\\'],
)
def test_without_a_model_of_its_own_nothing_changes(raw: bytes) -> None:
    """Broken JSON, too: what it is worth is for the reader to say."""
    assert wire.with_model(raw, "new") == raw


def test_finding_the_model_takes_one_pass() -> None:
    """A flood of quotes that no string closes must not take the square of its length."""
    flood = b'{"x": {"model": "a"}, "' + b'\\"' * 1_000_000
    assert wire.with_model(flood, "new") == flood


@given(st.text())
def test_text_survives_the_way_through_chunks(text: str) -> None:
    """What a stream's chunks add up to is what was said."""
    writer = wire.ChunkWriter("m")
    assembled = wire.Assembled()
    usage = Usage(input_tokens=1, output_tokens=2)
    for chunk in [writer.role(), *map(writer.text, text), writer.end("length"), writer.usage(usage)]:
        assembled.add(chunk)
    assert (assembled.text, assembled.finish_reason, assembled.usage) == (text, "length", usage)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"1",
        b"{",
        b'{"choices": 3}',
        b'{"choices": [1]}',
        b'{"choices": [{"delta": 1}]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
    ],
)
def test_what_is_no_chunk_is_refused(raw: bytes) -> None:
    """A broken upstream gives a ValueError that the expert turns into its own error."""
    with pytest.raises(ValueError, match="chunk"):
        wire.Assembled().add(Chunk(raw))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": "no"}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": {}}}]},
        [],
    ],
)
def test_what_is_no_completion_is_refused(body: object) -> None:
    """A broken upstream gives a ValueError that the expert turns into its own error."""
    with pytest.raises(ValueError, match="completion"):
        wire.read_completion(body)  # type: ignore[arg-type]


def test_content_in_parts_is_their_text() -> None:
    """Some servers answer with parts, as requests have them."""
    body = {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]}
    assert wire.read_completion(body)[0] == "a\nb"
