"""`transfers` and `households` in program.yaml: what customers may do with their bonuses among themselves."""

from collections.abc import Collection, Iterator

from pydantic import Field

from core.errors import Problem
from core.explain import suggest
from core.source import Document, Model
from core.units import Amount, Series


class NotGiven(Model):
    """Bonus accounts that nobody may give away."""

    account: Series[str] = ()


class Transfers(Model):
    """Giving bonuses to another customer: `at_least` and `at_most` are of one transfer, in whole bonuses."""

    allowed: bool = True
    at_least: Amount | None = None
    at_most: Amount | None = None
    exclude: NotGiven = NotGiven()


class Households(Model):
    """Customers who share one account: how many at most, with the head."""

    at_most: int = Field(6, ge=2, le=100)


def check_transfers(
    transfers: Transfers | None, scale: int, accounts: Collection[str], document: Document
) -> Iterator[Problem]:
    """What does not fit together: amounts finer than bonuses are, limits that cross, unknown accounts."""
    if transfers is None:
        return
    for name in ("at_least", "at_most"):
        amount = getattr(transfers, name)
        if amount is not None and amount != round(amount, scale):
            yield document.problem(
                ("transfers", name), f"more than {scale} decimal places", "write fewer decimals"
            )
    low, high = transfers.at_least, transfers.at_most
    if low is not None and high is not None and high < low:
        yield document.problem(("transfers", "at_most"), "nothing may be transferred", f"write {low} or more")
    for name in transfers.exclude.account:
        if name not in accounts:
            path = ("transfers", "exclude", "account")
            yield document.problem(path, f"no such account: {name}", suggest(name, sorted(accounts)))
