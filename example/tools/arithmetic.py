"""The `calculate` tool: exact arithmetic from a sentence. Knows no MCP."""

from fractions import Fraction

from arithmetic_parser import parsed
from arithmetic_tree import Node, Operation, text_of
from arithmetic_values import Irrational, value_of
from arithmetic_words import tokens_of
from decimal_text import SHORT_DIGITS, VALUE_DIGITS, exact_decimal, rounded_decimal
from pydantic import Field
from tool_questions import Answer, NotAnswerable, plain_question

__all__ = ["Calculation", "calculate"]

_MAX_DIGITS = 1_000
_MAX_FRACTION_CHARACTERS = 200
_MAX_LINE_FRACTION = 40


class Calculation(Answer):
    """The value of an arithmetic expression."""

    expression: str = Field(description="the calculation as it was understood, in symbols")
    value: str = Field(description="the result as a decimal; rounded to 16 significant digits where `exact` is false")
    fraction: str | None = Field(
        description="the exact result in lowest terms, where it is rational, not whole and not longer than 200 characters"
    )
    exact: bool = Field(description="whether `value` is the result itself and not a rounding of it")


def calculate(sentence: str) -> Calculation:
    """The value of the one calculation in the sentence.

    Raises:
        NotAnswerable: there is none in it, or it has no value.
    """
    node = parsed(tokens_of(plain_question(sentence)))
    value = value_of(node)
    decimal = exact_decimal(value) if isinstance(value, Fraction) else None
    if decimal is not None and len(decimal) > _MAX_DIGITS:
        raise NotAnswerable(f"the result has more than {_MAX_DIGITS:,} digits")
    expression = text_of(node)
    fraction = _fraction_text(value)
    return Calculation(
        expression=expression,
        value=_rounded(value, VALUE_DIGITS) if decimal is None else decimal,
        fraction=fraction,
        exact=decimal is not None,
        answer=_line(expression, value, decimal, fraction) + ("%" if _is_percentage(node) else ""),
    )


def _line(expression: str, value: Fraction | Irrational, decimal: str | None, fraction: str | None) -> str:
    """'17% of 4310 = 732.7', '1 / 3 = 1/3 ≈ 0.3333333333', 'sqrt(2) ≈ 1.414213562'."""
    if decimal is not None:
        return f"{expression} = {decimal}"
    known = fraction is None or len(fraction) > _MAX_LINE_FRACTION or fraction == expression.replace(" ", "")
    middle = "" if known else f" = {fraction}"
    return f"{expression}{middle} ≈ {_rounded(value, SHORT_DIGITS)}"


def _rounded(value: Fraction | Irrational, digits: int) -> str:
    return rounded_decimal(value, digits) if isinstance(value, Fraction) else value.rounded(digits)


def _fraction_text(value: Fraction | Irrational) -> str | None:
    if not isinstance(value, Fraction) or value.denominator == 1:
        return None
    text = str(value)
    return text if len(text) <= _MAX_FRACTION_CHARACTERS else None


def _is_percentage(node: Node) -> bool:
    return isinstance(node, Operation) and node.symbol == "as a percentage of"
