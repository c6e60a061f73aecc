#!/usr/bin/env bash
# Install MCP servers of others and the MCP Inspector, for tests: mcp-servers.sh FOLDER. Needs node 20 or newer with
# npm, and git; the Inspector asks for node 22, and its command line, which is all that is used of it, runs on 20.
#
# FOLDER/.venv-mcp has those in Python, which want packages of their own; FOLDER/node_modules has those in JavaScript.
# All are pinned with their hashes: requirements/mcp-servers.txt and requirements/mcp-servers/package-lock.json.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
for program in node npm git; do
    command -v "$program" >/dev/null || { echo "the MCP servers need $program" >&2; exit 1; }
done
mkdir -p "$folder"
[ -x "$folder/.venv-mcp/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder/.venv-mcp"
echo "== installing MCP servers in Python"
"$folder/.venv-mcp/bin/python" -m pip --quiet --disable-pip-version-check install \
    --no-deps --require-hashes -r "$here/mcp-servers.txt"
echo "== installing MCP servers in JavaScript, and the Inspector"
cp "$here/mcp-servers/package.json" "$here/mcp-servers/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
