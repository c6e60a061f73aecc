"""How texts are cut into passages."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.experts.retriever.spans import OVERLAP, SIZE, spans

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\n。é漢"), max_size=600)


def test_a_short_text_is_one_passage() -> None:
    """Specified: up to the size nothing is cut."""
    assert spans("One. Two.\n\nThree.") == [(0, 17)]


def test_a_text_without_characters_has_no_passage() -> None:
    """Ours: white space is nothing to find."""
    assert spans(" \n ") == []


def test_a_passage_ends_with_a_paragraph_where_it_can() -> None:
    """Ours: a paragraph's end goes before a sentence's, a sentence's before a line's, and that before a word's."""
    text = "One one. Two two.\n\nThree three.\nFour four five\nsix seven eight nine"
    assert [text[start:end] for start, end in spans(text, size=6, overlap=0)] == [
        "One one. Two two.",
        "Three three.\nFour four five",
        "six seven eight nine",
    ]


def test_neighbours_share_whole_sentences() -> None:
    """Specified: passages overlap, so that what stands at a seam is whole in one of them."""
    text = " ".join(f"Sentence number {number} says something." for number in range(200))
    cut = spans(text)
    for (_, end), (start, _) in pairwise(cut):
        assert 0 < len(text[start:end].split()) <= OVERLAP
        assert text[start:].startswith("Sentence")


def test_neighbours_share_the_stated_words_where_there_are_no_sentences() -> None:
    """Specified: exactly so many."""
    words = [f"w{number}" for number in range(50)]
    text = " ".join(words)
    assert [text[start:end].split() for start, end in spans(text, size=20, overlap=5)] == [
        words[0:20],
        words[15:35],
        words[30:50],
    ]


def test_scripts_without_blanks_are_cut_between_characters() -> None:
    """Ours: after a full stop where there is one; each character counts as a word."""
    text = "日本語の文。" * 10
    cut = spans(text, size=12, overlap=3)
    assert all(end - start <= 15 for start, end in cut)
    assert all(text[end - 1] == "。" for _, end in cut)


def test_what_is_no_word_is_cut_all_the_same() -> None:
    """Ours: a block of data without a blank does not become a passage of any length."""
    assert max(end - start for start, end in spans("x" * 10_000, size=8, overlap=2)) == 8 * 64


def _words(text: str) -> int:
    """As `SIZE` counts them in `TEXTS`: full stops belong to the character that they follow."""
    return len(re.sub("漢。*", " 漢 ", text).split())


@given(TEXTS, st.integers(4, 60), st.floats(0, 1))
@example("? ?漢漢。", 4, 0.0)
@example("?漢。 ? ?", 4, 0.0)
def test_passages_hold_everything_but_white_space(text: str, size: int, share: float) -> None:
    """Specified: offsets point into the text, in order, none too long, nothing lost, no white space at the ends."""
    cut = spans(text, size=size, overlap=int(share * ((size - 1) // 2)))
    covered = {position for start, end in cut for position in range(start, end)}
    assert {position for position, char in enumerate(text) if not char.isspace()} <= covered
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in cut)
    assert [start for start, _ in cut] == sorted({start for start, _ in cut})
    assert all(_words(text[start:end]) <= size for start, end in cut)


@given(st.text(alphabet=st.sampled_from("ab .!?\n"), max_size=600), st.integers(4, 60))
def test_no_word_is_cut(text: str, size: int) -> None:
    """Specified: a passage begins and ends where a word does (of this alphabet the longest are under 64 characters)."""
    if max(map(len, text.split()), default=0) > 64:
        return
    for start, end in spans(text, size=size, overlap=(size - 1) // 2):
        assert start == 0 or text[start - 1].isspace()
        assert end == len(text) or text[end].isspace()


@pytest.mark.parametrize("blanks", [" ", "\n", "\u00a0", "\u3000"])
def test_any_white_space_parts_words(blanks: str) -> None:
    """Ours: not only the plain blank."""
    text = blanks.join(["word"] * 40)
    assert len(spans(text, size=10, overlap=0)) == 4


def test_the_sizes_are_the_stated_ones() -> None:
    """Specified: docs/retrieval.md says so."""
    assert (SIZE, OVERLAP) == (160, 30)
