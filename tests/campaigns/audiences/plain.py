"""Who belongs to an audience, reckoned over plain rows: slow, and easy to see that it is right."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.tables import Feedback, Message
from core.db import bucket_of
from core.tables import (
    Address,
    Consent,
    Customer,
    CustomerStats,
    Event,
    Hold,
    Lot,
    Product,
    Receipt,
    ReceiptLine,
    Suppression,
)
from tests.campaigns.audiences.crowd import AT, Crowd, Row
from wallet.tables import WalletPass, WalletRegistration

KYIV = ZoneInfo("Europe/Kyiv")
TODAY = AT.astimezone(KYIV).date()
LEVELS = ["bronze", "silver", "gold"]
KINDS = {"sms": "phone", "email": "email", "push": "push"}


class Plain:
    """The crowd, asked one by one."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.program = crowd.running.program

    def who(self, node: Node) -> list[str]:
        """The customers' numbers."""
        people = self.crowd.rows[Customer]
        return sorted(row["external_id"] for row in people if self.fits(node, row))

    def fits(self, node: Node, row: Row) -> bool:
        """Whether one belongs."""
        match node:
            case And(parts):
                return all(self.fits(part, row) for part in parts)
            case Or(parts):
                return any(self.fits(part, row) for part in parts)
            case Not(part):
                return not self.fits(part, row)
            case Segment(name):
                return self.fits(self.crowd.running.segments[name], row)
            case Test(field):
                asked: Callable[[Row, Test], bool] = getattr(self, field.partition(".")[0])
                return asked(row, node)

    # --- the profile

    def city(self, row: Row, test: Test) -> bool:
        return _text(row["city"], test)

    def gender(self, row: Row, test: Test) -> bool:
        return _text(row["gender"], test)

    def locale(self, row: Row, test: Test) -> bool:
        return _text(row["locale"], test)

    def customer(self, row: Row, test: Test) -> bool:
        return _text(row["external_id"], test)

    def age(self, row: Row, test: Test) -> bool:
        born: date | None = row["birthday"]
        if born is None:
            return False
        years = [year for year in range(150) if _kept_on(born, born.year + year) <= TODAY]
        return _number(max(years), test)

    def birthday(self, row: Row, test: Test) -> bool:
        born: date | None = row["birthday"]
        part = test.field.partition(".")[2]
        return born is not None and _number(getattr(born, part), test)

    def known(self, row: Row, test: Test) -> bool:
        return any(row[name] not in (None, "") for name in _each(test))

    def registered(self, row: Row, test: Test) -> bool:
        return _moment(row["registered_at"], test)

    def attributes(self, row: Row, test: Test) -> bool:
        value = row["attributes"].get(test.field.partition(".")[2])
        if value is None:
            return False
        if test.op not in ("one_of", "contains"):
            return isinstance(value, (int, float)) and not isinstance(value, bool) and _number(value, test)
        if test.op == "contains":
            return isinstance(value, str) and _text(value, test)
        items = value if isinstance(value, list) else [value]
        return any(_as_text(item) == _as_text(meant) for item in items for meant in _each(test))

    # --- levels and bonuses

    def tier(self, row: Row, test: Test) -> bool:
        place = LEVELS.index(row["tier"])
        if test.op == "at_least":
            return place >= LEVELS.index(str(test.value))
        if test.op == "at_most":
            return place <= LEVELS.index(str(test.value))
        return _text(row["tier"], test)

    def tier_since(self, row: Row, test: Test) -> bool:
        return _moment(row["tier_since"], test)

    def _lots(self, row: Row, test: Test) -> list[Row]:
        accounts = dict(test.where).get("account")
        lots = self.crowd.of(Lot, customer_id=row["household_id"] or row["id"])
        return [lot for lot in lots if accounts is None or lot["account"] in accounts]

    def balance(self, row: Row, test: Test) -> bool:
        lots = self._lots(row, test)
        points = sum(lot["remaining"] for lot in lots if lot["remaining"] > 0 and _usable(lot))
        if test.where:
            return self._points(points, test)
        holds = self.crowd.of(Hold, customer_id=row["household_id"] or row["id"], state="open")
        held = sum(hold["points"] for hold in holds if hold["at"] <= AT < hold["expires_at"])
        owed = -sum(lot["remaining"] for lot in lots if lot["remaining"] < 0)
        return self._points(max(0, points - owed - held), test)

    def debt(self, row: Row, test: Test) -> bool:
        owed = -sum(lot["remaining"] for lot in self._lots(row, test) if lot["remaining"] < 0)
        return self._points(owed, test)

    def expiring(self, row: Row, test: Test) -> bool:
        assert test.within is not None
        last = TODAY + timedelta(days=test.within.days)
        soon = [lot for lot in self._lots(row, test) if lot["expires_on"] and lot["expires_on"] <= last]
        points = sum(lot["remaining"] for lot in soon if lot["remaining"] > 0 and _usable(lot))
        return self._points(points, test)

    def _points(self, points: int, test: Test) -> bool:
        return _number(Decimal(points) / 100, test)

    # --- purchases

    def _kept(self, row: Row) -> list[Row]:
        return self.crowd.of(Receipt, customer_id=row["id"], returned_at=None)

    def _receipts(self, row: Row, test: Test) -> list[Row]:
        stores = dict(test.where).get("store")
        return [
            it for it in self._kept(row) if _recent(it["at"], test) and (not stores or it["store"] in stores)
        ]

    def first_purchase(self, row: Row, test: Test) -> bool:
        return _moment(min((it["at"] for it in self._kept(row)), default=None), test)

    def last_purchase(self, row: Row, test: Test) -> bool:
        return _moment(max((it["at"] for it in self._kept(row)), default=None), test)

    def spent(self, row: Row, test: Test) -> bool:
        return self._points(sum(it["total"] for it in self._receipts(row, test)), test)

    def purchases(self, row: Row, test: Test) -> bool:
        return _number(len(self._receipts(row, test)), test)

    def average_receipt(self, row: Row, test: Test) -> bool:
        totals = [it["total"] for it in self._receipts(row, test)]
        return bool(totals) and _number(Decimal(sum(totals)) / 100 / len(totals), test)

    def bought(self, row: Row, test: Test) -> bool:
        goods = {name: names for name, names in test.where if name != "store"}
        found = [it for it in self._receipts(row, test) if not goods or self._has(it, goods)]
        return _number(len(found), test)

    def _has(self, receipt: Row, goods: dict[str, tuple[str, ...]]) -> bool:
        lines = self.crowd.of(ReceiptLine, receipt_id=receipt["id"], returned=0)
        return any(all(self._word(line, name) in names for name, names in goods.items()) for line in lines)

    def _word(self, line: Row, name: str) -> Any:
        [product] = self.crowd.of(Product, sku=line["sku"])
        return line[name] if line[name] is not None else product[name]

    def _last(self, row: Row) -> list[Row]:
        return sorted(self._kept(row), key=lambda it: (it["at"], it["id"]), reverse=True)[:30]

    def favourite_category(self, row: Row, test: Test) -> bool:
        times: Counter[str] = Counter()
        money: Counter[str] = Counter()
        for receipt in self._last(row):
            lines = self.crowd.of(ReceiptLine, receipt_id=receipt["id"], returned=0)
            lines = [line for line in lines if line["category"]]
            times.update({line["category"] for line in lines})
            for line in lines:
                money[line["category"]] += line["total"]
        return _text(max(times, key=lambda it: (times[it], money[it], it), default=None), test)

    def favourite_store(self, row: Row, test: Test) -> bool:
        times: Counter[str] = Counter()
        money: Counter[str] = Counter()
        for receipt in self._last(row):
            if receipt["store"]:
                times[receipt["store"]] += 1
                money[receipt["store"]] += receipt["total"]
        return _text(max(times, key=lambda it: (times[it], money[it], it), default=None), test)

    def returned(self, row: Row, test: Test) -> bool:
        events = self.crowd.of(Event, customer_id=row["id"], kind="return")
        return _number(len([it for it in events if _recent(it["at"], test)]), test)

    def rfm(self, row: Row, test: Test) -> bool:
        measure = {"rfm.recency": "last_purchase_at", "rfm.frequency": "purchases", "rfm.monetary": "spent"}
        name = measure[test.field]
        bought = [it for it in self.crowd.of(CustomerStats) if it["purchases"]]
        people = {it["id"]: it for it in self.crowd.rows[Customer]}
        base = [
            it for it in bought
            if not people[it["customer_id"]]["erased_at"] and not people[it["customer_id"]]["merged_into"]
        ]  # fmt: skip
        mine = [it for it in base if it["customer_id"] == row["id"]]
        below = len([it for it in base if mine and it[name] < mine[0][name]])
        return bool(mine) and _number(1 + below * 5 // len(base), test)

    # --- contact

    def consent(self, row: Row, test: Test) -> bool:
        agreed = self.crowd.of(Consent, customer_id=row["id"], purpose="marketing", granted=True)
        return any(it["channel"] in _each(test) for it in agreed)

    def reachable(self, row: Row, test: Test) -> bool:
        return any(self._reached(row, str(channel)) for channel in _each(test))

    def _reached(self, row: Row, channel: str) -> bool:
        blocked = {it["digest"] for it in self.crowd.of(Suppression, channel=channel)}
        there = self.crowd.of(Address, customer_id=row["id"], kind=KINDS[channel], active=True)
        agreed = self.crowd.of(Consent, customer_id=row["id"], channel=channel, granted=True)
        return bool(agreed) and any(it["digest"] not in blocked for it in there)

    def has_card(self, row: Row, test: Test) -> bool:
        apple = bool(self.crowd.of(WalletRegistration, customer_id=row["id"]))
        saved = self.crowd.of(WalletPass, customer_id=row["id"], google_saved=True)
        google = any(it["google_saved_at"] is None or it["google_saved_at"] <= AT for it in saved)
        return _choice({"apple": apple, "google": google}, test)

    def received(self, row: Row, test: Test) -> bool:
        sent = [
            it for it in self.crowd.of(Message, customer_id=row["id"])
            if it["state"] in ("sent", "delivered") and it["scenario"] in _each(test)
        ]  # fmt: skip
        return any(_recent(it["accepted_at"] or it["changed_at"], test) for it in sent)

    def opened(self, row: Row, test: Test) -> bool:
        return _number(len(self._reacted(row, test, "opened") | self._reacted(row, test, "clicked")), test)

    def clicked(self, row: Row, test: Test) -> bool:
        return _number(len(self._reacted(row, test, "clicked")), test)

    def _reacted(self, row: Row, test: Test, kind: str) -> set[int]:
        """The messages."""
        names = dict(test.where).get("scenario")
        found = self.crowd.of(Feedback, customer_id=row["id"], kind=kind, machine=False)
        found = [it for it in found if names is None or it["scenario"] in names]
        return {it["message_id"] for it in found if _recent(it["at"], test)}

    # --- people

    def household(self, row: Row, test: Test) -> bool:
        head = bool(self.crowd.of(Customer, household_id=row["id"]))
        return _choice({"head": head, "member": row["household_id"] is not None}, test)

    def referred(self, row: Row, test: Test) -> bool:
        return (row["referred_by"] is not None) in _each(test)

    def friends(self, row: Row, test: Test) -> bool:
        brought = self.crowd.of(Customer, referred_by=row["id"], merged_into=None)
        return _number(len([it for it in brought if _recent(it["registered_at"], test)]), test)

    def sample(self, row: Row, test: Test) -> bool:
        share = Decimal(bucket_of(f"Kavarnia:sample:{row['external_id']}")) / 2**32
        return any(share < part for part in _each(test))


# --- values


def _each(test: Test) -> tuple[Any, ...]:
    assert isinstance(test.value, tuple)
    return test.value


def _text(value: str | None, test: Test) -> bool:
    if value is None:
        return False
    return str(test.value) in value if test.op == "contains" else value in _each(test)


def _number(value: float | Decimal, test: Test) -> bool:
    number, said = Decimal(value), test.value
    match test.op:
        case "one_of":
            return number in _each(test)
        case "between":
            low, high = _each(test)
            return bool(low <= number <= high)
    assert isinstance(said, Decimal)
    return {
        "at_least": number >= said, "at_most": number <= said,
        "more_than": number > said, "less_than": number < said,
    }[test.op]  # fmt: skip


def _moment(at: datetime | None, test: Test) -> bool:
    if at is None:
        return False
    day = at.astimezone(KYIV).date()
    if test.op == "between":
        first, last = _each(test)
        return bool(first <= day <= last)
    if isinstance(test.value, date):
        return day < test.value
    limit = test.value.ago(AT, KYIV)  # type: ignore[union-attr]
    return at >= limit if test.op == "within" else at < limit


def _recent(at: datetime, test: Test) -> bool:
    return test.within is None or at >= test.within.ago(AT, KYIV)


def _usable(lot: Row) -> bool:
    return bool(lot["active_from"] <= AT and (lot["expires_at"] is None or lot["expires_at"] > AT))


def _kept_on(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _choice(kinds: dict[str, bool], test: Test) -> bool:
    either = any(kinds.values())
    return any((kinds | {"any": either, False: not either})[it] for it in _each(test))


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
