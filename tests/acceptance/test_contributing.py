"""What CONTRIBUTING shows is true: its files are put where it says, and the contract suites run over them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Table, insert, literal, select

from core.clock import MovableClock
from core.db import Database, facts
from core.events import EVENT, START, Happening, append, horizon
from core.program import Program
from core.tables import Customer
from triggers import CANDIDATE_COLUMNS, Look, Trigger

PROJECT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CUSTOMER: Table = Customer.__table__  # type: ignore[attr-defined]
PROGRAM = Program.model_validate(
    {
        "program": "Kavarnia",
        "currency": "UAH",
        "time_zone": "Europe/Kyiv",
        "locales": ["en"],
        "points": {"name": {"en": ["point", "points"]}},
        "tiers": {"levels": [{"name": "member", "from": 0, "earn": "5%"}]},
    }
)
ZONES = select(literal("").label("name")).subquery()
COPIED = ("core", "triggers", "templates", "wallet", "channels", "campaigns", "scheduler", "tidings", "tests")


@pytest.fixture(scope="module")
def project_with_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the files that CONTRIBUTING adds."""
    copy = tmp_path_factory.mktemp("contributed")
    for folder in COPIED:
        # What is compiled already comes along, but for what another worker is about to write.
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for path, text in examples().items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text, encoding="utf-8")
    return copy


def examples() -> dict[str, str]:
    blocks = BLOCK.finditer((PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    return {block["path"]: block["text"] for block in blocks}


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True, check=False
    )


def test_the_channel_of_the_example_keeps_the_contract_and_carries_a_scenarios_messages(
    project_with_examples: Path,
) -> None:
    done = run(
        project_with_examples,
        "pytest",
        "tests/contracts/test_channels.py",
        "tests/scheduler/test_viber.py",
        "-k",
        "viber and not postgresql",
        "-p",
        "no:cacheprovider",
    )
    assert done.returncode == 0, done.stdout
    assert "test_viber.py ." in done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 15


def test_the_channel_of_the_example_tells_a_redirect_from_a_refusal(project_with_examples: Path) -> None:
    program = (
        "import httpx\n"
        "from channels.transport import ChannelDown\n"
        "from channels.viber.gateway import _outcome\n"
        "for status in (301, 407, 408, 422):\n"
        "    try:\n"
        "        print(status, _outcome(httpx.Response(status)).kind)\n"
        "    except ChannelDown as down:\n"
        "        print(status, down.outcome.kind, 'of all')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=project_with_examples, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "301 configuration of all", "407 configuration of all", "408 temporary", "422 permanent",
    ]  # fmt: skip


def test_the_examples_are_typed_and_in_style(project_with_examples: Path) -> None:
    files = sorted(examples())
    assert files == [
        "channels/viber/__init__.py",
        "channels/viber/gateway.py",
        "tests/channels/providers/viber.py",
        "tests/scheduler/test_viber.py",
        "triggers/reviewed.py",
    ]
    style = run(project_with_examples, "ruff", "check", *files)
    assert style.returncode == 0, style.stdout
    types = run(project_with_examples, "mypy", "--cache-dir", str(PROJECT / ".mypy_cache"), *files)
    assert types.returncode == 0, types.stdout


def test_the_trigger_of_the_example_finds_who_gave_a_rating_that_is_meant(
    database: Database, clock: MovableClock
) -> None:
    trigger = example_trigger()
    parameters = trigger.Parameters.model_validate({"rating": [1, 2]})
    review(database, clock, 1, rating=1)
    review(database, clock, 2, rating=5)
    with database.read() as connection:
        look = Look(clock.now(), PROGRAM, ZONES, (), START, horizon(connection))
        found = connection.execute(trigger.candidates(parameters, look)).all()
    assert [row._fields for row in found] == [CANDIDATE_COLUMNS]
    assert [row.customer_id for row in found] == [1]
    said = trigger.read(found[0].facts, PROGRAM, clock.now())
    assert said == {"rating": 1, "reviewed_on": clock.now().astimezone(PROGRAM.zone).date()}


def test_the_trigger_of_the_example_is_recalled_when_the_customer_has_left(
    database: Database, clock: MovableClock
) -> None:
    trigger = example_trigger()
    for number in (1, 2):
        review(database, clock, number, rating=5)
    with database.write() as connection:
        connection.execute(CUSTOMER.update().where(CUSTOMER.c.id == 2).values(erased_at=clock.now()))
    with database.read() as connection:
        look = Look(clock.now(), PROGRAM, ZONES, (), START, horizon(connection))
        stored = facts(event=EVENT.c.id).label("facts")
        due = select(EVENT.c.id, EVENT.c.customer_id, stored).subquery("due")
        still = connection.execute(trigger.still_true(trigger.Parameters(), look, due)).all()
    assert [row.id for row in still] == [1]


def example_trigger() -> Trigger[Any]:
    module = ModuleType("reviewed")
    exec(examples()["triggers/reviewed.py"], module.__dict__)
    trigger: Trigger[Any] = module.TRIGGER
    return trigger


def review(database: Database, clock: MovableClock, number: int, *, rating: int) -> None:
    """A customer who reviewed something."""
    row = member(f"customer-{number}", "Lviv", clock)
    told = Happening(number, "review", clock.now(), f"review-{number}", {"rating": rating})
    with database.write() as connection:
        connection.execute(insert(CUSTOMER), {"id": number, **row})
        append(connection, [told], clock.now(), live=True)


def member(external_id: str, city: str, clock: MovableClock) -> dict[str, Any]:
    now = clock.now()
    return {
        "external_id": external_id, "city": city, "attributes": {}, "registered_at": now, "updated_at": now
    }  # fmt: skip
