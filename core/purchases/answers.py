"""What a till is told about a purchase: whole bonuses as text, and why there are so many."""

from collections.abc import Mapping
from typing import Any

from core.ledger.book import Book
from core.ledger.lots import Refusal
from core.program import Program
from core.purchases.booking import Bought, Effect


def answer(
    book: Book, holder_id: int, bought: Bought, effect: Effect, customer: str, *, live: bool,
    corrected: Mapping[str, int] | None = None, left_out: Mapping[str, Refusal] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The answer to a receipt, kept with its operation; `corrected` is what it changed of later ones,
    `left_out` the promo codes of an offline receipt that could not be used.
    """
    program = bought.program

    def points(amount: int) -> str:
        return program.said(amount)

    said: dict[str, Any] = {
        "receipt": bought.external_id,
        "customer": customer,
        "earned": points(effect.points),
        "spent": points(sum(effect.paid)),
        "balance": points(book.total(holder_id)),
    }
    # What could be spent at a moment of history is no answer to anybody.
    if live:
        at = max(bought.cart.at, book.recorded_at)
        said["available"] = points(book.available(holder_id, at, bought.external_id))
        said["rules"] = rules_of(program, effect)
    said["tier"] = effect.tier
    if corrected:
        said["corrected"] = [
            {"operation": key, "points": points(amount)} for key, amount in sorted(corrected.items())
        ]
    if left_out:
        said["codes_left_out"] = [{"code": code, "why": it.detail} for code, it in left_out.items()]
    return said


def rules_of(program: Program, effect: Effect) -> list[dict[str, str]]:
    """Which rule gave how much, and why."""
    said = [
        {"rule": it.rule, "points": program.said(it.points), "why": it.note} for it in effect.earned.shares
    ]
    return said + [
        {"rule": rule, "points": program.said(amount), "why": f"for reaching {level}"}
        for rule, level, amount in effect.steps
    ]
