"""The demo's shop: people who do not exist and what they bought, made by a seeded generator.

Written as the CSV files that a retailer would export, with the mistakes that such files have.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

SEED = 7
PEOPLE = 240
WOMEN = ("Олена", "Марія", "Софія", "Ірина", "Наталія", "Юлія", "Оксана", "Тетяна", "Катерина", "Дарина")
MEN = ("Тарас", "Андрій", "Петро", "Іван", "Богдан", "Олег", "Дмитро", "Максим", "Роман", "Назар")
FAMILIES = (
    "Шевченко",
    "Коваленко",
    "Бондаренко",
    "Ткаченко",
    "Кравченко",
    "Олійник",
    "Мельник",
    "Поліщук",
    "Савченко",
    "Руденко",
)
ABROAD = (
    ("Emma Wilson", "female", "London", "en", "Europe/London"),
    ("João Silva", "male", "Lisbon", "en", "Europe/Lisbon"),
    ("Anna Kowalska", "female", "Warszawa", "pl", "Europe/Warsaw"),
    ("Liam Brown", "male", "New York", "en", "America/New_York"),
)
CITIES = ("Київ", "Львів", "Одеса", "Дніпро")
GOODS = (
    ("espresso", "Еспресо", "coffee", 55),
    ("latte", "Лате", "coffee", 85),
    ("flat-white", "Флет-вайт", "coffee", 90),
    ("croissant", "Круасан", "bakery", 75),
    ("cheesecake", "Чізкейк", "bakery", 120),
    ("beans-1kg", "Зерно, 1 кг", "beans", 890),
    ("gift-card", "Подарункова картка", "gift cards", 500),
    ("cup", "Чашка", "goods", 350),
)
STORES = (
    ("kyiv-1", "Kavarnia на Подолі", "Київ", 50.4650, 30.5170),
    ("lviv-1", "Kavarnia на площі Ринок", "Львів", 49.8419, 24.0315),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One line of customers.csv."""

    customer: str
    name: str
    phone: str
    email: str
    birthday: date
    gender: str
    city: str
    locale: str
    time_zone: str
    registered_at: date
    habit: str


def write(directory: Path, today: date, zone: ZoneInfo) -> list[Person]:
    """Write products, stores, customers, consents and receipts as of `today`: the same every time."""
    directory.mkdir(parents=True, exist_ok=True)
    random = Random(SEED)  # noqa: S311 - a demo, not a secret
    people = [_person(random, number, today) for number in range(PEOPLE)]
    _write(
        directory / "products.csv",
        ("sku", "name", "category"),
        [(sku, name, kind) for sku, name, kind, _ in GOODS],
    )
    _write(directory / "stores.csv", ("code", "name", "city", "latitude", "longitude"), STORES)
    _customers(directory / "customers.csv", people, today)
    _consents(directory / "consents.csv", people, random)
    _receipts(directory / "receipts.csv", people, random, today, zone)
    return people


