"""Other words for the same kind of query."""

import difflib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.perturb import KINDS, Kind, perturbed

QUESTION = "Which of the following is the derivative of the position of a particle that moves along a straight line?"
ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates too


@given(text=ANY_TEXT, kind=st.sampled_from(KINDS), seed=st.integers(0, 3))
def test_any_text_is_changed_or_left_out(text: str, kind: Kind, seed: int) -> None:
    """Ours: what comes back is another text, and the same one a second time."""
    changed = perturbed(text, kind, seed=seed)
    assert changed != text
    assert perturbed(text, kind, seed=seed) == changed


def test_the_seed_decides() -> None:
    """Ours: of several seeds not all make the same slips."""
    assert len({perturbed(QUESTION, "typo", seed=seed) for seed in range(8)}) > 1


@pytest.mark.parametrize("seed", range(5))
def test_typos_are_about_one_in_forty_characters_of_long_words(seed: int) -> None:
    """Ours: 104 characters get three slips, none in a short word, the first letters and the spaces as they were."""
    changed = perturbed(QUESTION, "typo", seed=seed)
    assert changed is not None
    pairs = list(zip(QUESTION.split(), changed.split(), strict=True))
    wrong = [(right, typed) for right, typed in pairs if right != typed]
    assert len(wrong) == 3
    assert all(len(right) >= 4 and typed[0] == right[0] and abs(len(typed) - len(right)) <= 1 for right, typed in wrong)
    assert all(difflib.SequenceMatcher(None, right, typed).ratio() > 0.7 for right, typed in wrong)


@pytest.mark.parametrize(
    ("text", "kind"), [("17 + 25 = ?", "typo"), ("17 + 25 = ?", "case"), (" ", "paraphrase_template")]
)
def test_what_has_no_place_for_a_change_is_left_out(text: str, kind: Kind) -> None:
    """Ours: no letters to mistype, none with a case, nothing to wrap."""
    assert perturbed(text, kind, seed=0) is None


def test_a_short_text_gets_one_typo() -> None:
    """Specified: at least one."""
    changed = perturbed("reset password", "typo", seed=0)
    assert changed is not None
    assert sum(a != b for a, b in zip(["reset", "password"], changed.split(), strict=True)) == 1


def test_case_changes_nothing_but_case() -> None:
    """Ours: all lower, all upper or each word capitalised, as the seed has it."""
    found = {perturbed("Don't block THIS card", "case", seed=seed) for seed in range(20)}
    assert found == {"don't block this card", "DON'T BLOCK THIS CARD", "Don't Block This Card"}


@pytest.mark.parametrize("seed", range(10))
def test_a_wrapper_keeps_the_query_whole(seed: int) -> None:
    """Ours: something before or after it, and a stop where sentences would run together."""
    changed = perturbed("block my card", "paraphrase_template", seed=seed)
    assert changed is not None
    assert "block my card" in changed
    assert not re.search(r"card [A-Z]", changed)


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("What is the capital of France?", "What is not the capital of France?"),
        ("How do I reset my password?", "How do I not reset my password?"),
        ("can you book a flight", "can you not book a flight"),
        ("set an alarm for 7", "do not set an alarm for 7"),
        ("Calculate the area.", "Do not calculate the area."),
        ("Please tell me the time", "Please do not tell me the time"),
        ("It weighs 3.5 kg. Which force is largest?", "It weighs 3.5 kg. Which force is not largest?"),
        ("A block is at rest. How many forces act on it?", "A block is not at rest. How many forces act on it?"),
        ("The will was read. What now?", "The will was not read. What now?"),
        ("how long until my card arrives", None),
        ("Which of these is not a prime?", None),
        ("Why can't I pay?", None),
        ("", None),
    ],
)
def test_negation_turns_a_sentence_into_its_opposite(text: str, negated: str | None) -> None:
    """Ours: the last sentence with a place for it and no negation yet."""
    assert perturbed(text, "negation", seed=0) == negated
