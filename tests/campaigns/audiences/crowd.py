"""Customers with every kind of past, the same on each database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from campaigns.tables import Enrolment, Feedback, Message
from core.db import Database, insert_many
from core.tables import (
    Address,
    Consent,
    Customer,
    CustomerStats,
    Event,
    Hold,
    Lot,
    Operation,
    Product,
    Receipt,
    ReceiptLine,
    Suppression,
)
from tests.support.world import bundle_of, scenario
from wallet.tables import WalletDevice, WalletPass, WalletRegistration

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
HEADCOUNT = 36
GOODS = {"c1": ("coffee", "Nero"), "c2": ("coffee", None), "t1": ("tea", "Ceylon"), "cup": (None, None)}
STORES = ("S1", "S2", None)
POINTS = {
    "name": {"en": ["bonus", "bonuses"], "uk": ["бонус", "бонуси", "бонусів", "бонуса"]},
    "scale": 2,
    "lasts": "180 days",
    "accounts": {"gift": {"lasts": "30 days"}},
}
PROGRAM = {"points": POINTS}

Row = dict[str, Any]


@dataclass
class Crowd:
    """What was put into the database, table by table."""

    rows: dict[Any, list[Row]] = field(default_factory=dict)
    running: Running = field(init=False)

    def add(self, model: Any, **values: Any) -> int:
        """One row more; its number."""
        mine = self.rows.setdefault(model, [])
        number = len(mine) + 1
        mine.append(({"id": number} if "id" in model.__table__.c else {}) | values)
        return number

    def of(self, model: Any, **values: Any) -> list[Row]:
        """The rows with these values."""
        rows = self.rows.get(model, [])
        return [row for row in rows if all(row[name] == value for name, value in values.items())]


def crowd() -> Crowd:
    """Make it, from one seed."""
    found = Crowd()
    found.running = make_ready(workspace())
    draw = Random(20260301)
    for sku, (category, brand) in GOODS.items():
        found.add(Product, sku=sku, name=sku, category=category, brand=brand)
    for number in range(1, HEADCOUNT + 1):
        _customer(found, draw, number)
    for row in found.rows[Customer]:
        _past(found, draw, row["id"])
    _friends(found, draw)
    _reactions(found, draw)
    return found


def keep(database: Database, found: Crowd) -> None:
    """Put it into a database."""
    with database.write() as connection:
        for model in ORDER:
            insert_many(connection, model.__table__, found.rows.get(model, []))


def workspace(files: Mapping[str, str] | None = None) -> Bundle:
    """A program with two bonus accounts, two scenarios and two segments."""
    scenarios = {name: scenario("{birthday: {}}") for name in ("win-back", "hello")}
    segments = {
        "segments/rich.yaml": "spent: {at_least: 300}",
        "segments/others.yaml": "not: {any: [{segment: rich}, {city: Lviv}]}",
    }
    return bundle_of(scenarios, PROGRAM, segments | dict(files or {}))


ORDER: tuple[Any, ...] = (
    Customer, Product, Operation, Receipt, ReceiptLine, CustomerStats, Lot, Hold, Event, Address, Suppression,
    Consent, Enrolment, Message, Feedback, WalletPass, WalletDevice, WalletRegistration,
)  # fmt: skip


def ago(days: float) -> datetime:
    """So many days before the look."""
    return AT - timedelta(days=days)


def _customer(found: Crowd, draw: Random, number: int) -> None:
    birthday = draw.choice([None, date(1996, 2, 29), date(2008, 3, 1), date(1981, 3, 2), date(1970, 12, 31)])
    attributes: Row = draw.choice([
        {}, {"pet": "cat", "kids": 2}, {"pet": "dog", "kids": 0, "vip": True}, {"pet": ["cat", "fish"]},
        {"vip": False, "pet": "кіт"}, {"pet": ["кіт"], "kids": 1.5},
        {"kids": [2, 0], "vip": 1}, {"kids": True, "vip": "true", "pet": {"cat": "dog"}}, {"vip": [False]},
    ])  # fmt: skip
    found.add(
        Customer, external_id=f"K-{number}", card=draw.choice([None, f"card-{number}"]),
        name=draw.choice([None, "", "Anna"]), phone=None, email=draw.choice([None, "a@b.example"]),
        birthday=birthday, birthday_md=birthday.month * 100 + birthday.day if birthday else None,
        gender=draw.choice([None, "female", "male"]), city=draw.choice([None, "Kyiv", "Lviv", "Львів"]),
        locale=draw.choice([None, "uk", "en"]), attributes=attributes,
        tier=draw.choice(["bronze", "silver", "gold"]), tier_since=draw.choice([None, ago(20), ago(60)]),
        registered_at=ago(draw.choice([5, 30, 59, 90, 400])), updated_at=ago(1), household_id=None,
        referred_by=None, merged_into=None, erased_at=ago(1) if number == HEADCOUNT else None,
    )  # fmt: skip


def _past(found: Crowd, draw: Random, who: int) -> None:
    operation = found.add(
        Operation, customer_id=who, kind="test", key=f"test:{who}", digest="", program_version=1,
        live=True, result={}, data={}, at=ago(90), recorded_at=ago(90),
    )  # fmt: skip
    for _ in range(draw.choice([0, 0, 1, 2, 3, 40])):
        _receipt(found, draw, who, operation)
    _statistics(found, who)
    for slot in range(draw.choice([0, 1, 3])):
        _lot(found, draw, who, operation, slot)
    if draw.random() < 0.3:
        found.add(
            Hold, external_id=f"hold-{who}", customer_id=who, buyer_id=who, points=draw.choice([1000, 90000]),
            accounts={}, state=draw.choice(["open", "committed"]), digest="", cart={}, code_tries=0,
            at=ago(0.1), expires_at=draw.choice([ago(0.01), AT + timedelta(hours=1)]), changed_at=ago(0.1),
        )  # fmt: skip
    _contact(found, draw, who)
    _messages(found, draw, who)
    _card(found, draw, who)


def _receipt(found: Crowd, draw: Random, who: int, operation: int) -> None:
    at = ago(draw.choice([1, 5, 29, 31, 59, 61, 89, 200, 300]) + draw.random() / 10)
    number = len(found.rows.get(Receipt, [])) + 1
    came_back = draw.random() < 0.15
    lines = [(sku, draw.choice([5000, 12000, 30000])) for sku in draw.sample([*GOODS], draw.choice([1, 2]))]
    receipt = found.add(
        Receipt, external_id=f"r{number}", customer_id=who, operation_id=operation, program_version=1,
        store=draw.choice(STORES), at=at, recorded_at=at, total=sum(money for _, money in lines),
        paid_points=0, earned_points=0, returned_at=at + timedelta(hours=5) if came_back else None,
    )  # fmt: skip
    for line, (sku, money) in enumerate(lines, 1):
        category, brand = GOODS[sku] if draw.random() < 0.6 else (None, None)
        back = came_back or draw.random() < 0.1
        found.add(
            ReceiptLine, receipt_id=receipt, line=line, customer_id=who, sku=sku, quantity=1000, total=money,
            category=category, brand=brand, discounted=False, earned_points=0, paid_points=0,
            returned=1000 if back else 0,
        )  # fmt: skip
    if came_back:
        found.add(
            Event, transaction=0, customer_id=who, kind="return", subject=f"r{number}", live=True,
            at=at + timedelta(hours=5), recorded_at=at + timedelta(hours=5), data={},
        )  # fmt: skip


def _statistics(found: Crowd, who: int) -> None:
    kept = [row for row in found.of(Receipt, customer_id=who) if row["returned_at"] is None]
    if found.of(Receipt, customer_id=who):
        times = [row["at"] for row in kept]
        found.add(
            CustomerStats, customer_id=who, first_purchase_at=min(times, default=None),
            last_purchase_at=max(times, default=None), purchases=len(kept),
            spent=sum(row["total"] for row in kept),
        )  # fmt: skip


def _lot(found: Crowd, draw: Random, who: int, operation: int, slot: int) -> None:
    days = draw.choice([None, 0, 3, 20, 100, -1])
    last = AT.date() + timedelta(days=days) if days is not None else None
    found.add(
        Lot, customer_id=who, operation_id=operation, slot=str(slot), account=draw.choice(["base", "gift"]),
        reason="test", amount=50000, remaining=draw.choice([0, 5000, 10000, 25000, -4000]),
        active_from=draw.choice([ago(50), AT + timedelta(days=1)]), expires_on=last,
        expires_at=found.running.program.end_of(last), first_expires_on=last,
    )  # fmt: skip


def _contact(found: Crowd, draw: Random, who: int) -> None:
    for channel, kind in (("sms", "phone"), ("email", "email"), ("push", "push")):
        if draw.random() < 0.6:
            digest = f"{kind}-{who}"
            active = draw.random() < 0.8
            found.add(Address, customer_id=who, kind=kind, value=digest, digest=digest, active=active,
                      since=ago(90))  # fmt: skip
            if draw.random() < 0.2:
                found.add(Suppression, channel=channel, digest=digest, reason="bounce", at=ago(2))
        if draw.random() < 0.7:
            found.add(Consent, customer_id=who, channel=channel, purpose="marketing",
                      granted=draw.random() < 0.7, at=ago(80), source="test")  # fmt: skip


def _messages(found: Crowd, draw: Random, who: int) -> None:
    for name in ("win-back", "hello"):
        if draw.random() < 0.4:
            at = ago(draw.choice([3, 40]))
            enrolment = found.add(
                Enrolment, scenario=name, version=1, customer_id=who, occasion="x", at=at, facts={},
                arm="treatment", status="active", step=1,
            )  # fmt: skip
            found.add(
                Message, enrolment_id=enrolment, scenario=name, version=1, customer_id=who, occasion="x",
                step="a", step_index=0, purpose="marketing", priority=50, message="m", channels=["sms"],
                channel="sms", state=draw.choice(["planned", "sent", "failed", "delivered"]), planned_at=at,
                due_at=at, accepted_at=draw.choice([None, at]), changed_at=at, tries=1, facts={},
            )  # fmt: skip


def _card(found: Crowd, draw: Random, who: int) -> None:
    if draw.random() < 0.5:
        return
    serial = f"serial-{who}"
    found.add(
        WalletPass, customer_id=who, serial=serial, token="t", digest="d", changed_at=ago(9), tag=0,
        issued_at=ago(9), voided=False, google_notices="", google_saved=draw.random() < 0.4,
        google_attempts=0, google_saved_at=draw.choice([None, ago(1), ago(-1)]),
    )  # fmt: skip
    if draw.random() < 0.5:
        device = f"device-{who}"
        found.add(WalletDevice, device=device, push_token="p", registered_at=ago(9), owed_tag=0, pushed_tag=0,
                  attempts=0)  # fmt: skip
        found.add(WalletRegistration, device=device, serial=serial, customer_id=who, at=ago(9))


def _friends(found: Crowd, draw: Random) -> None:
    people = found.rows[Customer]
    for row in people[10:]:
        row["referred_by"] = draw.choice([None, None, 1, 2, 3])
        row["household_id"] = draw.choice([None, None, None, 4, 5])
    people[9]["merged_into"], people[9]["referred_by"] = 1, 2


def _reactions(found: Crowd, draw: Random) -> None:
    """Opens and clicks of people and of programs, several of one message, and reports that are neither."""
    for message in found.rows[Message]:
        for _ in range(draw.choice([0, 0, 1, 2, 4])):
            found.add(
                Feedback, message_id=message["id"], customer_id=message["customer_id"],
                kind=draw.choice(["opened", "clicked"]), detail=None, scenario=message["scenario"],
                at=message["planned_at"] + timedelta(days=draw.choice([0, 1, 2])),
                machine=draw.random() < 0.3,
            )  # fmt: skip
        found.add(
            Feedback, message_id=message["id"], customer_id=message["customer_id"], kind="delivered",
            detail=None, scenario=None, at=message["planned_at"], machine=None,
        )  # fmt: skip
