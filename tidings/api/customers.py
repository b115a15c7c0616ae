"""Customers over the API: registered, changed, looked at; their consents and phones."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection, select

from channels import discover
from core.consent import CONSENT, Choice, choose
from core.customers import CUSTOMER, Profile, known_zone, save
from core.db import Database
from core.ledger import ACCOUNT, LOT
from core.program import Program
from templates.context import TierView
from templates.facts import contexts
from tidings.api.access import Here, problems
from tidings.api.models import (
    AddressIn,
    ConsentIn,
    ConsentOut,
    ConsentsIn,
    ConsentValue,
    CustomerIn,
    CustomerOut,
    Expiring,
    Identifier,
    LotOut,
    Tier,
)
from tidings.api.problems import Refused, refused
from tidings.api.services import Services

routes = APIRouter(prefix="/customers", tags=["Customers"])
ExternalId = Annotated[Identifier, Path(description="The customer's number in your system.")]

_TEXTS = ("card", "name", "phone", "email", "gender", "city", "locale", "time_zone")
_BORN_AFTER = date(1900, 1, 1)


@routes.post("", status_code=201, responses={200: {"model": CustomerOut}, **problems(409)})
def register(here: Here, body: CustomerIn, response: Response) -> CustomerOut:
    """Register a customer (201), or change one who is known (200).

    A new customer gets the program's welcome bonus.
    """
    running, now = here.running, here.now()
    _check_birthday(body.birthday, running.program.day_of(now))
    _check_registered(body.registered_at, now)
    with here.recording() as connection:
        [saved] = save(
            connection, running.program, here.workspace.addresses, [_profile(body)], now, live=True
        )
        if saved.refusal:
            raise refused(saved.refusal, {"card_taken": "card", "erased": "external_id"})
    response.status_code = 201 if saved.effect == "created" else 200
    known = not body.time_zone or known_zone(body.time_zone)
    warnings = [] if known else ["time_zone is not of the IANA database; the program's own is used"]
    return _shown(here, body.external_id).model_copy(update={"warnings": warnings})


@routes.get("/{external_id}", responses=problems(404))
def show(here: Here, external_id: ExternalId) -> CustomerOut:
    """A customer's profile, level, bonuses and consents."""
    return _shown(here, external_id)


@routes.put("/{external_id}/consents/{channel}", responses=problems(404))
def choose_one(here: Here, external_id: ExternalId, channel: str, body: ConsentValue) -> list[ConsentOut]:
    """Give or withdraw consent to marketing on one channel; the consents in force are the answer."""
    choice = ConsentIn(channel=channel, granted=body.granted, source=body.source, at=body.at)
    return _choose(here, external_id, [choice])


@routes.post("/{external_id}/consents", responses=problems(404))
def choose_several(here: Here, external_id: ExternalId, body: ConsentsIn) -> list[ConsentOut]:
    """Give or withdraw several consents at once; the consents in force are the answer."""
    return _choose(here, external_id, body.consents)


@routes.post("/{external_id}/addresses", status_code=204, responses=problems(404))
def add_address(here: Here, external_id: ExternalId, body: AddressIn) -> None:
    """Add a phone with the shop's app, to which pushes may go. The same one again changes nothing."""
    with here.recording() as connection:
        row = _known(connection, external_id)
        here.workspace.addresses.add(connection, [(row.id, body.kind, body.value)], here.now())


def _profile(body: CustomerIn) -> Profile:
    """What was sent; null empties a text as "" does, what was left out stays."""
    texts = {name: getattr(body, name) or "" for name in _TEXTS if name in body.model_fields_set}
    return Profile(
        body.external_id, birthday=body.birthday, registered_at=body.registered_at,
        attributes=body.attributes, **texts,
    )  # fmt: skip


def _check_birthday(birthday: date | None, today: date) -> None:
    if birthday and not _BORN_AFTER <= birthday <= today:
        raise Refused(422, "invalid", "birthday: it must lie between 1900 and today", "birthday")


def _check_registered(registered_at: datetime | None, now: datetime) -> None:
    if registered_at and registered_at > now:
        raise Refused(422, "in_the_future", "the time has not come yet", "registered_at")


def _known(connection: Connection, external_id: str) -> Any:
    statement = select(CUSTOMER).where(CUSTOMER.c.external_id == external_id, CUSTOMER.c.erased_at.is_(None))
    row = connection.execute(statement).first()
    if row is None:
        raise Refused(404, "unknown_customer", "there is no such customer; register them first")
    return row


def _choose(here: Services, external_id: str, wanted: Sequence[ConsentIn]) -> list[ConsentOut]:
    now = here.now()
    for index, choice in enumerate(wanted):
        if choice.channel not in discover():
            known = ", ".join(discover())
            raise Refused(422, "invalid", f"no such channel; there are {known}", f"consents[{index}].channel")
        if choice.at is not None and choice.at > now:
            raise Refused(422, "in_the_future", "the time has not come yet", f"consents[{index}].at")
    with here.recording() as connection:
        row = _known(connection, external_id)
        choices = [
            Choice(row.id, it.channel, it.granted, it.at or now, it.source, it.purpose) for it in wanted
        ]
        choose(connection, choices, now, live=True)
        return _consents(connection, row.id)


def _consents(connection: Connection, customer_id: int) -> list[ConsentOut]:
    own = select(CONSENT).where(CONSENT.c.customer_id == customer_id)
    rows = connection.execute(own.order_by(CONSENT.c.channel, CONSENT.c.purpose))
    return [
        ConsentOut(
            channel=row.channel, purpose=row.purpose, granted=row.granted, at=row.at, source=row.source
        )
        for row in rows
    ]


def _shown(here: Services, external_id: str) -> CustomerOut:
    program, links, now = here.program, here.links, here.now()
    database: Database = here.database
    with database.read() as connection:
        row = _known(connection, external_id)
        context = contexts(connection, program, [row.id], now, links)[row.id]
        total = connection.scalar(select(ACCOUNT.c.total).where(ACCOUNT.c.customer_id == row.id)) or 0
        expiring = context["expiring"]
        texts = {name: getattr(row, name) for name in _TEXTS}
        return CustomerOut(
            external_id=row.external_id, birthday=row.birthday, attributes=row.attributes,
            registered_at=row.registered_at, balance=str(program.from_points(total)),
            available=str(context["balance"]),
            tier=_tier(context["tier"]),
            expiring=Expiring(amount=str(expiring.amount), on=expiring.on),
            lots=_lots(connection, program, row.id), consents=_consents(connection, row.id), **texts,
        )  # fmt: skip


def _tier(view: TierView) -> Tier:
    earn = (view.earn or Decimal(0)).normalize()
    missing = None if view.missing is None else f"{view.missing.normalize():f}"
    return Tier(name=view.name, earn_percent=f"{earn:f}", since=view.since, next=view.next, missing=missing)


def _lots(connection: Connection, program: Program, customer_id: int) -> list[LotOut]:
    open_lots = select(LOT).where(LOT.c.customer_id == customer_id, LOT.c.remaining != 0)
    return [
        LotOut(
            reason=row.reason, amount=str(program.from_points(row.amount)),
            remaining=str(program.from_points(row.remaining)), active_from=row.active_from,
            expires_on=row.expires_on,
        )
        for row in connection.execute(open_lots.order_by(LOT.c.expires_on, LOT.c.id))
    ]  # fmt: skip
