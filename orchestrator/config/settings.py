"""The typed form of experts.yaml: what each key means, its unit, its range and its default.

Says nothing about YAML, files or the other way round: `orchestrator.config.load` turns a file into this. The
JSON Schema that `orchestrator schema` prints comes from here, so each field says what it does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from orchestrator.config.fusion import Fusion
from orchestrator.config.panels import Panel, panels_in_conflict
from orchestrator.config.serve import Serve
from orchestrator.config.values import (
    Identifier,
    Parameters,
    PositiveInt,
    Seconds,
    Settings,
    Share,
    Use,
)

__all__ = [
    "Budget",
    "CategorySettings",
    "Config",
    "Cost",
    "ExpertSettings",
    "Launch",
    "Residency",
    "Routing",
    "Serve",
    "Usage",
]


class Cost(Settings):
    """Price in USD per million tokens."""

    input: float = Field(default=0.0, ge=0, description="USD per million prompt tokens")
    output: float = Field(default=0.0, ge=0, description="USD per million generated tokens")
    per_call: float = Field(default=0.0, ge=0, description="USD per call, for tools and retrievers that are paid so")

    def usd(self, *, input_tokens: int, output_tokens: int) -> float:
        """The price of one call in USD."""
        return self.per_call + (self.input * input_tokens + self.output * output_tokens) / 1e6


def _kind_in_schema(schema: dict[str, Any]) -> None:
    """In a file each expert names its kind; only code that builds settings may leave it to the default."""
    schema["required"] = ["kind", *(key for key in schema.get("required", ()) if key != "kind")]
    schema["properties"]["kind"]["description"] = "which kind of expert this is"


class ExpertSettings(Settings):
    """What every kind of expert has. Kinds add their own keys; see the entry points `orchestrator.experts`.

    implementation: "package.module:Class" of the expert, imported when a configuration names the kind.
    chats: whether other experts may ask experts of this kind for text (a retriever's reader, for example).
    searches: whether they can be asked for passages.
    """

    model_config = ConfigDict(json_schema_extra=_kind_in_schema)

    implementation: ClassVar[str]
    chats: ClassVar[bool] = True
    searches: ClassVar[bool] = False

    kind: str = Field(description="which kind of expert this is")
    description: str = Field(default="", description="what it is good at, shown to people and agents")
    cost: Cost = Field(default_factory=Cost, description="price, USD per million tokens")
    active_params_b: float | None = Field(
        default=None, ge=0, description="billions of parameters active per token, for the budget; 0 for tools"
    )

    max_concurrency: PositiveInt | None = Field(
        default=None, description="most calls under way at once, in all roles together; without it there is no limit"
    )
    max_queue: int = Field(
        default=100, ge=0, description="calls that wait for one of these places; more are refused with 429"
    )
    max_wait_s: Seconds | None = Field(
        default=None, description="most seconds that a call waits for a place; without it, until its deadline"
    )

    def refers_to(self) -> dict[str, str]:
        """Other experts this one needs, by the path of the key: `reader`, `server.reader`, `panel.0`.

        The loader checks that they exist, that `objection` has none, and that the references form no cycle.
        """
        return {}

    def objection(self, key: str, other: ExpertSettings) -> str | None:
        """Why `other` cannot be what `key` refers to, as the rest of a sentence that begins with its id."""
        del key
        grounds = other.unfit("chat")
        return None if grounds is None else f"{grounds} and cannot chat"

    def unfit(self, use: Use) -> str | None:
        """What keeps it from that use, as the rest of a sentence that begins with its id; None where nothing does."""
        return f"is of kind {self.kind!r}" if use == "chat" and not self.chats else None

    @property
    def embeds(self) -> bool:
        """Whether it answers embeddings requests."""
        return False

    def text_embedders(self) -> tuple[str, ...]:
        """The text embedders that it names."""
        return ()

    def shares(self) -> str | None:
        """The expert whose servers, and prices, are this one's too; None for one of its own."""
        return None

    def files(self) -> dict[str, Path]:
        """Files that must be there when the configuration is loaded, by the path of the key."""
        return {}

    def places(self) -> dict[str, Path]:
        """Files or folders that must be there when the configuration is loaded, by the path of the key."""
        return {}


class CategorySettings(Settings):
    """A named kind of query and the experts that answer it, best first."""

    description: str = Field(description="what belongs here, in a few words")
    examples: tuple[str, ...] = Field(default=(), description="queries that belong here; more of them route better")
    experts: tuple[str, ...] = Field(
        min_length=1,
        description="ids of experts, best first; the rest are fallbacks. Where a mapping was learned, its order comes "
        "first, and those of these that were not graded follow",
    )
    plan: Literal["single", "fuse"] = Field(
        default="single",
        description="single: the first expert that answers; fuse: drafts, consensus and a verdict, by the experts "
        "listed here, unless the learned mapping has graded fuse plans",
    )
    override: bool = Field(default=False, description="as listed here, whatever was learned")
    fusion: Fusion | None = Field(default=None, description="keys of `fusion` that are different for this category")


class Routing(Settings):
    """How queries are classified."""

    artifact: Path = Field(default=Path("artifacts/router"), description="folder of the trained router")
    examples: Path | None = Field(
        default=None, description="JSONL file of {query, category}, trained on together with the categories' examples"
    )
    scores: Path | None = Field(
        default=None,
        description="JSONL file of graded outcomes {query or category, outcomes: {expert: {score, cost_usd, answer}}}, "
        "from which training learns which expert answers which category; where answers are recorded, fuse plans are "
        "tried too",
    )
    retrieval: Path | None = Field(
        default=None,
        description="JSONL file of {query, relevant: [document ids] or {id: grade}, source}, from which training "
        "learns which retriever, or which two, a query is sent to",
    )
    retrievers: Path = Field(
        default=Path("artifacts/retrievers"), description="folder of what was learned from `retrieval`"
    )
    classifier: str = Field(default="kernel", description="classifier kind (entry points `orchestrator.routers`)")
    parameters: Parameters = Field(
        default_factory=dict, description="of the classifier kind, by name; what is not given is at its default"
    )
    alpha: Share = Field(default=0.1, description="the category set holds the true category with probability 1 - alpha")
    false_reject: Share = Field(
        default=0.05, description="share of rightly classified queries that may fall below the threshold to `general`"
    )
    max_latency_ms: float = Field(
        default=1000,
        gt=0,
        description="the classifier's deadline, its queue included; then the query goes to `general`",
    )
    generations: int = Field(
        default=5, ge=2, description="how many promoted artifacts are kept beside `artifact`, to be rolled back to"
    )
    watch_s: float = Field(
        default=2.0, ge=0, description="seconds between looks for a new artifact while serving; 0 never looks"
    )
    cache: int = Field(
        default=10_000, ge=0, description="how many of the latest queries' categories are remembered; 0 for none"
    )


class Budget(Settings):
    """What one query may use."""

    cost_per_query: float | None = Field(
        default=None,
        gt=0,
        description="USD; experts expected to cost more are skipped, and a learned mapping costs no more on average",
    )
    active_params_b: float | None = Field(
        default=None,
        gt=0,
        description="billions of active parameters that a query of a learned mapping may use on average",
    )
    deadline_s: Seconds = Field(
        default=60, description="seconds until the whole answer, retries and fallbacks included"
    )


class Usage(Settings):
    """What is kept of the service's use, to learn from."""

    file: Path | None = Field(
        default=None,
        description="JSONL file to which decisions and feedback are appended, and which turns on the drift watch; "
        "without it nothing is kept",
    )
    content: bool = Field(
        default=False, description="keep the queries and the comments of feedback too, so that they can be trained on"
    )


class Launch(Settings):
    """How `orchestrator up` starts the servers of one vLLM expert on this machine: one for each of its replicas."""

    model: str | None = Field(
        default=None,
        description="what to load, a folder or a hub id; default: the expert's model, which stays its name",
    )
    gpus: tuple[int, ...] = Field(
        default=(), description="accelerator numbers the servers may use, shared out evenly among the replicas"
    )
    args: tuple[str, ...] = Field(default=(), description="further arguments of `vllm serve`")
    command: tuple[str, ...] = Field(
        default=("vllm", "serve"), min_length=1, description="the program; another environment's vllm, for example"
    )
    env: dict[str, str] = Field(default_factory=dict, repr=False, description="environment variables for it")
    start_timeout_s: Seconds = Field(default=900, description="seconds until /health must answer")
    stop_timeout_s: Seconds = Field(default=30, description="seconds to end in once told to; then it is killed")
    drain_s: float = Field(default=30, ge=0, description="seconds that requests under way get before it is told to end")
    restarts: int = Field(default=5, ge=0, description="failures in a row after which a server is given up")


class SessionSettings(Settings):
    """How conversations stay with their experts."""

    switch_margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="by how much another expert's expected score has to be higher before a conversation moves to it",
    )
    per_1k_tokens: float = Field(
        default=0.002,
        ge=0,
        description="added to the margin for each 1000 tokens of conversation, which a new expert reads anew",
    )
    ttl_s: Seconds = Field(default=3600, description="seconds after its last answer that a conversation is remembered")
    most: int = Field(default=10_000, ge=0, description="conversations remembered at most; 0: none, none stays")


