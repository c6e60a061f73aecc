"""Settings of the built-in expert kinds, light to import: the code behind a kind loads when a config names it.

A kind is an entry point of the group `orchestrator.experts` whose object is a subclass of `ExpertSettings` with
`kind: Literal["name"] = "name"` and a class variable `implementation` ("package.module:Class"), called as
`Class(id, settings, site)`.
"""

from __future__ import annotations

from glob import has_magic
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from orchestrator.config.settings import ExpertSettings
from orchestrator.config.values import PositiveInt, Seconds, Settings, Share, Use

__all__ = [
    "Chunk",
    "LocalSettings",
    "McpServerSettings",
    "McpSettings",
    "RetrieverSettings",
    "ToolsSettings",
    "VllmSettings",
]


def _http_address(url: str) -> str:
    if objection := _objection(url):
        message = f"{url!r} {objection}"
        raise ValueError(message)
    return url


def _objection(url: str) -> str | None:
    """Why no request can go to an address; in our words, since the parser's may repeat a part of a secret."""
    if not url.lower().startswith(("http://", "https://")):
        return "is not an http:// or https:// address"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "has a blank or a control character in it"
    if "#" in url:
        return "has a fragment; leave it out"
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # as the resolver does, which refuses empty and overlong labels
    except ValueError:
        return "has a host that cannot be read"
    try:
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return "has a port that is no number from 0 to 65535"
    return None if parts.hostname else "names no host"


def _server_address(url: str) -> str:
    parts = urlsplit(_http_address(url))
    if "?" in url:
        message = f"{url!r} has a query; leave it out"
        raise ValueError(message)
    return parts._replace(path=parts.path.rstrip("/").removesuffix("/v1")).geturl()


HttpAddress = Annotated[str, AfterValidator(_http_address)]
ServerAddress = Annotated[str, AfterValidator(_server_address)]
PositiveGigabytes = Annotated[float, Field(gt=0)]
_GB_PER_B = 2
"""16-bit weights: bytes of a parameter."""
_OF_SLEEP = frozenset({"sleep", "sleep_level", "weights_gb", "pin", "accelerator"})


