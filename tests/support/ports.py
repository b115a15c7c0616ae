"""Ports for the servers that tests start."""

import socket


def free_port() -> int:
    """A loopback TCP port that nothing listens on now. Where a server takes port 0, give it 0 instead."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
