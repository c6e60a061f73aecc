"""Reads rows out of files, plain or gzip by content, with their line numbers. Knows no data set.

What is malformed goes to `Problems` with its place and the reading goes on; a caller ends with `Problems.check`.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eval.datasets.dataset import DataError
from eval.datasets.problems import Problems, Wrong, printable

__all__ = [
    "Content",
    "Row",
    "Swelling",
    "csv_rows",
    "files_of",
    "json_document",
    "json_lines",
    "json_list",
    "read",
    "stem_of",
    "text_of",
]

GZIP = b"\x1f\x8b"
MAX_BYTES = 1 << 30
"""Of one unpacked file."""
FREE_BYTES = 1 << 26
MAX_RATIO = 100
"""Beyond `FREE_BYTES`, what unpacks to more than so many times its packed size is no data: texts reach 20."""
LEAST_AT_ONCE, MOST_AT_ONCE = 1 << 10, 1 << 16
"""Packed bytes; a thousand times as many may come out of them."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file's unpacked bytes; `place` names it in messages."""

    place: str
    data: bytes
    broken: bool = False
    """Whether it could not be read, which is noted; then there are no bytes."""


@dataclass(slots=True)
class Swelling:
    """How much has been unpacked; `check` raises EOFError before an archive made for it fills the memory."""

    unpacked: int = 0

    def check(self, *, added: int, packed: int) -> None:
        """Count what was unpacked from all of the `packed` bytes so far."""
        self.unpacked += added
        if self.unpacked > MAX_BYTES:
            raise EOFError(f"it unpacks to more than {MAX_BYTES} bytes")
        if self.unpacked > FREE_BYTES and self.unpacked > MAX_RATIO * packed:
            raise EOFError(f"it unpacks to more than {MAX_RATIO} times its size")


