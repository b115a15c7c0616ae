"""The amounts of a test, and whether the ledger keeps them as finely as they are written."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from campaigns.scenariotest.acts import Action
from campaigns.scenariotest.people import Basket, Person
from core.errors import Problem
from core.source import Document, KeyPath

# Where it stands, in what it is kept, how much it is.
Amount = tuple[KeyPath, str, Decimal | None]
# The ledger counts goods in thousandths.
QUANTITY_SCALE = 3


def too_fine(document: Document, amounts: Iterable[Amount], scales: Mapping[str, int]) -> Iterator[Problem]:
    """Amounts with more decimals than are kept; a unit whose scale is not known is not checked."""
    for path, unit, amount in amounts:
        scale = QUANTITY_SCALE if unit == "goods" else scales.get(unit)
        if amount is not None and scale is not None and amount != round(amount, scale):
            fix = f"write {round(amount, scale)}"
            yield document.problem(path, f"more than {scale} decimal places", fix)


def of_person(person: Person, path: KeyPath) -> Iterator[Amount]:
    """What somebody begins with."""
    for index, lot in enumerate(person.bonuses):
        yield (*path, "bonuses", index, "amount"), "points", lot.amount
    for index, receipt in enumerate(person.receipts):
        yield from of_basket(receipt, (*path, "receipts", index))


def of_basket(basket: Basket, path: KeyPath) -> Iterator[Amount]:
    """What is bought, and what of it is paid with bonuses."""
    yield (*path, "total"), "money", basket.total
    yield (*path, "pay"), "points", basket.pay
    for index, line in enumerate(basket.lines):
        yield (*path, "lines", index, "total"), "money", line.total
        yield (*path, "lines", index, "quantity"), "goods", line.quantity


def of_action(action: Action, path: KeyPath) -> Iterator[Amount]:
    """What moves."""
    if action.purchase is not None:
        yield from of_basket(action.purchase, (*path, "purchase"))
    if action.accrue is not None:
        yield (*path, "accrue", "amount"), "points", action.accrue.amount
    if action.transfer is not None:
        yield (*path, "transfer", "amount"), "points", action.transfer.amount
    yield (*path, "grant"), "points", action.grant
    yield (*path, "redeem"), "points", action.redeem
