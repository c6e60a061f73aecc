"""RouteLLM's benchmarks: was the weak model right, was the strong one, on MMLU and GSM8K.

Source: lm-sys/RouteLLM @ 0b64fdaf, folder `routellm/evals`. Licence: Apache-2.0 (MMLU and GSM8K: MIT).
Layout: CSV, plain or gzip, with a column prompt, a True/False column an expert and, in GSM8K, `<expert>_response`.
MMLU lies in a file a subject (`mmlu_<subject>.csv`), which is the category.
Contamination lists, `<benchmark>_contaminated_prompts.jsonl` here and `contaminated_prompts.jsonl` in the original,
are looked for beside the file and one folder up; a row whose prompt equals an `eval_prompt` there is skipped, as such
prompts stand in the training data that published routers were fitted to.
Traps: there is no gold answer, so a response is a draft without an extracted answer; repeated prompts are kept and
noted; half of MMLU-Pro's and all of ZeroEval's questions stand here too.
"""

from __future__ import annotations

from pathlib import Path

from eval.datasets.assembly import assemble
from eval.datasets.dataset import Dataset, Skipped
from eval.datasets.lines import Row, csv_rows, files_of, json_lines, stem_of
from eval.datasets.problems import Problems, Wrong
from eval.datasets.record import Draft, Outcome, Record

__all__ = ["read"]

RESPONSE = "_response"
SUBJECT = "mmlu_"
SCORES = {"True": 1.0, "False": 0.0}


def read(path: Path) -> Dataset:
    """One file, or a folder of them; raises DataError."""
    problems = Problems()
    records: list[Record] = []
    skipped: list[Skipped] = []
    lists: dict[Path, frozenset[str]] = {}
    for file in files_of(path, "*.csv", "*.csv.gz"):
        found = _list_for(file)
        if found and found not in lists:
            lists[found] = _prompts(found, problems)
        contaminated = lists[found] if found else frozenset()
        for index, row in enumerate(csv_rows(file, problems, columns=["prompt"])):
            with problems.at(row.place):
                if row.text("prompt") in contaminated:
                    skipped.append(Skipped(row.place, "contaminated: the prompt stands in published training data"))
                else:
                    records.append(_record(row, stem_of(file), index))
    notes = [] if lists else ["no list of contaminated prompts was found beside the data: none is left out"]
    return assemble(str(path), records, problems, skipped=skipped, notes=notes)


def _record(row: Row, stem: str, index: int) -> Record:
    experts = [column for column in row.values if column != "prompt" and not column.endswith(RESPONSE)]
    if not experts:
        raise Wrong("no column of an expert, True or False")
    return Record(
        id=f"{stem}-{index}",
        query=row.text("prompt"),
        category=stem.removeprefix(SUBJECT) if stem.startswith(SUBJECT) else None,
        outcomes={expert: Outcome(score=_score(row, expert)) for expert in experts},
        drafts={
            expert: Draft(text=row.text(expert + RESPONSE)) for expert in experts if expert + RESPONSE in row.values
        },
        source=row.place,
    )


def _score(row: Row, expert: str) -> float:
    cell = row.text(expert)
    if cell not in SCORES:
        raise Wrong(f"{expert}: expected True or False, found {cell!r}")
    return SCORES[cell]


def _list_for(file: Path) -> Path | None:
    """The contamination list of the file's benchmark, which is the first word of its name."""
    benchmark = stem_of(file).split("_")[0]
    names = [f"{benchmark}_contaminated_prompts.jsonl", "contaminated_prompts.jsonl"]
    places = [folder / name for folder in (file.parent, file.parent / "..") for name in names]
    return next((place for place in places if place.is_file()), None)


def _prompts(file: Path, problems: Problems) -> frozenset[str]:
    prompts = set()
    for row in json_lines(file, problems):
        with problems.at(row.place):
            prompts.add(row.text("eval_prompt"))
    return frozenset(prompts)
