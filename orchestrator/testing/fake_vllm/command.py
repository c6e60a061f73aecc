"""`python -m orchestrator.testing.fake_vllm`: a faked vLLM for those who test a deployment of their own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import anyio

from orchestrator.testing.answers import Answer
from orchestrator.testing.fake_vllm.server import FakeVLLM
from orchestrator.testing.faults import FAULTS
from orchestrator.testing.mixture import named_mixture
from orchestrator.testing.numbered import Numbered

__all__ = ["main", "serve"]

_KEEP = 100
_ABOUT = "A server that answers like vLLM without a model: every endpoint, any fault. Stops on SIGTERM or Ctrl-C."
_EXAMPLES = f"""
examples:
  python -m orchestrator.testing.fake_vllm --port 9001 --model m
  python -m orchestrator.testing.fake_vllm --port 9002 --model m --tokens 50 --pace 0.02 --max-num-seqs 4
  python -m orchestrator.testing.fake_vllm --port 9003 --model m --fault stall:0.1 --fault 503-after:0.05
  python -m orchestrator.testing.fake_vllm --port 9004 --model m --dev --sleep-s 1 --wake-s 3
  python -m orchestrator.testing.fake_vllm --port 9005 --model m --enable-lora --lora-modules sql=/adapters/sql
  python -m orchestrator.testing.fake_vllm --port 9006 --model e --pooling
  python -m orchestrator.testing.fake_vllm serve m --port 9007 --any --flag --of vllm   (as `vllm serve m ...`)

faults: {" ".join(FAULTS)}
  NAME strikes every request, NAME:0.1 a tenth of them; slow:0.1:2.5 and stall:0.1:2.5 last 2.5 seconds.

While it runs, GET /fake tells what it saw, and POST /fake changes it:
  curl http://127.0.0.1:9001/fake -d '{{"faults": ["500:0.5"], "pace_s": 0.1, "fault_at": {{"/health": "hang"}}}}'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; the exit status."""
    options = _options(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return anyio.run(serve, options)
    except (OSError, ValueError) as error:
        print(f"fake_vllm: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return 1


async def serve(options: argparse.Namespace) -> int:
    """Serve with these options until a signal comes or its time is over; the exit status."""
    server = _server(options)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        with anyio.move_on_after(options.die_after_s):
            async with anyio.create_task_group() as group:
                group.start_soon(_serve, server, options.start_s)
                async for _ in signals:
                    group.cancel_scope.cancel()
                    break
            return 0
    return 1


async def _serve(server: FakeVLLM, start_s: float) -> None:
    await anyio.sleep(start_s)
    async with server:
        print(f"Serving {', '.join(server.models)} at {server.url}", flush=True)  # noqa: T201 - a command line prints
        await anyio.sleep_forever()


def _server(options: argparse.Namespace) -> FakeVLLM:
    numbered = Numbered(options.name or options.model[0], tokens=options.tokens)
    said = numbered if options.answer is None else Answer(pieces=_words(options.answer), input_tokens=None)
    server = FakeVLLM(
        models=options.model,
        answer=said,
        api_key=options.api_key,
        runner="pooling" if options.pooling else options.runner,
        dev=options.dev,
        enable_lora=options.enable_lora,
        adapters=dict(options.lora_modules),
        max_loras=options.max_loras,
        max_num_seqs=options.max_num_seqs,
        max_model_len=options.max_model_len,
        keep=_KEEP,
        remote=True,
        host=options.host,
        port=options.port,
    )
    server.fault = named_mixture(options.fault, seed=options.seed)
    server.first_s, server.pace_s, server.load_s = options.first, options.pace, options.load_s
    server.engine.sleep_s, server.engine.wake_s, server.engine.reload_s = (
        options.sleep_s,
        options.wake_s,
        options.reload_s,
    )
    return server


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(" ", " \0").split("\0"))


def _options(arguments: list[str]) -> argparse.Namespace:
    """Of vllm's own command line, `serve MODEL ...`, unknown flags are passed over; of ours they are mistakes."""
    parser = _parser()
    if arguments[:1] != ["serve"]:
        return parser.parse_args(arguments)
    options, unknown = parser.parse_known_args(["--model", *arguments[1:]])
    if unknown:
        print(f"fake_vllm: passed over {' '.join(unknown)}", file=sys.stderr)  # noqa: T201 - a command line prints
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m orchestrator.testing.fake_vllm",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_place(parser)
    _add_answers(parser)
    _add_server(parser)
    _add_troubles(parser)
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address it listens at (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port; 0 for any that is free (8000)")
    parser.add_argument(
        "--model", "--served-model-name", nargs="+", default=["fake-model"], help="names it serves (fake-model)"
    )
    parser.add_argument("--api-key", help="key that paths under /v1 want (none)")


def _add_answers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("answers")
    group.add_argument("--answer", help="what it says to everything (numbered tokens)")
    group.add_argument("--tokens", type=int, default=20, help="how many numbered tokens it says (20)")
    group.add_argument("--name", help="its name in numbered tokens (its first model's)")
    group.add_argument("--first", type=float, default=0.0, metavar="SECONDS", help="before the first token (0)")
    group.add_argument("--pace", type=float, default=0.0, metavar="SECONDS", help="between two tokens (0)")


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("as in vLLM")
    group.add_argument("--max-num-seqs", type=int, default=256, help="requests at once; others wait (256)")
    group.add_argument("--max-model-len", type=int, default=32768, help="tokens of prompt and answer (32768)")
    group.add_argument("--runner", choices=["generate", "pooling"], default="generate", help="text or vectors")
    group.add_argument("--pooling", action="store_true", help="the same as --runner pooling")
    group.add_argument("--enable-lora", action="store_true", help="adapters can be used and loaded")
    group.add_argument("--lora-modules", nargs="+", type=_module, default=[], metavar="NAME=PATH")
    group.add_argument("--max-loras", type=int, default=1, help="adapters in one batch; requests for others wait (1)")
    dev = os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
    group.add_argument(
        "--dev", action="store_true", default=dev, help="has /sleep and /wake_up, as with VLLM_SERVER_DEV_MODE=1"
    )
    for name, meaning in (("sleep", "falling asleep"), ("wake", "waking"), ("reload", "reading weights again")):
        group.add_argument(f"--{name}-s", type=float, default=0.0, metavar="SECONDS", help=f"that {meaning} takes (0)")
    group.add_argument("--load-s", type=float, default=0.0, metavar="SECONDS", help="that loading an adapter takes (0)")


def _add_troubles(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("troubles")
    group.add_argument("--fault", action="append", default=[], metavar="NAME[:SHARE]", help="may be given repeatedly")
    group.add_argument("--seed", type=int, default=0, help="which requests meet a fault (0)")
    group.add_argument("--start-s", type=float, default=0.0, metavar="SECONDS", help="before it listens (0)")
    group.add_argument("--die-after-s", type=float, metavar="SECONDS", help="ends with status 1 after so long (never)")


def _module(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"expected NAME=PATH, not {text!r}")
    return name, path
