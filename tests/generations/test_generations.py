"""Kept artifacts: each switch happens wholly or not at all, and back is exactly back."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import RunError
from orchestrator.generations import Generations
from orchestrator.generations.switch import ServingLink
from routers import artifact
from routers.errors import ArtifactError
from tests.generations_of import content_of, save_artifact, trained_router

FILES = {"classifier.safetensors", "lessons.json", "manifest.json"}


def added(generations: Generations, variant: int, **note: Any) -> int:
    """Promote one, and say its number."""
    with generations.alone(), generations.staged() as place:
        return generations.add(save_artifact(place, variant), why=f"variant {variant}", **note).number


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    """Over an artifact as training alone leaves it: variant 0."""
    return Generations(save_artifact(tmp_path / "artifacts/router"))


def serves(generations: Generations) -> bytes:
    return (generations.path / "manifest.json").read_bytes()


def test_the_first_promotion_keeps_what_was_there_as_generation_1(generations: Generations) -> None:
    """A folder becomes a link to a folder; every path that was in use still is."""
    before = content_of(generations.path)
    assert generations.serving is None
    assert added(generations, 1) == 2
    assert content_of(generations.folder / "1") == before
    assert generations.path.readlink() == Path("router.generations/2")
    assert {path.name for path in generations.path.iterdir()} == {*FILES, "generation.json"}
    assert {path.name for path in generations.folder.iterdir()} == {"1", "2", "lock"}
    assert [path.name for path in generations.path.parent.iterdir() if path.name.startswith(".")] == []


def test_a_promotion_where_nothing_was_is_generation_1(tmp_path: Path) -> None:
    """In folders that were not there either."""
    generations = Generations(tmp_path / "deep/er/router")
    assert added(generations, 0) == 1
    artifact.check(generations.path)


def test_rolling_back_restores_every_byte(generations: Generations) -> None:
    """To what the serving one replaced, step by step, and forward again by number."""
    first = content_of(generations.path)
    added(generations, 1)
    second = content_of(generations.path)
    added(generations, 2)
    assert generations.roll_back().number == 2
    assert content_of(generations.path) == second
    assert generations.rolled_back
    assert generations.roll_back().number == 1
    assert content_of(generations.path) == first
    assert generations.roll_back(3).number == 3
    assert not generations.rolled_back


def test_back_is_what_served_before_not_the_number_below(generations: Generations) -> None:
    """2 was given up for 1, then 4 was promoted over 1: back from 4 is 1."""
    added(generations, 1)
    generations.roll_back()
    added(generations, 2)
    assert (generations.serving, generations.roll_back().number) == (3, 1)


def test_the_list_says_why_when_and_which_serves(generations: Generations) -> None:
    """The first has no note, and its time is that of its files."""
    added(generations, 1, figures={"accuracy": {"value": 0.9}})
    first, second = generations.all()
    assert (first.number, first.serves, first.replaced) == (1, False, None)
    assert (second.why, second.serves, second.replaced) == ("variant 1", True, 1)
    assert second.figures == {"accuracy": {"value": 0.9}}
    assert second.sha256 == artifact.read_manifest(generations.path).sha256
    assert first.created.tzinfo is not None


def test_a_damaged_generation_is_listed_with_its_problem_and_never_serves(generations: Generations) -> None:
    """Rolling back to it is refused, and what serves goes on."""
    added(generations, 1)
    (generations.folder / "1/classifier.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match="damaged"):
        generations.roll_back()
    (generations.folder / "1/manifest.json").write_text("{")
    assert [bool(one.problem) for one in generations.all()] == [True, False]
    assert generations.serving == 2


def test_so_many_are_kept_and_never_less_than_one_to_go_back_to(tmp_path: Path) -> None:
    """The oldest go first."""
    generations = Generations(save_artifact(tmp_path / "router"), keep=2)
    for variant in (1, 2, 3):
        added(generations, variant)
    assert generations.numbers() == [3, 4]
    generations.roll_back()
    added(generations, 4)
    assert generations.numbers() == [3, 5]
    assert generations.roll_back().number == 3


@pytest.mark.parametrize("to", [0, 3, 7])
def test_a_number_that_is_not_kept_is_refused(generations: Generations, to: int) -> None:
    """With those that are."""
    added(generations, 1)
    with pytest.raises(RunError, match="kept are 1, 2"):
        generations.roll_back(to)


def test_rolling_back_says_what_there_is_not(generations: Generations) -> None:
    """No generations; one that serves already; the oldest."""
    with pytest.raises(RunError, match="no generations"):
        generations.roll_back()
    added(generations, 1)
    with pytest.raises(RunError, match="serves already"):
        generations.roll_back(2)
    generations.roll_back()
    with pytest.raises(RunError, match="oldest"):
        generations.roll_back()


def test_training_is_a_generation_too_once_there_are_some(generations: Generations) -> None:
    """What was promoted is never written over; before the first promotion training replaces, as ever."""
    generations.save(trained_router(1), embedder="words")
    assert generations.serving is None
    added(generations, 2)
    promoted = content_of(generations.path)
    generations.save(trained_router(3), embedder="words")
    assert generations.serving == 3
    assert content_of(generations.folder / "2") == promoted
    with pytest.raises(ArtifactError, match="is no router's"):
        artifact.save(trained_router(4), generations.path, embedder="words")
    assert content_of(generations.folder / "3")["manifest.json"] == serves(generations)


def test_links_that_people_made_stay_theirs(tmp_path: Path) -> None:
    """The generations lie beside what their link shows."""
    save_artifact(tmp_path / "disk/router")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/router").symlink_to("../disk/router")
    generations = Generations(tmp_path / "artifacts/router")
    added(generations, 1)
    assert (tmp_path / "artifacts/router").readlink() == Path("../disk/router")
    assert (tmp_path / "disk/router").readlink() == Path("router.generations/2")
    assert Generations(tmp_path / "artifacts/router").serving == 2


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """In an error, like any other place that cannot be written."""
    (tmp_path / "router").symlink_to("other")
    (tmp_path / "other").symlink_to("router")
    assert Generations(tmp_path / "router").serving is None


def test_two_at_once_are_one_and_a_clear_error(generations: Generations) -> None:
    """The second is told who is at it; the first is not disturbed."""
    with generations.alone(), generations.staged() as place:
        other = Generations(generations.path)
        with pytest.raises(ArtifactError, match=f"process {os.getpid()} is training, promoting or rolling back"):
            added(other, 2)
        with pytest.raises(ArtifactError, match="wait"):
            other.roll_back()
        generations.add(save_artifact(place, 1), why="first")
    assert generations.numbers() == [1, 2]
    assert added(Generations(generations.path), 2) == 3


def refusing(name: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nth call of a method of Path fails as on a full disk."""
    original: Callable[..., Any] = getattr(Path, name)
    calls = 0

    def failing(self: Path, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, *arguments, **named)

    monkeypatch.setattr(Path, name, failing)