@dataclass(frozen=True, slots=True)
class Row:
    """A row and its place (file:line); the getters raise Wrong, for `Problems.at`, where a value is not as asked."""

    place: str
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        """The value as it stands."""
        if column not in self.values:
            raise Wrong(f"missing column {column!r}", unknown=column, known=self.values)
        return self.values[column]

    def text(self, column: str) -> str:
        """A string."""
        value = self[column]
        if not isinstance(value, str):
            raise Wrong(f"{column}: expected text, found {_kind(value)}")
        return value

    def text_or_none(self, column: str) -> str | None:
        """A string or null; the column itself has to be there."""
        return None if self[column] is None else self.text(column)

    def identity(self, column: str) -> str:
        """A non-empty string, or an integer as text."""
        value = self[column]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if text := self.text(column).strip():
            return text
        raise Wrong(f"{column}: is empty")

    def number(self, column: str) -> float:
        """A number, or a string that holds one; NaN and infinities pass."""
        value = self[column]
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Wrong(f"{column}: expected a number, found {_kind(value)}")
        try:
            return float(value)
        except (ValueError, OverflowError):
            raise Wrong(f"{column}: expected a number, found {value!r}") from None

    def texts(self, column: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self[column]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Wrong(f"{column}: expected a list of texts, found {_kind(value)}")
        return tuple(value)

    def row(self, column: str) -> Row:
        """A nested object, as a row at the same place."""
        value = self[column]
        if not isinstance(value, dict):
            raise Wrong(f"{column}: expected an object, found {_kind(value)}")
        return Row(self.place, value)

    def rows(self, column: str) -> list[Row]:
        """A list of nested objects, as rows at the same place."""
        value = self[column]
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Wrong(f"{column}: expected a list of objects, found {_kind(value)}")
        return [Row(self.place, item) for item in value]


def files_of(path: Path, *patterns: str) -> list[Path]:
    """`path` itself if it is a file, else the files in that folder that match a pattern, sorted by name.

    Raises DataError where there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError([f"{printable(str(path))}: no such file or folder"])
    found = sorted({file for pattern in patterns for file in path.glob(pattern) if file.is_file()})
    if not found:
        raise DataError([f"{printable(str(path))}: holds no file {' or '.join(patterns)}"])
    return found


def stem_of(path: Path) -> str:
    """The file's name without its endings, .gz and one more."""
    return Path(path.name.removesuffix(".gz")).stem


def read(path: Path, problems: Problems) -> Content:
    """The file's bytes, unpacked if they are gzip; empty where they cannot be read, which is noted."""
    place = str(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        problems.add(place, getattr(error, "strerror", None) or str(error))
        return Content(place, b"", broken=True)
    if not data.startswith(GZIP):
        return Content(place, data)
    unpacked = bytearray()
    try:
        _unpack(data, unpacked)
    except (zlib.error, EOFError) as error:
        problems.add(f"{place}:{unpacked.count(10) + 1}", f"broken gzip: {error}")
        return Content(place, b"", broken=True)
    return Content(place, bytes(unpacked))


def text_of(source: Path | Content, problems: Problems, *, encoding: str = "utf-8") -> str:
    """All of it as text, without a byte order mark.

    Noted are every line that is not in `encoding`, a NUL, and a file of nothing at all.
    """
    content = source if isinstance(source, Content) else read(source, problems)
    if not content.data and not content.broken:
        problems.add(f"{content.place}:1", "is empty")
    if (nul := content.data.find(b"\0")) >= 0:
        problems.add(f"{content.place}:{content.data.count(10, 0, nul) + 1}", "holds a NUL byte: it is no text")
        return ""
    try:
        return content.data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        for number, line in enumerate(content.data.split(b"\n"), start=1):
            _decoded(line, f"{content.place}:{number}", problems, encoding)
        return ""


def json_lines(source: Path | Content, problems: Problems) -> Iterator[Row]:
    """An object a line; blank lines are none, but a file of nothing else is noted."""
    content = source if isinstance(source, Content) else read(source, problems)
    if not content.broken and not content.data.strip():
        problems.add(f"{content.place}:1", "is empty")
    for number, line in enumerate(content.data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        place = f"{content.place}:{number}"
        text = _decoded(line, place, problems, "utf-8")
        if text is None or not text.strip():
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problems.add(place, f"malformed JSON at column {error.colno}: {error.msg}")
            continue
        if isinstance(value, dict):
            yield Row(place, value)
        else:
            problems.add(place, f"expected an object, found {_kind(value)}")


def json_document(source: Path | Content, problems: Problems) -> Any:
    """The one JSON value of a file, None where it is malformed, which is noted."""
    before = problems.count
    content = source if isinstance(source, Content) else read(source, problems)
    text = text_of(content, problems)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if problems.count == before:  # else why there is no text is noted already
            problems.add(f"{content.place}:{error.lineno}", f"malformed JSON at column {error.colno}: {error.msg}")
        return None


def json_list(source: Path | Content, problems: Problems) -> Iterator[Row]:
    """The objects of a file that is one JSON list; their place is file[index], as they have no line of their own."""
    name = source.place if isinstance(source, Content) else str(source)
    before = problems.count
    items = json_document(source, problems)
    if problems.count > before:
        return
    if not isinstance(items, list):
        problems.add(name, f"expected a list, found {_kind(items)}")
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield Row(f"{name}[{index}]", item)
        else:
            problems.add(f"{name}[{index}]", f"expected an object, found {_kind(item)}")


def csv_rows(
    source: Path | Content, problems: Problems, *, columns: Collection[str], encoding: str = "utf-8"
) -> Iterator[Row]:
    """The rows below the header, at the line they begin on; `columns` have to be in the header, others may be."""
    content = source if isinstance(source, Content) else read(source, problems)
    before = problems.count
    text = text_of(content, problems, encoding=encoding)
    if content.broken or problems.count > before:
        return
    csv.field_size_limit(MAX_BYTES)  # of the process; a model's answer may be longer than the default of 128 KiB
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = next(reader, [])
        if not _header_fits(header, columns, f"{content.place}:1", problems):
            return
        line = reader.line_num + 1
        for cells in reader:
            place = f"{content.place}:{line}"
            line = reader.line_num + 1
            if len(cells) == len(header):
                yield Row(place, dict(zip(header, cells, strict=True)))
            elif cells:
                problems.add(place, f"expected {len(header)} cells, found {len(cells)}")
    except csv.Error as error:
        problems.add(f"{content.place}:{line}", f"malformed CSV: {error}")


def _header_fits(header: list[str], columns: Collection[str], place: str, problems: Problems) -> bool:
    missing = [column for column in columns if column not in header]
    for column in missing:
        problems.add(place, f"missing column {column!r}", unknown=column, known=header)
    twice = sorted(column for column, count in Counter(header).items() if count > 1)
    for column in twice:
        problems.add(place, f"column {column!r} stands twice")
    return not missing and not twice


def _decoded(line: bytes, place: str, problems: Problems, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        problems.add(place, f"not {encoding}: byte 0x{line[error.start]:02x} at column {error.start + 1}")
        return None


def _unpack(data: bytes, unpacked: bytearray) -> None:
    """Append what all members of a gzip file hold; `unpacked` keeps what came before an error."""
    swelling = Swelling()
    start = 0
    while start < len(data):
        member = zlib.decompressobj(wbits=31)
        at_once = LEAST_AT_ONCE  # what lies behind a member is copied: a million of small ones must not copy all
        while not member.eof:
            if start >= len(data):
                raise EOFError("it ends before its end mark")
            part = member.decompress(data[start : start + at_once])
            start = min(start + at_once, len(data))
            at_once = min(2 * at_once, MOST_AT_ONCE)
            unpacked += part
            swelling.check(added=len(part), packed=start)
        start -= len(member.unused_data)
        while start < len(data) and data[start] == 0:  # archives may be padded with zeros
            start += 1


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"{value!r}")
