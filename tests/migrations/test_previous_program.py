"""The program before this one, taken from the history, works on a database that this one upgraded."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from core.db import Database
from tests.migrations.conftest import closing
from tests.support.databases import PACKAGES, PostgresDatabases
from tidings import schema

ROOT = Path(__file__).parents[2]
KYIV = ZoneInfo("Europe/Kyiv")
PARTS = (*PACKAGES, "examples", "pyproject.toml")
RECEIPTS = "receipt,customer,at,sku,quantity,total\n{name},K-1,2026-01-02T10:00:00+02:00,beans,4,6000.00\n"
# Several commands in one process, each as the shell would run it. Programs from before there were floors took
# no schema but their own at their start; one that ran on stayed, and so does this one.
COMMANDS = """
import json, sys
from tidings import schema
from tidings.cli import main
if not hasattr(schema, "floor"):
    schema.HEAD = sys.argv[2]
for words in json.loads(sys.argv[1]):
    sys.argv = ["tidings", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(end.code)
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One version's source."""

    source: Path
    workspace: Path
    url: str

    def run(self, *commands: str) -> str:
        """What the commands print; they are to succeed."""
        said = subprocess.run(
            [sys.executable, "-c", COMMANDS, json.dumps([it.split() for it in commands]), schema.HEAD],
            env=self._environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stdout + said.stderr
        return said.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        return {**kept, "PYTHONPATH": str(self.source), "TIDINGS_DATABASE": self.url,
                "TIDINGS_WORKSPACE": str(self.workspace)}  # fmt: skip


def git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the program that brought the schema before this one's."""
    try:
        commits = git("log", "--format=%H", "--", "tidings/schema.py").decode().split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no git, or this is no repository")
    for commit in commits:
        brought = re.search(
            r'^HEAD = "(\w+)"', git("show", f"{commit}:tidings/schema.py").decode(), re.MULTILINE
        )
        if brought and schema.floor() <= brought[1] < schema.HEAD:
            folder = tmp_path_factory.mktemp(f"program_{brought[1]}")
            with ZipFile(io.BytesIO(git("archive", "--format=zip", commit, *PARTS))) as archive:
                archive.extractall(folder)
            return folder
    pytest.skip("the history does not reach back to a program that this schema admits")


def test_the_previous_program_and_this_one_share_a_database(
    postgres_databases: PostgresDatabases, previous: Path, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    with postgres_databases.bare() as url, closing(Database(url)) as database:
        old, new = Program(previous, shop, url), Program(ROOT, shop, url)
        old.run(f"init {shop}", "apply --yes --as anna")
        schema.upgrade(database)
        first, second = days()
        bring(shop, first, second)
        imported = [f"import {kind} {shop}/{kind}.csv" for kind in ("customers", "consents", "receipts")]
        new.run(*imported, f"tick --at {first}")
        assert sent(database) == {"K-1": "sent"}
        # What the other one has sent is not sent again.
        old.run(
            f"import receipts {shop}/later.csv", f"tick --at {first}", f"tick --at {second}", "customer K-1"
        )
        assert sent(database) == {"K-1": "sent", "K-2": "sent"}
        # What the old one writes down is where the new one looks for it.
        (shop / "no.csv").write_text("customer,channel,granted,at\nK-2,email,no,2026-01-10T12:00:00+02:00\n")
        assert agreed(database) == {"K-1": " email ", "K-2": " email "}
        old.run(f"import consents {shop}/no.csv")
        assert agreed(database) == {"K-1": " email ", "K-2": ""}
        # So is what it has booked.
        assert astray(database) == []
        assert schema.standing(database) == schema.Standing(schema.HEAD, schema.floor())


def days() -> list[str]:
    """Noon of the next two days at the shop."""
    today = datetime.now(KYIV)
    return [f"{today + timedelta(days=ahead):%Y-%m-%dT12:00}" for ahead in (1, 2)]


def bring(shop: Path, *birthdays: str) -> None:
    """Customers with a birthday each, who want to hear of it, and what one of them bought."""
    # Of a leap year: one of the next two days may be the 29th of February.
    customers = [f"K-{n},k{n}@example.com,en,2025-01-10,1992{at[4:10]}" for n, at in enumerate(birthdays, 1)]
    consents = [f"K-{n},email,yes,2025-01-10T12:00:00+02:00" for n, _ in enumerate(birthdays, 1)]
    files = {
        "customers": "\n".join(["customer,email,locale,registered_at,birthday", *customers]),
        "consents": "\n".join(["customer,channel,granted,at", *consents]),
        "receipts": RECEIPTS.format(name="R-1"), "later": RECEIPTS.format(name="R-2"),
    }  # fmt: skip
    for name, content in files.items():
        (shop / f"{name}.csv").write_text(content, "utf-8")


def agreed(database: Database) -> dict[str, str | None]:
    """Customer → on which channels they agreed to marketing, as their row says it."""
    with database.read() as connection:
        rows = connection.execute(text("SELECT external_id, opted_in FROM customer")).all()
    return {row.external_id: row.opted_in for row in rows}


def astray(database: Database) -> list[str]:
    """Customers whose account says an earlier time than that at which their balance moved last."""
    last = "SELECT recorded_at FROM operation o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1"
    joined = "customer c JOIN account a ON a.customer_id = c.id AND a.last_at IS NOT NULL"
    wrong = text(f"SELECT external_id FROM {joined} WHERE (a.moved_at >= ({last})) IS NOT TRUE")
    with database.read() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {joined}")) == 1
        return [*connection.scalars(wrong)]


def sent(database: Database) -> dict[str, str]:
    """Customer → what became of the birthday's message."""
    asked = text(
        "SELECT customer.external_id, message.state FROM message JOIN customer "
        "ON customer.id = message.customer_id WHERE message.scenario = 'birthday'"
    )
    with database.read() as connection:
        return {row.external_id: row.state for row in connection.execute(asked)}
