"""The suite `retrieval` on two small collections: a shop for plants, where words decide, and one for tools."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets import DataError, Dataset, Document, Passage, Record
from eval.findings import Findings, flat, read_findings
from eval.metrics import Figure
from eval.suites.retrieval import Pool, Routing, judge_retrieval
from eval.suites.retrieval.search import Retrievers
from orchestrator.testing import WordEmbedder

PLANTS = {
    "rose": "red rose for sunny gardens",
    "fern": "green fern for shady rooms",
    "oak": "tall oak tree for large parks",
    "mint": "fresh mint herb for tea and kitchen",
}
TOOLS = {
    "saw": "sharp saw that cuts wood",
    "drill": "electric drill for holes in walls",
    "glue": "strong glue that joins wood and paper",
    "lamp": "bright lamp for dark rooms",
}


def dataset(name: str, texts: dict[str, str], asked: dict[str, dict[str, float]]) -> Dataset:
    """A collection whose titles are its ids; `asked` has the grades by query."""
    return Dataset(
        name=f"beir:data/{name}.zip",
        records=tuple(
            Record(
                id=f"q{number}",
                query=query,
                passages=tuple(Passage(document=document, relevance=grade) for document, grade in grades.items()),
                source=f"{name}:{number}",
            )
            for number, (query, grades) in enumerate(asked.items(), start=1)
        ),
        documents={identity: Document(id=identity, title=identity, text=text) for identity, text in texts.items()},
    )


def plants() -> Dataset:
    """Five queries, one of them with nothing relevant."""
    asked = {
        "a red rose": {"rose": 2},
        "shady rooms with fern": {"fern": 1, "mint": 0},
        "large oak tree": {"oak": 1},
        "herb for tea": {"mint": 2, "rose": 1},
        "cactus": {"rose": 0},
    }
    return dataset("plants", PLANTS, asked)


def tools() -> Dataset:
    """Four queries; `dark rooms` also stands in a plant's text, which a merged index confuses."""
    asked = {
        "cuts wood": {"saw": 1},
        "holes in walls": {"drill": 1},
        "joins paper": {"glue": 1},
        "dark rooms": {"lamp": 1},
    }
    return dataset("tools", TOOLS, asked)


def judged(*datasets: Dataset, retrievers: Retrievers | None = None, merged: bool = False) -> Findings:
    """BM25 and hashed words, two folds."""
    return judge_retrieval(
        datasets,
        retrievers or {"bm25": None, "words": WordEmbedder(512)},
        embedder=WordEmbedder(512),
        merged=merged,
        folds=2,
        progress=lambda _what, _done, _total: None,
    )


def figures(findings: Findings) -> dict[str, Figure]:
    """By dotted name."""
    return dict(flat(findings.figures))


def test_every_system_has_a_figure_on_every_collection_and_on_average() -> None:
    """Specified: the keys of the JSON, and oracles that no choice among the same retrievers can beat."""
    found = figures(judged(plants(), tools(), merged=True))
    systems = ("bm25", "words", "router", "best_single", "dataset_oracle", "instance_oracle")
    for prefix in ("", "merged."):
        for collection in ("plants", "tools", "mean"):
            values = {system: found[f"{prefix}ndcg10.{collection}.{system}"].value for system in systems}
            assert values["instance_oracle"] >= max(values.values()) - 1e-12
            assert values["dataset_oracle"] >= max(values["bm25"], values["words"]) - 1e-12
            assert values["instance_oracle"] >= values["router"] >= min(values["bm25"], values["words"]) - 1e-12
        assert f"{prefix}gap_closed" in found
        assert f"{prefix}gap_closed_dataset" in found
    assert found["ndcg10.plants.bm25"].n == 4
    assert found["ndcg10.mean.bm25"].n == 8
    assert found["collection_accuracy"].n == 8


def test_the_mean_counts_collections_not_queries() -> None:
    """Specified: nDCG@10 averaged over collections, and each query's share in it adds up to the figure."""
    findings = judged(plants(), replace(tools(), records=tools().records[:2]), merged=True)
    found = figures(findings)
    for prefix in ("", "merged."):
        for system in ("bm25", "words", "router"):
            both = [found[f"{prefix}ndcg10.{name}.{system}"].value for name in ("plants", "tools")]
            assert found[f"{prefix}ndcg10.mean.{system}"].value == pytest.approx(np.mean(both))
    for name, values in findings.queries.values.items():
        assert np.nanmean(values) == pytest.approx(found[name].value)
        assert int(np.sum(~np.isnan(values))) == found[name].n
    assert findings.queries.ids == ("plants#q1", "plants#q2", "plants#q3", "plants#q4", "tools#q1", "tools#q2")


