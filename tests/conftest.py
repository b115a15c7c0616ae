"""What every test may ask for: a clock, and a database of each kind."""

import gc
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from zoneinfo import ZoneInfo

# Its plugin imports it at the end of a run that has no property test, and what it registers then may look
# as if nobody held it: a warning, which fails the run.
import hypothesis
import pytest
import structlog

from core.clock import MovableClock
from core.collecting import collect_seldom
from core.db import Database
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.reading import kept

FreshDatabase = Callable[[], AbstractContextManager[Database]]

pytest_plugins = ["tests.support.postgres_run"]

# The same examples every time, however slow the machine is at that moment.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same")
collect_seldom()


# What takes longest goes first, so that no worker is left alone with it at the end.
LONGEST = ("tests/faults/", "tests/core/test_ledger_", "tests/acceptance/test_serve")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; the others stay in their order, so that neighbours share what they set up."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Searching eight thousand tests for garbage, again and again, takes a fifteenth of their time."""
    gc.collect()
    gc.freeze()


def _log_without_debug() -> None:
    structlog.reset_defaults()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))


def _heed_signals() -> None:
    # Whoever runs the suite in the background (`&`, `nohup`) hands ignored signals down to each process that
    # a test starts, and the service leaves those ignored.
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def pytest_sessionstart() -> None:
    """A line for each message of each test would take a while; a shell's ignored signals end nothing."""
    _log_without_debug()
    _heed_signals()


def pytest_runtest_teardown() -> None:
    """A command sets the level of the log: the next test hears of what is no matter of debugging again."""
    _log_without_debug()


@pytest.fixture(scope="session", autouse=True)
def files_are_read_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same files come to the same program in every test."""
    with kept(tmp_path_factory.mktemp("kept")):
        yield


@pytest.fixture
def clock() -> MovableClock:
    """A clock that stands at 10:00 in Kyiv on Sunday, 1 March 2026."""
    return MovableClock(datetime(2026, 3, 1, 10, 0, tzinfo=ZoneInfo("Europe/Kyiv")))


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """SQLite databases of this worker."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str, worker_name: str) -> Iterator[PostgresDatabases]:
    """PostgreSQL databases of this worker. `bare()` gives one without tables."""
    databases = PostgresDatabases(postgres_url, worker_name)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """`gw0`, `gw1`, … under xdist, else `main`."""
    worker = getattr(request.config, "workerinput", None)
    return str(worker["workerid"]) if worker else "main"


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_database(request: pytest.FixtureRequest) -> FreshDatabase:
    """Makes databases: `with fresh_database() as database:`, once for each example of a property test."""
    name = {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}[request.param]
    databases: SqliteDatabases | PostgresDatabases = request.getfixturevalue(name)
    return databases.fresh


@pytest.fixture
def database(fresh_database: FreshDatabase) -> Iterator[Database]:
    """An empty database with every table: the test runs once on SQLite and once on PostgreSQL."""
    with fresh_database() as database:
        yield database


@pytest.fixture
def sqlite_database(sqlite_databases: SqliteDatabases) -> Iterator[Database]:
    """An empty SQLite database, for tests that speak of SQLite alone."""
    with sqlite_databases.fresh() as database:
        yield database


@pytest.fixture
def postgres_database(postgres_databases: PostgresDatabases) -> Iterator[Database]:
    """An empty PostgreSQL database, for tests that speak of PostgreSQL alone."""
    with postgres_databases.fresh() as database:
        yield database
