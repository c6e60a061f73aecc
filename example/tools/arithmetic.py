"""The `calculate` tool: exact arithmetic from a sentence. Knows no MCP."""

from fractions import Fraction

from arithmetic_parser import parsed
from arithmetic_tree import Operation, text_of
from arithmetic_values import Irrational, value_of
from arithmetic_words import tokens_of
from figures import figure_of
from pydantic import Field
from tool_questions import Answer, NotAnswerable, plain_question

__all__ = ["Calculation", "calculate"]

_MAX_DIGITS = 1_000
_TOO_LARGE = 10**_MAX_DIGITS
_MAX_FRACTION_CHARACTERS = 200
_MAX_LINE_FRACTION = 40


class Calculation(Answer):
    """The value of an arithmetic expression."""

    expression: str = Field(description="the calculation as it was understood, in symbols")
    value: str = Field(description="the result as a decimal; rounded to 16 significant digits where `exact` is false")
    fraction: str | None = Field(
        description="the exact result in lowest terms, where it is rational, not whole and not too long"
    )
    exact: bool = Field(description="whether `value` is the result itself and not a rounding of it")


def calculate(sentence: str) -> Calculation:
    """The value of the one calculation in the sentence.

    Raises:
        NotAnswerable: there is none in it, or it has no value.
    """
    node = parsed(tokens_of(plain_question(sentence)))
    value = value_of(node)
    if isinstance(value, Fraction) and abs(value) >= _TOO_LARGE:
        raise NotAnswerable(f"the result has more than {_MAX_DIGITS:,} digits")
    figure = figure_of(value, longest=2 * _MAX_DIGITS) if isinstance(value, Fraction) else value.figure()
    expression, fraction = text_of(node), _fraction_text(value)
    told = fraction is None or len(fraction) > _MAX_LINE_FRACTION or fraction == expression.replace(" ", "")
    middle = "" if figure.exact or told else f" = {fraction}"
    unit = "%" if isinstance(node, Operation) and node.symbol == "as a percentage of" else ""
    return Calculation(
        expression=expression,
        value=figure.full,
        fraction=fraction,
        exact=figure.exact,
        answer=f"{expression}{middle} {figure.equation}{unit}",
    )


def _fraction_text(value: Fraction | Irrational) -> str | None:
    if not isinstance(value, Fraction) or value.denominator == 1:
        return None
    text = str(value)
    return text if len(text) <= _MAX_FRACTION_CHARACTERS else None
