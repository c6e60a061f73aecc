"""Tool choice: which of many tools serves a query, from what they say of themselves and from examples."""

from routers.tools.chooser import Candidate, Shortlist, ToolChooser, ToolExample, Weighed
from routers.tools.text import Tool, tool_text, words_of

__all__ = ["Candidate", "Shortlist", "Tool", "ToolChooser", "ToolExample", "Weighed", "tool_text", "words_of"]
