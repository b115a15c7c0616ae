"""What happens to people in a small world (tests.support.world) beside plain purchases."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Row, select

from core.customers import households, merging
from core.db import Database
from core.grants import acts
from core.ledger.expiry import expire
from core.ledger.lots import Refusal
from core.purchases import receipts, returns
from core.purchases.receipts import Line, Purchase, Recorded
from core.tables import Product, Store
from scheduler.claim import Claimer
from tests.support.world import LINKS, World
from triggers import discover
from wallet import registrations, updates
from wallet.google import webservice
from wallet.google.callback import Callback
from wallet.tables import PASS

GOODS: Mapping[str, str] = {"latte": "coffee", "espresso": "coffee", "croissant": "bakery"}


def catalogue(database: Database) -> None:
    """What the goods and the stores are called."""
    goods = [{"sku": sku, "name": sku.capitalize(), "category": category} for sku, category in GOODS.items()]
    with database.write() as connection:
        connection.execute(Product.__table__.insert(), goods)  # type: ignore[attr-defined]
        connection.execute(Store.__table__.insert(), {"code": "S1", "name": "Podil"})  # type: ignore[attr-defined]


def buy(
    world: World, name: str, *lines: tuple[str, int | Decimal], at: datetime | None = None,
    store: str | None = None, pay: int | Decimal = 0, receipt: str | None = None, live: bool = True,
    imported: bool = False,
) -> str:  # fmt: skip
    """A receipt of lines (sku, money), `pay` bonuses of it; returns its number.

    `imported` from a file, it may be of any age; it is history unless `live`.
    """
    world._number += 1
    receipt = receipt or f"r{world._number}"
    bought = tuple(Line(sku, 1000, world.program.to_money(total), GOODS.get(sku)) for sku, total in lines)
    purchase = Purchase(
        receipt,
        name,
        at or world.now,
        bought,
        store,
        world.program.to_points(pay),
        from_file=imported or not live,
    )
    with world.database.write() as connection:
        [outcome] = receipts.record(connection, world.program, [purchase], world.now, live=live)
    assert isinstance(outcome, Recorded), outcome
    return receipt


def give_back(world: World, receipt: str, *skus: str) -> None:
    """These goods of a receipt come back."""
    world._number += 1
    back = tuple(returns.Back(sku=sku) for sku in skus)
    wanted = returns.Return(receipt, world.now, back, f"back-{world._number}")
    with world.database.write() as connection:
        outcome = returns.take_back(connection, world.program, wanted, world.now, live=True)
    assert not isinstance(outcome, Refusal), outcome


def spend(world: World, name: str, points: int | Decimal = 50) -> str:
    """A purchase that is paid with so many bonuses, which they had."""
    world.bonuses(name, points)
    return buy(world, name, ("latte", 2 * points), pay=points)


def let_expire(world: World, name: str, points: int | Decimal = 100) -> None:
    """Bonuses that were good till yesterday are written off."""
    now = world.now
    world.now = now - timedelta(days=2)
    yesterday = world.program.day_of(now - timedelta(days=1))
    world.bonuses(name, points, yesterday.isoformat())
    world.now = now
    expire(world.database, world.program, now)


def tell(world: World, name: str, act: str, *, at: datetime | None = None, **data: object) -> None:
    """The shop's system tells an act."""
    world._number += 1
    told = acts.Told(f"act-{world._number}", name, act, at or world.now, data=data)
    with world.database.write() as connection:
        outcome = acts.tell(connection, world.program, told, world.now, live=True)
    assert isinstance(outcome, Recorded), outcome


def share(world: World, head: str, *members: str) -> None:
    """A household."""
    for member in members:
        with world.database.write() as connection:
            change = households.Change(head, member)
            outcome = households.join(connection, world.program, change, world.now, live=True)
        assert isinstance(outcome, Recorded), outcome


def merge(world: World, duplicate: str, survivor: str) -> None:
    """Two profiles turn out to be one person."""
    request = merging.Merge(duplicate, survivor, "maria", "the same phone")
    with world.database.write() as connection:
        outcome = merging.merge(connection, world.program, request, world.now, live=True)
    assert isinstance(outcome, Recorded), outcome


# --- cards


def add_card(world: World, name: str, device: str = "phone") -> None:
    """A device of the customer's registers for their card."""
    row = card_of(world, name)
    with world.database.write() as connection:
        registrations.register(connection, row.serial, f"{device}-{name}", "aa", world.now)


def remove_card(world: World, name: str, device: str = "phone") -> None:
    """The card is deleted from a device, which had it."""
    add_card(world, name, device)
    take_away(world, card_of(world, name), f"{device}-{name}")


def take_away(world: World, row: Row[Any], device: str) -> None:
    """A device says that it carries this pass no more."""
    with world.database.write() as connection:
        registrations.unregister(connection, row.serial, device, world.now)


def lose_phone(world: World, name: str) -> Row[Any]:
    """The customer gets another pass in the place of theirs; returns the one that is void now."""
    row = card_of(world, name)
    with world.database.write() as connection:
        updates.retire(connection, world.ids[name], world.now)
    return row


def google(world: World, name: str, kind: Literal["save", "del"]) -> None:
    """Google tells that the card was saved (`save`) or deleted (`del`)."""
    world._number += 1
    object_id = card_of(world, name).google_object_id
    callback = Callback(kind, object_id, f"n{world._number}", world.now + timedelta(hours=1))
    with world.database.write() as connection:
        webservice.note(connection, callback, world.now)


def card_of(world: World, name: str) -> Row[Any]:
    """The customer's pass, issued if they have none that is good."""
    mine = select(PASS).where(PASS.c.customer_id == world.ids[name])
    with world.database.write() as connection:
        passes = connection.execute(mine.order_by(PASS.c.serial)).all()
        if (good := next((row for row in passes if row.replaced_at is None), None)) is not None:
            return good
        own = f"{name}-{len(passes)}"
        new = {
            "customer_id": world.ids[name], "serial": f"card-{own}", "token": "secret", "digest": "",
            "changed_at": world.now, "issued_at": world.now, "google_object_id": f"1.card-{own}",
        }  # fmt: skip
        connection.execute(PASS.insert().values(**new))
        return connection.execute(mine.where(PASS.c.serial == new["serial"])).one()


# --- what became of it


def told(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Who is to be told, and what a message would say of it."""
    return [(row.external_id, _said(world, row, row.facts)) for row in world.messages(state="planned")]


def still_true(world: World) -> dict[str, dict[str, Any]]:
    """Whose waiting messages still hold, as asked just before sending, with what they would say now."""
    with world.database.write() as connection:
        rows = world.messages(state="planned")
        found = Claimer(world.running, LINKS, world.now)._still_true(connection, rows)
    return {row.external_id: _said(world, row, found[row.id]) for row in rows if row.id in found}


def still_waits(world: World) -> set[tuple[str, str]]:
    """Who is to be told and on which occasion, of what would still be sent now."""
    with world.database.write() as connection:
        rows = world.messages(state="planned")
        found = Claimer(world.running, LINKS, world.now)._still_true(connection, rows)
    return {(row.external_id, row.occasion) for row in rows if row.id in found}


def _said(world: World, row: Row[Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    trigger = discover()[world.running.scenarios[row.scenario].trigger]
    return trigger.read(facts, world.program, world.now)
