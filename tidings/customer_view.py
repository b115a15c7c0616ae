"""One customer: everything that is known, and why they heard or did not hear."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection, Select, select

from campaigns.states import Change, history
from campaigns.tables import Feedback, Message
from campaigns.verdicts import verdicts
from core.customers.addresses import ADDRESS, SUPPRESSION
from core.customers.consent import CONSENT
from core.customers.double_opt_in import pending
from core.customers.profiles import find
from core.errors import UserError
from core.ledger.writing import ENTRY, LOT
from core.links import Links
from core.program import Program
from core.purchases.stats import STATS
from templates.facts import Context, contexts
from tidings.balances import SOONEST, Balance, balances, holder_of, not_over
from tidings.console import local, table
from tidings.listing import Fitting, listing

FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
SHOWN, LOTS = 12, 100


@dataclass(frozen=True, slots=True)
class Page:
    """What one look-up found; rows are newest first. Bonuses are those of the account that they use."""

    row: Any
    context: Context
    stats: Any
    balance: Balance
    lots: Sequence[Any]
    entries: Sequence[Any]
    addresses: Sequence[Any]
    consents: Sequence[Any]
    waiting: Sequence[Any]
    messages: Sequence[Any]
    histories: Mapping[int, Sequence[Change]]
    reactions: Mapping[int, Sequence[Any]]
    decisions: Sequence[Any]
    program: Program

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        points = self.program.from_points
        tier = self.context["tier"]
        return {
            "customer": self.row.external_id,
            "name": self.row.name,
            "tier": tier.name,
            "next_tier": tier.next,
            "missing": str(tier.missing) if tier.missing is not None else None,
            "balance": {
                "available": str(points(self.balance.available)),
                "total": str(points(self.balance.total)),
            },
            "lots": [
                {
                    "reason": it.reason,
                    "remaining": str(points(it.remaining)),
                    "active_from": it.active_from.isoformat(),
                    "expires_on": it.expires_on.isoformat() if it.expires_on else None,
                }
                for it in self.lots
            ],
            "entries": [
                {"kind": it.kind, "amount": str(points(it.amount)), "rule": it.rule, "at": it.at.isoformat()}
                for it in self.entries
            ],
            "consents": [
                {
                    "channel": it.channel,
                    "purpose": it.purpose,
                    "granted": it.granted,
                    "at": it.at.isoformat(),
                    "source": it.source,
                    "wording": it.wording,
                    "proof": it.proof or {},
                }
                for it in self.consents
            ],
            "to_be_confirmed": [
                {"channel": it.channel, "purpose": it.purpose, "at": it.at.isoformat(), "source": it.source}
                for it in self.waiting
            ],
            "messages": [
                {
                    "scenario": it.scenario,
                    "step": it.step,
                    "occasion": it.occasion,
                    "channel": it.channel,
                    "state": it.state,
                    "reason": it.reason,
                    "planned_at": it.planned_at.isoformat(),
                    "history": [change.as_json() for change in self.histories[it.id]],
                    "reactions": [
                        {
                            "kind": each.kind,
                            "link": each.detail,
                            "machine": each.machine,
                            "at": each.at.isoformat(),
                        }
                        for each in self.reactions.get(it.id, ())
                    ],
                }
                for it in self.messages
            ],
            "decisions": [
                {
                    "scenario": it.scenario,
                    "step": it.step,
                    "occasion": it.occasion,
                    "verdict": it.verdict,
                    "detail": it.detail,
                    "at": it.at.isoformat(),
                }
                for it in self.decisions
            ],
        }


def read(connection: Connection, program: Program, who: str, at: datetime, links: Links) -> Page:
    """Everything about one customer; UserError if there is none."""
    row = find(connection, who)
    if row is None:
        raise UserError(f"there is no customer '{who}'; write an external id, card, phone or email")

    def of(table: Any, *order: Any, limit: int = SHOWN, whose: int = row.id) -> Select[Any]:
        return select(table).where(table.c.customer_id == whose).order_by(*order).limit(limit)

    holder = holder_of(row)
    lots = of(LOT, *SOONEST, limit=LOTS, whose=holder).where(LOT.c.remaining != 0, not_over(at))
    entries = of(ENTRY, ENTRY.c.at.desc(), ENTRY.c.id.desc(), whose=holder)
    messages = connection.execute(of(MESSAGE, MESSAGE.c.id.desc())).all()
    return Page(
        row=row,
        context=contexts(connection, program, [row.id], at, links)[row.id],
        stats=connection.execute(select(STATS).where(STATS.c.customer_id == row.id)).first(),
        balance=balances(connection, [holder], at)[holder],
        lots=connection.execute(lots).all(),
        entries=connection.execute(entries).all(),
        addresses=_addresses(connection, row.id),
        consents=connection.execute(of(CONSENT, CONSENT.c.channel, limit=50)).all(),
        waiting=list(pending(connection, [row.id]).values()),
        messages=messages,
        histories=history(connection, [it.id for it in messages]),
        reactions=_reactions(connection, [it.id for it in messages]),
        decisions=_decisions(connection, row.id),
        program=program,
    )


def _decisions(connection: Connection, customer_id: int) -> Sequence[Any]:
    said = verdicts(lambda it: it.c.customer_id == customer_id)
    return connection.execute(select(said).order_by(said.c.at.desc()).limit(SHOWN)).all()


def _reactions(connection: Connection, messages: Sequence[int]) -> dict[int, list[Any]]:
    """Opens and clicks by message, in their order."""
    found: dict[int, list[Any]] = {}
    tracked = select(FEEDBACK).where(FEEDBACK.c.message_id.in_(messages), FEEDBACK.c.machine.is_not(None))
    for row in connection.execute(tracked.order_by(FEEDBACK.c.at, FEEDBACK.c.id)):
        found.setdefault(row.message_id, []).append(row)
    return found


def _addresses(connection: Connection, customer_id: int) -> Sequence[Any]:
    statement = (
        select(ADDRESS.c.kind, ADDRESS.c.value, ADDRESS.c.active, SUPPRESSION.c.channel, SUPPRESSION.c.reason)
        .outerjoin(SUPPRESSION, SUPPRESSION.c.digest == ADDRESS.c.digest)
        .where(ADDRESS.c.customer_id == customer_id)
        .order_by(ADDRESS.c.kind, ADDRESS.c.id)
    )
    return connection.execute(statement).all()


def show(console: Console, page: Page, program: Program) -> None:
    """For people."""
    parts: list[Any] = [
        _profile(page, program),
        Columns([_lots(page, program), _entries(page, program)], padding=(0, 4)),
    ]
    if page.consents or page.waiting:
        parts.append(_consents(page, program))
    parts += [_messages(page, program), _why(page, program)]
    title = f"[bold]{escape(page.row.name or page.row.external_id)}[/bold] · {escape(page.row.external_id)}"
    console.print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan", padding=(1, 2)))


def _profile(page: Page, program: Program) -> Fitting:
    row, tier = page.row, page.context["tier"]
    unit = {"money": program.currency, "points": "bonuses"}.get(tier.unit, tier.unit)
    following = f"{tier.missing} {unit} to {tier.next}" if tier.next else "the highest level"
    reached = ", ".join(_address(it) for it in page.addresses) or "none"
    consents = ", ".join(f"{'' if it.granted else 'no '}{it.channel}" for it in page.consents) or "none"
    purchases = (
        f"{page.stats.purchases}, last {local(page.stats.last_purchase_at, program.zone)}"
        if page.stats
        else "none"
    )
    points = program.from_points
    total = points(page.balance.total)
    balance = f"[bold green]{points(page.balance.available)}[/bold green] available, {total} in all"
    pairs = [
        ("tier", f"[bold]{tier.name}[/bold], {following}"),
        ("balance", balance),
        ("purchases", purchases),
        ("birthday", str(row.birthday or "")),
        ("language", row.locale or ""),
        ("time zone", row.time_zone or ""),
        ("addresses", reached),
        ("marketing consent", consents),
    ]
    return Fitting(_grid(zip(pairs[::2], pairs[1::2], strict=True)), _grid((pair,) for pair in pairs))


def _grid(rows: Iterable[Sequence[tuple[str, str]]]) -> Table:
    """Names and values, so many pairs a row."""
    grid = Table.grid(padding=(0, 3))
    for pairs in rows:
        while len(grid.columns) < 2 * len(pairs):
            grid.add_column(overflow="fold")
        grid.add_row(*(it for name, value in pairs for it in (Text(name, style="dim"), value)))
    return grid


def _address(it: Any) -> str:
    state = "" if it.active else " (no longer)"
    blocked = f" [red](suppressed on {it.channel}: {it.reason})[/red]" if it.channel else ""
    value = escape(it.value if len(it.value) <= 40 else f"{it.value[:12]}…")
    return f"{it.kind} {value}{state}{blocked}"


def _lots(page: Page, program: Program) -> Table:
    shown = table("Lots", "remaining", "for", "from", "to", right=("remaining",))
    for it in page.lots[:SHOWN]:
        last = str(it.expires_on) if it.expires_on else "for ever"
        shown.add_row(
            str(program.from_points(it.remaining)),
            escape(it.reason),
            local(it.active_from, program.zone)[:10],
            last,
        )
    return shown


def _entries(page: Page, program: Program) -> Table:
    shown = table("Ledger", "when", "what", "bonuses", right=("bonuses",))
    for it in page.entries:
        amount = program.from_points(it.amount)
        shown.add_row(
            local(it.at, program.zone),
            it.kind,
            f"[green]+{amount}[/green]" if amount > 0 else f"[red]{amount}[/red]",
        )
    return shown


def _consents(page: Page, program: Program) -> Fitting:
    said = {True: "[green]yes[/green]", False: "[red]no[/red]"}
    consents = [(it, said[it.granted]) for it in page.consents]
    consents += [(it, "[yellow]to be confirmed[/yellow]") for it in page.waiting]
    rows = [
        (
            local(it.at, program.zone), it.channel, it.purpose, word, escape(it.source or ""),
            escape(it.wording or ""), _proof(it.proof),
        )
        for it, word in consents
    ]  # fmt: skip
    columns = ("when", "channel", "purpose", "said", "where", "wording", "proof")
    return listing("Consents", columns, rows, ("when", "channel, purpose", "said", "where, wording", "proof"))


def _proof(proof: Any) -> str:
    """What is there, without the words that were shown."""
    return escape(", ".join(f"{name} {value}" for name, value in (proof or {}).items() if name != "text"))


def _messages(page: Page, program: Program) -> Fitting:
    rows = [
        (
            local(it.planned_at, program.zone), it.scenario, it.step, escape(it.occasion), it.channel,
            it.state, escape(it.reason or ""), escape(_said(page.reactions.get(it.id, ()))),
        )
        for it in page.messages
    ]  # fmt: skip
    columns = ("planned", "scenario", "step", "occasion", "channel", "state", "reason", "reactions")
    stacks = ("planned", "scenario, step, occasion", "channel", "state, reason", "reactions")
    return listing("Messages", columns, rows, stacks)


def _said(reactions: Sequence[Any]) -> str:
    """`opened, clicked kavarnia.example/menu`; what a program did stands there as its doing."""
    words = [
        f"{it.kind}{f' {it.detail}' if it.detail else ''}{' (by a program)' if it.machine else ''}"
        for it in reactions
    ]
    return ", ".join(dict.fromkeys(words))


def _why(page: Page, program: Program) -> Fitting:
    rows = [
        (
            local(it.at, program.zone), it.scenario, it.step, escape(it.occasion), _verdict(it.verdict),
            escape(it.detail or ""),
        )
        for it in page.decisions
    ]  # fmt: skip
    columns = ("when", "scenario", "step", "occasion", "verdict", "detail")
    return listing("Why, and why not", columns, rows, ("when", "scenario, step, occasion", "verdict, detail"))


def _verdict(verdict: str) -> str:
    good = verdict in ("planned", "deferred", "sent")
    return f"[{'green' if good else 'yellow'}]{verdict}[/]"
