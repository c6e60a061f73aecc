"""`check --live`: what is wrong with experts is named with its place in the configuration, as a user runs it."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from orchestrator.testing import FakeVLLM, Hang, Html, Status
from tests.cli.test_verbs import Done, orchestrator

pytestmark = pytest.mark.anyio

HEAD = """\
version: 1
categories: {general: {description: all, experts: [EXPERT]}}
general: general
residency: {awake_gb: {default: 80}}
experts:
"""
FIRST = HEAD.count("\n") + 1
"""The line of the first expert."""
MCP_SERVER = Path(__file__).parents[1] / "experts/mcp/stdio_server.py"


async def checked(folder: Path, experts: Mapping[str, str], *options: str) -> Done:
    """`check` of a configuration with these expert blocks, one a line."""
    lines = [f"  {name}: {block}\n" for name, block in experts.items()]
    text = HEAD.replace("EXPERT", next(iter(experts))) + "".join(lines)
    (folder / "experts.yaml").write_text(text, encoding="utf-8")
    with anyio.fail_after(60):
        return await to_thread.run_sync(partial(orchestrator, "check", "--live", *options, cwd=folder))


async def told(folder: Path, experts: Mapping[str, str], *options: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and what was found, as JSON has it."""
    done = await checked(folder, experts, "--json", *options)
    shown = json.loads(done.stdout)
    assert shown["ok"] == (done.returncode == 0)
    live: list[dict[str, Any]] = shown["live"]
    return done.returncode, live


def vllm(*servers: FakeVLLM | str, **keys: object) -> str:
    urls = [server if isinstance(server, str) else server.url for server in servers]
    return json.dumps({"kind": "vllm", "model": "fake-model", "replicas": urls, **keys})


def adapter(**keys: object) -> str:
    return json.dumps({"kind": "vllm", "base": "coder", "adapter": "sql", **keys})


@pytest.fixture
async def server() -> AsyncIterator[FakeVLLM]:
    """Loads what does not end in `missing`."""
    async with FakeVLLM(enable_lora=True, adapter_exists=lambda path: not path.endswith("missing")) as running:
        yield running


async def test_experts_that_are_as_configured_pass(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: exit status 0, and servers are left as they were."""
    server.adapters.loaded["fixed"] = "/adapters/fixed"
    experts = {"coder": vllm(server), "sql": adapter(path="/adapters/sql"), "fixed": adapter(adapter="fixed")}
    done = await checked(tmp_path, experts)
    assert (done.returncode, done.stdout) == (0, "experts.yaml: ok (1 categories, 3 experts)\n")
    assert list(server.adapters.loaded) == ["fixed"]
    assert server.requests == []


async def test_every_problem_has_its_place(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: adapter path missing, another model, a page, all at once; file, line, column and key path."""
    async with FakeVLLM(models=("other", "another")) as other, FakeVLLM() as page:
        page.fault_at["/v1/models"] = Html()
        experts = {
            "coder": f"{{kind: vllm, model: fake-model, replicas: [{server.url}]}}",
            "sql": "{kind: vllm, base: coder, adapter: sql, path: /adapters/missing}",
            "second": f"{{kind: vllm, model: fake-model, replicas: [{server.url}, {other.url}]}}",
            "wrong": f"{{kind: vllm, model: fake-model, replicas: [{other.url}]}}",
            "web": f"{{kind: vllm, model: fake-model, replicas: [{page.url}]}}",
        }
        done = await checked(tmp_path, experts)
    lines = (tmp_path / "experts.yaml").read_text().splitlines()

    def place(number: int, value: str) -> str:
        return f"experts.yaml:{FIRST + number}:{lines[FIRST + number - 1].index(value) + 1}"

    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        (
            f"{place(1, '/adapters/missing')}: experts.sql.path: {server.url}: "
            "no adapter at '/adapters/missing', as that server sees its disk; check path"
        ),
        (
            f"{place(2, other.url)}: experts.second.replicas[1]: {other.url} "
            "does not serve 'fake-model', as other replicas do; it serves 'other', 'another'"
        ),
        (
            f"{place(3, 'fake-model')}: experts.wrong.model: {other.url} "
            "does not serve 'fake-model'; it serves 'other', 'another'"
        ),
        (
            f"{place(4, page.url)}: experts.web.replicas[0]: {page.url} "
            "is no OpenAI API: GET /v1/models answers 200 with text/html"
        ),
    ]