class VllmSettings(ExpertSettings):
    """A model behind vLLM's (or any) OpenAI chat API, or a LoRA adapter on another expert's servers."""

    implementation: ClassVar[str] = "orchestrator.experts.vllm.expert:VllmExpert"

    kind: Literal["vllm"] = "vllm"
    model: str | None = Field(default=None, description="the name its servers know the model by")
    replicas: tuple[ServerAddress, ...] = Field(default=(), description="base URLs of the servers, without /v1")
    base: str | None = Field(default=None, description="another vllm expert whose servers hold this adapter")
    adapter: str | None = Field(default=None, description="the adapter's name on those servers")
    path: str | None = Field(
        default=None,
        description="where the servers find the adapter (folder or hub id): it is loaded at run time; without it they "
        "must have it already",
    )
    max_adapters: PositiveInt | None = Field(
        default=None,
        description="of a base: most adapters loaded at run time on each of its servers; the longest unused makes room",
    )
    api_key: SecretStr | None = Field(default=None, description="bearer token of the servers, as ${VARIABLE}")
    sleep: bool = Field(default=False, description="may be put to sleep when idle (servers in sleep mode)")
    sleep_level: Literal[1, 2] = Field(
        default=1, description="1: asleep its weights stay in host memory; 2: they are read from disk again"
    )
    weights_gb: PositiveGigabytes | None = Field(
        default=None,
        description="accelerator memory that one of its servers gives back asleep; default: 2 x active_params_b",
    )
    pin: bool = Field(default=False, description="never put to sleep")
    accelerator: str = Field(default="default", description="which memory it shares, by a name of residency.awake_gb")
    system: str | None = Field(default=None, description="system prompt, used when the request has none")
    runner: Literal["generate", "pooling"] = Field(
        default="generate", description="what its servers run: generate answers chats, pooling answers /v1/embeddings"
    )
    score: bool = Field(
        default=False,
        description="may be asked how likely it finds others' drafts (vLLM's prompt log-probabilities; serve float32)",
    )
    affinity: Literal["none", "session", "prefix"] = Field(
        default="none",
        description="requests that prefer the same server: those of one session (header x-session-id, or the body's "
        "prompt_cache_key or user), or those that begin alike up to the first user message",
    )
    hedge: Share | None = Field(
        default=None,
        description="percentile of the time to the first token, such as 0.95, after which a second server is asked "
        "for the same stream; at most one stream in ten is hedged so",
    )
    connect_timeout_s: Seconds = Field(default=2.0, description="seconds to reach a server")
    first_token_timeout_s: Seconds = Field(
        default=60.0, description="most seconds until an answer begins; one that is not streamed begins with its end"
    )
    read_timeout_s: Seconds = Field(default=60.0, description="most seconds between two reads of an answer")

    @model_validator(mode="after")
    def _one_of_two_forms(self) -> Self:
        if self.adapter is not None and self.base is None:
            message = "adapter without base: name the vllm expert whose servers hold it"
            raise ValueError(message)
        if self.base is not None and self.adapter is None:
            message = "base without adapter: name the adapter on the base's servers"
            raise ValueError(message)
        if self.path is not None and self.base is None:
            message = "path without base and adapter: it is where servers find an adapter"
            raise ValueError(message)
        if self.max_adapters is not None and self.base is not None:
            message = "max_adapters belongs to the base, whose servers hold the adapters"
            raise ValueError(message)
        if self.base is not None and (self.model or self.replicas):
            message = "an adapter lives on its base's servers: give neither model nor replicas"
            raise ValueError(message)
        if self.base is None and not (self.model and self.replicas):
            message = "a vllm expert needs model and replicas, or base and adapter"
            raise ValueError(message)
        if self.score and self.runner == "pooling":
            message = "score with runner: pooling: such servers compute no log-probabilities"
            raise ValueError(message)
        if self.api_key is not None and any(urlsplit(url).username is not None for url in self.replicas):
            message = "give api_key or a user name in the addresses, not both: a request carries one of them"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _sleeps_wholly(self) -> Self:
        if self.base is not None and (given := sorted(_OF_SLEEP & self.model_fields_set)):
            message = f"{given[0]} of an adapter: it sleeps and wakes with its base; give it there"
            raise ValueError(message)
        if self.base is None and not self.sleep and (given := sorted((_OF_SLEEP - {"sleep"}) & self.model_fields_set)):
            message = f"{given[0]} without sleep: true means nothing"
            raise ValueError(message)
        if self.sleep and self.resident_gb is None:
            message = "sleep without weights_gb or active_params_b: say how much memory it takes awake"
            raise ValueError(message)
        return self

    @property
    def resident_gb(self) -> float | None:
        """Accelerator memory that it takes awake; None where nothing says so."""
        if self.weights_gb is not None:
            return self.weights_gb
        return _GB_PER_B * self.active_params_b if self.active_params_b else None

    def refers_to(self) -> dict[str, str]:
        return {} if self.base is None else {"base": self.base}

    def shares(self) -> str | None:
        return self.base

    def objection(self, key: str, other: ExpertSettings) -> str | None:
        """The base of an adapter is a whole model on vLLM servers."""
        if key != "base":
            return super().objection(key, other)
        if not isinstance(other, VllmSettings):
            return f"is of kind {other.kind!r}; an adapter's base is of kind 'vllm'"
        if other.base is not None:
            return "is itself an adapter; name its base instead"
        return None if other.runner == self.runner else f"runs {other.runner!r}, this adapter {self.runner!r}"

    @property
    def embeds(self) -> bool:
        return self.runner == "pooling"

    def unfit(self, use: Use) -> str | None:
        """A pooling server answers no chats at all."""
        return "runs 'pooling'" if self.embeds else super().unfit(use)


