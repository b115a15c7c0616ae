"""Customers over the API: registered, changed, looked at; their consents and phones."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy import Connection, select

from channels import discover
from core.customers.consent import MARKETING, Choice, in_force
from core.customers.double_opt_in import give, pending
from core.customers.profiles import Profile, Saved, known_zone, save
from core.customers.suppressions import reasons
from core.grants.referral_grants import welcome_friends
from core.grants.referrals import find_inviter, name_inviter
from core.ledger.lots import Refusal
from core.ledger.writing import LOT
from core.program import Program
from templates.context import TierView
from templates.facts import contexts
from tidings.api.access import Here, asks
from tidings.api.answers import ConsentOut, CustomerOut, Expiring, LotOut, Tier
from tidings.api.bodies import AddressIn, ConsentIn, ConsentsIn, ConsentValue, CustomerIn
from tidings.api.card_links import card_links
from tidings.api.idempotency import Once
from tidings.api.lookup import CustomerPath, known
from tidings.api.problems import refuse, refused
from tidings.api.services import Services
from tidings.balances import SOONEST, balances, holder_of, not_over
from tidings.suppressions import kinds

routes = APIRouter(prefix="/customers", tags=["Customers"])
Channel = Annotated[str, Path(description="email, sms, push …", examples=["email"])]

_TEXTS = ("card", "name", "phone", "email", "gender", "city", "locale", "time_zone")
_BORN_AFTER = date(1900, 1, 1)


@routes.post("", **asks(
    "customers:write", "card_taken", "erased", "in_the_future", "self_referral", "circular_referral",
    answer=CustomerOut, created=True,
))  # fmt: skip
def register(here: Here, once: Once, body: CustomerIn) -> Response:
    """Register a customer (201), or change one who is known (200).

    A new customer gets the program's welcome bonus.
    """
    running, now = here.running, here.now()
    _check_birthday(body.birthday, running.program.day_of(now))
    _check_registered(body.registered_at, now)
    with once.recording() as done:
        connection = done.connection
        brought = body.referred_by and find_inviter(connection, body.referred_by)
        [saved] = save(
            connection, running.program, here.workspace.addresses, [_profile(body)], now, live=True,
            source="referral" if brought else "api",
        )  # fmt: skip
        if saved.refusal:
            raise refused(saved.refusal, {"card_taken": "card", "erased": "external_id"})
        warnings = [
            *_zone_warnings(body),
            *_locale_warnings(body),
            *_bring(here, connection, saved, body.referred_by, now),
        ]
        shown = _shown(here, connection, body.external_id).model_copy(update={"warnings": warnings})
        return done(201 if saved.effect == "created" else 200, shown, about=saved.customer_id)


@routes.get("/{external_id}", **asks("customers:read", "unknown_customer"))
def show(here: Here, external_id: CustomerPath) -> CustomerOut:
    """A customer's profile, level, bonuses and consents."""
    with here.database.read() as connection:
        return _shown(here, connection, external_id)


@routes.put(
    "/{external_id}/consents/{channel}", **asks("consents:write", "unknown_customer", "in_the_future")
)
def choose_one(
    here: Here, external_id: CustomerPath, channel: Channel, body: ConsentValue
) -> list[ConsentOut]:
    """Give or withdraw consent to marketing on one channel; the consents in force are the answer."""
    choice = ConsentIn(
        channel=channel, granted=body.granted, source=body.source, at=body.at, wording=body.wording,
        proof=body.proof,
    )  # fmt: skip
    now = here.now()
    choices = _checked([choice], here.program, now, "")
    with here.recording() as connection:
        return _choose(here, connection, external_id, choices, now)


@routes.post("/{external_id}/consents", **asks(
    "consents:write", "unknown_customer", "in_the_future", answer=list[ConsentOut]
))  # fmt: skip
def choose_several(here: Here, once: Once, external_id: CustomerPath, body: ConsentsIn) -> Response:
    """Give or withdraw several consents at once; the consents in force are the answer."""
    now = here.now()
    choices = _checked(body.consents, here.program, now)
    with once.recording() as done:
        told = _choose(here, done.connection, external_id, choices, now)
        return done(200, told, known(done.connection, external_id).id)


@routes.post(
    "/{external_id}/addresses", **asks("customers:write", "unknown_customer", status=204),
    response_class=Response,
)  # fmt: skip
def add_address(here: Here, once: Once, external_id: CustomerPath, body: AddressIn) -> Response:
    """Add a phone with the shop's app, to which pushes may go. The same one again changes nothing.

    One that another customer reported before is theirs no more: somebody else has logged in on it.
    """
    with once.recording() as done:
        row = known(done.connection, external_id)
        here.workspace.addresses.reported(done.connection, row.id, body.kind, body.value, here.now())
        return done(204)


def _bring(here: Services, connection: Connection, saved: Saved, who: str | None, now: datetime) -> list[str]:
    """Note who brought the customer; returns warnings. Refused: themselves, or whom they brought."""
    if not who:
        return []
    named = name_inviter(connection, saved.customer_id, who, now, live=True)
    if isinstance(named, Refusal):
        if named.reason in ("self_referral", "circular_referral"):
            raise refuse(named.reason, named.detail, "referred_by")
        return [f"referred_by: {named.detail}"]
    if saved.effect == "created":
        welcome_friends(connection, here.program, [saved.customer_id], now, live=True)
    return []


