"""A model of a hub as a folder of this machine. Heavy to import: loaded only when a name is a hub id.

Knows nothing of what is inside. Respects the hub client's own environment (HF_HUB_OFFLINE, HF_HOME, tokens).
"""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download

from routers.errors import WeightsError

__all__ = ["download"]


def download(model: str, *, patterns: Sequence[str]) -> Path:
    """The folder of the newest snapshot, downloaded where it is not in the hub's cache.

    patterns: which files are wanted, as globs.

    Raises:
        WeightsError: no such model, no network, or offline and not in the cache.
    """
    try:
        return Path(snapshot_download(model, allow_patterns=list(patterns)))
    except Exception as error:  # a border: the client lets out errors of its HTTP and storage libraries
        reason = str(error).strip().split("\n")[0]
        raise WeightsError(f"the hub gave no model {model!r} ({reason})") from error
