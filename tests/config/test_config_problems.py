"""Broken configurations and, for each, every line that a person gets to read: the place, the path and the words."""

from itertools import product

import pytest

from orchestrator.config.kinds import VllmSettings
from orchestrator.config.problems import choices
from orchestrator.errors import ConfigError
from tests.config.samples import MINIMAL, changed, loaded

TOP_KEYS = (
    "(known: budget, categories, embedder, engine, experts, fusion, general, launch, panels, residency, routing, "
    "serve, sessions, usage, version"
)
VLLM_KEYS = choices("", VllmSettings.model_fields).strip(" )")
KINDS = "(known: local, mcp, retriever, vllm"

BROKEN = [
    pytest.param(
        "",
        ["1:1: the file is empty"],
        id="empty file",
    ),
    pytest.param(
        "# nothing\n",
        ["1:1: the file is empty"],
        id="only a comment",
    ),
    pytest.param(
        "- a\n",
        ["1:1: expected a mapping (keys and values) at the top of the file"],
        id="list at the top",
    ),
    pytest.param(
        "hello\n",
        ["1:1: expected a mapping (keys and values) at the top of the file"],
        id="text at the top",
    ),
    pytest.param(
        "---\n",
        ["2:1: expected a mapping (keys and values) at the top of the file"],
        id="nothing at the top",
    ),
    pytest.param(
        "version: 1\ncategories:\n\tcode: x\n",
        ["3:1: a tab cannot indent; use spaces"],
        id="tab",
    ),
    pytest.param(
        "version: 1\ncategories: [a, b\ngeneral: x\n",
        ["3:8: YAML syntax: expected ',' or ']', but got ':' (while parsing a flow sequence, from line 2)"],
        id="unclosed bracket",
    ),
    pytest.param(
        "version: 1\ngeneral: a: b\n",
        ["2:11: a colon and a space are not allowed here; put a text that has them in quotes"],
        id="colon in a text",
    ),
    pytest.param(
        'version: 1\ngeneral: "abc\n',
        ["3:1: YAML syntax: found unexpected end of stream (while scanning a quoted scalar, from line 2)"],
        id="unclosed quote",
    ),
    pytest.param(
        "version: 1\nserve:\n    port: 1\n  host: x\n",
        ["4:3: this does not belong to the block above it; check the indentation and the brackets"],
        id="crooked indentation",
    ),
    pytest.param(
        changed("[http://127.0.0.1:8000]", "[${URL}]"),
        [
            (
                "7:45: YAML syntax: expected ',' or ']', but got '{' (while parsing a flow sequence, from "
                'line 7); inside braces and brackets write "${...}" in quotes'
            )
        ],
        id="variable in brackets without quotes",
    ),
    pytest.param(
        MINIMAL + "---\nversion: 1\n",
        ["8:1: a second document begins; a configuration is one document"],
        id="second document",
    ),
    pytest.param(
        "version: 1\ngeneral: a\x07b\n",
        ["2:11: character '\\x07' is not allowed in YAML"],
        id="control character",
    ),
    pytest.param(
        'version: "\\UFFFFFFFF"\n',
        ["1:13: YAML syntax: no such character or number"],
        id="escape beyond Unicode",
    ),
    pytest.param(
        changed("programming", '"\\ud800"'),
        ["3:23: categories.code.description: an escape that is half a character (a lone surrogate)"],
        id="half a character",
    ),
    pytest.param(
        changed("programming", "!secret x"),
        ["3:23: categories.code.description: tag '!secret' is not supported; leave it out"],
        id="tag",
    ),
    pytest.param(
        changed("model: m", "model: !!python/object/apply:os.system [ls]"),
        [
            (
                "7:30: experts.coder.model: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not "
                "supported; leave it out"
            ),
            "7:30: experts.coder.model: expected text, found a list",
        ],
        id="tag that would run code",
    ),
    pytest.param(
        changed("coder: {kind", "coder: &c {kind") + "  other: {<<: *c, model: n}\n",
        [
            f"8:10: experts.other: missing key 'kind' {KINDS})",
            "8:11: experts.other: merge keys ('<<') are not supported; write the keys out",
        ],
        id="merge key",
    ),
    pytest.param(
        changed("[fix this], experts: [coder]", "[fix this], experts: *nobody"),
        ["3:67: categories.code.experts: alias 'nobody' names nothing before it"],
        id="alias of nothing",
    ),
    pytest.param(
        changed("[fix this]", "&all [fix this, *all]"),
        ["3:62: categories.code.examples[1]: alias 'all' stands inside what it names"],
        id="alias inside itself",
    ),
    pytest.param(
        MINIMAL + "? [a, b]\n: 1\n",
        ["8:3: a key must be text, found a list"],
        id="list as a key",
    ),
    pytest.param(
        MINIMAL + "{a: b}: 1\n",
        ["8:1: a key must be text, found a mapping"],
        id="mapping as a key",
    ),
    pytest.param(
        MINIMAL + "~: 1\n",
        ["8:1: a key must be text, found nothing; quote it if it is meant as text"],
        id="nothing as a key",
    ),
    pytest.param(
        changed("model: m,", "model: m, model: n,"),
        ["7:33: experts.coder: duplicate key 'model' (first at line 7)"],
        id="key twice on one line",
    ),
    pytest.param(
        MINIMAL + "  coder: {kind: local, model: x}\n",
        ["8:3: experts: duplicate key 'coder' (first at line 7)"],
        id="expert twice",
    ),
    pytest.param(
        MINIMAL + "serv: {port: 1}\n",
        [f"8:1: serv: unknown key {TOP_KEYS}; did you mean 'serve'?)"],
        id="unknown key at the top",
    ),
    pytest.param(
        MINIMAL + "folder: /tmp\n",
        [f"8:1: folder: unknown key {TOP_KEYS})"],
        id="key that only the loader sets",
    ),
    pytest.param(
        changed("model: m", "modle: m"),
        [f"7:23: experts.coder.modle: unknown key {VLLM_KEYS}; did you mean 'model'?)"],
        id="unknown key of an expert",
    ),
    pytest.param(
        changed("model: m,", "model: m, cost: {inptu: 1},"),
        ["7:40: experts.coder.cost.inptu: unknown key (known: input, output, per_call; did you mean 'input'?)"],
        id="unknown key in a block of an expert",
    ),
    pytest.param(
        MINIMAL + "  t: {kind: mcp, tool: t, server: {comand: x, url: http://a}}\n",
        [
            (
                "8:36: experts.t.server.comand: unknown key (known: args, command, env, headers, protocol, url; did "
                "you mean 'command'?)"
            )
        ],
        id="unknown key of a server",
    ),
    pytest.param(
        changed("examples: [fix this]", "examples: [fix this], plans: fuse"),
        [
            (
                "3:58: categories.code.plans: unknown key (known: description, examples, experts, fusion, "
                "override, plan; did you mean 'plan'?)"
            )
        ],
        id="unknown key of a category",
    ),
    pytest.param(
        "embedder: minilm\n",
        [
            "1:1: missing key 'version'",
            "1:1: missing key 'categories'",
            "1:1: missing key 'general'",
            "1:1: missing key 'experts'",
        ],
        id="missing keys at the top",
    ),
    pytest.param(
        MINIMAL + "  docs: {kind: retriever}\n",
        ["8:9: experts.docs: missing key 'corpus' (kind 'retriever' needs it)"],
        id="missing key of an expert",
    ),
    pytest.param(
        changed("description: programming, ", ""),
        ["3:9: categories.code: missing key 'description'"],
        id="missing key of a category",
    ),
    pytest.param(
        changed("version: 1", "version: 2"),
        ["1:10: version: expected 1, found 2"],
        id="other version",
    ),
    pytest.param(
        changed("version: 1", "version: true"),
        ["1:10: version: expected 1, found true or false"],
        id="switch for a version",
    ),
    pytest.param(
        MINIMAL
        + """\
serve:
  port: eighty
  host: [a]
  max_body_bytes: 1.5
budget:
  deadline_s: true
  cost_per_query: soon
launch: []
routing: {artifact: {}, alpha: "half"}
fusion:
""",
        [
            "9:9: serve.port: expected a whole number, found 'eighty'",
            "10:9: serve.host: expected text, found a list",
            "11:19: serve.max_body_bytes: expected a whole number, found 1.5",
            "13:15: budget.deadline_s: expected a number, found true",
            "14:19: budget.cost_per_query: expected a number, found 'soon'",
            "15:9: launch: expected a mapping (keys and values), found a list",
            "16:21: routing.artifact: expected text, found a mapping",
            "16:32: routing.alpha: expected a number, found 'half'",
            "17:8: fusion: expected a mapping (keys and values), found nothing",
        ],
        id="wrong types",
    ),
    pytest.param(
        changed("[fix this], experts: [coder]", "[fix this], experts: coder"),
        ["3:67: categories.code.experts: expected a list, found 'coder'"],
        id="name where a list is due",
    ),
    pytest.param(
        changed("model: m,", "model: m, sleep: maybe,"),
        ["7:40: experts.coder.sleep: expected true or false, found 'maybe'"],
        id="word where a switch is due",
    ),
    pytest.param(
        changed("model: m,", "model: m, sleep: 1,"),
        ["7:40: experts.coder.sleep: expected true or false, found 1"],
        id="number where a switch is due",
    ),
    pytest.param(
        changed("[fix this]", "[fix this, null]"),
        ["3:57: categories.code.examples[1]: expected text, found nothing"],
        id="nothing where a text is due",
    ),
    pytest.param(
        MINIMAL
        + """\
serve: {port: 70000}
routing: {alpha: 1, false_reject: 0}
budget: {deadline_s: -2.5}
fusion: {max_drafts: 1}
""",
        [
            "8:15: serve.port: must be at most 65535",
            "9:18: routing.alpha: must be less than 1",
            "9:35: routing.false_reject: must be greater than 0",
            "10:22: budget.deadline_s: must be greater than 0",
            "11:22: fusion.max_drafts: must be at least 2",
        ],
        id="numbers out of range",
    ),
    pytest.param(
        MINIMAL + "budget: {deadline_s: .inf, cost_per_query: .nan}\n",
        [
            "8:22: budget.deadline_s: expected a finite number, found .inf",
            "8:44: budget.cost_per_query: expected a finite number, found .nan",
        ],
        id="numbers without end",
    ),
    pytest.param(
        changed("[fix this],", "[fix this], plan: fused,"),
        ["3:64: categories.code.plan: expected 'single' or 'fuse', found 'fused' (did you mean 'fuse'?)"],
        id="unknown choice",
    ),
    pytest.param(
        changed("[fix this], experts: [coder]", "[fix this], experts: []"),
        ["3:67: categories.code.experts: must not be empty"],
        id="category without experts",
    ),
    pytest.param(
        "version: 1\ngeneral: general\ncategories: {}\nexperts: {}\n",
        ["3:13: categories: must not be empty", "4:10: experts: must not be empty"],
        id="nothing to route to",
    ),
    pytest.param(
        changed("  code:", "  my code:") + "  -x: {kind: local, model: y}\n",
        [
            (
                "3:3: categories['my code']: a name is letters, digits, '.', '_' and '-', and begins with "
                "a letter or a digit"
            ),
            "8:3: experts.-x: a name is letters, digits, '.', '_' and '-', and begins with a letter or a digit",
        ],
        id="names that are none",
    ),
    pytest.param(
        MINIMAL + "  v: {kind: vlm, model: x}\n",
        [f"8:13: experts.v.kind: unknown kind 'vlm' {KINDS}; did you mean 'vllm'?)"],
        id="unknown kind",
    ),
    pytest.param(
        MINIMAL + "  v: {model: x}\n",
        [f"8:6: experts.v: missing key 'kind' {KINDS})"],
        id="missing kind",
    ),
    pytest.param(
        MINIMAL + "  v: {kind: , model: x}\n  w: {kind: [local]}\n",
        ["8:12: experts.v.kind: expected text, found nothing", "9:13: experts.w.kind: expected text, found a list"],
        id="kinds that are no text",
    ),
    pytest.param(
        MINIMAL + "  v: vllm\n",
        ["8:6: experts.v: expected a mapping (keys and values), found 'vllm'"],
        id="expert that is no mapping",
    ),
    pytest.param(
        MINIMAL + "  v: {kind: vllm, adapter: x}\n  w: {kind: vllm, model: x}\n",
        [
            "8:6: experts.v: adapter without base: name the vllm expert whose servers hold it",
            "9:6: experts.w: a vllm expert needs model and replicas, or base and adapter",
        ],
        id="neither of two forms",
    ),
    pytest.param(
        MINIMAL + "  v: {kind: vllm, model: x, replicas: [http://a, 10.0.0.1:80]}\n",
        ["8:50: experts.v.replicas[1]: '10.0.0.1:80' is not an http:// or https:// address"],
        id="address without a scheme",
    ),
    pytest.param(
        MINIMAL
        + """\
  v:
    kind: vllm
    model: x
    replicas:
      - "http://[::1"
      - "http://"
      - http://127.0.0.1:99999
      - http://a:${SECRET}
      - http://exa mple:80
      - "http:///v1"
      - http://a..b
      - http://a/v1?x=1
      - "http://a#"
      - HTTPS://user:word@v1:8000/v1/
  t: {kind: mcp, tool: t, server: {url: "http://a:x/mcp?key=1"}}
  u: {kind: mcp, tool: t, server: {url: "http://a/mcp?key=1"}}
""",
        [
            "12:9: experts.v.replicas[0]: 'http://[::1' has a host that cannot be read",
            "13:9: experts.v.replicas[1]: 'http://' names no host",
            "14:9: experts.v.replicas[2]: 'http://127.0.0.1:99999' has a port that is no number from 0 to 65535",
            "15:9: experts.v.replicas[3]: 'http://a:${SECRET}' has a port that is no number from 0 to 65535",
            "16:9: experts.v.replicas[4]: 'http://exa mple:80' has a blank or a control character in it",
            "17:9: experts.v.replicas[5]: 'http:///v1' names no host",
            "18:9: experts.v.replicas[6]: 'http://a..b' has a host that cannot be read",
            "19:9: experts.v.replicas[7]: 'http://a/v1?x=1' has a query; leave it out",
            "20:9: experts.v.replicas[8]: 'http://a#' has a fragment; leave it out",
            "22:41: experts.t.server.url: 'http://a:x/mcp?key=1' has a port that is no number from 0 to 65535",
        ],
        id="addresses that cannot be asked",
    ),
    pytest.param(
        MINIMAL + "  v: {kind: vllm, model: x, replicas: [http://me:word@a], api_key: k}\n",
        ["8:6: experts.v: give api_key or a user name in the addresses, not both: a request carries one of them"],
        id="two credentials",
    ),
    pytest.param(
        changed("general: general", "general: genral"),
        ["5:10: general: unknown category 'genral' (known: code, general; did you mean 'general'?)"],
        id="unknown general category",
    ),
    pytest.param(
        changed("[fix this], experts: [coder]", "[fix this], experts: [codr]"),
        ["3:68: categories.code.experts[0]: unknown expert 'codr' (known: coder; did you mean 'coder'?)"],
        id="unknown expert of a category",
    ),
    pytest.param(
        changed("[fix this], experts: [coder]", "[fix this], experts: [coder, coder]"),
        ["3:75: categories.code.experts[1]: expert 'coder' is listed twice (first at line 3)"],
        id="expert listed twice",
    ),
    pytest.param(
        MINIMAL
        + "  t: {kind: mcp, tool: t, server: {command: c}}\nfusion: {verdict: t}\nrouting: {classifier: linar}\n",
        [
            "9:19: fusion.verdict: 't' is of kind 'mcp' and cannot write a verdict",
            (
                "10:23: routing.classifier: unknown classifier 'linar' (known: cascade, kernel, linear, llm, nearest, "
                "pilots, rules, static; did you mean 'linear'?)"
            ),
        ],
        id="verdict by a tool, unknown classifier",
    ),
    pytest.param(
        MINIMAL + "fusion: {verdict: judge, experts: [coder, nobody, coder]}\n",
        [
            "8:19: fusion.verdict: unknown expert 'judge' (known: coder)",
            "8:43: fusion.experts[1]: unknown expert 'nobody' (known: coder)",
            "8:51: fusion.experts[2]: expert 'coder' is listed twice (first at line 8)",
        ],
        id="unknown experts for fusion",
    ),
    pytest.param(
        changed("examples: [fix this],", "examples: [fix this], fusion: {verdict: judge, experts: [coder, coder]},"),
        [
            "3:76: categories.code.fusion.verdict: unknown expert 'judge' (known: coder)",
            "3:100: categories.code.fusion.experts[1]: expert 'coder' is listed twice (first at line 3)",
        ],
        id="unknown experts for the fusion of one category",
    ),
    pytest.param(
        MINIMAL + "fusion: {keep: 2, threshold: 0.5, judge: nobody}\n",
        [
            "8:9: fusion: keep and threshold are two ways to say which drafts stay; give one of them",
            "8:42: fusion.judge: unknown expert 'nobody' (known: coder)",
        ],
        id="two ways to keep drafts",
    ),
    pytest.param(
        MINIMAL
        + "  t: {kind: mcp, tool: t, server: {command: c}}\n"
        + "panels: {p: {judges: [coder, nobody, t], criteria: {right: is it right}, categories: [cod]}}\n",
        [
            "9:30: panels.p.judges[1]: unknown expert 'nobody' (known: coder, t)",
            "9:38: panels.p.judges[2]: 't' is of kind 'mcp' and cannot judge",
            "9:87: panels.p.categories[0]: unknown category 'cod' (known: code, general; did you mean 'code'?)",
        ],
        id="judges and categories of a panel",
    ),
    pytest.param(
        MINIMAL + "panels: {p: {judges: [coder], criteria: {right: is it right}, weights: {rigth: 1}}}\n",
        ["8:13: panels.p: weights: 'rigth' is no criterion of this panel"],
        id="a weight of no criterion",
    ),
    pytest.param(
        MINIMAL + "panels: {p: {judges: [coder], criteria: {right: is it right}, weights: {right: 0}}}\n",
        ["8:13: panels.p: weights: at least one criterion has to weigh more than 0"],
        id="weights that weigh nothing",
    ),
    pytest.param(
        MINIMAL
        + "panels:\n  p: {judges: [coder], criteria: {a: b}, categories: [code]}\n"
        + "  q: {judges: [coder], criteria: {a: b}, categories: [code]}\n",
        ["1:1: panels 'p' and 'q' both judge category 'code'"],
        id="two panels of one category",
    ),
    pytest.param(
        changed("examples: [fix this],", "examples: [fix this], fusion: {consensus: judge},"),
        ["1:1: fusion of category 'code': consensus: judge needs the expert that compares the drafts as `judge`"],
        id="a judge that is not named",
    ),
    pytest.param(
        MINIMAL + "  here: {kind: local, model: x}\nlaunch:\n  codr: {}\n  here: {}\n",
        [
            "10:3: launch.codr: unknown expert 'codr' (known: coder, here; did you mean 'coder'?)",
            "11:3: launch.here: only experts of kind 'vllm' are launched, 'here' is of kind 'local'",
        ],
        id="launching what cannot be",
    ),
    pytest.param(
        MINIMAL + "  docs: {kind: retriever, corpus: handbook.jsonl, reader: coderr}\n",
        ["8:59: experts.docs.reader: unknown expert 'coderr' (known: coder, docs; did you mean 'coder'?)"],
        id="unknown reader",
    ),
    pytest.param(
        MINIMAL
        + """\
  docs: {kind: retriever, corpus: handbook.jsonl}
  more: {kind: retriever, corpus: handbook.jsonl, reader: docs}
  tool: {kind: mcp, server: {command: x}, tool: t, arguments_by: docs}
  lora: {kind: vllm, base: docs, adapter: a}
  fine: {kind: vllm, base: coder, adapter: a}
  pile: {kind: vllm, base: fine, adapter: a}
""",
        [
            "9:59: experts.more.reader: 'docs' is of kind 'retriever' and cannot chat",
            "10:66: experts.tool.arguments_by: 'docs' is of kind 'retriever' and cannot chat",
            "11:28: experts.lora.base: 'docs' is of kind 'retriever'; an adapter's base is of kind 'vllm'",
            "13:28: experts.pile.base: 'fine' is itself an adapter; name its base instead",
        ],
        id="references to the wrong kind",
    ),
    pytest.param(
        MINIMAL.replace("experts: [coder]}", "experts: [coder, vectors]}", 1)
        + """\
  vectors: {kind: vllm, model: v, replicas: [http://127.0.0.1:8001], runner: pooling}
  docs: {kind: retriever, corpus: handbook.jsonl, reader: vectors}
  lora: {kind: vllm, base: vectors, adapter: a}
fusion: {verdict: vectors, experts: [coder, vectors]}
""",
        [
            "3:75: categories.code.experts[1]: 'vectors' runs 'pooling' and answers no queries",
            "9:59: experts.docs.reader: 'vectors' runs 'pooling' and cannot chat",
            "10:28: experts.lora.base: 'vectors' runs 'pooling', this adapter 'generate'",
            "11:19: fusion.verdict: 'vectors' runs 'pooling' and cannot write a verdict",
            "11:45: fusion.experts[1]: 'vectors' runs 'pooling' and answers no queries",
        ],
        id="embedding expert where one that chats is due",
    ),
    pytest.param(
        changed("model: m,", "model: m, runner: pooling, score: true,"),
        ["7:10: experts.coder: score with runner: pooling: such servers compute no log-probabilities"],
        id="scores of a pooling server",
    ),
    pytest.param(
        MINIMAL
        + """\
  a: {kind: vllm, base: b, adapter: x}
  b: {kind: vllm, base: c, adapter: x}
  c: {kind: vllm, base: a, adapter: x}
  d: {kind: retriever, corpus: handbook.jsonl, reader: d}
""",
        ["8:25: experts.a.base: cycle: a -> b -> c -> a", "11:56: experts.d.reader: cycle: d -> d"],
        id="circles",
    ),
    pytest.param(
        MINIMAL + "  auto: {kind: local, model: x}\n  fuse: {kind: local, model: x}\n",
        [
            "8:3: experts.auto: 'auto' is the name of a model of the service itself; choose another id",
            "9:3: experts.fuse: 'fuse' is the name of a model of the service itself; choose another id",
        ],
        id="reserved names",
    ),
    pytest.param(
        changed("examples: [fix this],", "examples: [],"),
        ["3:9: categories.code: no examples: give some here, or a file of them as routing.examples"],
        id="category without examples",
    ),
    pytest.param(
        MINIMAL + "  docs: {kind: retriever, corpus: hanbook.jsonl}\nrouting: {examples: ., scores: none.jsonl}\n",
        [
            (
                "8:35: experts.docs.corpus: no file or folder 'hanbook.jsonl' "
                "(relative paths start at the configuration's folder)"
            ),
            "9:21: routing.examples: no file '.' (relative paths start at the configuration's folder)",
            "9:32: routing.scores: no file 'none.jsonl' (relative paths start at the configuration's folder)",
        ],
        id="missing files",
    ),
    pytest.param(
        MINIMAL + "serve: {host: 0.0.0.0}\n",
        ["8:15: serve.host: without serve.keys only loopback is allowed, found '0.0.0.0'"],
        id="open to all",
    ),
    pytest.param(
        MINIMAL + 'serve: {host: example.org, keys: ","}\n',
        ["8:15: serve.host: without serve.keys only loopback is allowed, found 'example.org'"],
        id="open to all by empty keys",
    ),
    pytest.param(
        changed("model: m, replicas: [http://127.0.0.1:8000]", 'model: "${A}/${B}", replicas: ["${C}"]'),
        [
            "7:30: experts.coder.model: environment variable A is not set",
            "7:30: experts.coder.model: environment variable B is not set",
            "7:54: experts.coder.replicas[0]: environment variable C is not set",
        ],
        id="missing variables",
    ),
    pytest.param(
        changed("model: m, replicas: [http://127.0.0.1:8000]", 'model: "${A B}", replicas: ["http://${C"]'),
        [
            "7:30: experts.coder.model: '${A B}' is no variable; write ${NAME} or ${NAME:-default}, $$ for a dollar",
            (
                "7:51: experts.coder.replicas[0]: '${C' is no variable; write ${NAME} or ${NAME:-default}, "
                "$$ for a dollar"
            ),
        ],
        id="variables in no form",
    ),
    pytest.param(
        MINIMAL + '  docs: {kind: retriever, corpus: "${A}", reader: "${B}"}\nfusion: {verdict: "${C}"}\n',
        [
            "8:35: experts.docs.corpus: environment variable A is not set",
            "8:51: experts.docs.reader: environment variable B is not set",
            "9:19: fusion.verdict: environment variable C is not set",
        ],
        id="missing variables for names and files",
    ),
    pytest.param(
        MINIMAL
        + """\
  x: {kind: vllm, model: x, replicas: ["${SECRET}", "a ${SECRET} b"], connect_timeout_s: "${SECRET}"}
  y: {kind: "${SECRET}"}
  z: {kind: retriever, corpus: "${SECRET}", reader: "${SECRET}"}
serve: {port: "1${SECRET}", host: "${SECRET}"}
fusion: {consensus: "${SECRET}", experts: ["${SECRET}", "${SECRET}"]}
""",
        [
            "8:40: experts.x.replicas[0]: '${SECRET}' is not an http:// or https:// address",
            "8:53: experts.x.replicas[1]: 'a ${SECRET} b' is not an http:// or https:// address",
            "8:90: experts.x.connect_timeout_s: expected a number, found the value of '${SECRET}'",
            f"9:13: experts.y.kind: unknown kind '${{SECRET}}' {KINDS})",
            (
                "10:32: experts.z.corpus: no file or folder '${SECRET}' "
                "(relative paths start at the configuration's folder)"
            ),
            "10:53: experts.z.reader: unknown expert '${SECRET}' (known: coder, x, y, z)",
            "11:15: serve.port: expected a whole number, found the value of '1${SECRET}'",
            "11:35: serve.host: without serve.keys only loopback is allowed, found '${SECRET}'",
            (
                "12:21: fusion.consensus: expected 'embedding', 'answer', 'likelihood', 'judge', 'entailment' or "
                "'outcome', found the value of '${SECRET}'"
            ),
            "12:44: fusion.experts[0]: unknown expert '${SECRET}' (known: coder, x, y, z)",
            "12:57: fusion.experts[1]: unknown expert '${SECRET}' (known: coder, x, y, z)",
            "12:57: fusion.experts[1]: expert '${SECRET}' is listed twice (first at line 12)",
        ],
        id="values from the environment",
    ),
    pytest.param(
        """\
versio: 1
categories:
  code: {description: [], experts: [nobody], examples: ["${NONE}"]}
general: cod
experts:
  auto: {kind: vlm}
  b: {kind: vllm, replicas: [x], top: 1, top: 2}
""",
        [
            "1:1: missing key 'version'",
            f"1:1: versio: unknown key {TOP_KEYS}; did you mean 'version'?)",
            "3:23: categories.code.description: expected text, found a list",
            "3:37: categories.code.experts[0]: unknown expert 'nobody' (known: auto, b)",
            "3:57: categories.code.examples[0]: environment variable NONE is not set",
            "4:10: general: unknown category 'cod' (known: code; did you mean 'code'?)",
            "6:3: experts.auto: 'auto' is the name of a model of the service itself; choose another id",
            f"6:16: experts.auto.kind: unknown kind 'vlm' {KINDS}; did you mean 'vllm'?)",
            "7:30: experts.b.replicas[0]: 'x' is not an http:// or https:// address",
            f"7:34: experts.b.top: unknown key {VLLM_KEYS})",
            "7:42: experts.b: duplicate key 'top' (first at line 7)",
        ],
        id="everything at once",
    ),
    pytest.param(
        "a: " + 40 * "[" + 40 * "]",
        ["1:36: nested deeper than 32 levels"],
        id="too many levels",
    ),
]


