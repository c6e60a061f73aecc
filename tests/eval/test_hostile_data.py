"""Data made to break the judge, through the command line: exit 2 and a place, no stack trace, no hang, no flood."""

import gzip
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from eval.commands import app
from eval.datasets.catalogue import READERS

MEGABYTES_5 = 5_000_000
LONGEST_LINE = 800
MOST_LINES = 21


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FUNCTION = {"name": "find", "description": "finds", "parameters": {"type": "dict", "properties": {}}}
ASKED = {"id": "multiple_0", "question": [[{"role": "user", "content": "find it"}]], "function": [FUNCTION]}
SERVER = {"name": "s", "tools": {"s": {"tools": [{"name": "find", "description": "finds", "inputSchema": {}}]}}}
TASK = {"task_id": "a", "Question": "q", "answers": "", "category": "c", "Annotator Metadata": {"Tools": "1. find"}}
JUDGED = {"text": {"context": "c", "statement": "s"}, "annotations": {"Ann1": "neutral"}, "split": "dev"}
CHOICE = {"question_id": 1, "category": "c", "question": "q", "options": ["x", "y"], "answer": "A", "pred": {"m": "A"}}
SUM = {"id": "1", "question": "q", "answer": "# 18", "outputs": {"m": '{"answer": 18}'}}
GRADED = "sample_id,prompt,eval_name,m,m|total_cost,m|model_response\n"

SOUND: Mapping[str, Mapping[str, str]] = {
    "azure-trace": {
        "AzureLLMInferenceTrace_code.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,5,6\n"
    },
    "banking77": {"train.csv": "text,category\nhow much,fee\n"},
    "beir": {
        "corpus.jsonl": lines({"_id": "d1", "title": "t", "text": "x"}),
        "queries.jsonl": lines({"_id": "q1", "text": "x"}),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    },
    "bfcl": {
        "BFCL_v4_multiple.json": lines(ASKED),
        "possible_answer/BFCL_v4_multiple.json": lines({"id": "multiple_0", "ground_truth": [{"find": {}}]}),
    },
    "clinc": {"data_full.json": '{"train": [["how much", "fee"]]}'},
    "clinc-domains": {"data_full.json": '{"train": [["how much", "fee"]]}', "domains.json": '{"bank": ["fee"]}'},
    "livemcp": {"all_annotations.json": json.dumps([TASK]), "tools.json": json.dumps([SERVER])},
    "metatool": {
        "plugin_des.json": '{"find": "finds"}',
        "all_clean_data.csv": "Query,Tool\nfind it,find\n",
        "multi_tool_query_golden.json": '[{"query": "find it twice", "tool": ["find"]}]',
    },
    "mmlu-pro": {"preds.jsonl": lines(CHOICE)},
    "records": {"own.jsonl": lines({"id": "a", "query": "q", "arrival_s": 1.5})},
    "routellm": {
        "mmlu_law.csv": "prompt,weak,strong\nq,True,False\n",
        "mmlu_contaminated_prompts.jsonl": lines({"eval_prompt": "z"}),
    },
    "routerbench": {"arc_train.csv": f"{GRADED}1,\"['q']\",arc,1.0,0.1,\"['r']\"\n"},
    "smart": {"cran.all.1400": ".I 1\n.T\na\n.W\nb\n", "cran.qry": ".I 001\n.W\nq\n", "cranqrel": "1 1 2\n"},
    "ulab": {"dcrouter_train.json": '[{"question": "q", "scores": {"m": 0.5}, "cluster_id": 1}]'},
    "varierr": {"VariErrNLI_dev.json": json.dumps({"7": JUDGED})},
    "zeroeval": {"gsm.jsonl": lines(SUM)},
}
"""The least that each reader takes."""

FILES = [(reader, name) for reader, files in SOUND.items() for name in files]

Damage = Callable[[bytes], bytes]


@cache
def bomb() -> bytes:
    """What unpacks to more than a small file may."""
    return gzip.compress(b"\n" * 80_000_000, 1)


