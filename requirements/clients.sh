#!/usr/bin/env bash
# Install clients of others, for tests, into a virtual environment of its own: clients.sh VENV. Pinned with hashes.
#
# openai, litellm, openai-agents, pydantic-ai-slim[openai,mcp], langchain-openai, anthropic and mcp, at what they agree on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$1
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
echo "== installing clients of others"
"$venv/bin/python" -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r "$here/clients.txt"
