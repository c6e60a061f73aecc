"""Files that nobody should write: whatever they are, they load or are told apart in lines, soon."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.config import load
from orchestrator.errors import ConfigError
from tests.config.samples import COMPLETE, COMPLETE_ENVIRONMENT, MINIMAL

PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "- ",
        "? ",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "|\n ",
        ">\n ",
        "'",
        '"',
        "#",
        "\n",
    ),
    *(
        "  ",
        "\t",
        "~",
        "null",
        "true",
        "no",
        "17",
        "1e400",
        ".inf",
        "${A}",
        "${",
        "$$",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
    ),
    *(
        "<<",
        "kind",
        "vllm",
        "coder",
        "general",
        "auto",
        "\x00",
        "\ufeff",
        "\u2028",
        "\\ud800",
        "\U0001f600",
        "9" * 5000,
    ),
]

quickly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The complete example with a few pieces cut out and others put in."""
    text = COMPLETE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 10]))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.text(max_size=5)) + text[end:]
    return text


def assert_loads_or_tells(data: bytes, environment: Mapping[str, str] = COMPLETE_ENVIRONMENT) -> None:
    """Nothing but ConfigError comes out, each problem one line with a place and without a secret."""
    Path("handbook.jsonl").touch()
    Path("experts.yaml").write_bytes(data)
    try:
        load(Path("experts.yaml"), environment={"A": "1", **environment})
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems
    for problem in problems:
        assert re.fullmatch(r"experts\.yaml:[1-9]\d*:[1-9]\d*: .+", problem), problem
        assert "secret" not in problem


@quickly
@given(st.binary(max_size=60))
def test_any_bytes_load_or_are_told_apart(data: bytes) -> None:
    """Specified: nothing but ConfigError comes out."""
    assert_loads_or_tells(data)


@quickly
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
@example("%YAML 1." + "9" * 5000 + "\n--- a\n")
@example('"\\U00110000"')
@example("a: !<%ff> b")
@example("? &a [*a]\n: *a")
def test_any_text_loads_or_is_told_apart(text: str) -> None:
    """Specified: nothing but ConfigError comes out."""
    assert_loads_or_tells(text.encode(errors="surrogatepass"))


@quickly
@given(mutated())
def test_mutated_example_loads_or_is_told_apart(text: str) -> None:
    """Specified: nothing but ConfigError comes out, and no value of the environment."""
    assert_loads_or_tells(text.encode(errors="surrogatepass"))


@quickly
@given(st.dictionaries(st.sampled_from("ABC"), st.text(st.characters())))
def test_any_environment_loads_or_is_told_apart(environment: dict[str, str]) -> None:
    """Specified: nothing but ConfigError comes out, whatever bytes a variable has."""
    text = MINIMAL + "embedder: ${A}\nserve: {port: '${B:-1}', keys: '${C}'}\n"
    assert_loads_or_tells(text.encode(), environment)


def problems_of(data: bytes) -> tuple[str, ...]:
    """What is told of a file with this content."""
    Path("experts.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(Path("experts.yaml"), environment={})
    return caught.value.problems


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_file_in_another_encoding_is_one_problem(mark: bytes) -> None:
    """Ours: the place is that of the first byte which is not UTF-8, with or without a byte order mark."""
    assert problems_of(mark + "version: 1\ngeneral: größe\n".encode("latin-1")) == (
        "experts.yaml:2:12: not UTF-8: byte 0xf6; save the file as UTF-8",
    )


def test_large_file_is_refused_unread() -> None:
    """Specified: at most 1 MiB."""
    assert problems_of(MINIMAL.encode() + b"#" * (1 << 20)) == (
        "experts.yaml:1:1: the file has more than 1048576 bytes",
    )


def test_aliases_that_multiply_are_refused() -> None:
    """Specified: a bomb of nine to the power of twelve values is one line."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]

    assert problems_of(("a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(levels)).encode()) == (
        "experts.yaml:6:15: more than 200000 values, aliases counted as what they stand for",
    )


def test_aliases_that_pile_up_are_refused() -> None:
    """Specified: each alias may add a level, and levels are bounded."""
    levels = [f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1000)]

    assert problems_of(("a0: &a0 [x]\n" + "".join(levels)).encode()) == (
        "experts.yaml:32:12: nested deeper than 32 levels",
    )


@pytest.mark.parametrize("opening", ["[", "{a: ", "? ", "- ", "{? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    """Specified: before the stack of Python or of a parser ends."""
    (problem,) = problems_of((opening * 100_000).encode())

    assert problem.endswith(": nested deeper than 32 levels")


def test_long_names_do_not_flood_the_terminal() -> None:
    """Ours: keys, anchors and tags are cut like values."""
    name = "x" * 10_000

    problems = problems_of(f"{name}: *{name}\nb: !{name} c\nc: '${{{name}}}'\n".encode())

    assert max(map(len, problems)) < 300
