"""`orchestrator promote` as a user runs it: the better one serves, the worse one does not, and the report says why."""

import io
import json
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.config import load
from orchestrator.generations import Generations
from orchestrator.testing import WordEmbedder
from orchestrator.training import why_train
from routers import artifact
from routers.errors import WeightsError
from routers.examples import read_examples
from routers.train import train
from tests.generations_of import content_of

CONFIG = """\
version: 1
embedder: words
categories:
  sums: {description: sums, experts: [cheap, dear]}
  tales: {description: stories, experts: [cheap, dear]}
  maps: {description: places, experts: [cheap, dear]}
  general: {description: the rest, experts: [cheap]}
general: general
experts:
  cheap: {kind: mcp, server: {command: no-such-program}, tool: t}
  dear: {kind: mcp, server: {command: no-such-program}, tool: t}
routing: {classifier: nearest, examples: examples.jsonl}
"""
WORDS = {
    "sums": "add minus total plus number divide",
    "tales": "story fable once dragon castle wizard",
    "maps": "river island border mountain ocean harbour",
}


def queries(n: int, *, seed: int, hard: int = 0) -> list[dict[str, Any]]:
    """So many distinct queries of each category: three of its words, one of anything. hard: so many in ten mislead."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    found: dict[str, str] = {}
    everything = " ".join(WORDS.values()).split()
    for name, words in WORDS.items():
        for number in range(n):
            own = everything if number % 10 < hard else words.split()
            text = " ".join([*draw.sample(own, 3), draw.choice(everything), f"{name[0]}{seed}x{number}"])
            found.setdefault(text, name)
    return [{"query": text, "category": name} for text, name in found.items()]


def shuffled(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same queries, with each other's categories."""
    labels = [line["category"] for line in lines]
    random.Random(5).shuffle(labels)  # noqa: S311 - no secret
    return [{**line, "category": label} for line, label in zip(lines, labels, strict=True)]