def _person(random: Random, number: int, today: date) -> Person:
    female = random.random() < 0.55
    name = f"{random.choice(WOMEN if female else MEN)} {random.choice(FAMILIES)}"
    gender, city, locale, zone = "female" if female else "male", random.choice(CITIES), "uk", "Europe/Kyiv"
    if number % 12 == 5:
        name, gender, city, locale, zone = ABROAD[number // 12 % len(ABROAD)]
    birthday = date(random.randint(1960, 2005), random.randint(1, 12), random.randint(1, 28))
    if number % 40 == 3:
        birthday = date(1990, today.month, min(today.day, 28))
    habit = random.choices(("office", "regular", "rare", "lost", "new"), (12, 45, 20, 18, 5))[0]
    phone = f"+38050{5_000_000 + number * 137}" if random.random() < 0.93 else ""
    email = f"guest{number:03}@example.com" if random.random() < 0.85 else ""
    joined = today - timedelta(days=random.randint(400, 900) if habit != "new" else random.randint(1, 20))
    return Person(
        f"K-{1000 + number}", name, phone, email, birthday, gender, city, locale, zone, joined, habit
    )


def _customers(path: Path, people: Sequence[Person], today: date) -> None:
    columns = (
        "customer",
        "name",
        "phone",
        "email",
        "birthday",
        "gender",
        "city",
        "locale",
        "time_zone",
        "registered_at",
    )
    rows: list[Sequence[object]] = [[getattr(person, name) for name in columns] for person in people]
    # What a real export has: a phone without its country, and a birthday in the future.
    rows.insert(17, ("K-9001", "Без Коду", "050 123", "", "1990-01-01", "", "Київ", "uk", "", str(today)))
    rows.insert(
        90,
        (
            "K-9002",
            "З Майбутнього",
            "",
            "",
            str(today + timedelta(days=400)),
            "",
            "Київ",
            "uk",
            "",
            str(today),
        ),
    )
    _write(path, columns, rows)


def _consents(path: Path, people: Sequence[Person], random: Random) -> None:
    rows = []
    for person in people:
        for channel, share in (("email", 0.62), ("sms", 0.58), ("push", 0.5)):
            if random.random() < share:
                rows.append(
                    (
                        person.customer,
                        channel,
                        "yes",
                        f"{person.registered_at}T12:00:00+02:00",
                        "registration form",
                    )
                )
    _write(path, ("customer", "channel", "granted", "at", "source"), rows)


def _receipts(path: Path, people: Sequence[Person], random: Random, today: date, zone: ZoneInfo) -> None:
    visits = [(day, person) for person in people for day in _days(person.habit, random, today)]
    columns = ("receipt", "customer", "at", "store", "sku", "quantity", "total")
    rows: list[Sequence[object]] = []
    for number, (day, person) in enumerate(sorted(visits, key=lambda it: (it[0], it[1].customer))):
        clock = time(random.randint(8, 20), random.randint(0, 59))
        at = datetime.combine(day, clock, tzinfo=zone).isoformat()
        store = "lviv-1" if person.city == "Львів" else "kyiv-1"
        for sku, quantity, price in _basket(person.habit, random):
            rows.append(
                (f"R-{10_000 + number}", person.customer, at, store, sku, quantity, f"{price * quantity:.2f}")
            )
    rows.insert(40, ("R-9001", people[0].customer, f"{today}T09:00:00+02:00", "kyiv-1", "latte", 1, "vier"))
    rows.insert(
        200,
        ("R-9002", "K-NOBODY", f"{today - timedelta(days=3)}T09:00:00+02:00", "kyiv-1", "latte", 1, "85.00"),
    )
    _write(path, columns, rows)


def _days(habit: str, random: Random, today: date) -> list[date]:
    def some(count: int, first: int, last: int) -> list[date]:
        return [today - timedelta(days=random.randint(last, first)) for _ in range(count)]

    if habit == "office":
        # Large orders half a year ago are what expires now.
        large = [
            today - timedelta(days=180 - random.choice((14, 3, 1, random.randint(4, 13)))) for _ in range(2)
        ]
        return [*large, *some(9, 330, 2)]
    if habit == "regular":
        return some(random.randint(8, 22), 350, 1)
    if habit == "rare":
        return some(random.randint(1, 4), 300, 10)
    if habit == "lost":
        return [*some(random.randint(2, 6), 330, 70), today - timedelta(days=random.choice((60, 60, 61, 75)))]
    return some(1, 15, 1)


def _basket(habit: str, random: Random) -> list[tuple[str, int, int]]:
    if habit == "office":
        return [("beans-1kg", random.randint(2, 7), 890), ("croissant", random.randint(4, 10), 75)]
    chosen = random.sample(GOODS, random.randint(1, 4))
    return [(sku, random.randint(1, 2), price) for sku, _, _, price in chosen]


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
