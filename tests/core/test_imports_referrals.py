"""Who brought whom, from files: the inviter is known already, or stands somewhere in the same file."""

import gc
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.customers.profiles import CUSTOMER
from core.db import Database
from core.events import EVENT
from core.grants.referrals import NAMED, find_inviter, find_inviters, referral_code
from core.imports import waiting
from core.imports.kinds.customers import Joining
from tests.conftest import FreshDatabase
from tests.core.books import START
from tests.core.files import bring_in, counts, jsonl, parquet, rejects
from tests.support.statements import heard


def inviters(database: Database) -> dict[str, str | None]:
    """Customer → who brought them."""
    inviter = CUSTOMER.alias("inviter")
    rows = select(CUSTOMER.c.external_id, inviter.c.external_id.label("by"))
    rows = rows.select_from(CUSTOMER.outerjoin(inviter, inviter.c.id == CUSTOMER.c.referred_by))
    with database.read() as connection:
        return dict(connection.execute(rows.order_by(CUSTOMER.c.external_id)).all())


def test_an_inviter_may_stand_further_down(database: Database, tmp_path: Path) -> None:
    rows = [
        {"customer": "anna", "referred_by": "ihor"},
        {"customer": "ihor", "referred_by": "CARD-9"},
        {"customer": "olha", "card": "CARD-9"},
        {"customer": "petro"},
    ]
    file = jsonl(tmp_path / "c.jsonl", rows)
    # One row a transaction: each inviter comes in later than whom they brought.
    assert counts(bring_in(database, "customers", file, chunk=1)) == (4, 0, 0, 0)
    assert inviters(database) == {"anna": "ihor", "ihor": "olha", "olha": None, "petro": None}
    assert counts(bring_in(database, "customers", file, chunk=1)) == (0, 0, 4, 0)


@pytest.mark.parametrize("chunk", [2, 3])
def test_who_waits_for_an_inviter_who_waits_is_brought_in_with_them(
    database: Database, tmp_path: Path, chunk: int
) -> None:
    rows = [
        {"customer": "anna", "referred_by": "ihor"},
        {"customer": "ihor", "card": "CARD-8", "referred_by": "olha"},
        {"customer": "petro", "referred_by": "CARD-8"},
        {"customer": "olha"},
    ]
    report = bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows), chunk=chunk)
    assert counts(report) == (4, 0, 0, 0)
    assert inviters(database) == {"anna": "ihor", "ihor": "olha", "olha": None, "petro": "ihor"}


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_of_two_rows_the_later_one_counts_also_where_the_first_waits(
    database: Database, tmp_path: Path, chunk: int
) -> None:
    rows = [
        {"customer": "anna", "city": "Lviv", "referred_by": "ihor"},
        {"customer": "olha", "city": "Odesa"},
        {"customer": "anna", "city": "Kyiv"},
        {"customer": "petro", "referred_by": "anna"},
        {"customer": "ihor"},
    ]
    report = bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows), chunk=chunk)
    assert (report.created + report.changed, report.rejected) == (5, 0)
    with database.read() as connection:
        found = connection.execute(select(CUSTOMER.c.external_id, CUSTOMER.c.city)).all()
    assert {row.external_id: row.city for row in found} == {
        "anna": "Kyiv",
        "ihor": None,
        "olha": "Odesa",
        "petro": None,
    }
    assert inviters(database) == {"anna": "ihor", "ihor": None, "olha": None, "petro": "anna"}


def test_who_waits_for_an_inviter_waits_on_disk(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "IN_MEMORY", 1)
    told = {"referred_by": "anna", "birthday": date(1990, 3, 15), "attributes.size": 38.5}
    rows = [{"customer": f"c{number}", **told} for number in range(6)]
    file = parquet(tmp_path / "c.parquet", [*rows, {"customer": "anna"}])
    held = []

    def progress(_read: int, _part: float) -> None:
        held.append(sum(isinstance(it, Joining) and it.referred_by is not None for it in gc.get_objects()))

    assert counts(bring_in(database, "customers", file, chunk=1, progress=progress)) == (7, 0, 0, 0)
    assert max(held) == 1, "nobody is in memory for longer than their turn"
    with database.read() as connection:
        friend = connection.execute(select(CUSTOMER).where(CUSTOMER.c.external_id == "c5")).one()
    assert (friend.birthday, friend.attributes) == (date(1990, 3, 15), {"size": 38.5})
    assert inviters(database) == {"anna": None, **{row["customer"]: "anna" for row in rows}}
    assert [it.name for it in tmp_path.iterdir() if it.suffix != ".db"] == ["c.parquet"]