class Residency(Settings):
    """How the experts that sleep share accelerators."""

    policy: Literal["dependency", "lru", "lfu", "usage"] = Field(
        default="dependency", description="who goes to sleep where another is needed; see docs/residency.md"
    )
    awake_gb: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: {"default": 80.0},
        min_length=1,
        description="by accelerator, the memory for those that are awake",
    )
    asleep_gb: float | None = Field(
        default=None,
        ge=0,
        description="host memory for those that sleep at level 1; who does not fit sleeps at level 2",
    )
    fairness: int = Field(
        default=32, ge=0, description="most requests for experts that are awake before one that waits for a switch"
    )
    prefetch: bool = Field(
        default=False, description="wake the likely next expert of a session where there is free memory"
    )
    wake_gb_per_s: float = Field(default=10.0, gt=0, description="what a wake is taken to do before one was seen")
    wake_timeout_s: Seconds = Field(default=60.0, description="most seconds of one wake, or of falling asleep")
    wake_weight: float = Field(
        default=0.0,
        ge=0,
        description="learned score that a second of waiting for a wake is worth: an expert that is awake goes before "
        "one that is not if it is worse by less; 0 keeps the order",
    )


def _no_switch(value: object) -> object:
    if isinstance(value, bool):  # a literal 1 takes True, which equals it
        message = "expected 1, found true or false"
        raise ValueError(message)  # noqa: TRY004 - pydantic wants ValueError
    return value


