"""What receipts and carts at tills share: amounts, lines, the store and the currency of a request."""

from collections.abc import Sequence
from decimal import Decimal

from core.money import LIMIT, from_units, to_units
from core.program import Program
from core.purchases.receipts import Line
from tidings.api.bodies import LineIn
from tidings.api.keys import Caller
from tidings.api.problems import refuse

QUANTITY_SCALE = 3
# The most that a receipt may come to, in whole units of any currency: what is above it is a mistake.
TOTAL_AT_MOST = 10**9
# Which part of a request each refusal is about.
FIELDS = {
    "unknown_customer": "customer",
    "conflict": "id",
    "in_the_future": "at",
    "too_old": "at",
    "impossible_time": "at",
    "before_the_purchase": "at",
    "over_the_limit": "pay_points",
    "insufficient_balance": "pay_points",
    "confirmation_required": "pay_points",
    "no_phone": "pay_points",
    "number_suppressed": "pay_points",
    "unknown_receipt": "id",
    "unknown_product": "lines",
    "unknown_line": "lines",
    "more_than_bought": "lines",
    "bad_amount": "lines",
    **dict.fromkeys(("code_required", "code_wrong", "code_expired", "too_many_tries"), "code"),
    **dict.fromkeys(
        ("unknown_code", "code_used", "code_not_yet", "code_over", "code_not_yours", "code_limit",
         "code_not_here"), "codes",
    ),
}  # fmt: skip
# Why a receipt or a cart may be refused.
REFUSALS = (
    "wrong_store", "wrong_currency", "unknown_customer", "unknown_product", "conflict", "busy", "bad_amount",
    "in_the_future", "too_old", "impossible_time", "over_the_limit", "insufficient_balance", "unknown_code",
    "code_used", "code_not_yet", "code_over", "code_not_yours", "code_limit", "code_not_here",
)  # fmt: skip


def check_store(who: Caller, store: str | None) -> None:
    """403 `wrong_store` for a key that is bound to others."""
    if not who.sends_for(store):
        raise refuse("wrong_store", f"this key sends receipts of {', '.join(sorted(who.stores))}", "store")


def check_currency(program: Program, currency: str | None) -> None:
    """422 `wrong_currency` if another one than the program's is said."""
    if currency is not None and currency != program.currency:
        raise refuse("wrong_currency", f"the program's currency is {program.currency}", "currency")


def lines_of(program: Program, lines: Sequence[LineIn]) -> tuple[Line, ...]:
    """The lines in the database's integers."""
    found = tuple(_line(program, index, line) for index, line in enumerate(lines))
    if sum(line.total for line in found) > to_units(TOTAL_AT_MOST, program.money_scale):
        said = f"lines: they come to more than {TOTAL_AT_MOST} {program.currency}; no receipt is that large"
        raise refuse("invalid", said, "lines")
    return found


def points_of(program: Program, amount: Decimal) -> int:
    """`pay_points` at the program's scale."""
    return units(amount, program.points.scale, "pay_points")


def _line(program: Program, index: int, line: LineIn) -> Line:
    quantity = units(line.quantity, QUANTITY_SCALE, f"lines[{index}].quantity")
    total = units(line.total, program.money_scale, f"lines[{index}].total")
    return Line(line.sku, quantity, total, line.category, line.brand, line.discounted)


def units(amount: Decimal, scale: int, field: str) -> int:
    """A decimal as an integer at a scale; 422 `invalid` names the field."""
    try:
        return to_units(amount, scale)
    except ValueError:
        said = f"must have {scale} decimal places at most" if scale else "must be a whole number"
        if abs(amount) > from_units(LIMIT, scale):
            said = "is too large; no amount is that large"
        raise refuse("invalid", f"{field}: {said}", field) from None
