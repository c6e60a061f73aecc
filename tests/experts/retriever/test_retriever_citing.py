"""The marks in a reader's answer, and what becomes of invented ones."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import wire
from orchestrator.experts.retriever.citing import Citing
from orchestrator.testing import Reply, ScriptedExpert, in_service
from orchestrator.types import Passage
from orchestrator.wire import Assembled

PASSAGES = tuple(
    Passage(expert="e", document=f"d{rank}", title="", text="t", score=1.0, rank=rank, start=0, end=1)
    for rank in (1, 2, 3)
)


@pytest.mark.parametrize(
    ("said", "kept", "cited"),
    [
        ("Water [1].", "Water [1].", [1]),
        ("Water[2][3].", "Water[2][3].", [2, 3]),
        ("Water [1, 3].", "Water [1, 3].", [1, 3]),
        ("Water [9].", "Water.", []),
        ("Water [0][2].", "Water[2].", [2]),
        ("Water [1; 7] and tea.", "Water [1] and tea.", [1]),
        ("Take x[9] of `a = [8]`.", "Take x[9] of `a = [8]`.", []),
        ("`[1]`", "`[1]`", []),
        ("[a] [1234] [", "[a] [1234] [", []),
        ("No source.", "No source.", []),
    ],
)
def test_marks_name_passages_and_invented_ones_go(said: str, kept: str, cited: list[int]) -> None:
    """Specified: what no passage has is dropped; code and indexes of arrays stay."""
    citing = Citing(PASSAGES)
    assert citing.feed(said, last=True) == citing.text == kept
    assert [passage.rank for passage in citing.passages if passage.cited] == cited


@given(st.text(alphabet=st.sampled_from("[]1239, x`\n."), max_size=40), st.data())
def test_how_an_answer_is_cut_does_not_change_its_marks(text: str, data: st.DataObject) -> None:
    """Ours: a mark may come in several chunks."""
    whole, cut = Citing(PASSAGES), Citing(PASSAGES)
    whole.feed(text, last=True)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    emitted = [cut.feed(piece, last=at == len(pieces) - 1) for at, piece in enumerate(pieces)]
    assert "".join(emitted) == cut.text
    assert cut.passages == whole.passages
    assert cut.text.replace(" ", "") == whole.text.replace(" ", "")


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_carries_which_passages_it_cites(place: Any, asked: Any, emitted: Any, *, stream: bool) -> None:
    """Specified: in the draft and in the message; the invented source is gone from the text of both."""
    place.experts["reader"] = ScriptedExpert("reader", Reply(pieces=("In the", " basement [", "1], or", " [12]", ".")))
    retriever = place.retriever(embedders=("bm25",), reader="reader", top_k=3)
    async with in_service(retriever):
        draft = await retriever.draft(asked("bicycles in the basement, receipts", stream=stream), emitted)
    assert draft.text == "In the basement [1], or."
    assert [(passage.rank, passage.cited) for passage in draft.passages] == [(1, True), (2, False)]
    if stream:
        assembled = Assembled()
        for chunk in emitted:
            assembled.add(chunk)
        [citations] = [
            c["delta"]["citations"] for chunk in emitted for c in chunk.data["choices"] if c["finish_reason"]
        ]
        assert assembled.text == draft.text
    else:
        message = orjson.loads(wire.completion(draft, model="handbook"))["choices"][0]["message"]
        citations = message["citations"]
        assert message["content"] == draft.text
    assert [(one["document"], one["cited"]) for one in citations] == [("bicycle", True), ("expenses", False)]