async def test_a_server_that_is_not_there_is_no_mistake_of_the_file(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: exit status 1; what cannot be seen because of that is not told again for its adapters."""
    await server.refuse()
    status, found = await told(tmp_path, {"coder": vllm(server), "sql": adapter(path="/adapters/sql")})
    (down,) = found
    assert (status, down["grade"], down["path"]) == (1, "down", "experts.coder.replicas[0]")
    assert f"{server.url} cannot be reached" in down["message"]


async def test_a_mistake_counts_more_than_a_server_that_is_not_there(tmp_path: Path, server: FakeVLLM) -> None:
    """Ours: exit status 2 where there are both."""
    async with FakeVLLM() as gone:
        url = gone.url
    status, found = await told(tmp_path, {"coder": vllm(server, url), "sql": adapter(path="/missing")})
    assert (status, [each["grade"] for each in found]) == (2, ["down", "config"])


async def test_a_server_that_says_it_is_not_well_is_down(tmp_path: Path, server: FakeVLLM) -> None:
    """Ours: its engine may be starting."""
    server.fault_at["/v1/models"] = Status(code=503)
    status, (found,) = await told(tmp_path, {"coder": vllm(server)})
    assert (status, found["grade"]) == (1, "down")


async def test_one_that_never_answers_is_given_up(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: with deadlines; the others are looked at all the same."""
    async with FakeVLLM(models=("other",)) as other:
        server.fault_at["/v1/models"] = Hang()
        status, found = await told(tmp_path, {"coder": vllm(server), "wrong": vllm(other)}, "--limit", "0.5")
    assert (status, [each["grade"] for each in found]) == (2, ["down", "config"])
    assert found[0]["message"] == "could not be looked at within 0.5 s"


@pytest.mark.parametrize("api_key", ["false-key", None])
async def test_refused_credentials_are_a_mistake(tmp_path: Path, api_key: str | None) -> None:
    """Specified: at the key, or at the expert where it has none; the key is not repeated."""
    keys = {} if api_key is None else {"api_key": api_key}
    async with FakeVLLM(api_key="right-key") as server:
        status, (found,) = await told(tmp_path, {"coder": vllm(server, **keys)})
    assert (status, found["path"]) == (2, "experts.coder.api_key")
    assert found["message"] == f"{server.url} refused our credentials (status 401)"


@pytest.mark.parametrize(
    ("enabled", "at_run_time", "advice"),
    [(False, True, "--enable-lora"), (True, False, "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True")],
)
async def test_a_server_that_cannot_load_adapters_is_told_how(
    tmp_path: Path, *, enabled: bool, at_run_time: bool, advice: str
) -> None:
    """Specified: LoRA not enabled; ours: not at run time."""
    async with FakeVLLM(enable_lora=enabled, runtime_lora=at_run_time) as server:
        status, (found,) = await told(tmp_path, {"coder": vllm(server), "sql": adapter(path="/adapters/sql")})
    assert (status, found["path"]) == (2, "experts.sql.base")
    assert found["message"].endswith(advice)


async def test_an_adapter_that_its_server_should_have_is_missed(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: with what the server serves."""
    status, (found,) = await told(tmp_path, {"coder": vllm(server), "sql": adapter()})
    assert (status, found["path"]) == (2, "experts.sql.adapter")
    assert "has no adapter 'sql', it serves 'fake-model'" in found["message"]


async def test_an_adapter_of_another_path_is_noted(tmp_path: Path, server: FakeVLLM) -> None:
    """Ours: the server may have it from its command line."""
    server.adapters.loaded["sql"] = "/adapters/old"
    done = await checked(tmp_path, {"coder": vllm(server), "sql": adapter(path="/adapters/sql")})
    assert done.returncode == 0
    assert "note: experts.yaml" in done.stdout
    assert "experts.sql.path" in done.stdout
    assert "'/adapters/old'" in done.stdout


async def test_two_adapters_of_one_base_are_both_looked_at(tmp_path: Path, server: FakeVLLM) -> None:
    """Ours: side by side, neither hides the other."""
    server.load_s = 0.02
    experts = {name: adapter(adapter=name, path="/adapters/missing") for name in ("a", "b")}
    status, found = await told(tmp_path, {"coder": vllm(server), **experts})
    assert (status, [each["path"] for each in found]) == (2, ["experts.a.path", "experts.b.path"])


async def test_sleep_wants_servers_that_can(tmp_path: Path, server: FakeVLLM) -> None:
    """Specified: sleep: true on a server without the endpoints; with them it passes."""
    status, (found,) = await told(tmp_path, {"coder": vllm(server, sleep=True, weights_gb=1)})
    assert (status, found["path"]) == (2, "experts.coder.sleep")
    assert "VLLM_SERVER_DEV_MODE=1" in found["message"]
    async with FakeVLLM(dev=True) as able:
        assert await told(tmp_path, {"coder": vllm(able, sleep=True, weights_gb=1)}) == (0, [])


async def test_replicas_that_differ_are_told_apart(tmp_path: Path) -> None:
    """Specified: another model under the same name is a mistake; another length is worth a note."""
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(FakeVLLM(max_model_len=length)) for length in (4096, 8192)]
        status, (found,) = await told(tmp_path, {"coder": vllm(one, two)})
        assert (status, found["grade"], found["path"]) == (0, "note", "experts.coder.replicas[1]")
        assert found["message"] == f"{two.url} has max_model_len 8192, {one.url} 4096"
        card = {"id": "fake-model", "root": "org/other", "max_model_len": 4096}
        two.fault_at["/v1/models"] = Status(code=200, body=json.dumps({"data": [card]}).encode())
        status, (found,) = await told(tmp_path, {"coder": vllm(one, two)})
        assert (status, found["grade"], found["path"]) == (2, "config", "experts.coder.replicas[1]")
        assert "'org/other' as 'fake-model'" in found["message"]


def mcp(tool: str, *arguments: str, command: str = sys.executable) -> str:
    return json.dumps({"kind": "mcp", "server": {"command": command, "args": list(arguments)}, "tool": tool})


async def test_an_mcp_server_that_does_not_start_or_lacks_the_tool_is_told(tmp_path: Path) -> None:
    """Specified: at the command, and at the tool with those that there are."""
    experts = {
        "none": mcp("t", command="no-such-program"),
        "ends": mcp("t", "-c", "import sys; sys.exit('no licence')"),
        "lacks": mcp("no_such_tool", str(MCP_SERVER)),
        "gone": json.dumps({"kind": "mcp", "server": {"url": "http://127.0.0.1:9/mcp"}, "tool": "t"}),
    }
    status, found = await told(tmp_path, experts)
    assert status == 2
    assert [(each["expert"], each["path"].partition(".")[2].partition(".")[2], each["grade"]) for each in found] == [
        ("none", "server.command", "config"),
        ("ends", "server.command", "config"),
        ("lacks", "tool", "config"),
        ("gone", "server.url", "down"),
    ]
    assert "no licence" in found[1]["message"]
    assert "no tool 'no_such_tool' (known: " in found[2]["message"]


async def test_a_corpus_that_cannot_be_read_is_told_by_line(tmp_path: Path) -> None:
    """Specified: it is there, or `check` would have said so; an empty one is a mistake too."""
    (tmp_path / "bad.jsonl").write_text('{"id": "1", "text": "one"}\n{"id": 2}\nnothing\n', encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    experts = {
        "bad": "{kind: retriever, corpus: bad.jsonl, embedders: [bm25]}",
        "empty": "{kind: retriever, corpus: empty.jsonl, embedders: [bm25]}",
    }
    status, found = await told(tmp_path, experts)
    assert (status, [each["path"] for each in found]) == (2, ["experts.bad.corpus"] * 2 + ["experts.empty.corpus"])
    assert "bad.jsonl:2: 'id' must be a string" in found[0]["message"]
    assert "bad.jsonl:3: not a line of JSON" in found[1]["message"]
    assert found[2]["message"] == "empty.jsonl: there is no text in it"


async def test_a_local_model_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Specified: a folder without one, and a name that is none."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "nothing").mkdir()
    experts = {"folder": "{kind: local, model: ./nothing}", "name": "{kind: local, model: ./no-such-model}"}
    status, found = await told(tmp_path, experts)
    assert (status, [each["path"] for each in found]) == (2, ["experts.folder.model", "experts.name.model"])


async def test_static_problems_are_told_without_reaching_anybody(tmp_path: Path, server: FakeVLLM) -> None:
    """Ours: a file that cannot be used names nobody who could be asked."""
    server.fault_at["*"] = Status(code=500)
    done = await checked(tmp_path, {"coder": vllm(server, modle="x")}, "--json")
    assert done.returncode == 2
    assert "modle" in json.loads(done.stdout)["problems"][0]
    assert server.probes == 0
