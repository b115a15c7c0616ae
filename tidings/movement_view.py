"""The movement of bonuses as people and programs read it: whole bonuses, money with the currency's digits."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from core.ledger.flows import FLOWS, Balance
from core.ledger.movement import NEVER, OVER, OWED, Movement, whole
from core.program import Program
from core.sheets import Sheet
from tidings.console import local, number, plain, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FIGURES = ("opening", *FLOWS, "closing")
COLUMNS = ("account", "from", "to", *FIGURES)
ENDS = {OVER: "over, to be written off", NEVER: "never", OWED: "owed by customers"}


def as_json(found: Movement, program: Program) -> dict[str, Any]:
    """For programs."""
    outstanding = found.outstanding
    return {
        "from": found.edges[0].isoformat(),
        "to": found.edges[-1].isoformat(),
        "currency": program.currency,
        "worth": str(found.worth),
        "accounts": [
            {"account": account, **_figures(program, whole(months)),
             "months": list(_months(found, program, months))}
            for account, months in found.accounts.items()
        ],
        "given": [
            {"rule": it.rule, "account": it.account, "points": _points(program, it.points),
             "customers": it.customers}
            for it in found.given
        ],
        "outstanding": {
            "at": outstanding.at.isoformat(),
            "points": _points(program, outstanding.points),
            "amount": _money(program, outstanding.money),
            "customers": outstanding.customers,
            "not_started": _points(program, outstanding.not_started),
            "endings": [
                {"when": it.when, "points": _points(program, it.points), "amount": _money(program, it.money)}
                for it in outstanding.endings
            ],
        },
    }  # fmt: skip


def as_csv(found: Movement, program: Program) -> str:
    """Each account's months, a line each, for a spreadsheet."""
    out = io.StringIO()
    Sheet(out, COLUMNS, ours=COLUMNS[1:]).add(
        (account, *month.values())
        for account, months in found.accounts.items()
        for month in _months(found, program, months)
    )
    return out.getvalue()


def show(console: "Console", found: Movement, program: Program) -> None:
    """For people."""
    since, until = (local(it, program.zone) for it in (found.edges[0], found.edges[-1]))
    console.print(f"[bold]Movement of bonuses[/bold] from {since} to {until}")
    names = _used(found)
    months = table("", "from", *names, right=names)
    for began, month in zip(found.edges, found.months, strict=False):
        months.add_row(f"{began.astimezone(program.zone):%d.%m.%Y}", *_cells(program, month, names))
    _total(months, "in all", _cells(program, whole(found.months), names), len(found.months))
    console.print(months)
    if len(found.accounts) > 1:
        console.print(_by_account(found, program, names))
    if found.given:
        console.print(_by_rule(found, program))
    console.print(_outstanding(found, program))


def _by_account(found: Movement, program: Program, names: Sequence[str]) -> "Table":
    drawn = table("By account", "account", *names, right=names)
    for account, months in found.accounts.items():
        drawn.add_row(*plain(account), *_cells(program, whole(months), names))
    return drawn


def _by_rule(found: Movement, program: Program) -> "Table":
    several = len(found.accounts) > 1
    columns = ("rule", *(("account",) if several else ()), "bonuses", "customers")
    drawn = table("Given by", *columns, right=("bonuses", "customers"))
    for it in found.given:
        account = plain(it.account) if several else ()
        drawn.add_row(*plain(it.rule), *account, _said(program, it.points), number(it.customers))
    return drawn


def _outstanding(found: Movement, program: Program) -> "Table":
    it = found.outstanding
    title = f"Outstanding on {local(it.at, program.zone)}: {number(it.customers)} customers"
    if it.not_started:
        title += f", of it {_said(program, it.not_started)} not started"
    drawn = table(title, "ends", "bonuses", program.currency, right=("bonuses", program.currency))
    for each in it.endings:
        drawn.add_row(
            ENDS.get(each.when, each.when), _said(program, each.points), _coins(program, each.money)
        )
    _total(drawn, "in all", (_said(program, it.points), _coins(program, it.money)), len(it.endings))
    return drawn


def _total(drawn: "Table", name: str, cells: Iterable[str], rows: int) -> None:
    """A last row, where it says more than the only one."""
    if rows != 1:
        drawn.add_section()
        drawn.add_row(name, *cells)


def _used(found: Movement) -> Sequence[str]:
    flows = whole(found.months).flows
    used = [it for it in FLOWS if flows[it] or any(month.flows[it] for month in found.months)]
    return ("opening", *used, "closing")


def _months(found: Movement, program: Program, months: Sequence[Balance]) -> Iterator[dict[str, str]]:
    for (since, until), month in zip(pairwise(found.edges), months, strict=True):
        yield {"from": since.isoformat(), "to": until.isoformat(), **_figures(program, month)}


def _figures(program: Program, balance: Balance) -> dict[str, str]:
    flows = {it: _points(program, balance.flows[it]) for it in FLOWS}
    return {
        "opening": _points(program, balance.opening),
        **flows,
        "closing": _points(program, balance.closing),
    }


def _cells(program: Program, balance: Balance, names: Sequence[str]) -> Iterator[str]:
    figures = balance.flows | {"opening": balance.opening, "closing": balance.closing}
    return (_said(program, figures[name]) for name in names)


def _points(program: Program, points: int) -> str:
    return str(program.from_points(points))


def _said(program: Program, points: int) -> str:
    # As many digits in each row: a column of figures is read from below.
    return number(program.from_points(points), program.points.scale)


def _money(program: Program, minor: int) -> str:
    return f"{program.from_money(minor):.{program.money_scale}f}"


def _coins(program: Program, minor: int) -> str:
    return number(program.from_money(minor), program.money_scale)