HOSTILE: Mapping[str, Damage] = {
    "empty": lambda content: content[:0],
    "garbage": lambda content: random.Random(len(content)).randbytes(3000),  # noqa: S311 - no secret
    "utf-16": lambda content: content.decode().encode("utf-16"),
    "truncated gzip": lambda content: gzip.compress(content * 50)[:-12],
    "nul": lambda content: content[: len(content) // 2] + b"\0" + content[len(content) // 2 :],
    "long line": lambda content: content[:0] + b"x" * MEGABYTES_5,
    "long quote": lambda content: content[:0] + b'"' + b"x" * MEGABYTES_5,
    "long value": lambda content: content[:0] + b'{"id": "' + b"x" * MEGABYTES_5 + b'"}',
    "many columns": lambda content: content[:0] + b"," * 500_000,
    "many rows": lambda content: content[:0] + b"}\n" * 100_000,
    "deep list": lambda content: content[:0] + b"[" * 500_000,
    "deep object": lambda content: content[:0] + b'{"a": ' * 100_000,
    "deep and closed": lambda content: content[:0] + b'{"a": [' * 300 + b"]}" * 300,
    "huge number": lambda content: content[:0] + b'{"7": ' + b"9" * 5000 + b"}",
    "NaN": lambda content: content[:0] + b'{"id": NaN}',
    "Infinity": lambda content: content[:0] + b'[{"id": -Infinity}]',
    "gzip bomb": lambda content: content[:0] + bomb(),
}


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def judge(spec: str | Path, verb: str = "uncertain") -> Result:
    return CliRunner().invoke(app, [verb, str(spec), "--embedder", "none"])


def refused(done: Result) -> list[str]:
    """The lines that say what is wrong, if it ended as bad data should."""
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (2, True), done.exception
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("reading ")]
    assert 1 <= len(said) <= MOST_LINES
    assert max(map(len, said)) < LONGEST_LINE
    assert all(line.isprintable() for line in said)
    assert "Traceback" not in done.output
    return said


def test_every_reader_has_data_here() -> None:
    """A reader that is added has to withstand the same; what it takes is refused for lack of labels alone."""
    assert SOUND.keys() == READERS.keys()


@pytest.mark.parametrize("reader", SOUND)
def test_sound_data_are_read(reader: str, tmp_path: Path) -> None:
    """Else the tests below would prove nothing: all that is said is what another suite needs."""
    verb = "tools" if reader == "varierr" else "uncertain"
    (line,) = refused(judge(f"{reader}:{written(tmp_path, SOUND[reader])}", verb))
    assert ": no record " in line


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(("reader", "name"), FILES)
def test_hostile_file_is_named(reader: str, name: str, hostile: str, tmp_path: Path) -> None:
    """Issue 3: a clear error with the place, exit 2, whichever of a set's files it is."""
    whole = SOUND[reader]
    written(tmp_path, {**whole, name: HOSTILE[hostile](whole[name].encode())})
    said = refused(judge(f"{reader}:{tmp_path}"))
    assert any(
        re.match(re.escape(f"{tmp_path}/") + r"[^:[]+(:[0-9]+|\[.*\])?: ", line) and name in line for line in said
    ), said


@pytest.mark.parametrize(("reader", "name"), FILES)
def test_directory_where_a_file_should_be_is_no_crash(reader: str, name: str, tmp_path: Path) -> None:
    """The file is missing, then."""
    whole = {other: content for other, content in SOUND[reader].items() if other != name}
    (written(tmp_path, whole) / name).mkdir(parents=True)
    assert any(str(tmp_path) in line for line in refused(judge(f"{reader}:{tmp_path}")))


