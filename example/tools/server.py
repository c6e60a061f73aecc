"""The MCP tool server of the embedded example: exact arithmetic, units, dates and statistics, all deterministic.

    python server.py                 speaks MCP on stdin and stdout
    python server.py --http 8765     serves streamable HTTP on http://127.0.0.1:8765/mcp

Each tool takes a whole sentence and finds what it needs in it, or refuses with a message that says what to change.
Knows no subject: what a tool computes stands in the module of that tool.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

from arithmetic import Calculation
from arithmetic import calculate as calculation_of
from date_answers import DateAnswer
from date_arithmetic import date_math as date_answer_to
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from number_statistics import NumberSummary
from number_statistics import describe_numbers as summary_of
from pydantic import Field
from tool_questions import Answer, NotAnswerable
from unit_conversion import Conversion
from unit_conversion import convert as conversion_of

__all__ = ["main", "tool_server"]

_INSTRUCTIONS = (
    "Deterministic tools that compute exactly. Each takes a whole sentence in English and refuses what it does not "
    "understand instead of guessing."
)
_PURE = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def calculate(
    expression: Annotated[
        str,
        Field(description="a calculation in symbols or English, or a sentence with one: 'What is 17% of 4310?'"),
    ],
) -> Annotated[CallToolResult, Calculation]:
    """Exact arithmetic: + - * /, powers, roots, percentages, fractions, factorials, remainders, sums and averages.

    Understands symbols, "(3 + 4) * 5^2", and English, "15% off 80", "two hundred and ten divided by seven", "square
    root of 144". A percentage after + or - is one of what stands before it: 80 + 15% is 92. Rational results are exact;
    irrational ones are correctly rounded and say so.
    """
    with _refusing():
        return _result(calculation_of(expression))


def convert(
    quantity: Annotated[
        str,
        Field(description="a quantity and a unit, or a sentence with them: 'how many ounces are in 2.5 kg'"),
    ],
) -> Annotated[CallToolResult, Conversion]:
    """Converts between units of length, mass, temperature, area, volume, speed, time, data, energy, power and more.

    Uses the units' exact definitions. Cups, gallons and the like are US measures unless "imperial" is said. Words
    with several meanings (ton, calorie, degree) are refused where nothing tells which is meant.
    """
    with _refusing():
        return _result(conversion_of(quantity))


def date_math(
    question: Annotated[
        str,
        Field(description="a question about dates: 'how many days between 2024-02-10 and 2024-03-01'"),
    ],
    today: Annotated[
        str | None,
        Field(description="the date to take as today, as YYYY-MM-DD; without it the server's date, where it matters"),
    ] = None,
) -> Annotated[CallToolResult, DateAnswer]:
    """Answers questions about dates: days, weeks, months or weekdays between two, a date before or after another.

    Also days of the week, leap years, ages, "next Friday after 2025-01-01", "3 weeks before Christmas 2025". Dates
    that can be read in two ways (03/04/2025) are refused.
    """
    with _refusing():
        return _result(date_answer_to(question, today))


def describe_numbers(
    numbers: Annotated[
        str,
        Field(description="a list of numbers, or a sentence with one: 'mean and standard deviation of 3, 5, 8, 13'"),
    ],
) -> Annotated[CallToolResult, NumberSummary]:
    """Statistics of a list of numbers: mean, median, mode, range, variance, standard deviation, quartiles, sum.

    All of them are returned, exact where their decimals end; the answer starts with those that the sentence names.
    """
    with _refusing():
        return _result(summary_of(numbers))


def tool_server() -> MCPServer:
    """A server with every tool."""
    server = MCPServer("example-tools", title="Example tools", instructions=_INSTRUCTIONS, log_level="WARNING")
    for tool in (calculate, convert, date_math, describe_numbers):
        server.add_tool(tool, annotations=_PURE)
    return server


def main() -> None:
    """Serve until the client leaves (stdio) or the process is stopped (HTTP)."""
    parser = argparse.ArgumentParser(description="The example's MCP tools, on stdin and stdout or over HTTP.")
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP on this port of 127.0.0.1")
    port: int | None = parser.parse_args().http
    server = tool_server()
    with suppress(KeyboardInterrupt):
        if port is None:
            server.run()
        else:
            sys.stderr.write(f"serving MCP on http://127.0.0.1:{port}/mcp\n")
            server.run("streamable-http", host="127.0.0.1", port=port, stateless_http=True)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns a refusal into the error that MCP clients get to read."""
    try:
        yield
    except NotAnswerable as refusal:
        raise ToolError(str(refusal)) from refusal


def _result(answer: Answer) -> CallToolResult:
    """The answer as data, and as its one line where a client shows text; by default both would be the data."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.answer)], structured_content=answer.model_dump(mode="json")
    )


if __name__ == "__main__":
    main()
