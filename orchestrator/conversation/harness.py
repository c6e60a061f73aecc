"""What coding agents put around a user's words, and how the words are found again.

The formats are those that the agents document or send: elements of notes to the model (Claude Code, Codex CLI), a
wrapper around the user's task and results of tools as text (Cline, Roo Code).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Words", "words_of"]

_NOTES = (
    *("system-reminder", "environment_details", "context", "environment_context", "user_instructions", "INSTRUCTIONS"),
    *("permissions instructions", "collaboration_mode", "skills_instructions", "apps_instructions", "turn_aborted"),
    *("user_shell_command", "subagent_notification", "task-notification", "local-command-stdout"),
    *("local-command-stderr", "local-command-caveat", "command-name", "command-message", "command-contents"),
    *("bash-input", "bash-stdout", "bash-stderr", "ide_opened_file", "ide_selection", "user-prompt-submit-hook"),
    *("file_content", "folder_content", "terminal_output", "workspace_diagnostics"),
)
"""Elements whose text is not the user's."""
_WRAPPERS = ("task", "feedback", "user_message", "user_feedback", "answer", "user_query", "command-args")
"""Elements whose text is the user's, and all of it where the message is otherwise the harness's."""


def _tags(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile(r"<(/?)(" + "|".join(map(re.escape, names)) + r")>")


_NOTE, _ANY = _tags(_NOTES), _tags((*_NOTES, *_WRAPPERS))
_OWN_LINES = re.compile(
    r"^(?:# (?:AGENTS|CLAUDE)\.md instructions\b.*|\[Request interrupted by user.*\])[ \t]*$", re.MULTILINE
)
_OF_A_TOOL = re.compile(
    r"\[(?:\w{1,64}(?: for '[^'\n]{0,500}')?\] Result:|ERROR\] You did not use a tool|TASK RESUMPTION\])"
)
"""How a message begins in which a harness, not the user, speaks."""


@dataclass(frozen=True, slots=True)
class Words:
    """The user's own words of one message. by_harness: whether an agent's harness put something around them."""

    text: str
    by_harness: bool


def words_of(text: str) -> Words:
    """What the user said in the text of a user message; empty where the harness alone speaks.

    Linear in the length, whatever is in it: the event loop waits for this.
    """
    if "<" not in text and "[" not in text and "#" not in text:
        return Words(text.strip(), by_harness=False)
    if _OF_A_TOOL.match(text.lstrip()):
        return Words("\n".join(_wrapped(text)).strip(), by_harness=True)
    own = text
    if "<" in text:
        own = "".join(inner for _, inner in _pieces(text, _NOTE))
        opening = _ANY.match(own.lstrip())
        if opening and opening[2] in _WRAPPERS and (wrapped := [inner for inner in _wrapped(own) if inner.strip()]):
            own = "\n".join(wrapped)  # a task in its wrapper is the request, however much follows it
    if "[Request" in own or ".md instructions" in own:
        own = _OWN_LINES.sub("", own)
    return Words(own.strip(), by_harness=own != text)


def _wrapped(text: str) -> Iterator[str]:
    """What stands in wrappers, without notes in it."""
    for name, inner in _pieces(text, _ANY):
        if name in _WRAPPERS:
            yield "".join(said for _, said in _pieces(inner, _NOTE))


def _pieces(text: str, tag: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """What stands outside elements (under no name), and in those that are wrappers; one never closed is plain text."""
    tags = [(found.start(), found.end(), bool(found[1]), found[2]) for found in tag.finditer(text)]
    closings: dict[str, list[int]] = defaultdict(list)
    for number, (_, _, closing, name) in enumerate(tags):
        if closing:
            closings[name].append(number)
    done = number = 0
    while number < len(tags):
        start, end, closing, name = tags[number]
        later = closings[name]
        at = bisect_left(later, number)
        if closing or at == len(later):
            number += 1
            continue
        yield "", text[done:start]
        close = later[at]
        if name in _WRAPPERS:
            yield name, text[end : tags[close][0]]
        done, number = tags[close][1], close + 1
    yield "", text[done:]
