"""What the tools share: a question's plain text, an answer's one line, and the refusal. Knows no subject and no MCP."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MAX_CHARACTERS", "Answer", "NotAnswerable", "plain_question"]

MAX_CHARACTERS = 2_000

_TYPOGRAPHY = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{PRIME}": "'",
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{DOUBLE PRIME}": '"',
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{THIN SPACE}": " ",
    }
)


class NotAnswerable(ValueError):
    """The caller can do something about it: the message says what was not understood or not possible."""


class Answer(BaseModel):
    """What every tool returns beside its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str = Field(description="the answer in one line, for people")


def plain_question(text: str) -> str:
    """The text with typographic dashes, quotes and spaces made plain, and without space around it.

    Raises:
        NotAnswerable: there is nothing in it, or more than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotAnswerable(f"{len(text):,} characters are too many; send at most {MAX_CHARACTERS:,}")
    plain = text.translate(_TYPOGRAPHY).strip()
    if not plain:
        raise NotAnswerable("the text is empty; ask a question in it")
    return plain
