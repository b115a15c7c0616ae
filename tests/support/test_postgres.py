"""Where the PostgreSQL server of the tests comes from, and how it runs."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres_binaries import PROJECT, WAYS, Binaries, NoPostgres, find
from tests.support.postgres_server import Server


def test_a_machine_without_postgresql_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("TIDINGS_TEST_POSTGRES_FROM", "path")
    with pytest.raises(
        NoPostgres, match=r"found none by path; install it \(on Debian: apt-get install postgresql\)"
    ):
        find()


def test_a_server_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 12.22'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setitem(WAYS, "path", lambda install: [Binaries(tmp_path, "found on PATH")])
    monkeypatch.setenv("TIDINGS_TEST_POSTGRES_FROM", "path")
    with pytest.raises(NoPostgres):
        find()


def test_a_run_that_gets_no_server_fails_with_one_sentence(tmp_path: Path) -> None:
    test = tmp_path / "test_that_wants_one.py"
    test.write_text("def test_that_wants_one(postgres_url: str) -> None: ...\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--rootdir={PROJECT}",
        f"--config-file={PROJECT / 'pyproject.toml'}",
        str(test),
        "-q",
        "--noconftest",
        "-p",
        "tests.support.postgres_run",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'run'}",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "TIDINGS_TEST_POSTGRES"}
    environment |= {"PATH": "/nowhere", "TIDINGS_TEST_POSTGRES_FROM": "path"}
    for workers in ([], ["-n", "1"]):
        done = subprocess.run(
            [*command, *workers], capture_output=True, text=True, env=environment, check=False, cwd=PROJECT
        )
        assert done.returncode == pytest.ExitCode.USAGE_ERROR
        assert "the tests need PostgreSQL 13 or newer and found none by path" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_server_survives_a_crash_with_its_data(postgres_binaries: Binaries) -> None:
    server = Server(postgres_binaries)
    try:
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        server.stop("immediate")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url(), connect_timeout=2)
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    finally:
        server.remove()
    assert not server.folder.exists()


def test_a_server_ends_with_the_process_that_started_it(postgres_binaries: Binaries) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from tests.support.postgres_binaries import Binaries\n"
        "from tests.support.postgres_server import Server\n"
        f"server = Server(Binaries(Path({str(postgres_binaries.folder)!r}), 'given'))\n"
        "server.start()\n"
        "print(server.url(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    url = died.stdout.strip()
    folder = Path(url.partition("?host=")[2].partition("&")[0])
    try:
        assert folder.is_dir()
        assert ends_soon(folder / "data" / "postmaster.pid")
    finally:
        shutil.rmtree(folder)


def ends_soon(pid_file: Path) -> bool:
    """A server that was told to stop needs some milliseconds for it; its pid file goes last."""
    for _ in range(1500):
        if not pid_file.exists():
            return True
        time.sleep(0.02)
    return False