def test_the_same_run_gives_the_same_bytes_and_the_file_comes_back(tmp_path: Path) -> None:
    """Specified: byte for byte, and `eval compare` can read it."""
    first, second = judged(plants(), tools(), merged=True), judged(plants(), tools(), merged=True)
    assert json.dumps(first.as_dict()) == json.dumps(second.as_dict())
    first.write(tmp_path / "run.json")
    assert read_findings(tmp_path / "run.json").as_dict() == first.as_dict()


def test_what_words_alone_decide_is_found_at_the_top() -> None:
    """The product's own index: every query but the one that needs a grade finds its document first."""
    findings = judged(plants(), tools())
    assert figures(findings)["ndcg10.tools.bm25"].value == 1
    heat_map = findings.parts["heat_map"]
    assert (heat_map["rows"], heat_map["columns"]) == (["plants", "tools"], ["bm25", "words", "router"])
    assert heat_map["cells"][1][0]["value"] == 1


def test_queries_without_anything_relevant_are_left_out_and_told() -> None:
    """Specified: never a zero."""
    findings = judged(plants(), tools())
    assert len(findings.queries.ids) == 8
    assert "beir:data/plants.zip: 1 queries left out, which have no relevant document" in findings.notes


def test_a_merged_index_gives_nothing_for_another_collections_document() -> None:
    """`dark rooms` finds the shady fern too; ids that two collections share do not mix."""
    alike = dataset("alike", {"saw": "a saw for bones"}, {"bones saw": {"saw": 1}, "saw for bones": {"saw": 1}})
    found = figures(judged(tools(), alike, merged=True))
    assert found["merged.ndcg10.alike.bm25"].value == 1
    assert found["merged.ndcg10.tools.bm25"].value <= found["ndcg10.tools.bm25"].value


def test_the_worst_queries_are_shown_with_what_was_expected_and_found() -> None:
    """The report's slices: worst collection first, at most three queries each."""
    none = dataset(
        "none", {"a": "apple", "b": "pear"}, {"apple one": {"b": 1}, "apple two": {"b": 1}, "pear": {"b": 1}}
    )
    slices = judged(none, tools()).parts["slices"]
    assert [one["slice"] for one in slices] == ["collection = none", "collection = tools"]
    first = slices[0]["examples"][0]
    assert first["query"] in {"apple one", "apple two"}
    assert first["expected"] == "b b"
    assert first["got"].startswith("a a")
    assert first["detail"].startswith("sent to ")
    assert len(slices[1]["examples"]) == 3


def test_one_retriever_leaves_nothing_to_route() -> None:
    """All systems are that one, and the share of a gap that is not there is undefined."""
    findings = judged(plants(), tools(), retrievers={"bm25": None})
    found = figures(findings)
    assert np.isnan(found["gap_closed"].value)
    assert found["ndcg10.mean.router"].value == found["ndcg10.mean.instance_oracle"].value
    assert any("nothing to route" in note for note in findings.notes)


def test_passages_with_texts_are_a_collection_too() -> None:
    """Our own records carry their documents with them."""
    records = tuple(
        record.model_copy(
            update={
                "passages": tuple(
                    Passage(document=name, relevance=float(name == record.passages[0].document), text=text)
                    for name, text in TOOLS.items()
                )
            }
        )
        for record in tools().records
    )
    own = Dataset(name="own.jsonl", records=records)
    found = figures(judged(own, plants()))
    assert found["ndcg10.own.bm25"].value == 1


def test_collections_of_one_name_are_numbered() -> None:
    """Names are the last part of the path, and never the name of the mean."""
    named_mean = replace(tools(), name="beir:data/mean")
    found = judged(plants(), plants(), named_mean).figures["ndcg10"]
    assert isinstance(found, dict)
    assert list(found) == ["plants", "plants-2", "mean-2", "mean"]


def test_data_that_cannot_be_searched_are_told_with_their_place() -> None:
    """No documents, a judged document that is nowhere, no relevant one, a reserved name, and too few queries."""
    with pytest.raises(DataError) as caught:
        judged(
            Dataset(name="bare.jsonl", records=(Record(id="1", query="x"),)),
            dataset("lost", TOOLS, {"hammer": {"hammer": 1}}),
            dataset("vain", TOOLS, {"saw": {"saw": 0}}),
        )
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        "bare.jsonl:",
        "lost:1:",
        "beir:data/vain.zip:",
    ]
    with pytest.raises(DataError, match="figure's name"):
        judged(plants(), retrievers={"router": None})
    with pytest.raises(DataError, match="no retriever"):
        judge_retrieval([plants()], {}, embedder=WordEmbedder(), progress=lambda _what, _done, _total: None)
    with pytest.raises(DataError, match="folds"):
        judged(dataset("one", TOOLS, {"saw": {"saw": 1}}))


