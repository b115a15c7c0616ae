"""A month of two hundred real households through the import (benchmarks.study), checked to the cent."""

from datetime import date

import pytest
from sqlalchemy import func, select

from benchmarks import retail, study
from core.customers.addresses import Addresses
from core.customers.profiles import CUSTOMER
from core.db import Database
from core.imports import Report, import_file
from core.ledger.writing import ACCOUNT
from core.purchases.receipts import LINE, RECEIPT
from tests.core.books import check_books, check_statistics


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> study.Files:
    """The first two hundred households, January; of the ninety thousand products those that they bought."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    made = study.make(tmp_path_factory.mktemp("study"), households=200, until=date(2017, 1, 31))
    products = pq.read_table(made.products)
    bought = pq.read_table(made.receipts).column("sku").unique()
    pq.write_table(products.filter(pc.is_in(products["sku"], value_set=bought)), made.products)
    return made


def bring_in(database: Database, files: study.Files) -> dict[str, Report]:
    """Everything, in its order."""
    program, addresses = retail.program(), Addresses(b"study")
    return {
        kind: import_file(database, program, addresses, kind, file, recorded_at=retail.NOW)
        for kind, file in files.kinds()
    }


def test_a_month_of_real_receipts_goes_in_whole_and_the_books_add_up(
    database: Database, files: study.Files
) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(files.receipts).to_pydict()
    reports = bring_in(database, files)
    assert {kind: report.rejected for kind, report in reports.items()} == dict.fromkeys(reports, 0)
    assert reports["receipts"].created == len(rows["receipt"]) > 5_000
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(RECEIPT)) == len(set(rows["receipt"]))
        assert connection.scalar(select(func.sum(LINE.c.total))) == sum(
            round(100 * it) for it in rows["total"]
        )
        assert connection.scalar(select(func.sum(RECEIPT.c.earned_points))) == _earned(connection)
        assert connection.scalar(select(func.count()).select_from(CUSTOMER)) == 200
        # All of January has expired by the time of the import, a year later.
        assert connection.scalar(select(func.sum(ACCOUNT.c.total))) == 0
        check_books(connection)
        check_statistics(connection)
    again = bring_in(database, files)
    assert {report.unchanged for report in again.values()} == {report.read for report in again.values()}


def _earned(connection: object) -> object:
    """What the lines say: the receipts' percentages are laid on them to the last hundredth."""
    return connection.scalar(select(func.sum(LINE.c.earned_points)))  # type: ignore[attr-defined]
