"""Everything that is kept about one customer, as one file that they may take elsewhere.

Source: GDPR, articles 15 and 20. Left out is what would give away others (who did something for the customer,
whom they brought), what opens something (tokens, digests), and copies of what stands here already. Texts are
not kept: what a message said is written anew from its version and the facts that were kept with it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

import campaigns.tables as decisions
import core.tables as facts
from campaigns.names import as_called_then
from campaigns.versions import Live
from core.customers.addresses import ADDRESS, LIFTED, SUPPRESSION
from core.customers.profiles import CUSTOMER
from core.errors import Problems, UserError
from core.events import EVENT
from core.links import Links
from core.program import Program
from core.program.words import is_own_event
from templates.facts import Context, contexts, with_trigger
from triggers import discover
from wallet.tables import PASS, REGISTRATION

FILE_NAME = "my-data.json"
ABOUT = (
    "Amounts of bonuses and money are in whole units, times are UTC. Bonuses of a household stand with its "
    "head. `text` of a message is written anew from its words of that day and the facts kept with it; what "
    "was not kept with it is as it is now. A message whose facts are no longer kept has no text."
)
# Of what happened and what was noted: parts that name somebody else.
OF_OTHERS = ("friend", "sender", "receiver", "author", "member", "head", "duplicate")


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the file: rows of a table, the named columns of them, oldest first."""

    name: str
    table: Table
    columns: Sequence[str]
    order: str = "id"
    points: Collection[str] = ()
    money: Collection[str] = ()
    thousandths: Collection[str] = ()


SECTIONS = (
    Section("addresses", ADDRESS, ("kind", "value", "active", "since")),
    Section("consents", _table(facts.Consent),
            ("channel", "purpose", "granted", "at", "source", "wording", "proof"), "at"),
    Section("consents_to_be_confirmed", _table(facts.ConsentRequest),
            ("channel", "purpose", "state", "source", "wording", "proof", "at", "decided_at")),
    Section("letters", _table(facts.Letter), ("kind", "channel", "state", "reason", "at", "answered_at")),
    Section("receipts", _table(facts.Receipt),
            ("id", "external_id", "store", "partner", "at", "total", "paid_points", "earned_points", "codes",
             "returned_at"), "at", ("paid_points", "earned_points"), ("total",)),
    Section("receipt_lines", _table(facts.ReceiptLine),
            ("receipt_id", "line", "sku", "quantity", "total", "category", "brand", "discounted",
             "earned_points", "paid_points", "returned"), "receipt_id", ("paid_points", "earned_points"),
            ("total",), ("quantity", "returned")),
    Section("operations", _table(facts.Operation), ("id", "kind", "partner", "data", "at", "recorded_at")),
    Section("bonus_entries", _table(facts.Entry),
            ("operation_id", "lot_id", "kind", "amount", "rule", "at", "recorded_at"), points=("amount",)),
    Section("bonus_lots", _table(facts.Lot),
            ("id", "operation_id", "account", "partner", "reason", "amount", "remaining", "active_from",
             "expires_on"), points=("amount", "remaining")),
    Section("balance", _table(facts.Account), ("total", "last_at"), "customer_id", ("total",)),
    Section("holds", _table(facts.Hold), ("external_id", "points", "state", "cart", "at", "expires_at"),
            points=("points",)),
    Section("confirmation_codes", _table(facts.ConfirmationCode), ("state", "reason", "at")),
    Section("totals", _table(facts.CustomerStats),
            ("first_purchase_at", "last_purchase_at", "purchases", "spent"), "customer_id", money=("spent",)),
    Section("levels", _table(facts.TierChange),
            ("previous", "tier", "direction", "at", "recorded_at", "voided_at")),
    Section("coupons", _table(facts.PromoCode),
            ("code", "rule", "first_day", "last_day", "uses", "uses_at_most", "created_at", "disabled_at")),
    Section("codes_used", _table(facts.PromoUse), ("code", "rule", "receipt", "at", "freed_at")),
    Section("code_for_friends", _table(facts.ReferralCode), ("code",), "customer_id"),
    Section("events", EVENT, ("kind", "subject", "at", "recorded_at", "data")),
    Section("messages", _table(decisions.Message),
            ("id", "scenario", "version", "occasion", "step", "purpose", "message", "channel", "locale",
             "state", "reason", "detail", "planned_at", "accepted_at", "facts")),
    Section("attempts", _table(decisions.Attempt),
            ("message_id", "channel", "number", "outcome", "reason", "detail", "at")),
    Section("reactions", _table(decisions.Feedback), ("message_id", "kind", "detail", "at")),
    Section("own_links", _table(decisions.TrackedLink), ("url",)),
    Section("scenarios", _table(decisions.Enrolment),
            ("scenario", "version", "occasion", "subject", "arm", "status", "step", "at", "facts")),
    Section("decisions", _table(decisions.Decision),
            ("scenario", "occasion", "step", "verdict", "detail", "at"), "at"),
    Section("segments", _table(decisions.SegmentChange), ("segment", "at", "entered"), "at"),
    Section("cards", PASS,
            ("serial", "issued_at", "changed_at", "fetched_at", "voided", "replaced_at", "news_title", "news",
             "news_link", "news_at", "google_object_id", "google_saved", "google_saved_at"), "issued_at"),
    Section("phones_with_the_card", REGISTRATION, ("serial", "at"), "at"),
)  # fmt: skip
PROFILE = (
    "external_id", "card", "name", "phone", "email", "birthday", "gender", "city", "locale", "time_zone",
    "attributes", "tier", "tier_since", "registered_at", "updated_at",
)  # fmt: skip


