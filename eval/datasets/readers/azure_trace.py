"""Azure's traces of language-model serving: when requests came and how many tokens they had, without any text.

Source: Azure/AzurePublicDataset @ b469a113, `data/AzureLLMInferenceTrace_{code,conv}.csv`. Licence: CC BY 4.0.
Layout, here and in the original: one CSV a service (plain or gzip): TIMESTAMP, ContextTokens, GeneratedTokens. The
service, from the file's name, is the split.
Traps:
- There is no text: queries are empty.
- Time stamps have seven decimals; the traces of 2024 also have a zone (UTC). `arrival_s` is counted from the first
  row of its own file, to the microsecond: two traces of one folder both begin at 0.
- A row that is earlier than the one before is an error: replay would have to reorder what the source did not.
- Replay compressed in time, and to loopback only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset
from eval.datasets.lines import Row, csv_rows, files_of, stem_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Record

__all__ = ["read"]

PREFIX = "AzureLLMInferenceTrace_"
COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def read(path: Path) -> Dataset:
    """One trace, or a folder of them; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    for file in files_of(path, f"{PREFIX}*.csv", f"{PREFIX}*.csv.gz"):
        service = stem_of(file).removeprefix(PREFIX)
        first: datetime | None = None
        last: datetime | None = None
        for index, row in enumerate(csv_rows(file, problems, columns=COLUMNS)):
            with problems.at(row.place):
                time = _time(row)
                if last is not None and time < last:
                    raise Wrong("TIMESTAMP: earlier than that of the row before")
                first, last = first or time, time
                records.append(_record(row, identity=f"{service}-{index}", service=service, arrival=time - first))
    return assemble(str(path), records, problems)


def _time(row: Row) -> datetime:
    text = row.text("TIMESTAMP")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Wrong(f"TIMESTAMP: expected a date and a time, found {text!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _record(row: Row, *, identity: str, service: str, arrival: timedelta) -> Record:
    return Record(
        id=identity,
        query="",
        arrival_s=arrival.total_seconds(),
        input_tokens=_tokens(row, "ContextTokens"),
        output_tokens=_tokens(row, "GeneratedTokens"),
        split=service,
        source=row.place,
    )


def _tokens(row: Row, column: str) -> int:
    number = row.number(column)
    if not number.is_integer():
        raise Wrong(f"{column}: expected a number of tokens, found {row.text(column)!r}")
    return int(number)
