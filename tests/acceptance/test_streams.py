"""A terminal without our letters, streams that are closed, and questions that nobody is there to answer."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]


def shell(
    shop: Shop, line: str, out: IO[bytes] | int = subprocess.PIPE, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """A line of a shell, in which `$T` is the command."""
    own = f"{sys.executable} -c 'from tidings.cli import main; main()' -w {shop.path}"
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("$T", own)], env=dict(os.environ) | environment, stdout=out,
        stderr=subprocess.PIPE, timeout=100, check=False,
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


@pytest.mark.parametrize("command", ["--help", "explain birthday", "check", "check --format json"])
def test_a_reader_that_has_gone_ends_a_command_quietly(shop: Shop, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as unread:
        said = shell(shop, f"$T {command}", out=unread)
    assert (said.returncode, said.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("command", ["check", "check --format json"])
def test_where_the_output_has_no_room_it_is_said_to_make_some(shop: Shop, command: str) -> None:
    # As users have it, whatever the machine of the tests says.
    said = shell(shop, f"PYTHONUNBUFFERED= $T {command} >/dev/full")
    assert said.returncode == 3
    assert said.stderr.decode() == (
        "tidings: where the output goes, or a file that is written: no space left on device; "
        "make room there, or write elsewhere\n"
    )


@pytest.mark.parametrize("nobody", ["</dev/null", "<&-"])
@pytest.mark.parametrize("command", ["db restored --to '2026-03-01 03:00'", "erase K-1"])
def test_where_nobody_can_be_asked_it_is_said_how_to_agree(shop: Shop, command: str, nobody: str) -> None:
    shop.write("customers.csv", "customer,name\nK-1,Олена\n")
    assert shop.run("import", "customers", str(shop.path / "customers.csv")).code == 0
    assert shop.run("apply", "--yes").code == 0
    said = shell(shop, f"$T {command} --format json {nobody}")
    assert (said.returncode, said.stdout.strip()) == (2, b"")
    assert b"nobody can be asked here; agree with --yes" in said.stderr