class Config(Settings):
    """A whole experts.yaml."""

    version: Annotated[Literal[1], BeforeValidator(_no_switch)] = Field(description="version of this format")
    embedder: str = Field(default="minilm", description="packaged alias, hub id or path of the text embedder")
    engine: Literal["auto", "onnx-int8", "onnx", "torch"] = Field(
        default="auto",
        description="what runs embedders: onnx-int8 (a third of the time, vectors of its own), onnx or torch; auto is "
        "onnx-int8, and torch for a model that does not become a graph",
    )
    categories: dict[Identifier, CategorySettings] = Field(min_length=1, description="the kinds of query")
    general: str = Field(description="the category for what the router does not know")
    experts: dict[Identifier, SerializeAsAny[ExpertSettings]] = Field(min_length=1, description="the targets")
    routing: Routing = Field(default_factory=Routing)
    budget: Budget = Field(default_factory=Budget)
    fusion: Fusion = Field(default_factory=Fusion)
    panels: dict[Identifier, Panel] = Field(default_factory=dict, description="who judges answers, by name")
    serve: Serve = Field(default_factory=Serve)
    sessions: SessionSettings = Field(default_factory=SessionSettings)
    usage: Usage = Field(default_factory=Usage)
    residency: Residency = Field(default_factory=Residency, description="who is awake")
    launch: dict[Identifier, Launch] = Field(default_factory=dict, description="by expert id")
    folder: SkipJsonSchema[Path] = Field(
        default=Path(), exclude=True, description="where relative paths start; set by the loader, no key of the file"
    )

    @model_validator(mode="after")
    def _as_their_bases(self) -> Self:
        """An expert on another's servers costs what that one does, where it says nothing else."""
        for name, settings in self.experts.items():
            base = self.experts.get(settings.shares() or "")
            own = settings.model_fields_set
            inherited = {key: getattr(base, key) for key in ("cost", "active_params_b") if base and key not in own}
            if inherited:
                self.experts[name] = settings.model_copy(update=inherited)
        return self

    @model_validator(mode="after")
    def _fusion_is_whole(self) -> Self:
        for category in self.categories:
            if lacking := self.fusion_of(category).lacking:
                message = f"fusion of category {category!r}: {lacking}"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _each_answer_has_one_panel(self) -> Self:
        if conflict := panels_in_conflict(self.panels):
            raise ValueError(conflict)
        return self

    def fusion_of(self, category: str) -> Fusion:
        """How the drafts of a category become one answer: as for all of them but for the keys that it sets itself."""
        own = self.categories[category].fusion
        return self.fusion if own is None else self.fusion.with_own(own)

    def path(self, relative: Path) -> Path:
        """A path of the file, relative ones taken from the file's folder."""
        return self.folder / relative