def _profile(body: CustomerIn) -> Profile:
    """What was sent; null empties it, as "" does a text; what was left out stays."""
    texts = {name: getattr(body, name) or "" for name in _TEXTS if name in body.model_fields_set}
    emptied = "birthday" in body.model_fields_set and body.birthday is None
    return Profile(
        body.external_id, birthday="" if emptied else body.birthday, registered_at=body.registered_at,
        attributes=body.attributes, **texts,
    )  # fmt: skip


def _check_birthday(birthday: date | None, today: date) -> None:
    if birthday and not _BORN_AFTER <= birthday <= today:
        raise refuse("invalid", "birthday: it must lie between 1900 and today", "birthday")


def _check_registered(registered_at: datetime | None, now: datetime) -> None:
    if registered_at and registered_at > now:
        raise refuse("in_the_future", "the time has not come yet", "registered_at")


def _zone_warnings(body: CustomerIn) -> list[str]:
    usual = not body.time_zone or known_zone(body.time_zone)
    return [] if usual else ["time_zone is not of the IANA database; the program's own is used"]


def _locale_warnings(body: CustomerIn) -> list[str]:
    from babel import Locale, UnknownLocaleError  # slow to import

    try:
        Locale.parse((body.locale or "en").replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return ["locale is not a language of CLDR; the program's own is used"]
    return []


def _checked(
    wanted: Sequence[ConsentIn], program: Program, now: datetime, place: str = "consents[{}]."
) -> Sequence[ConsentIn]:
    purposes = (MARKETING, *program.consent.purposes)
    for index, choice in enumerate(wanted):
        field = place.format(index)
        if choice.channel not in discover():
            there = ", ".join(discover())
            raise refuse("invalid", f"no such channel; there are {there}", f"{field}channel")
        if choice.purpose not in purposes:
            there = ", ".join(purposes)
            raise refuse("invalid", f"no such purpose; there are {there}", f"{field}purpose")
        if choice.at is not None and choice.at > now:
            raise refuse("in_the_future", "the time has not come yet", f"{field}at")
    return wanted


def _choose(
    here: Services, connection: Connection, external_id: str, wanted: Sequence[ConsentIn], now: datetime
) -> list[ConsentOut]:
    row = known(connection, external_id)
    choices = [
        Choice(row.id, it.channel, it.granted, it.at or now, it.source, it.purpose, it.wording, _proof(it))
        for it in wanted
    ]
    give(connection, here.program, choices, now, live=True)
    return _consents(connection, row.id)


def _proof(choice: ConsentIn) -> dict[str, Any] | None:
    return choice.proof.model_dump(mode="json", exclude_none=True) if choice.proof else None


def _consents(connection: Connection, customer_id: int) -> list[ConsentOut]:
    """What is in force; a yes that waits for its letter stands there as not granted, and pending."""
    found = {
        key: ConsentOut(channel=row.channel, purpose=row.purpose, granted=row.granted, at=row.at,
                        source=row.source, wording=row.wording)
        for key, row in in_force(connection, [customer_id]).items()
    }  # fmt: skip
    for key, row in pending(connection, [customer_id]).items():
        asked = ConsentOut(channel=row.channel, purpose=row.purpose, granted=False, at=row.at,
                           source=row.source, wording=row.wording)  # fmt: skip
        found[key] = found.get(key, asked).model_copy(update={"pending": True})
    closed = reasons(connection, kinds(), customer_id)
    return [it.model_copy(update={"suppressed": closed.get(it.channel)}) for _, it in sorted(found.items())]


def _shown(here: Services, connection: Connection, external_id: str) -> CustomerOut:
    program, now = here.program, here.now()
    row = known(connection, external_id)
    tier = contexts(connection, program, [row.id], now, here.links)[row.id]["tier"]
    holder = holder_of(row)
    balance = balances(connection, [holder], now)[holder]
    day, amount = balance.nearest
    texts = {name: getattr(row, name) for name in _TEXTS}
    return CustomerOut(
        external_id=row.external_id, birthday=row.birthday, attributes=row.attributes,
        registered_at=row.registered_at, balance=str(program.from_points(balance.total)),
        available=str(program.from_points(balance.available)), tier=_tier(tier),
        expiring=Expiring(amount=str(program.from_points(amount)), on=day),
        lots=_lots(connection, program, holder, now), consents=_consents(connection, row.id),
        wallet_card=card_links(here.running, here.links, row.id), **texts,
    )  # fmt: skip


def _tier(view: TierView) -> Tier:
    return Tier.model_validate({
        "name": view.name, "earn_percent": _plain(view.earn or Decimal(0)),
        "discount_percent": _plain(view.discount), "since": view.since, "next": view.next,
        "unit": view.unit, "have": _plain(view.have), "missing": _plain(view.missing), "until": view.until,
        "to_keep": _plain(view.to_keep), "keep_by": view.keep_by, "kept_by": view.kept_by,
    })  # fmt: skip


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def _lots(connection: Connection, program: Program, holder: int, now: datetime) -> list[LotOut]:
    open_lots = select(LOT).where(LOT.c.customer_id == holder, LOT.c.remaining != 0, not_over(now))
    return [
        LotOut(
            reason=row.reason, amount=str(program.from_points(row.amount)),
            remaining=str(program.from_points(row.remaining)), active_from=row.active_from,
            expires_on=row.expires_on,
        )
        for row in connection.execute(open_lots.order_by(*SOONEST))
    ]  # fmt: skip