@pytest.mark.parametrize(("text", "problems"), BROKEN)
def test_every_problem_is_told_with_its_place(text: str, problems: list[str]) -> None:
    """Specified: all problems in one pass, in the order of the file; the words are ours."""
    with pytest.raises(ConfigError) as caught:
        loaded(text, {"SECRET": "s3cr3t"})

    assert caught.value.problems == tuple(f"experts.yaml:{problem}" for problem in problems)


def test_duplicate_keys_name_both_lines() -> None:
    """Specified: the place of the second and the line of the first."""
    text = MINIMAL + "  other:\n    kind: local\n    model: a\n    model: b\n"

    with pytest.raises(ConfigError) as caught:
        loaded(text)

    assert caught.value.problems == ("experts.yaml:11:5: experts.other: duplicate key 'model' (first at line 10)",)


@pytest.mark.parametrize(("key", "written"), [*product(("port", "max_body_bytes"), ("true", "no", "[1]", "1.0", "a"))])
def test_only_whole_numbers_are_whole_numbers(key: str, written: str) -> None:
    """Specified: a switch is no number, and nothing is rounded."""
    with pytest.raises(ConfigError) as caught:
        loaded(MINIMAL + f"serve: {{{key}: {written}}}\n")

    (problem,) = caught.value.problems
    column = 11 + len(key)
    assert problem.startswith(f"experts.yaml:8:{column}: serve.{key}: expected a whole number, found ")


def test_long_lists_of_what_is_known_are_cut() -> None:
    """Ours: a line stays readable when there are many experts."""
    text = MINIMAL + "".join(f"  e{n:02}: {{kind: local, model: m}}\n" for n in range(30))

    with pytest.raises(ConfigError) as caught:
        loaded(text.replace("the rest, experts: [coder]", "the rest, experts: [nobody]"))

    (problem,) = caught.value.problems
    assert problem.endswith("e17, e18 and 11 more)")


def test_long_values_are_cut() -> None:
    """Ours: so does one with a text of many characters in it."""
    with pytest.raises(ConfigError) as caught:
        loaded(MINIMAL + f"budget: {{deadline_s: {'x' * 1000}}}\n")

    (problem,) = caught.value.problems
    assert len(problem) < 200
