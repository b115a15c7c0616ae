"""Customers: registered, changed, found."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from typing import Any, Literal
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, or_, select, update

from core.customers.addresses import Addresses
from core.customers.double_opt_in import readdress
from core.customers.forgotten import was_erased
from core.db import allocate, insert_ignoring
from core.db.bulk import insert_rows
from core.events import Happening, append
from core.grants.giving import Act, book_grants
from core.ledger.book import CHUNK
from core.ledger.lots import Refusal
from core.ledger.operations import again_if_taken
from core.ledger.writing import ACCOUNT
from core.letters import is_seen, one_line, without_unseen
from core.program import Program
from core.tables import Customer, TimeZone

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
ZONE = TimeZone.__table__  # type: ignore[attr-defined]
# What stands in subjects, on cards and in tables.
LINES = ("name", "city")
PROFILE = ("card", "name", "phone", "email", "birthday", "gender", "city", "locale", "time_zone")
# Deliberately loose (RFC 5321 allows far more than people use): the mail server has the last word.
EMAIL = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+")
# As phones and browsers say it (BCP 47): zh-Hans-CN, es-419.
LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
GENDERS = ("female", "male", "other")
JOINED = "registered"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is said of a customer. None leaves a value as it is; '' empties it."""

    external_id: str
    card: str | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: date | Literal[""] | None = None
    gender: str | None = None
    city: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    registered_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def phone_number(value: str) -> str:
    """E.164; ValueError with a sentence if it is none."""
    import phonenumbers

    compact = re.sub(r"[\s().-]", "", value)
    try:
        number = phonenumbers.parse(compact, None)
    except phonenumbers.NumberParseException:
        raise ValueError("the phone must be in international form, for example +380501234567") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError("the phone has too few or too many digits for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_address(value: str) -> str:
    """The address with its domain in small letters; ValueError with a sentence if it is none.

    What is pasted along with it unseen, and the dot that ends a domain in DNS, are left out: they would make
    another address of it, which no suppression is about.
    """
    value = without_unseen(value).removesuffix(".")
    if not EMAIL.fullmatch(value) or len(value) > 254:
        raise ValueError("the email is not an address of the form name@domain.tld")
    local, _, domain = value.rpartition("@")
    return f"{local}@{domain.lower()}"


def checked(profile: Profile, today: date) -> Profile:
    """The profile in its normal form; ValueError with one sentence about the first thing wrong."""
    _check_numbers(profile)
    lines: dict[str, Any] = {name: one_line(it) for name in LINES if (it := getattr(profile, name))}
    profile = replace(profile, **lines)
    for name in ("name", "city", "card"):
        if len(getattr(profile, name) or "") > 200:
            raise ValueError(f"the {name} is longer than 200 characters")
    if profile.birthday and not date(1900, 1, 1) <= profile.birthday <= today:
        raise ValueError(f"the birthday {profile.birthday} is not between 1900 and today")
    if profile.gender and profile.gender not in GENDERS:
        raise ValueError(f"the gender must be one of {', '.join(GENDERS)}, or left out")
    if profile.locale and not LOCALE.fullmatch(profile.locale):
        raise ValueError("the locale must look like uk or uk-UA")
    values = {name: getattr(profile, name) for name in Profile.__dataclass_fields__}
    if profile.phone:
        values["phone"] = phone_number(profile.phone)
    if profile.email:
        values["email"] = email_address(profile.email)
    return Profile(**values)


def _check_numbers(profile: Profile) -> None:
    """By which a customer is asked for, at a desk as well: ValueError for one that nobody could read out."""
    if not profile.external_id or len(profile.external_id) > 200:
        raise ValueError("a customer needs an external id of 1 to 200 characters")
    for what, number in (("external id", profile.external_id), ("card", profile.card)):
        if number and not is_seen(number):
            raise ValueError(f"the {what} has nothing in it that can be seen")


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a profile: `created`, `changed`, `unchanged`, or `refused` (then `refusal` says why)."""

    external_id: str
    customer_id: int
    effect: str
    refusal: Refusal | None = None


def save(
    connection: Connection, program: Program, addresses: Addresses, profiles: Sequence[Profile],
    recorded_at: datetime, *, live: bool, source: str = "api",
) -> list[Saved]:  # fmt: skip
    """Register or change customers in the caller's write transaction; profiles were `checked` before.

    Within one call a later profile of an external id adds to an earlier one. A live registration is granted
    the program's welcome bonus; imported history is not. `source` is how new customers came: `api`, `import`
    or `referral`. Refused, and nothing changed: `card_taken` (another
    customer has this card), `erased` (the person asked to be forgotten).
    """
    wanted: dict[str, Profile] = {}
    for profile in profiles:
        before = wanted.get(profile.external_id)
        wanted[profile.external_id] = _merged(before, profile) if before else profile

    def work() -> dict[str, Saved]:
        erased = was_erased(connection, addresses, sorted(wanted))
        return _Saving(connection, program, wanted, erased, recorded_at, live, source).run(addresses)

    saved = again_if_taken(connection, work)
    return [saved[it.external_id] for it in profiles]


def _merged(before: Profile, after: Profile) -> Profile:
    said = {name: getattr(after, name) for name in Profile.__dataclass_fields__}
    values = {name: value for name, value in said.items() if value is not None}
    return replace(before, **{**values, "attributes": {**before.attributes, **after.attributes}})


class _Saving:
    """One call of `save`: what is there, what is new, what changes."""

    def __init__(
        self, connection: Connection, program: Program, wanted: Mapping[str, Profile],
        erased: AbstractSet[str], recorded_at: datetime, live: bool, source: str,
    ) -> None:  # fmt: skip
        self.connection, self.program = connection, program
        self.recorded_at, self.live, self.source = recorded_at, live, source
        present = _present(connection, sorted(wanted))
        self.refused = _refused(connection, wanted, present, erased)
        self.wanted = {key: it for key, it in wanted.items() if key not in self.refused}
        self.present = {key: row for key, row in present.items() if key in self.wanted}
        self._gather()
        self.new = [it for key, it in self.wanted.items() if key not in present]
        fresh = allocate(connection, CUSTOMER, len(self.new))
        self.ids = dict(zip((it.external_id for it in self.new), fresh, strict=True))
        self.ids |= {key: row.id for key, row in self.present.items()}

    def _gather(self) -> None:
        """A duplicate's number means the survivor: what is said under both is said of one customer."""
        said: dict[int, Profile] = {}
        for key in [key for key in self.wanted if key in self.present]:
            number, profile = self.present[key].id, self.wanted[key]
            said[number] = _merged(said[number], profile) if number in said else profile
        self.wanted |= {key: said[row.id] for key, row in self.present.items()}

    def run(self, addresses: Addresses) -> dict[str, Saved]:
        joined = self._register()
        changed = self._change()
        moved = [key for key in self.wanted if key in changed or key not in self.present]
        touched = [*{self.ids[key]: self.wanted[key] for key in moved}.values()]
        # An imported customer could be reached all along; a past look must find them so.
        since = {} if self.live else dict(joined)
        _keep_addresses(self.connection, addresses, touched, self.ids, self.recorded_at, since)
        mailed = [self.ids[it.external_id] for it in touched if it.email]
        readdress(self.connection, self.program, mailed, self.recorded_at, live=self.live)
        zones = sorted({it.time_zone for it in touched if it.time_zone})
        if zones:
            insert = insert_ignoring(self.connection, ZONE)
            self.connection.execute(insert, [{"name": zone} for zone in zones])
        happenings = [Happening(i, JOINED, at, "registration", {"source": self.source}) for i, at in joined]
        happenings += [
            Happening(number, "profile_changed", self.recorded_at)
            for number in dict.fromkeys(self.ids[key] for key in sorted(changed))
        ]
        if self.live:
            happenings += _welcome(self.connection, self.program, [i for i, _ in joined], self.recorded_at)
        append(self.connection, happenings, self.recorded_at, live=self.live)
        saved = {key: Saved(key, self.ids[key], self._effect(key, changed)) for key in self.wanted}
        return saved | {key: Saved(key, 0, "refused", refusal) for key, refusal in self.refused.items()}

    def _register(self) -> list[tuple[int, datetime]]:
        rows = [_row(self.program, it, self.ids[it.external_id], self.recorded_at) for it in self.new]
        columns = tuple(rows[0]) if rows else ()
        insert_rows(self.connection, CUSTOMER, columns, [tuple(row.values()) for row in rows])
        accounts = [(row["id"], 0, self.recorded_at) for row in rows]
        insert_rows(self.connection, ACCOUNT, ("customer_id", "total", "moved_at"), accounts)
        return [(row["id"], row["registered_at"]) for row in rows]

    def _change(self) -> set[str]:
        """Update who is there, one statement for each set of columns that changes."""
        changes = {key: _changes(row, self.wanted[key]) for key, row in self.present.items()}
        self._take_cards(
            {self.ids[key]: values["card"] for key, values in changes.items() if "card" in values}
        )
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for key, values in changes.items():
            if values:
                row = {"id_": self.ids[key], **{f"{name}_": value for name, value in values.items()}}
                alike.setdefault(tuple(sorted(values)), []).append(row)
        for names, rows in alike.items():
            new = {name: bindparam(f"{name}_", type_=CUSTOMER.c[name].type) for name in names}
            statement = update(CUSTOMER).where(CUSTOMER.c.id == bindparam("id_"))
            self.connection.execute(statement.values(**new, updated_at=self.recorded_at), rows)
        return {key for key, values in changes.items() if values}

    def _take_cards(self, cards: Mapping[int, str | None]) -> None:
        """A card that a duplicate had goes to the customer into whom they were merged."""
        theirs = CUSTOMER.c.merged_into.in_(cards) & CUSTOMER.c.card.in_([it for it in cards.values() if it])
        if cards:
            self.connection.execute(update(CUSTOMER).where(theirs).values(card=None))

    def _effect(self, key: str, changed: set[str]) -> str:
        if key not in self.present:
            return "created"
        return "changed" if key in changed else "unchanged"


def _present(connection: Connection, external_ids: Sequence[str]) -> dict[str, Any]:
    """Who is there, held against other writers until the transaction ends; of a duplicate, the survivor."""
    found = {}
    for start in range(0, len(external_ids), CHUNK):
        chunk = CUSTOMER.c.external_id.in_(external_ids[start : start + CHUNK])
        found.update({row.external_id: row for row in _held(connection, chunk)})
    merged = {row.merged_into for row in found.values() if row.merged_into}
    survivors = {row.id: row for row in _held(connection, CUSTOMER.c.id.in_(merged))} if merged else {}
    return {key: survivors.get(row.merged_into, row) for key, row in found.items()}


def _held(connection: Connection, which: ColumnElement[bool]) -> Sequence[Any]:
    held = select(CUSTOMER).where(which).order_by(CUSTOMER.c.id).with_for_update(key_share=True)
    return connection.execute(held).all()


def _refused(
    connection: Connection,
    wanted: Mapping[str, Profile],
    present: Mapping[str, Any],
    erased: AbstractSet[str],
) -> dict[str, Refusal]:
    """Whose profile cannot be kept: a card is one customer's, an erased person stays erased."""
    refused = {
        key: Refusal("erased", f"customer {key!r} was erased and is not taken up again")
        for key in wanted
        if key in erased or (key in present and present[key].erased_at is not None)
    }
    owners = _owners(connection, sorted({it.card for it in wanted.values() if it.card}))
    for key, profile in wanted.items():
        if key in refused or not profile.card:
            continue
        # Who is new has no number yet; their card is theirs under the name that the shop gave them.
        me: int | str = present[key].id if key in present else key
        owner, name = owners.setdefault(profile.card, (me, key))
        if owner != me:
            refused[key] = Refusal("card_taken", f"the card of customer {key!r} belongs to customer {name!r}")
    return refused


def _owners(connection: Connection, cards: Sequence[str]) -> dict[str, tuple[int | str, str]]:
    """Whose these cards are: the customer, a duplicate's survivor, and the external id that has it."""
    owners: dict[str, tuple[int | str, str]] = {}
    owner = func.coalesce(CUSTOMER.c.merged_into, CUSTOMER.c.id).label("owner")
    for start in range(0, len(cards), CHUNK):
        statement = select(CUSTOMER.c.card, CUSTOMER.c.external_id, owner)
        chunk = statement.where(CUSTOMER.c.card.in_(cards[start : start + CHUNK]))
        owners |= {row.card: (row.owner, row.external_id) for row in connection.execute(chunk)}
    return owners


def _row(program: Program, profile: Profile, customer_id: int, recorded_at: datetime) -> dict[str, Any]:
    lowest = program.tier_for(0).name
    registered = profile.registered_at or recorded_at
    values = {name: getattr(profile, name) or None for name in PROFILE}
    return {
        **values, "id": customer_id, "external_id": profile.external_id,
        "birthday_md": _month_day(profile.birthday),
        "attributes": dict(profile.attributes), "tier": lowest, "tier_since": registered,
        "registered_at": registered, "updated_at": recorded_at,
        # Known to have agreed to nothing, until they do.
        "opted_in": "",
    }  # fmt: skip


def _changes(row: Any, profile: Profile) -> dict[str, Any]:
    """The columns of a customer that a profile changes."""
    values = {name: getattr(profile, name) or None for name in PROFILE if getattr(profile, name) is not None}
    values = {name: value for name, value in values.items() if getattr(row, name) != value}
    known = row.attributes
    if not all(name in known and _same(known[name], value) for name, value in profile.attributes.items()):
        values["attributes"] = {**known, **profile.attributes}
    if "birthday" in values:
        values["birthday_md"] = _month_day(profile.birthday)
    return values


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: Python takes 1 for True, and a scenario that asks for yes or no does not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _month_day(birthday: date | Literal[""] | None) -> int | None:
    return birthday.month * 100 + birthday.day if birthday else None


def _keep_addresses(
    connection: Connection,
    addresses: Addresses,
    profiles: Sequence[Profile],
    ids: dict[str, int],
    at: datetime,
    since: Mapping[int, datetime],
) -> None:
    found = [(ids[it.external_id], "phone", it.phone) for it in profiles if it.phone is not None]
    found += [(ids[it.external_id], "email", it.email) for it in profiles if it.email is not None]
    addresses.put(connection, found, ("phone", "email"), at, since)


def _welcome(
    connection: Connection, program: Program, joined: Sequence[int], recorded_at: datetime
) -> list[Happening]:
    # Given today, whatever day the shop names as that of joining: it would be over before it began.
    acts = [Act(customer_id, JOINED, recorded_at) for customer_id in joined]
    if not acts or not program.grants(JOINED):
        return []
    return book_grants(connection, program, JOINED, acts, recorded_at, live=True)[1]


def find(connection: Connection, who: str) -> Any | None:
    """The customer row with this external id, card number, phone or email; None if there is none.

    What a duplicate had leads to the customer into whom they were merged.
    """
    by = or_(
        CUSTOMER.c.external_id == who,
        CUSTOMER.c.card == who,
        CUSTOMER.c.phone == who,
        CUSTOMER.c.email == who,
    )
    # An external id outranks a card, a card a phone: the first that matches is meant.
    rank = case((CUSTOMER.c.external_id == who, 0), (CUSTOMER.c.card == who, 1), else_=2)
    row = connection.execute(select(CUSTOMER).where(by).order_by(rank, CUSTOMER.c.id).limit(1)).first()
    if row is None or row.merged_into is None:
        return row
    return connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == row.merged_into)).first()


def known_zone(name: str) -> bool:
    """A zone of the IANA database? An unknown one falls back to the program's and is reported."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads a folder
