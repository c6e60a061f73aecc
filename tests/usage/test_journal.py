"""The usage file survives what kills its writer, and a crowded recorder never waits."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import anyio
import pytest

from orchestrator.decision import Decision
from orchestrator.errors import RunError
from orchestrator.usage.journal import Journal
from orchestrator.usage.lines import FeedbackLine, read_usage
from orchestrator.usage.recorder import Recorder

pytestmark = pytest.mark.anyio

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from orchestrator.usage.journal import Journal
from orchestrator.usage.lines import DecisionLine
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    rows = [
        DecisionLine(time=datetime.now(UTC), id=f"dec-{n}", model="auto", outcome="answered", query="x" * 5000)
        for n in range(number, number + 50)
    ]
    journal.append([row.encoded() for row in rows])
    number += 50
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_readable_file(tmp_path: Path) -> None:
    """Specified: everything that was said to be written is there; at most the last line is cut."""
    file = tmp_path / "usage.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(5)][-1]
        os.kill(writer.pid, signal.SIGKILL)
    usage = read_usage(file)
    assert len(usage.decisions) >= said
    assert len(usage.unreadable) <= 1
    assert list(usage.decisions) == [f"dec-{number}" for number in range(len(usage.decisions))]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_what_comes_after_a_cut_line_starts_on_a_line_of_its_own(tmp_path: Path, cut: int) -> None:
    """Specified: the cut line alone is lost, wherever it was cut."""
    file = tmp_path / "usage.jsonl"
    journal = Journal(file)
    first, second, third = (feedback(name).encoded() for name in ("a", "b", "c"))
    journal.append([first, second])
    os.truncate(file, file.stat().st_size - cut)
    assert journal.append([third]).lines == 1
    usage = read_usage(file)
    whole = cut == 1  # only the line's end is gone
    assert [line.decision for line in usage.feedback.values()] == (["a", "b", "c"] if whole else ["a", "c"])
    assert usage.unreadable == (() if whole else (f"{file}:2",))


def test_garbage_between_the_lines_is_passed_over_and_named(tmp_path: Path) -> None:
    """Ours: by line, whatever it is; unknown keys of a known line are no garbage."""
    file = tmp_path / "usage.jsonl"
    good = feedback("a").encoded()
    more = good.replace(b'"kind"', b'"from_the_future":1,"kind"')
    bad = [
        b"\xff\xfe\x00",
        b"[]",
        b'{"kind":"other"}',
        b'{"kind":"feedback"}',
        good.replace(b"0.5", b"NaN"),
        b"[" * 9000,
    ]
    file.write_bytes(b"\n".join([good, *bad, b"", more.replace(b'"a"', b'"z"')]) + b"\n")
    usage = read_usage(file)
    assert [line.decision for line in usage.feedback.values()] == ["a", "z"]
    assert usage.unreadable == tuple(f"{file}:{number}" for number in range(2, 8))


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """Ours: as whoever rotates logs expects."""
    file = tmp_path / "usage.jsonl"
    journal = Journal(file)
    journal.append([feedback("a").encoded()])
    file.rename(tmp_path / "old.jsonl")
    journal.append([feedback("b").encoded()])
    assert [line.decision for line in read_usage(file).feedback.values()] == ["b"]


def test_a_file_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    """Ours: a folder in its place is a mistake of the configuration, no full disk."""
    with pytest.raises(RunError, match="cannot be written"):
        Journal(tmp_path).check()
    with pytest.raises(RunError, match="cannot be read"):
        read_usage(tmp_path / "none.jsonl")


async def test_a_crowded_queue_loses_and_counts_instead_of_waiting(tmp_path: Path) -> None:
    """Specified: bounded; feedback that finds no room is refused rather than lost in silence."""
    file = tmp_path / "usage.jsonl"
    recorder = Recorder(Journal(file), content=False, most_waiting=3)
    for number in range(5):
        recorder.decided(decision(f"dec-{number}"))
    with pytest.raises(RunError, match="try again"):
        recorder.told(feedback("dec-1"), category=None)
    with anyio.fail_after(10):
        async with recorder.open():
            pass
    assert list(read_usage(file).decisions) == ["dec-0", "dec-1", "dec-2"]
    assert (recorder.counts.written, recorder.counts.lost) == (3, 3)


async def test_what_fails_unforeseen_is_counted_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of our own stops neither the recorder nor the service, and is not passed over in silence."""
    journal = Journal(tmp_path / "usage.jsonl")
    write = journal.append
    recorder = Recorder(journal, content=False)

    def append(_: list[bytes]) -> NoReturn:
        monkeypatch.setattr(journal, "append", write)
        raise LookupError("unforeseen")

    monkeypatch.setattr(journal, "append", append)
    with anyio.fail_after(5):
        async with recorder.open():
            recorder.decided(decision("first"))
            while not recorder.counts.lost:
                await anyio.lowlevel.checkpoint()
            recorder.decided(decision("second"))
    assert (recorder.counts.lost, recorder.counts.written) == (1, 1)


async def test_what_waits_is_written_when_the_service_is_cancelled(tmp_path: Path) -> None:
    """Specified: a stop is no reason to lose what was decided."""
    file = tmp_path / "usage.jsonl"
    recorder = Recorder(Journal(file), content=False)
    with anyio.fail_after(10), anyio.CancelScope() as stopped:
        async with recorder.open():
            for number in range(700):
                recorder.decided(decision(f"dec-{number}"))
            stopped.cancel()
            await anyio.sleep_forever()
    assert len(read_usage(file).decisions) == 700
    recorder.decided(decision("late"))
    assert recorder.counts.lost == 1


def feedback(name: str) -> FeedbackLine:
    return FeedbackLine(time=datetime(2026, 1, 1, tzinfo=UTC), decision=name, expert="e", score=0.5)


def decision(name: str) -> Decision:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Decision(id=name, created=created, model="auto", query="q", total_ms=1.0, overhead_ms=1.0)