class LocalSettings(ExpertSettings):
    """A small causal language model in this process, through transformers, on the CPU."""

    implementation: ClassVar[str] = "orchestrator.experts.local.expert:LocalExpert"

    kind: Literal["local"] = "local"
    model: str = Field(description="packaged alias (smollm2-135m), hub id or path")
    system: str | None = Field(default=None, description="system prompt; experts that differ in it share the model")
    max_tokens: int = Field(default=256, ge=1, description="most tokens of an answer where the request says nothing")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 is greedy; where the request says nothing")
    repetition_penalty: float = Field(
        default=1.0, gt=0, le=2, description="above 1 an answer repeats itself less; where the request says nothing"
    )


class Chunk(Settings):
    """How documents are cut into passages."""

    size: int = Field(
        default=160, ge=8, le=2000, description="most words of a passage; small embedders read about 180 and no more"
    )
    overlap: int = Field(
        default=30, ge=0, description="most words that two neighbours share; fewer where a sentence begins among them"
    )

    @model_validator(mode="after")
    def _gets_on(self) -> Self:
        if self.overlap * 2 >= self.size:
            message = f"overlap {self.overlap} must be less than half of size {self.size}"
            raise ValueError(message)
        return self


def _several(value: object) -> object:
    """One path or a list of them as a tuple; what is neither stays, to be refused."""
    if isinstance(value, str | Path):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _one_or_several(schema: dict[str, Any]) -> None:
    several = {key: schema.pop(key) for key in ("type", "items", "minItems") if key in schema}
    schema["anyOf"] = [several["items"], several]


class RetrieverSettings(ExpertSettings):
    """Embedding and word search over a corpus; answers with passages, or through a reader expert."""

    implementation: ClassVar[str] = "orchestrator.experts.retriever.expert:RetrieverExpert"
    chats: ClassVar[bool] = False
    searches: ClassVar[bool] = True

    kind: Literal["retriever"] = "retriever"
    corpus: Annotated[tuple[Path, ...], BeforeValidator(_several)] = Field(
        min_length=1,
        description="a file, a folder or a pattern such as docs/**/*.md, or a list of them: JSONL of {id, title, "
        "text}, Markdown, text, HTML, PDF",
        json_schema_extra=_one_or_several,
    )
    chunk: Chunk = Field(default_factory=Chunk, description="how documents are cut into passages")
    max_file_mb: float = Field(default=100.0, gt=0, description="larger files (MB) are reported and left out")
    embedders: tuple[str, ...] = Field(
        default=("minilm", "bm25"), min_length=1, description="bm25, and embedders by name; several are fused by rank"
    )
    approximate_above: int = Field(
        default=50_000,
        ge=0,
        description="with more passages than so many, vectors are searched through a graph of neighbours (HNSW), "
        "which is faster and may miss one",
    )
    adapter: Path | None = Field(
        default=None,
        description="file of an adapter that `orchestrator train --retriever` makes: queries are moved towards this "
        "expert's domain, documents stay as they are; needs one embedder beside bm25",
    )
    top_k: int = Field(default=5, ge=1, le=100, description="passages of an answer")
    reader: str | None = Field(
        default=None, description="expert that answers from the passages; none: the passages are the answer"
    )

    @model_validator(mode="after")
    def _one_adapted(self) -> Self:
        if self.adapter is not None and len(self.text_embedders()) != 1:
            message = "adapter needs exactly one embedder beside bm25 in embedders"
            raise ValueError(message)
        return self

    def refers_to(self) -> dict[str, str]:
        return {} if self.reader is None else {"reader": self.reader}

    def text_embedders(self) -> tuple[str, ...]:
        return tuple(name for name in self.embedders if name != "bm25")

    def places(self) -> dict[str, Path]:
        """Its files and folders; a pattern may match nothing yet."""
        several = len(self.corpus) > 1
        named = {f"corpus.{at}" if several else "corpus": path for at, path in enumerate(self.corpus)}
        return {key: path for key, path in named.items() if not has_magic(str(path))}


