"""How texts are cut into passages."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.retriever.spans import OVERLAP, SIZE, spans

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\n。é"), max_size=600)


def test_a_short_text_is_one_passage() -> None:
    """Specified: up to the size nothing is cut."""
    assert spans("One. Two.\n\nThree.") == [(0, 17)]


def test_a_text_without_characters_has_no_passage() -> None:
    """Ours: white space is nothing to find."""
    assert spans(" \n ") == []


def test_a_passage_ends_with_a_paragraph_where_it_can() -> None:
    """Ours: a paragraph's end goes before a sentence's, a sentence's before a word's."""
    text = "One one. Two two.\n\nThree three. Four four."
    assert [text[start:end] for start, end in spans(text, size=30, overlap=0)] == [
        "One one. Two two.",
        "Three three. Four four.",
    ]


def test_neighbours_share_whole_sentences() -> None:
    """Specified: passages overlap, so that what stands at a seam is whole in one of them."""
    text = " ".join(f"Sentence number {number} says something." for number in range(100))
    cut = spans(text)
    for (_, end), (start, _) in pairwise(cut):
        assert 0 < end - start <= OVERLAP
        assert text[start:].startswith("Sentence")


@given(TEXTS, st.integers(4, 60), st.data())
def test_passages_hold_everything_but_white_space(text: str, size: int, data: st.DataObject) -> None:
    """Specified: offsets point into the text, in order, none too long, nothing lost, no white space at the ends."""
    cut = spans(text, size=size, overlap=data.draw(st.integers(0, (size - 1) // 2)))
    covered = {position for start, end in cut for position in range(start, end)}
    assert {position for position, char in enumerate(text) if not char.isspace()} <= covered
    assert all(0 < end - start <= size for start, end in cut)
    assert all(text[start:end] == text[start:end].strip() for start, end in cut)
    assert [start for start, _ in cut] == sorted({start for start, _ in cut})


def test_the_sizes_are_the_stated_ones() -> None:
    """Specified: about a thousand characters."""
    assert (SIZE, OVERLAP) == (1000, 150)
