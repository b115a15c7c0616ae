"""A settlement as people and programs read it: whole bonuses, and money with the currency's digits."""

import io
from typing import TYPE_CHECKING, Any

from core.ledger.flows import FLOWS
from core.ledger.settlement import Settlement
from core.program import Program
from core.sheets import Sheet
from tidings.console import local, table

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("giver", "place", "points", "amount", "currency")


def as_json(found: Settlement, program: Program) -> dict[str, Any]:
    """For programs."""
    points = program.from_points
    parties = [
        {
            "party": it.party,
            "opening": str(points(it.opening)),
            **{flow: str(points(it.flows[flow])) for flow in FLOWS},
            "closing": str(points(it.closing)),
        }
        for it in found.statements
    ]
    debts = [
        {"giver": it.giver, "place": it.place, "points": str(points(it.points)),
         "amount": _money(program, it.money)}
        for it in found.debts
    ]  # fmt: skip
    return {
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "currency": program.currency,
        "parties": parties,
        "debts": debts,
        "nets": {party: _money(program, money) for party, money in found.nets.items()},
    }


def as_csv(found: Settlement, program: Program) -> str:
    """What is owed, a line each, for a spreadsheet."""
    out = io.StringIO()
    debts = as_json(found, program)["debts"]
    Sheet(out, COLUMNS, ours=COLUMNS[2:]).add(
        (it["giver"], it["place"], it["points"], it["amount"], program.currency) for it in debts
    )
    return out.getvalue()


def show(console: "Console", found: Settlement, program: Program) -> None:
    """For people."""
    said = as_json(found, program)
    period = f"from {local(found.since, program.zone)} to {local(found.until, program.zone)}"
    console.print(f"[bold]Settlement[/bold] {period}")
    owed = table("", "owes", "to", "bonuses", program.currency, right=("bonuses", program.currency))
    for it in said["debts"]:
        owed.add_row(it["giver"], it["place"], it["points"], it["amount"])
    console.print(owed if said["debts"] else "nobody owes anybody anything\n")
    used = [flow for flow in FLOWS if any(it.flows[flow] for it in found.statements)]
    names = ("opening", *used, "closing")
    each = table(
        "Bonuses by who gave them", "party", *names, "gets (−: pays)", right=(*names, "gets (−: pays)")
    )
    for party in said["parties"]:
        each.add_row(party["party"], *(party[name] for name in names), said["nets"][party["party"]])
    console.print(each)


def _money(program: Program, minor: int) -> str:
    return f"{program.from_money(minor):.{program.money_scale}f}"
