"""What tests over real servers of others share: ports for them, and skipping where they are not installed."""

import os
import socket
from pathlib import Path

import pytest

__all__ = ["free_ports", "skip_without"]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def skip_without(variable: str, items: list[pytest.Item], *, folder: Path, reason: str) -> None:
    """Skip the tests of a folder unless the environment says where the servers are."""
    if os.environ.get(variable):
        return
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.skip(reason=reason))