ROW = b'{"id": "a", "query": "q"}'
WRONG = {
    "missing key": (b'{"id": "a"}', "own.jsonl:1: missing column 'query'"),
    "unknown key": (
        b'{"id": "a", "query": "q", "qeury": 1}',
        "own.jsonl:1: unknown column 'qeury' (did you mean 'query'?)",
    ),
    "duplicate id": (ROW + b"\n" + ROW, "own.jsonl:2: duplicate id 'a'"),
    "too large": (b'{"id": "a", "query": "q", "arrival_s": 1e999}', "own.jsonl:1: malformed JSON"),
    "lone surrogate": (rb'{"id": "a", "query": "\ud800"}', "own.jsonl:1: malformed JSON"),
    "empty tie": (b'{"id": "a", "query": "q", "labels": {"A": [[]]}}', "own.jsonl:1: labels.A.0"),
    "deep schema": (
        b'{"id": "a", "query": "q", "tools": [{"name": "t", "parameters": %s}]}'
        % (b'{"a": ' * 300 + b"1" + b"}" * 300),
        "is nested too deeply",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("verb", ["uncertain", "tools"])
def test_wrong_record_is_named(wrong: str, verb: str, tmp_path: Path) -> None:
    """Issue 3: a wrong column, a duplicate id, a number that is none, each with file and line."""
    content, expected = WRONG[wrong]
    path = written(tmp_path, {"own.jsonl": content}) / "own.jsonl"
    assert expected in refused(judge(path, verb))[0]


@pytest.mark.parametrize("verb", ["categories", "mapping", "retrieval"])
def test_every_suite_tells_of_bad_data_alike(verb: str, tmp_path: Path) -> None:
    """The same border stands around all of them."""
    path = written(tmp_path, {"own.jsonl": '{"id": "a"}'}) / "own.jsonl"
    arguments = [verb, str(path), "--folds", "2"]
    assert refused(CliRunner().invoke(app, arguments)) == [f"{path}:1: missing column 'query'"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("metatol:x", "unknown reader 'metatol' (did you mean 'metatool'?)"),
        ("beir:", "needs a path"),
        ("records", "needs a path"),
        ("records:nowhere", "nowhere: no such file or folder"),
        ("/dev/zero", "no such file or folder"),
        ("beir:/dev/zero", "holds no corpus"),
        ("records:" + "n" * 5000, "File name too long"),
        ("records:\x1b[31m", r"\x1b[31m: no such file"),
    ],
)
def test_what_is_no_data_is_named(spec: str, expected: str) -> None:
    """Unknown readers, paths that are not there, files that never end."""
    assert any(expected in line for line in refused(judge(spec)))


def test_pipes_and_links_to_themselves_do_not_hang(tmp_path: Path) -> None:
    """Neither is a file; waiting for a pipe would last for ever."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    for name in ("pipe.jsonl", "loop.jsonl", ""):
        assert str(tmp_path) in refused(judge(f"records:{tmp_path / name}"))[0]


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("outside", ["../../", "/etc/", "set/../../", "..\\"])
def test_zip_that_points_outside_of_itself_is_refused(outside: str, tmp_path: Path) -> None:
    """Nothing is ever unpacked to disk; such names are no part of a set all the same."""
    files = {outside + name: content for name, content in SOUND["beir"].items()}
    written(tmp_path, {"set.zip": zipped(files)})
    assert refused(judge(f"beir:{tmp_path / 'set.zip'}"))[0].startswith(f"{tmp_path}/set.zip: holds no corpus")


def test_names_of_experts_cannot_draw_on_the_terminal(tmp_path: Path) -> None:
    """They come from the data: control characters are escaped, and what looks like markup is shown as it is."""
    labels = {"A": ["yes"], "B": ["no"], "C": ["no"]}
    drafts = {"[/red]": {"answer": "yes"}, "\x1b[31m\n": {"answer": "?\x07"}}
    path = written(tmp_path, {"own.jsonl": lines({"id": "a", "query": "\x1b[2J", "labels": labels, "drafts": drafts})})
    done = CliRunner().invoke(app, ["uncertain", str(path / "own.jsonl")], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "accuracy.[/red]" in done.stdout
    assert r"accuracy.\x1b[31m\n" in done.stdout
    assert "\x1b" not in done.stdout


def limited() -> None:
    """Twice ten seconds of work, as machines differ, and a gigabyte and a half."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_DATA, (1_500_000_000, 1_500_000_000))


def test_bombs_stay_within_time_and_memory(tmp_path: Path) -> None:
    """A gigabyte of nothing in a megabyte, in a zip, in a gzip, and as a million of packed nothings; own process."""
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("queries.jsonl", "qrels/test.tsv"):
            archive.writestr(f"set/{name}", SOUND["beir"][name])
        with archive.open("set/corpus.jsonl", "w", force_zip64=True) as member:
            for _ in range(1000):
                member.write(b"\n" * 1_000_000)
    nothing = gzip.compress(b"")
    swollen = gzip.compress(b"\n" * 400_000_000, 1)
    written(tmp_path, {"set.zip": archived.getvalue()})
    written(tmp_path, {"own.jsonl": swollen, "many.jsonl": nothing * 100_000 + gzip.compress(b"{}")})
    specs = [f"beir:{tmp_path}/set.zip", f"records:{tmp_path}/own.jsonl", f"records:{tmp_path}/many.jsonl"]
    command = [sys.executable, "-m", "orchestrator", "eval", "uncertain", *specs]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limited,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "set/corpus.jsonl:" in done.stderr
    assert done.stderr.count("it unpacks to more than 100 times its size") == 2
    assert f"{tmp_path}/many.jsonl:1: missing column 'query'" in done.stderr