def write(name: str, lines: Iterable[Mapping[str, Any]]) -> str:
    Path(name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration in a folder of its own; the one embedder that can be loaded needs no weights."""

    def load(name: str, *, folder: Path, **_: object) -> WordEmbedder:
        if name != "words":
            raise WeightsError(f"there is no model at {folder / name}")
        return WordEmbedder(256)

    monkeypatch.setattr("routers.embedding.load.load_embedder", load)
    monkeypatch.setattr("orchestrator.embedders.load_embedder", load)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("experts.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@dataclass(frozen=True)
class Done:
    """How a verb ended."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def ran(*arguments: str) -> Done:
    """A verb in this interpreter, as the installed script would run it."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["orchestrator", *arguments])
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
    return Done(status, out.getvalue(), err.getvalue())


def verdicts(done: Done) -> dict[str, str]:
    return {name: figure["verdict"] for name, figure in done.report["figures"].items()}


def trained(n: int = 80, change: Callable[[list[dict[str, Any]]], Any] = list, **options: int) -> None:
    """An artifact that serves, trained on examples of the configuration, changed in some way."""
    write("examples.jsonl", change(queries(n, seed=1, **options)))
    done = save("artifacts/router", "examples.jsonl")
    assert done.general == "general"


def save(place: str, examples: str) -> Any:
    found = train(read_examples(Path(examples)), general="general", embedder=WordEmbedder(256), classifier="nearest")
    artifact.save(found, Path(place), embedder="words")
    return found.router


def test_a_candidate_on_more_examples_is_promoted(folder: Path) -> None:
    """Without fresh queries: both recipes learn again; what served is kept as generation 1."""
    trained(4)
    before = content_of(folder / "artifacts/router")
    write("examples.jsonl", [*queries(4, seed=1), *queries(80, seed=2)])
    done = ran("promote", "--json")
    assert (done.status, done.report["generation"]) == (0, 2), done.report["outcome"]
    assert verdicts(done)["accuracy"] == "better"
    assert content_of(folder / "artifacts/router.generations/1") == before
    shown = ran("generations")
    assert "promoted: better in accuracy" in shown.out
    assert ran("rollback").out == "generation 1 serves (there before generations were kept)\n"
    assert content_of(folder / "artifacts/router") == before


@pytest.mark.parametrize("fresh", [True, False], ids=["on fresh queries", "on folds"])
@pytest.mark.parametrize("ready", [True, False], ids=["a ready one", "trained here"])
def test_a_candidate_on_shuffled_labels_is_refused(folder: Path, fresh: bool, ready: bool) -> None:  # noqa: FBT001
    """Exit status 1, the figure and its interval; what serves is what served, byte for byte."""
    trained()
    before = content_of(folder / "artifacts/router")
    write("shuffled.jsonl", shuffled(queries(80, seed=1)))
    save("elsewhere", "shuffled.jsonl")
    replay = ["--replay", write("fresh.jsonl", queries(40, seed=9))] if fresh else []
    done = ran("promote", "--json", *(["--candidate", "elsewhere"] if ready else ["--data", "shuffled.jsonl"]), *replay)
    assert (done.status, done.report["refused"], done.report["generation"]) == (1, True, None)
    assert verdicts(done)["accuracy"] == "worse"
    assert done.report["reasons"][0].startswith("accuracy: worse by more than 0.02: -0.")
    assert content_of(folder / "artifacts/router") == before
    assert not (folder / "artifacts/router").is_symlink()


def test_queries_that_one_of_the_two_was_trained_on_do_not_count() -> None:
    """The trap: an overfitted artifact shines on its own examples. They are left out, and counted."""
    trained()
    own, fresh = queries(80, seed=1), queries(70, seed=9)
    loud = [{**line, "query": f"  {line['query'].upper()} "} for line in own[:50]]
    write("more.jsonl", queries(80, seed=2))
    write("replay.jsonl", [*loud, *queries(80, seed=2)[:30], *fresh, *fresh[:7]])
    done = ran("promote", "--json", "--dry-run", "--data", "more.jsonl", "--replay", "replay.jsonl")
    assert done.report["figures"]["accuracy"]["difference"]["n"] == len(fresh)
    notes = "\n".join(done.report["notes"])
    assert "80 queries of the replay are left out: one of the two was trained on them" in notes
    assert "7 repeated queries are left out" in notes
    write("seen.jsonl", loud)
    done = ran("promote", "--data", "more.jsonl", "--replay", "seen.jsonl")
    assert done.status == 2
    assert "nothing is left to judge by" in done.err


def test_what_was_taught_and_is_gone_cannot_be_compared_by() -> None:
    """The other trap: learning again on a tenth of its examples, the serving one would look as bad as the candidate."""
    trained()
    write("examples.jsonl", queries(80, seed=1)[::10])
    done = ran("promote")
    assert done.status == 2
    assert "the serving artifact was trained on 240 queries, of which 216 are not at hand" in done.err
    assert "--replay" in done.err


def test_too_few_queries_refuse_and_say_so() -> None:
    """As good as can be seen, on 12 queries: that is not shown."""
    trained()
    done = ran("promote", "--json", "--seed", "1", "--data", write("more.jsonl", queries(80, seed=2)),
               "--replay", write("fresh.jsonl", queries(4, seed=9)))  # fmt: skip
    assert done.status == 1
    assert verdicts(done)["accuracy"] == "not shown"
    assert "more queries would tell" in done.report["outcome"]


def test_a_tolerance_can_be_given() -> None:
    """The same with a wider one for each figure passes."""
    trained()
    wide = [word for name in ("accuracy", "ece", "false_reject") for word in ("--tolerance", f"{name}=0.9")]
    done = ran("promote", "--json", "--data", write("more.jsonl", queries(80, seed=2)),
               "--replay", write("fresh.jsonl", queries(4, seed=9)), *wide)  # fmt: skip
    assert (done.status, done.report["generation"]) == (0, 2)


def test_the_first_artifact_is_promoted_without_comparison(folder: Path) -> None:
    """And the same once more is nothing to promote, which is no failure."""
    write("examples.jsonl", queries(10, seed=1))
    done = ran("promote")
    assert (done.status, done.out.splitlines()[-1]) == (0, "promoted: generation 1 serves")
    assert "nothing serves yet" in done.out
    again = ran("promote")
    assert (again.status, "nothing to promote" in again.out) == (0, True)
    assert Generations(folder / "artifacts/router").numbers() == [1]


def test_a_dry_run_changes_nothing_at_all(folder: Path) -> None:
    """No folder, no lock; the report is the same."""
    trained(4)
    before = sorted(str(path) for path in folder.rglob("*") if "cache" not in path.parts)
    write("more.jsonl", [*queries(4, seed=1), *queries(80, seed=2)])
    done = ran("promote", "--dry-run", "--data", "more.jsonl")
    after = sorted(str(path) for path in folder.rglob("*") if "cache" not in path.parts)
    assert (done.status, done.out.splitlines()[-1]) == (0, "would be promoted; --dry-run changes nothing")
    assert after == sorted([*before, str(folder / "more.jsonl")])
    assert {"accuracy", "ece", "false_reject"} <= set(done.out.split())


def test_two_promotions_at_once_are_one_and_a_clear_error(folder: Path) -> None:
    """The second is told to wait."""
    trained(4)
    with Generations(folder / "artifacts/router").alone():
        done = ran("promote")
    assert (done.status, "wait for it to end" in done.err) == (1, True)
    assert not (folder / "artifacts/router").is_symlink()


def damaged(folder: Path) -> None:
    (folder / "classifier.safetensors").write_bytes(b"no tensors")


def gone(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("spoil", [damaged, gone])
def test_a_damaged_candidate_is_refused(folder: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever it would be compared with."""
    trained()
    save("elsewhere", "examples.jsonl")
    spoil(folder / "elsewhere")
    done = ran("promote", "--candidate", "elsewhere")
    assert (done.status, "Traceback" in done.err) == (1, False)
    assert not (folder / "artifacts/router").is_symlink()


def test_a_candidate_for_other_categories_is_refused() -> None:
    """The service would not load it."""
    trained()
    write("other.jsonl", [line for line in queries(20, seed=1) if line["category"] != "maps"])
    save("elsewhere", "other.jsonl")
    done = ran("promote", "--candidate", "elsewhere")
    assert (done.status, "trained for categories" in done.err) == (1, True)


def test_a_new_category_is_compared_with_what_knows_it_not(folder: Path) -> None:
    """Queries of it count as missed by the serving one; what it takes away from the others has to be allowed."""
    known = [line for line in queries(80, seed=1) if line["category"] != "maps"]
    write("examples.jsonl", known)
    save("artifacts/router", "examples.jsonl")
    alike = [{**line, "category": "maps"} for line in queries(60, seed=2) if line["category"] == "sums"]
    maps = [line for line in queries(80, seed=1) if line["category"] == "maps"]
    write("examples.jsonl", known + maps + alike)
    done = ran("promote", "--json")
    assert (done.status, verdicts(done)["accuracy_known"]) == (1, "worse")
    done = ran("promote", "--json", "--tolerance", "accuracy_known=0.9", "--tolerance", "false_reject=0.9")
    assert (done.status, verdicts(done)["accuracy"]) == (0, "better"), done.report["outcome"]
    assert artifact.read_manifest(folder / "artifacts/router").categories == ("general", "maps", "sums", "tales")


def test_bad_input_ends_with_its_place_and_exit_status_2() -> None:
    """Options, data, records."""
    trained(4)
    cases = {
        ("--tolerance", "acuracy=1"): "did you mean 'accuracy'?",
        ("--tolerance", "accuracy=-1"): "is not a number of 0 or more",
        ("--replay", "nowhere.jsonl"): "nowhere.jsonl: no such file",
        ("--replay", write("bad.jsonl", [{"query": "what"}])): "bad.jsonl:1: neither",
        ("--replay", write("strange.jsonl", [{"query": "what", "in_scope": False}])): "no query has a category",
        ("--data", write("empty.jsonl", [{"query": "", "category": "sums"}])): "empty.jsonl:1",
    }
    for arguments, message in cases.items():
        done = ran("promote", *arguments)
        assert (done.status, message in done.err) == (2, True), done.err


def test_an_artifact_from_before_says_not_what_it_learned(folder: Path) -> None:
    """It is known by its data's hash; with other data no comparison is fair."""
    trained()
    place = folder / "artifacts/router"
    manifest = json.loads((place / "manifest.json").read_text())
    del manifest["files"]["lessons.json"]
    (place / "lessons.json").unlink()
    (place / "manifest.json").write_text(json.dumps(artifact.sealed(manifest)))
    assert ran("promote", "--dry-run", "--seed", "1").status in {0, 1}
    write("examples.jsonl", [*queries(80, seed=1), *queries(4, seed=2)])
    done = ran("promote")
    assert (done.status, "does not say what it was trained on" in done.err) == (2, True)


def graded(lines: Sequence[Mapping[str, Any]], best: str) -> list[dict[str, Any]]:
    """One expert is right nine times in ten, the other never is."""
    other = {"cheap": "dear", "dear": "cheap"}[best]
    return [
        {
            "query": line["query"],
            "outcomes": {
                best: {"score": float(number % 10 > 0), "cost_usd": 0.001},
                other: {"score": 0.0, "cost_usd": 0.001},
            },
        }
        for number, line in enumerate(lines)
    ]


def test_a_mapping_that_chooses_worse_experts_is_refused_by_its_score() -> None:
    """The routers are the same; the candidate's grades are upside down, and fresh grades show it."""
    write("examples.jsonl", queries(80, seed=1))
    write("scores.jsonl", graded(queries(30, seed=3), "dear"))
    assert ran("train", "--scores", "scores.jsonl").status == 0
    fresh = queries(100, seed=9)
    replay = [{**line, **grade} for line, grade in zip(fresh, graded(fresh, "dear"), strict=True)]
    upside_down = write("upside_down.jsonl", graded(queries(30, seed=4), "cheap"))
    done = ran("promote", "--json", "--scores", upside_down, "--replay", write("fresh.jsonl", replay))
    assert done.status == 1
    found = verdicts(done)
    assert (found["accuracy"], found["score"], found["cost_usd"]) == ("no worse", "worse", "no worse")
    assert [reason.partition(":")[0] for reason in done.report["reasons"]] == ["score"]


def test_a_mapping_learned_from_grades_is_better_than_the_list() -> None:
    """On folds: the serving one asks the first that is listed, who never is right."""
    trained()
    done = ran("promote", "--json", "--scores", write("scores.jsonl", graded(queries(80, seed=3), "dear")))
    assert (done.status, verdicts(done)["score"]) == (0, "better"), done.report["outcome"]


def test_grades_that_are_gone_cannot_be_compared_by() -> None:
    """As with examples: the serving mapping would be learned again from nothing."""
    write("examples.jsonl", queries(80, seed=1))
    assert ran("train", "--scores", write("scores.jsonl", graded(queries(30, seed=3), "dear"))).status == 0
    done = ran("promote")
    assert (done.status, "90 graded queries, of which 90 are not at hand" in done.err) == (2, True)


def test_rolling_back_is_not_undone_by_a_start_that_trains(folder: Path) -> None:
    """`serve --train` trains where the examples have changed; a person who rolled back knows that."""
    trained(4)
    write("examples.jsonl", [*queries(4, seed=1), *queries(80, seed=2)])
    assert ran("promote").status == 0
    config = load(folder / "experts.yaml", environment={}).config
    assert why_train(config, lambda _: WordEmbedder(256)) == ""
    ran("rollback")
    assert why_train(config, lambda _: WordEmbedder(256)) == ""
    Path("experts.yaml").write_text(CONFIG.replace("maps:", "charts:"), encoding="utf-8")
    config = load(folder / "experts.yaml", environment={}).config
    assert "trained for categories" in why_train(config, lambda _: WordEmbedder(256))


def test_generations_and_rollback_say_where_there_are_none() -> None:
    """Before the first promotion."""
    write("examples.jsonl", queries(4, seed=1))
    assert ran("generations").out.endswith("'orchestrator promote' makes the first\n")
    assert ran("generations", "--json").report == []  # type: ignore[comparison-overlap]
    done = ran("rollback")
    assert (done.status, "no generations are kept" in done.err) == (1, True)


def test_promotion_runs_embedders_as_the_service_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """An artifact that was trained on another engine's vectors would be refused by every service."""
    engines: list[object] = []

    def load(_name: str, **given: object) -> WordEmbedder:
        engines.append(given["engine"])
        return WordEmbedder(256)

    monkeypatch.setattr("routers.embedding.load.load_embedder", load)
    monkeypatch.setattr("orchestrator.embedders.load_embedder", load)
    trained(4)
    for engine in ("auto", "torch"):
        Path("experts.yaml").write_text(CONFIG + f"\nengine: {engine}\n", encoding="utf-8")
        engines.clear()
        ran("promote", "--dry-run", "--json")
        assert engines
        assert set(engines) == {engine}