def test_who_waits_needs_no_folder_that_may_be_written(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "IN_MEMORY", 1)
    file = jsonl(tmp_path / "c.jsonl", [{"customer": "anna", "referred_by": "ihor"}, {"customer": "ihor"}])
    nowhere = tmp_path / "gone" / "rejects.jsonl"
    assert counts(bring_in(database, "customers", file, chunk=1, rejects=nowhere)) == (2, 0, 0, 0)
    assert inviters(database) == {"anna": "ihor", "ihor": None}


def test_thousands_of_inviters_are_known_by_what_one_is_known_by(database: Database, tmp_path: Path) -> None:
    rows = [{"customer": name, "card": f"CARD-{name}"} for name in ("anna", "ihor", "olha", "petro")]
    bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows))
    with database.write() as connection:
        numbers = {row.external_id: row.id for row in connection.execute(select(CUSTOMER))}
        codes = [referral_code(connection, numbers[name]).lower() for name in ("anna", "petro")]
        duplicate, gone = (
            update(CUSTOMER).where(CUSTOMER.c.id == numbers[name]) for name in ("ihor", "petro")
        )
        connection.execute(duplicate.values(merged_into=numbers["anna"]))
        connection.execute(gone.values(erased_at=START))
        names = ["anna", "ihor", "petro", "CARD-ihor", "CARD-petro", "card-anna", "nobody", *codes]
        one_by_one = {name for name in names if find_inviter(connection, name)}
        assert (
            find_inviters(connection, names).keys() == one_by_one == {"anna", "ihor", "CARD-ihor", codes[0]}
        )


def test_an_inviter_who_is_told_later_changes_the_customer(database: Database, tmp_path: Path) -> None:
    bring_in(database, "customers", jsonl(tmp_path / "a.jsonl", [{"customer": "anna"}, {"customer": "ihor"}]))
    file = jsonl(tmp_path / "b.jsonl", [{"customer": "anna", "referred_by": "ihor"}])
    assert counts(bring_in(database, "customers", file)) == (0, 1, 0, 0)
    assert inviters(database)["anna"] == "ihor"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"customer": "anna", "referred_by": "nobody"}],
         "'referred_by': no customer 'nobody' brought this one; nothing was noted"),
        ([{"customer": "anna", "referred_by": "anna"}],
         "'referred_by': nobody can bring themselves; leave the inviter out"),
        ([{"customer": "ihor", "referred_by": "anna"}, {"customer": "anna", "referred_by": "ihor"}],
         "'referred_by': this customer brought the one who is said to have brought them"),
    ],
)  # fmt: skip
def test_an_inviter_who_cannot_be_is_set_aside_and_the_customer_is_in(
    database: Database, tmp_path: Path, rows: list[dict[str, str]], reason: str
) -> None:
    report = bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows))
    assert counts(report) == (len(rows) - 1, 0, 0, 1)
    assert rejects(report)[0]["reason"] == reason
    assert inviters(database)["anna"] is None


@pytest.mark.parametrize("live", [False, True])
def test_history_is_told_to_nobody(database: Database, tmp_path: Path, live: bool) -> None:
    rows = [{"customer": "anna"}, {"customer": "ihor", "referred_by": "anna"}]
    bring_in(database, "customers", jsonl(tmp_path / "c.jsonl", rows), live=live)
    with database.read() as connection:
        assert connection.scalars(select(EVENT.c.live).where(EVENT.c.kind == NAMED)).all() == [live]


def test_a_thousand_friends_ask_no_more_than_ten(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    asked = []
    for friends in (10, 1000):
        rows = [{"customer": "anna"}, {"customer": "ihor", "card": "CARD-9", "referred_by": "anna"}]
        rows += [{"customer": f"c{n}", "referred_by": ("anna", "CARD-9")[n % 2]} for n in range(friends)]
        file = jsonl(tmp_path / f"{friends}.jsonl", rows)
        with fresh_database() as database, heard(database) as statements:
            assert counts(bring_in(database, "customers", file, live=True)) == (friends + 2, 0, 0, 0)
        asked.append(len(statements))
    assert asked[0] == asked[1]