STEPS = [("open", 1), ("open", 2), ("rename", 1), ("symlink_to", 1), ("replace", 1)]


@pytest.mark.parametrize(
    ("name", "nth", "over"),
    [*((*step, "folder") for step in STEPS), ("rename", 2, "folder"), *((*step, "link") for step in STEPS)],
)
def test_a_full_disk_changes_nothing(
    generations: Generations, monkeypatch: pytest.MonkeyPatch, name: str, nth: int, over: str
) -> None:
    """Whichever step it refuses: what served serves, nothing happens later on, and the next try succeeds."""
    if over == "link":
        added(generations, 1)
    before, numbers = serves(generations), generations.numbers()
    with monkeypatch.context() as patch, generations.alone(), generations.staged() as place:
        save_artifact(place, 2)
        refusing(name, nth, patch)
        with pytest.raises(ArtifactError, match=r"No space left|cannot be written"):
            generations.add(place, why="no room")
    generations.mend()
    assert (serves(generations), generations.numbers()) == (before, numbers)
    last = max([*numbers, int(over == "folder")])
    assert added(generations, 2) == last + 1
    assert {entry.name for entry in generations.folder.iterdir()} == {
        "lock",
        *(str(number) for number in range(1, last + 2)),
    }


KILLED = """
import os, sys
from pathlib import Path
from orchestrator.generations import Generations

def dying(original, counter, nth):
    def call(*arguments, **named):
        counter[0] += 1
        if counter[0] == nth:
            os._exit(9)
        return original(*arguments, **named)
    return call

def at(nth, folder):
    counter = [0]
    for name in ("open", "rename", "replace", "symlink_to", "unlink"):
        setattr(Path, name, dying(getattr(Path, name), counter, nth))
    os.fsync = dying(os.fsync, counter, nth)
    generations = Generations(folder / "artifacts/router")
    with generations.alone():
        generations.add(folder / "candidate", why="killed")

import shutil
base = Path(sys.argv[1])
nth, status = 0, 9
while status == 9:
    nth += 1
    folder = base / str(nth)
    shutil.copytree(base / "start", folder, symlinks=True)
    child = os.fork()
    if not child:
        try:
            at(nth, folder)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(nth, status)
"""


@pytest.mark.parametrize("over", ["folder", "link"])
def test_dying_at_any_step_leaves_one_whole_artifact(tmp_path: Path, over: str) -> None:
    """A process is ended before each call that changes the disk; then one look is enough, and all works on."""
    start = tmp_path / "start"
    save_artifact(start / "artifacts/router", 0)
    if over == "link":
        added(Generations(start / "artifacts/router"), 1)
    save_artifact(start / "candidate", 2)
    old, new = ((start / where / "manifest.json").read_bytes() for where in ("artifacts/router", "candidate"))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    steps, status = map(int, done.stdout.split())
    assert (steps > 8, status) == (True, 0)
    outcomes = []
    for nth in range(1, steps + 1):
        generations = Generations(tmp_path / str(nth) / "artifacts/router")
        generations.mend()
        artifact.check(generations.path)
        outcomes.append(serves(generations) == new)
        assert serves(generations) in {old, new}
        assert added(generations, 3) == generations.numbers()[-1]
        assert {entry.name for entry in generations.folder.iterdir()} == {"lock", *map(str, generations.numbers())}
        assert generations.roll_back()
    assert outcomes == sorted(outcomes), "once promoted, always promoted"
    assert outcomes[-1]


def test_a_note_that_was_half_written_is_forgotten(generations: Generations) -> None:
    """The switch had not begun."""
    added(generations, 1)
    (generations.folder / "switching").write_text("[3")
    generations.mend()
    assert (generations.serving, ServingLink(generations.path).unfinished) == (2, False)
