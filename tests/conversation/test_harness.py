"""The user's words in what coding agents send."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.conversation.harness import Words, words_of

CLINE = "<task>\nfix the failing test\n</task>\n<environment_details>\n# Visible Files\na.py\n</environment_details>"
AGENTS_FILE = (
    "# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>\n"
    "<environment_context>\n  <cwd>/repo</cwd>\n</environment_context>"
)
COMMAND = "<command-message>review is running</command-message><command-name>/review</command-name>"


@pytest.mark.parametrize(
    ("text", "said", "by_harness"),
    [
        ("plain words", "plain words", False),
        ("a < b and [1] # 2", "a < b and [1] # 2", False),
        ("<system-reminder>x</system-reminder>\nfix it", "fix it", True),
        (CLINE, "fix the failing test", True),
        (CLINE + "\n# Todo list\nkeep one", "fix the failing test", True),
        ("[read_file for 'a.py'] Result:\n<task>not this</task>text", "not this", True),
        ("[execute_command for 'ls'] Result:\na.py", "", True),
        ("[attempt_completion] Result:\n<feedback>\nnow in Go\n</feedback>\n<environment_details>", "now in Go", True),
        ("[ERROR] You did not use a tool in your previous response!", "", True),
        (AGENTS_FILE, "", True),
        (AGENTS_FILE + "\nadd a flag", "add a flag", True),
        ("[Request interrupted by user for tool use]", "", True),
        (COMMAND + "<command-args>the parser</command-args>", "the parser", True),
        ("<local-command-stdout>done</local-command-stdout>", "", True),
        ("put it in <answer>42</answer> please", "put it in <answer>42</answer> please", False),
        ("<task>never closed", "<task>never closed", False),
        ("<context><task>a</task></context>b", "b", True),
        ("<task>a<system-reminder>b</system-reminder></task>", "a", True),
    ],
)
def test_the_words_are_the_users(text: str, said: str, by_harness: Any) -> None:
    """Notes out, the task out of its wrapper, results of tools are nobody's words; other tags stay."""
    assert words_of(text) == Words(said, by_harness)


TAGS = ("task", "context", "feedback", "system-reminder")
pieces = st.sampled_from([*(f"<{t}>" for t in TAGS), *(f"</{t}>" for t in TAGS), "a", " ", "\n", "[x] Result:"])


@given(st.lists(pieces, max_size=14).map("".join))
def test_words_are_found_once_and_for_all(text: str) -> None:
    """Whatever stands there: the words are part of the text, in its order, and none that no one wrote."""
    said = words_of(text).text
    letters = iter(text)
    assert all(letter in letters for letter in said.replace("\n", ""))
