"""The PostgreSQL servers of one test run: one for each worker, started when its first test asks for it.

Each worker has a server of its own because readers of the event stream wait for every transaction that
runs on the server, whatever its database (core.events): on a shared one, tests would wait for each other.

The run's first process finds the binaries, installs them if it must, and tells the workers. A run that
needs a server and gets none fails: it never skips. `TIDINGS_TEST_POSTGRES` gives the address of a server
to use instead (databases named tidings_test_… are made on it, and dropped).
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres_binaries import Binaries, NoPostgres, find
from tests.support.postgres_server import Server

GIVEN = "TIDINGS_TEST_POSTGRES"


class PostgresRun:
    """The server of this process: given, or started on demand."""

    def __init__(self, binaries: Binaries | None = None) -> None:
        self.given = os.environ.get(GIVEN)
        self._binaries = binaries
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """The address of its `postgres` database; starts it the first time."""
        if self.given:
            return self.given
        if self._server is None:
            self._server = Server(self.binaries)
            self._server.start()
        return self._server.url()

    @property
    def binaries(self) -> Binaries:
        """What a server is made of; installs one where the machine has none."""
        if self._binaries is None:
            self._binaries = find()
        return self._binaries

    def describe(self) -> str:
        """One line for the head of the report."""
        if self.given:
            return f"PostgreSQL: the server given in {GIVEN}"
        try:
            return str(self._binaries or find(install=False))
        except NoPostgres:
            return "PostgreSQL: none on this machine; one is installed when the first test asks for it"

    def stop(self) -> None:
        """Stop a server that was started."""
        if self._server is not None:
            self._server.remove()


RUN = pytest.StashKey[PostgresRun]()


def pytest_configure(config: pytest.Config) -> None:
    """Find a server before there are workers; a run that cannot have one ends here."""
    told = getattr(config, "workerinput", {}).get("postgres")
    run = config.stash[RUN] = PostgresRun(Binaries(Path(told[0]), told[1]) if told else None)
    if not config.getoption("tx", None) or config.option.collectonly:
        return
    if run.given and len(config.option.tx) > 1:
        raise pytest.UsageError(
            f"the server in {GIVEN} is one, so the tests use it one at a time; set WORKERS=0"
        )
    try:
        _ = run.given or run.binaries
    except NoPostgres as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str:
    """Which PostgreSQL the tests use."""
    return config.stash[RUN].describe()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what was found."""
    run = node.config.stash[RUN]
    if not run.given:
        node.workerinput["postgres"] = (str(run.binaries.folder), run.binaries.found)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, whatever the tests said."""
    run = config.stash.get(RUN, None)
    if run is not None:
        run.stop()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The address of a PostgreSQL server (its `postgres` database)."""
    try:
        return request.config.stash[RUN].url
    except NoPostgres as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def postgres_binaries(request: pytest.FixtureRequest) -> Binaries:
    """For tests that break a server of their own: `Server(postgres_binaries)`."""
    try:
        return request.config.stash[RUN].binaries
    except NoPostgres as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
