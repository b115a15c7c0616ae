"""A terminal without our letters, streams that are closed, and questions that nobody is there to answer."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]


def shell(shop: Shop, line: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A line of a shell, in which `$T` is the command."""
    own = f"{sys.executable} -c 'from tidings.cli import main; main()' -w {shop.path}"
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("$T", own)], env=dict(os.environ) | environment, capture_output=True,
        timeout=100, check=False,
    )  # fmt: skip


def test_a_terminal_that_has_not_our_letters_shows_the_others(shop: Shop) -> None:
    shop.write("customers.csv", "customer,name\nK-1,Олена\n")
    assert shop.run("import", "customers", str(shop.path / "customers.csv")).code == 0
    assert shop.run("apply", "--yes").code == 0
    said = shell(shop, "$T customer K-1", PYTHONIOENCODING="ascii")
    assert (said.returncode, said.stderr) == (0, b"")
    assert b"K-1" in said.stdout
    said = shell(shop, "$T customer K-1 --format json", PYTHONIOENCODING="latin-1")
    assert json.loads(said.stdout)["name"] == "Олена"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_stream_that_is_closed_ends_no_command(shop: Shop, closed: str) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shell(shop, f"$T messages {closed}")
    assert (said.returncode, b"Traceback" in said.stderr) == (0, False)


@pytest.mark.parametrize("nobody", ["</dev/null", "<&-"])
@pytest.mark.parametrize("command", ["db restored --to '2026-03-01 03:00'", "erase K-1"])
def test_where_nobody_can_be_asked_it_is_said_how_to_agree(shop: Shop, command: str, nobody: str) -> None:
    shop.write("customers.csv", "customer,name\nK-1,Олена\n")
    assert shop.run("import", "customers", str(shop.path / "customers.csv")).code == 0
    assert shop.run("apply", "--yes").code == 0
    said = shell(shop, f"$T {command} --format json {nobody}")
    assert (said.returncode, said.stdout.strip()) == (2, b"")
    assert b"nobody can be asked here; agree with --yes" in said.stderr
