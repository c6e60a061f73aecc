"""What a report draws of the suite: the tools that are found worst, and which is taken for which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from eval.metrics import confusion, share
from eval.suites.tools.answers import Answers
from eval.suites.tools.choices import Choice

__all__ = ["confusions", "slices"]

MOST_SLICES = 10
MOST_EXAMPLES = 3
LEAST_QUERIES = 5
"""A tool with fewer is no slice of its own, unless all are like that: one query that went wrong says little."""
LONGEST_QUERY = 300
SHOWN = 3
"""Of the tools that came first, how many are named."""
MOST_TOOLS = 30
"""A larger confusion matrix cannot be read."""


def slices(queries: Sequence[Choice], answers: Answers) -> list[dict[str, Any]]:
    """Right tools, the one that comes first least often ahead, each with queries that went wrong."""
    by_tool: defaultdict[str, list[int]] = defaultdict(list)
    for row in answers.judged.tolist():
        for name in queries[row].names:
            by_tool[name].append(row)
    large = {name: rows for name, rows in by_tool.items() if len(rows) >= LEAST_QUERIES} or by_tool
    found: list[dict[str, Any]] = []
    for name, rows in large.items():
        wrong = [row for row in rows if answers.recall1[row] == 0]
        found.append(
            {
                "slice": f"right tool = {name}",
                "measure": "recall1",
                "figure": share(len(rows) - len(wrong), len(rows)).as_dict(),
                "examples": [_example(queries[row], row, answers) for row in wrong[:MOST_EXAMPLES]],
            }
        )
    found.sort(key=lambda one: (one["figure"]["value"], -one["figure"]["n"], one["slice"]))
    return found[:MOST_SLICES]


def confusions(queries: Sequence[Choice], answers: Answers) -> dict[str, dict[str, int]] | None:
    """Of the queries with one right tool, by that tool, which came first; None where there are too many tools."""
    rows = [row for row in answers.judged.tolist() if len(queries[row].names) == 1]
    truth = [queries[row].names[0] for row in rows]
    first = [answers.first[row][0] for row in rows]
    if not rows or len({*truth, *first}) > MOST_TOOLS:
        return None
    return confusion(truth, first)


def _example(choice: Choice, row: int, answers: Answers) -> dict[str, str]:
    rank = round(1 / answers.reciprocal_rank[row])
    says = ", and none was held to fit" if answers.abstained[row] == 1 else ""
    query = choice.record.query
    return {
        "query": query if len(query) <= LONGEST_QUERY else f"{query[: LONGEST_QUERY - 1]}…",
        "expected": ", ".join(choice.names),
        "got": ", ".join(answers.first[row][:SHOWN]),
        "detail": f"{choice.record.id}: the first right tool came at place {rank} of {len(choice.among)}{says}",
    }
