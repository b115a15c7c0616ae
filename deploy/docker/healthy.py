# ruff: noqa: INP001 - a program by itself
"""Exit code 0 if the container's process is well: `serve` says so at port 8000, a worker at 9464."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

PORTS = (8000, 9464)


def well(port: int) -> bool | None:
    """Whether the answer is 200; None if nothing listens there."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=4) as answer:
            return bool(answer.status == 200)
    except URLError as error:
        return None if isinstance(error.reason, ConnectionRefusedError) else False
    except OSError:
        return False


if __name__ == "__main__":
    heard = [said for port in PORTS if (said := well(port)) is not None]
    sys.exit(0 if heard and all(heard) else 1)
