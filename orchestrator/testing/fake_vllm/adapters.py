"""The LoRA adapters of a faked server: loaded and unloaded by name, as vLLM's two endpoints do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.testing.fake_vllm.errors import Refused

__all__ = ["Adapters", "adapter_is_there"]


def adapter_is_there(path: str) -> bool:
    """Whether the folder holds the file without which vLLM finds no adapter in it."""
    return (Path(path) / "adapter_config.json").is_file()


class Adapters:
    """Loaded adapters and their paths, by name. exists: whether there is an adapter at a path."""

    def __init__(self, loaded: Mapping[str, str], *, enabled: bool, exists: Callable[[str], bool]) -> None:
        self.loaded = dict(loaded)
        self.enabled = enabled
        self.exists = exists

    def load(self, name: object, path: object, *, base: str, in_place: bool = False) -> str:
        """The text that says it was loaded; raises Refused."""
        if not isinstance(name, str) or not isinstance(path, str) or not name or not path:
            raise _invalid("Both 'lora_name' and 'lora_path' must be provided.")
        if name == base:
            raise _invalid(f"The lora adapter '{name}' conflicts with a served base model.")
        if name in self.loaded and not in_place:
            raise _invalid(f"The lora adapter '{name}' has already been loaded.")
        if not self.enabled:
            raise Refused(500, "LoRA is not enabled. Use --enable-lora to enable LoRA.")
        if not self.exists(path):
            raise Refused(404, f"Loading lora {name} failed: No adapter found for {path}")
        self.loaded[name] = path
        return f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, name: object) -> str:
        """The text that says it is gone; raises Refused."""
        if not isinstance(name, str) or not name:
            raise _invalid("'lora_name' needs to be provided to unload a LoRA adapter.")
        if name not in self.loaded:
            raise Refused(404, f"The lora adapter '{name}' cannot be found.")
        del self.loaded[name]
        return f"Success: LoRA adapter '{name}' removed successfully."


def _invalid(message: str) -> Refused:
    return Refused(400, message, kind="InvalidUserInput")