class McpServerSettings(Settings):
    """How to reach one MCP server: a command (stdio) or a URL (streamable HTTP)."""

    command: str | None = Field(default=None, description="program to start; it speaks MCP on stdin and stdout")
    args: tuple[str, ...] = Field(default=(), repr=False, description="its arguments")
    env: dict[str, str] = Field(
        default_factory=dict, repr=False, description="environment variables for it, beside PATH, HOME and the like"
    )
    url: HttpAddress | None = Field(default=None, description="address of a streamable HTTP server")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="HTTP headers for it")
    protocol: Literal["auto", "legacy"] = Field(
        default="auto",
        description="auto asks for the newest protocol and falls back to the handshake of 2025 and before; legacy "
        "begins with that handshake, for a server that does not bear the question",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            message = "give either command (stdio) or url (streamable HTTP)"
            raise ValueError(message)
        return self


class ToolsSettings(Settings):
    """Which tools of a whole MCP server may be called, and how one is chosen for a query."""

    include: tuple[str, ...] = Field(default=("*",), min_length=1, description="names or patterns (get_*) of tools")
    exclude: tuple[str, ...] = Field(default=(), description="names or patterns of tools that are left out of these")
    examples: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="queries by the tool that serves them; the choice is learned from them too"
    )
    embedder: str = Field(default="minilm", description="text embedder beside the words, or none for words alone")
    shortlist: int = Field(default=5, ge=1, le=50, description="most tools that are shown to arguments_by")
    threshold: float | None = Field(
        default=None,
        description="likeness below which no tool fits and the next expert is asked; default: 0.3 (0.08 without an "
        "embedder), or learned from examples",
    )


class McpSettings(ExpertSettings):
    """One tool of an MCP server, or all of them. Arguments come from a template, or another expert extracts them."""

    implementation: ClassVar[str] = "orchestrator.experts.mcp.kind:mcp_expert"
    chats: ClassVar[bool] = False

    kind: Literal["mcp"] = "mcp"
    server: McpServerSettings = Field(description="command and args, or url")
    tool: str = Field(default="", description="name of the tool; without it the expert is the whole server")
    tools: ToolsSettings | None = Field(default=None, description="of a whole server: which tools, and how chosen")
    arguments: dict[str, Any] | None = Field(
        default=None, description="the arguments as they are; '{query}' in a string stands for the query"
    )
    arguments_by: str | None = Field(default=None, description="expert that extracts the arguments as JSON")
    timeout_s: Seconds = Field(default=30.0, description="most seconds of one call")
    max_result_kb: int = Field(
        default=256, ge=1, le=2048, description="largest result, text, data and attachments together; more is refused"
    )
    allow: bool = Field(
        default=False, description="call the tool although its server says that it may destroy (destructiveHint)"
    )
    repeat: bool | None = Field(
        default=None,
        description="whether a call that was left without an answer may be made again; default: where the server says "
        "that the tool only reads, or that repeating it changes nothing",
    )

    @model_validator(mode="after")
    def _arguments_once(self) -> Self:
        if self.arguments is not None and self.arguments_by is not None:
            message = "give arguments or arguments_by, not both"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_tool_or_all(self) -> Self:
        message = ""
        if self.tool and self.tools is not None:
            message = "give tool (one tool) or tools (the whole server), not both"
        elif not self.tool and self.arguments_by is None:
            message = "give tool, or arguments_by: without a tool the expert is the whole server, and another expert "
            message += "has to read tool and arguments out of the query"
        if message:
            raise ValueError(message)
        return self

    @property
    def choosing(self) -> ToolsSettings:
        """How a tool is chosen, where the expert is a whole server."""
        return self.tools or ToolsSettings()

    def text_embedders(self) -> tuple[str, ...]:
        return () if self.tool or self.choosing.embedder == "none" else (self.choosing.embedder,)

    def refers_to(self) -> dict[str, str]:
        return {} if self.arguments_by is None else {"arguments_by": self.arguments_by}