def personal_data(connection: Connection, live: Live, links: Links, row: Any, at: datetime) -> dict[str, Any]:
    """All of it about one customer (their row) and the duplicates merged into them."""
    program = live.running().program
    ids = _selves(connection, row.id)
    found: dict[str, Any] = {
        "program": program.name, "about": ABOUT, "made_at": _plain(at),
        "profile": _profile(row),
    }  # fmt: skip
    if merged := _duplicates(connection, ids):
        found["merged_profiles"] = [_profile(it) for it in merged]
    for section in SECTIONS:
        found[section.name] = _rows(connection, program, section, ids)
    context = contexts(connection, program, [row.id], at, links)[row.id]
    found["messages"] = [_with_text(connection, live, context, it, at) for it in found["messages"]]
    found["left_alone"] = _left_alone(connection, ids)
    found["no_longer_left_alone"] = _lifted(connection, ids)
    return found


def to_json(found: Mapping[str, Any]) -> str:
    """Readable, in every script."""
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _selves(connection: Connection, customer_id: int) -> list[int]:
    duplicates = select(CUSTOMER.c.id).where(CUSTOMER.c.merged_into == customer_id).order_by(CUSTOMER.c.id)
    return [customer_id, *connection.scalars(duplicates)]


def _profile(row: Any) -> dict[str, Any]:
    return {name: _plain(getattr(row, name), ()) for name in PROFILE}


def _duplicates(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    """What is known of them under other numbers: the survivor's profile took only what it left open."""
    mine = CUSTOMER.c.id.in_(ids) & CUSTOMER.c.merged_into.is_not(None)
    return connection.execute(select(CUSTOMER).where(mine).order_by(CUSTOMER.c.id)).all()


def _rows(
    connection: Connection, program: Program, section: Section, ids: Sequence[int]
) -> list[dict[str, Any]]:
    columns = [section.table.c[name] for name in section.columns]
    rows = (
        select(*columns).where(_of(section.table, ids)).order_by(section.table.c[section.order], *columns[:2])
    )
    return [_shown(program, section, row._mapping) for row in connection.execute(rows)]  # noqa: SLF001


def _of(table: Table, ids: Sequence[int]) -> ColumnElement[bool]:
    """A hold is its buyer's, whoever's bonuses it sets aside."""
    return (table.c.buyer_id if "buyer_id" in table.c else table.c.customer_id).in_(ids)


def _shown(program: Program, section: Section, row: Mapping[Any, Any]) -> dict[str, Any]:
    into: dict[str, Callable[[int], Any]] = dict.fromkeys(section.points, program.from_points)
    into |= dict.fromkeys(section.money, program.from_money)
    into |= dict.fromkeys(section.thousandths, lambda value: Decimal(value) / 1000)
    # What the shop's system told of the customer is in its words; only whom they brought is put in by us.
    others = ("friend",) if section.table is EVENT and not is_own_event(row["kind"]) else OF_OTHERS
    return {
        name: _plain(into[name](row[name]) if name in into and row[name] is not None else row[name], others)
        for name in section.columns
    }


def _plain(value: Any, of_others: Collection[str] = OF_OTHERS) -> Any:
    """As JSON has it. Attributes are the shop's own words for the customer: none of them names somebody."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part, of_others) for key, part in value.items() if key not in of_others}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def _with_text(
    connection: Connection, live: Live, context: Context, message: dict[str, Any], at: datetime
) -> dict[str, Any]:
    """What a message said; nothing for one that did not leave, or whose words or facts are no longer kept."""
    if message["accepted_at"] is None or not message["facts"]:
        return {**message, "text": None}
    try:
        running = live.of(message["version"])
        scenario = as_called_then(connection, running, message["scenario"])
        if scenario is None:
            return {**message, "text": None}
        trigger = discover()[scenario.trigger]
        said = with_trigger(context, trigger.read(message["facts"], running.program, at), message["channel"])
        locale = message["locale"] or context["customer"].locale
        rendered = running.library.render(message["message"], message["channel"], locale, said)
    except (KeyError, ValueError, UserError, Problems):
        return {**message, "text": None}
    return {**message, "text": {name: part for name, part in rendered.parts.items() if name != "html"}}


def _left_alone(connection: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Addresses that are not used any more on a channel."""
    own = select(ADDRESS.c.value, SUPPRESSION.c.channel, SUPPRESSION.c.reason, SUPPRESSION.c.at).join(
        SUPPRESSION, SUPPRESSION.c.digest == ADDRESS.c.digest
    )
    rows = connection.execute(own.where(ADDRESS.c.customer_id.in_(ids)).order_by(SUPPRESSION.c.at))
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in rows]  # noqa: SLF001


def _lifted(connection: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Suppressions of theirs that were taken back, and why."""
    columns = (LIFTED.c.channel, LIFTED.c.reason, LIFTED.c.at, LIFTED.c.lifted_at, LIFTED.c.why)
    own = select(ADDRESS.c.value, *columns).join(LIFTED, LIFTED.c.digest == ADDRESS.c.digest)
    rows = connection.execute(own.where(ADDRESS.c.customer_id.in_(ids)).order_by(LIFTED.c.id))
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in rows]  # noqa: SLF001
