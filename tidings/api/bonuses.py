"""A customer's bonuses over the API: balance, lots, and every entry with its reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Select, select

from campaigns.rules_of import Brought, brought
from core.customers.profiles import CUSTOMER
from core.db import json_text
from core.ledger.writing import ENTRY, LOT, OPERATION
from core.program import Program
from tidings.api.access import Here, asks
from tidings.api.bonus_models import AccountOut, BalanceOut, Dated, EntryOut, LotShown
from tidings.api.lookup import CustomerPath, known
from tidings.api.paging import Page, Paged
from tidings.api.sentences import Told, sentence
from tidings.balances import balances, holder_of

routes = APIRouter(prefix="/customers", tags=["Bonuses"])
MENDED = OPERATION.alias("mended")


@routes.get("/{external_id}/balance", **asks("customers:read", "unknown_customer"))
def balance(here: Here, external_id: CustomerPath) -> BalanceOut:
    """What a customer has: in all, available, by bonus account, pending, expiring."""
    program, now = here.program, here.now()
    with here.database.read() as connection:
        row = known(connection, external_id)
        found = balances(connection, [holder_of(row)], now)[holder_of(row)]

    def points(amount: int) -> str:
        return str(program.from_points(amount))

    order = sorted(found.accounts.items(), key=lambda it: (program.spend_rank(it[0]), it[0]))
    return BalanceOut(
        customer=row.external_id, total=points(found.total), available=points(found.available),
        active=points(found.active), pending=points(found.pending), debt=points(found.debt),
        held=points(found.held),
        accounts=[AccountOut(account=name, active=points(active), pending=points(pending))
                  for name, (active, pending) in order],
        expiring=[Dated(amount=points(amount), on=day) for day, amount in sorted(found.expiring.items())],
    )  # fmt: skip


@routes.get("/{external_id}/lots", **asks("customers:read", "unknown_customer", "wrong_cursor"))
def lots(
    here: Here, external_id: CustomerPath, paged: Paged,
    which: Annotated[Literal["open", "all"], Query(description="`open`: something is left.")] = "open",
) -> Page[LotShown]:  # fmt: skip
    """A customer's lots, the newest first."""
    program, now = here.program, here.now()
    after = paged.place("lots")
    with here.database.read() as connection:
        holder = holder_of(known(connection, external_id))
        statement = select(LOT, OPERATION.c.kind, json_text(OPERATION.c.result, "receipt").label("receipt"))
        statement = statement.join(OPERATION, OPERATION.c.id == LOT.c.operation_id)
        statement = statement.where(LOT.c.customer_id == holder)
        # Of lots that are spent there is an index by their operations alone.
        narrower = LOT.c.remaining != 0 if which == "open" else OPERATION.c.customer_id == holder
        statement = statement.where(narrower)
        if after:
            statement = statement.where(LOT.c.id < after[0])
        rows = connection.execute(statement.order_by(LOT.c.id.desc()).limit(paged.most)).all()
    return paged.page("lots", rows, lambda row: [row.id], lambda row: _lot(program, row, now))


@routes.get("/{external_id}/history", **asks("customers:read", "unknown_customer", "wrong_cursor"))
def history(here: Here, external_id: CustomerPath, paged: Paged) -> Page[EntryOut]:
    """Every movement of a customer's bonuses, the one that was recorded last first, each with its reason."""
    program = here.program
    after = paged.place("history")
    with here.database.read() as connection:
        rows = _entries(connection, holder_of(known(connection, external_id)), after, paged.most)
        others = _others(connection, rows)
        version = brought(connection, {row.program_version for row in rows})
    return paged.page(
        "history", rows, lambda row: [row.id], lambda row: _entry(program, row, others, version)
    )


def _entries(connection: Connection, holder: int, after: tuple[int, ...] | None, most: int) -> Any:
    statement: Select[Any] = (
        select(
            ENTRY, LOT.c.account, OPERATION.c.kind.label("operation"), OPERATION.c.author,
            json_text(OPERATION.c.result, "receipt").label("receipt"),
            OPERATION.c.data, OPERATION.c.result, MENDED.c.kind.label("mended"),
            MENDED.c.author.label("mended_author"), MENDED.c.data.label("mended_data"),
            MENDED.c.result.label("mended_result"),
            json_text(MENDED.c.result, "receipt").label("mended_receipt"),
        )
        .join(OPERATION, OPERATION.c.id == ENTRY.c.operation_id)
        .join(LOT, LOT.c.id == ENTRY.c.lot_id)
        .outerjoin(MENDED, MENDED.c.id == ENTRY.c.corrects)
        .where(ENTRY.c.customer_id == holder)
    )  # fmt: skip
    if after:
        statement = statement.where(ENTRY.c.id < after[0])
    return connection.execute(statement.order_by(ENTRY.c.id.desc()).limit(most)).all()


def _others(connection: Connection, rows: Sequence[Any]) -> Mapping[int, str]:
    """The external ids of those to whom or from whom something went."""
    ids = {other for row in rows if (other := _other(row)) is not None}
    named = select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.id.in_(sorted(ids)))
    return {row.id: row.external_id for row in connection.execute(named)} if ids else {}


def _other(row: Any) -> int | None:
    data = _data(row)
    found = data.get("receiver_id" if row.amount < 0 else "sender_id")
    return int(found) if found is not None else None


def _data(row: Any) -> Mapping[str, Any]:
    """Of the operation that an entry belongs to: the corrected one if it corrects another."""
    return (row.mended_data if row.mended else row.data) or {}


def _told(program: Program, row: Any, others: Mapping[int, str]) -> Told:
    receipt = row.mended_receipt or row.receipt
    other = _other(row)
    given_back = row.operation == "return" and row.kind == "redemption" and receipt == row.receipt
    # What a return takes of a purchase is told as the return's.
    own = row.operation if (row.operation, row.mended) == ("return", "purchase") else None
    return Told(
        str(program.from_points(row.amount)), row.kind, own or row.mended or row.operation, receipt, row.rule,
        None if given_back else row.mended, author=row.mended_author if row.mended else row.author,
        other=others.get(other) if other is not None else None, data=_data(row),
        result=(row.mended_result if row.mended else row.result) or {},
    )  # fmt: skip


def _entry(program: Program, row: Any, others: Mapping[int, str], version: Brought) -> EntryOut:
    amount = str(program.from_points(row.amount))
    receipt = row.mended_receipt or row.receipt
    return EntryOut(
        entry=row.id, at=row.at, recorded_at=row.recorded_at, operation=row.operation, kind=row.kind,
        amount=amount, sentence=sentence(_told(program, row, others)), receipt=receipt,
        account=row.account, lot=row.lot_id, rule=row.rule,
        program_version=version(row.program_version, row.at),
        corrects=row.mended, author=row.author, reason=(row.data or {}).get("reason"),
    )  # fmt: skip


def _lot(program: Program, row: Any, now: datetime) -> LotShown:
    return LotShown(
        lot=row.id, account=row.account, reason=row.reason, amount=str(program.from_points(row.amount)),
        remaining=str(program.from_points(row.remaining)), state=_state(row, now),
        active_from=row.active_from, expires_on=row.expires_on, operation=row.kind, receipt=row.receipt,
        partner=row.partner,
    )  # fmt: skip


def _state(lot: Any, now: datetime) -> str:
    if lot.remaining < 0:
        return "debt"
    if lot.expires_at is not None and lot.expires_at <= now:
        return "expired"
    if lot.remaining == 0:
        return "used"
    return "active" if lot.active_from <= now else "pending"
