"""A decision as a tree for people: what the query was taken for, who was asked, what they said, who answered."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator.config.fusion import Rule
from orchestrator.decision import (
    Attempt,
    Categorized,
    Chosen,
    Consensus,
    Decision,
    DraftSeen,
    Explanation,
    TokenCount,
    Verdict,
)

__all__ = ["decision_tree"]

BAR_WIDTH = 24
MOST_CATEGORIES = 5
MOST_CHARACTERS = 160


def decision_tree(decision: Decision) -> Tree:
    """All stages that happened, in the order of the flow."""
    tree = Tree(Text(f"decision {decision.id}", style="bold"))
    if decision.query:
        tree.add(_head("query", _short(decision.query)))
    if decision.categorize:
        _categorize(tree, decision.categorize)
    if decision.explanation:
        _explanation(tree, decision.explanation)
    if decision.choose:
        _choose(tree, decision.choose)
    calls = decision.categorize.calls if decision.categorize else ()
    if calls or decision.attempts:
        _attempts(tree, (*calls, *decision.attempts))
    if decision.drafts:
        _drafts(tree, decision.drafts, decision.consensus)
    if decision.consensus:
        _consensus(tree, decision.consensus)
    if decision.verdict:
        _verdict(tree, decision.verdict)
    if decision.error:
        tree.add(_head("error", f"{decision.error.kind}: {decision.error.message}", style="red"))
    cost = f", {decision.cost_usd:.6f} USD" if decision.cost_usd else ""
    tree.add(_head("total", f"{decision.total_ms:.0f} ms, of these {decision.overhead_ms:.0f} ms routing{cost}"))
    return tree


def _categorize(tree: Tree, stage: Categorized) -> None:
    if stage.method == "bypass":
        tree.add(_head("categorize", "not asked: the client named the expert"))
        return
    sure = f" ({stage.confidence:.2f})" if stage.confidence is not None else ""
    reason = f", {stage.reason}" if stage.reason else ""
    reason += ", remembered" if stage.cached else ""
    reason += f", read with {stage.context} earlier" if stage.context else ""
    branch = tree.add(_head("categorize", f"{stage.category}{sure}{reason}, {stage.took_ms:.1f} ms", style="cyan"))
    for row in stage.posterior[:MOST_CATEGORIES]:
        bar = "█" * round(row.probability * BAR_WIDTH)
        inside = " in the category set" if row.category in stage.category_set else ""
        branch.add(Text(f"{row.category:<14}{row.probability:.3f} {bar:<{BAR_WIDTH}}{inside}"))
    if stage.gate:
        outcome = f"fired: {stage.gate.fired}" if stage.gate.fired else "passed"
        branch.add(Text(f"gate {outcome} (value {stage.gate.value:.3f}, threshold {stage.gate.threshold:.3f})"))


def _explanation(tree: Tree, found: Explanation) -> None:
    ahead = f"{found.top} before {found.runner_up} by {found.margin:.3f} (logits: {found.margin_logit:.2f})"
    branch = tree.add(_head("because", ahead, style="cyan"))
    if found.contributions:
        branch.add(_contributions(found))
    else:
        branch.add(Text("this kind of classifier does not say what it went by"))
    for signal in found.signals:
        branch.add(Text(f"gate signal {signal.name}: {signal.value:.3f}, {signal.standard:+.2f} from what is usual"))


def _contributions(found: Explanation) -> Table:
    """Each part with what it adds to both scores, the most telling first, and the sums."""
    numbers = [(part.top, part.runner_up, part.top - part.runner_up) for part in found.contributions]
    sums = (found.top_score, found.runner_up_score, found.top_score - found.runner_up_score)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(f"adds to the {found.unit} of", overflow="fold")
    for name in (found.top, found.runner_up, "difference"):
        table.add_column(Text(name), justify="right")
    for part, values in zip(found.contributions, numbers, strict=True):
        name = f"{part.part} {part.name!r}" if part.part in {"word", "letters"} else part.name
        table.add_row(Text(_short(name)), *(f"{value:+.3f}" for value in values))
    table.add_row("sum", *(f"{value:+.3f}" for value in sums), style="bold")
    return table


def _choose(tree: Tree, stage: Chosen) -> None:
    arrow = " → " if stage.plan == "single" else " + "
    verdict = f", verdict by {stage.verdict}" if stage.verdict else ""
    branch = tree.add(_head("choose", f"{stage.plan}: {arrow.join(stage.experts)}{verdict}", style="cyan"))
    branch.add(Text(stage.reason))
    if stage.weights:
        branch.add(
            Text("votes weigh " + ", ".join(f"{expert} {weight:.2f}" for expert, weight in stage.weights.items()))
        )
    if stage.evidence and (told := stage.evidence.evidence_text()):
        branch.add(Text(told))
    if stage.rule:
        branch.add(Text(f"agreement by {stage.rule.consensus}, {_keeping(stage.rule)}, then {stage.rule.kind}"))
    for skipped in stage.skipped:
        branch.add(Text(f"not {skipped.expert}: {skipped.reason}", style="yellow"))


def _keeping(rule: Rule) -> str:
    if rule.threshold is not None:
        return f"drafts above {rule.threshold:g} stay"
    return f"{rule.keep} drafts stay" if rule.keep else "three fifths of the drafts stay"


def _attempts(tree: Tree, attempts: tuple[Attempt, ...]) -> None:
    branch = tree.add(_head("asked", "", style="cyan"))
    for attempt in attempts:
        first = f", first token {attempt.first_token_ms:.0f} ms" if attempt.first_token_ms is not None else ""
        tokens = _tokens(attempt.tokens)
        line = f"{attempt.expert} ({attempt.role}): {attempt.outcome}, {attempt.took_ms:.0f} ms{first}{tokens}"
        leaf = branch.add(Text(line, style="" if attempt.outcome == "answered" else "yellow"))
        if attempt.tool:
            scores = ", ".join(f"{name} {score:.2f}" for name, score in attempt.tool.shortlist.items())
            asked = f"; asked for {', '.join(attempt.tool.missing)}" if attempt.tool.missing else ""
            leaf.add(Text(f"tool {attempt.tool.tool}{asked}; shortlist: {scores}"))
        if attempt.failure:
            leaf.add(Text(f"{attempt.failure.kind}: {attempt.failure.message}"))


def _drafts(tree: Tree, drafts: tuple[DraftSeen, ...], consensus: Consensus | None) -> None:
    branch = tree.add(_head("drafts", "", style="cyan"))
    for draft in drafts:
        kept = consensus is not None and draft.expert in consensus.kept
        branch.add(Text(f"{'✓' if kept else '✗'} {draft.expert}: {_short(draft.text or '(not kept)')}"))


def _consensus(tree: Tree, stage: Consensus) -> None:
    same = ", unanimous" if stage.unanimous else f", strength {stage.strength:.2f}"
    branch = tree.add(_head("consensus", f"by {stage.measure}{same}, {stage.took_ms:.1f} ms", style="cyan"))
    if stage.reason:
        branch.add(Text(stage.reason, style="yellow"))
    for expert, score in sorted(stage.scores.items(), key=lambda item: item[1]):
        fate = "kept" if expert in stage.kept else "dissent"
        votes = f", votes for its answer {stage.support[expert]:.2f}" if expert in stage.support else ""
        answer = f", answer {_short(stage.answers[expert] or '(none)')}" if expert in stage.answers else ""
        branch.add(Text(f"{expert:<14}disagreement {score:.3f}{votes}{answer}  {fate}"))


def _verdict(tree: Tree, stage: Verdict) -> None:
    reason = f" ({stage.reason})" if stage.reason else ""
    branch = tree.add(_head("verdict", f"{stage.kind} by {stage.expert}{reason}", style="cyan"))
    if stage.kind in {"choose", "synthesize"}:
        branch.add(Text(f"saw the drafts of {', '.join(stage.saw)} and nothing else"))
    if stage.saved_usd is not None:
        branch.add(Text(f"no verdict was needed, which saved about {stage.saved_usd:.6f} USD"))


def _tokens(count: TokenCount | None) -> str:
    """Tools count none."""
    return f", {count.input} + {count.output} tokens" if count and count.input + count.output else ""


def _head(label: str, text: str, *, style: str = "") -> Text:
    """A stage's line, its text in the column of all others'."""
    return Text(f"{label:<12}{text}", style=style)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
