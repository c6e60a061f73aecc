"""Conversations as three coding agents send them, after their documented formats: what a service sees of each step.

Each agent sends the whole conversation with every request, and puts text of its own beside the user's. The texts here
are ours; only the shapes are the agents'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["AGENTS", "Called", "Entry", "Said", "Sent"]


@dataclass(frozen=True, slots=True)
class Said:
    """What the user said, and what was answered in the end; nothing while the agent is at work on it."""

    text: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a tool and what it gave."""

    tool: str
    argument: str
    result: str


Entry = Said | Called
"""Of a conversation, in order: calls follow what they were made for."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. path: of the surface. headers: that tell the session, where the agent sends one."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


def claude_code(history: Sequence[Entry], session: str) -> Sent:
    """Anthropic's messages: notes in `system-reminder`, calls and results as blocks of their own."""
    reminder = "<system-reminder>\nThe project's notes mention travel, baking and dates. They may not matter.\n"
    messages: list[dict[str, Any]] = []
    for at, entry in enumerate(history):
        if isinstance(entry, Said):
            if at:
                messages.append({"role": "assistant", "content": [{"type": "text", "text": _before(history, at)}]})
            parts = [{"type": "text", "text": reminder + "</system-reminder>"}, {"type": "text", "text": entry.text}]
            messages.append({"role": "user", "content": parts})
        else:
            call = {"type": "tool_use", "id": f"toolu_{at}", "name": entry.tool, "input": {"path": entry.argument}}
            result = {"type": "tool_result", "tool_use_id": f"toolu_{at}", "content": entry.result}
            note = {"type": "text", "text": "<system-reminder>The todo list is empty.</system-reminder>"}
            messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result, note]}]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "Bash", "Edit")]
    body = {"model": "auto", "max_tokens": 512, "system": "You are an agent.", "messages": messages, "tools": tools}
    return Sent("/v1/messages", body, {"x-claude-code-session-id": session})


def codex(history: Sequence[Entry], session: str) -> Sent:
    """OpenAI's Responses: the repository's instructions and environment as user messages, calls as items."""
    instructions = "# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>\nWrite verses in the log.\n</INSTRUCTIONS>"
    environment = "<environment_context>\n  <cwd>/repo</cwd>\n  <shell>bash</shell>\n</environment_context>"
    items: list[dict[str, Any]] = [_user(instructions), _user(environment)]
    for at, entry in enumerate(history):
        if isinstance(entry, Said):
            if at:
                text = {"type": "output_text", "text": _before(history, at)}
                items.append({"type": "message", "role": "assistant", "content": [text]})
            items.append(_user(entry.text))
        else:
            items += [
                {"type": "function_call", "call_id": f"c{at}", "name": entry.tool, "arguments": entry.argument},
                {"type": "function_call_output", "call_id": f"c{at}", "output": entry.result},
            ]
    tools = [{"type": "function", "name": "shell", "parameters": {"type": "object"}}]
    body = {"model": "auto", "instructions": "You are an agent.", "input": items, "tools": tools}
    return Sent("/v1/responses", body | {"prompt_cache_key": session}, {})


def cline(history: Sequence[Entry], session: str) -> Sent:  # noqa: ARG001 - it sends none
    """Chat completions without tools: the task in a wrapper, results of tools as text of the user."""
    environment = "<environment_details>\n# Visible Files\nrecipes/bread.md\n# Time\nnoon\n</environment_details>"
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You are an agent. Tools are XML elements."}]
    for at, entry in enumerate(history):
        if isinstance(entry, Said):
            if at:
                end = f"<attempt_completion>\n<result>{_before(history, at)}</result>\n</attempt_completion>"
                messages.append({"role": "assistant", "content": end})
                opening = "[attempt_completion] Result:\n"
                wrapped = f"<feedback>\n{entry.text}\n</feedback>"
            else:
                opening, wrapped = "", f"<task>\n{entry.text}\n</task>"
            parts = [opening + wrapped, environment]
        else:
            call = f"<{entry.tool}>\n<path>{entry.argument}</path>\n</{entry.tool}>"
            messages.append({"role": "assistant", "content": call})
            parts = [f"[{entry.tool} for '{entry.argument}'] Result:", entry.result, environment]
        messages.append({"role": "user", "content": [{"type": "text", "text": part} for part in parts]})
    return Sent("/v1/chat/completions", {"model": "auto", "messages": messages}, {})


AGENTS: Mapping[str, Callable[[Sequence[Entry], str], Sent]] = {
    "claude code": claude_code,
    "codex": codex,
    "cline": cline,
}


def _user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _before(history: Sequence[Entry], at: int) -> str:
    """What was answered to the request before this place."""
    return next((entry.answer for entry in reversed(history[:at]) if isinstance(entry, Said)), "") or "Done."