def pooled(**options: object) -> Findings:
    """Adapters and fused pairs in the merged index of both collections."""
    return judge_retrieval(
        [plants(), tools()],
        Pool(retrievers={"bm25": None, "words": WordEmbedder(64)}, adapt="words", fuse=True),
        embedder=WordEmbedder(64),
        merged=True,
        folds=2,
        progress=lambda _what, _done, _total: None,
        **options,  # type: ignore[arg-type]
    )


def test_adapters_and_fused_pairs_are_judged_beside_the_single_retrievers() -> None:
    """Specified: the best single one stays one that is not fused; oracles are there for both; fixed choices too."""
    findings = pooled(routing=Routing(rule="auto"))
    found = figures(findings)
    mean = {name.rsplit(".", 1)[-1]: found[name].value for name in found if name.startswith("merged.ndcg10.mean.")}
    assert {"words:plants", "words:tools", "bm25+words", "bm25+words:tools", "router_single", "best_fusion"} <= set(
        mean
    )
    assert "words+words:tools" not in mean  # of one family
    assert mean["instance_oracle_fused"] >= mean["instance_oracle"] >= mean["best_single_hindsight"] - 1e-12
    assert mean["best_single_hindsight"] == pytest.approx(
        max(value for name, value in mean.items() if name in ("bm25", "words", "words:plants", "words:tools"))
    )
    gained = found["merged.gain_over.best_fusion"].value
    assert gained == pytest.approx(mean["router"] - mean["best_fusion"])
    assert any(note.startswith("words:plants: ") for note in findings.notes)
    assert any(note.startswith("the router chose by ") for note in findings.notes)
    again = pooled(routing=Routing(rule="auto"))
    assert json.dumps(again.as_dict()) == json.dumps(findings.as_dict())


def test_who_gains_and_loses_by_a_retriever_is_told() -> None:
    """Specified: with and without it, paired, by collection and on average; an unknown one is bad data."""
    findings = pooled(without=["bm25"])
    found = figures(findings)
    both = [found[f"gain_by.bm25.{name}"].value for name in ("plants", "tools")]
    assert found["gain_by.bm25.mean"].value == pytest.approx(np.mean(both))
    assert any(note.startswith("with bm25: ") for note in findings.notes)
    with pytest.raises(DataError, match="to add or remove"):
        pooled(without=["nobody"])


def test_a_pool_that_cannot_be_judged_is_refused() -> None:
    """Adapters need the merged index and an embedder; a name of two retrievers is no retriever's."""
    silent = {"embedder": WordEmbedder(), "progress": lambda _what, _done, _total: None}
    for pool, merged, message in (
        (Pool(retrievers={"words": WordEmbedder()}, adapt="words"), False, "--merged"),
        (Pool(retrievers={"bm25": None}, adapt="bm25"), True, "no embedder"),
        (Pool(retrievers={"a+b": None}), True, "stands for two"),
    ):
        with pytest.raises(DataError, match=message):
            judge_retrieval([plants()], pool, merged=merged, **silent)  # type: ignore[arg-type]


def records_file(folder: Path) -> Path:
    """The tools as a file of our own records."""
    lines = [
        {
            "id": name,
            "query": text,
            "passages": [{"document": other, "relevance": int(other == name), "text": TOOLS[other]} for other in TOOLS],
        }
        for name, text in TOOLS.items()
    ]
    path = folder / "tools.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_command_writes_what_the_suite_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line to a file that can be compared; vectors are kept in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("routers.embedding.load.load_embedder", lambda _name, **_folder: WordEmbedder(512))
    arguments = ["retrieval", str(records_file(tmp_path)), "--experts", "bm25,words", "--folds", "2", "--merged"]
    result = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "run.json")])
    assert result.exit_code == 0, result.output
    found = figures(read_findings(tmp_path / "run.json"))
    assert found["ndcg10.tools.bm25"].value == found["merged.ndcg10.tools.bm25"].value == 1
    assert list((tmp_path / "cache").rglob("*.sqlite"))


def test_experts_that_cannot_be_loaded_end_with_status_2(tmp_path: Path) -> None:
    """Specified: bad input is exit 2; every unknown name is told at once."""
    path = str(records_file(tmp_path))
    unknown = CliRunner().invoke(app, ["retrieval", path, "--experts", "bm25,./no,./nor", "--embedder", "./no"])
    assert unknown.exit_code == 2
    assert {"./no:", "./nor:"} <= {line.split(" ")[0] for line in unknown.stderr.splitlines()}
    words = CliRunner().invoke(app, ["retrieval", path, "--experts", "bm25", "--embedder", "bm25"])
    assert words.exit_code == 2
    assert "--embedder bm25" in words.stderr
