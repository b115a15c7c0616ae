"""What must fit together within `points.accounts`, `spend` and `partners`."""

from collections.abc import Iterator

from core.errors import Problem
from core.program import Program
from core.program.check_earn import shut_out
from core.program.check_words import too_fine, unknown
from core.program.points import BASE
from core.program.spend import SpendTerms
from core.source import Document, KeyPath


def check_spending(program: Program, document: Document) -> Iterator[Problem]:
    """What does not fit together, beyond the shape of each value."""
    yield from _accounts(program, document)
    yield from _terms(program, document, program.spend, ("spend",))
    for name, terms in program.spend.partners.items():
        path = ("spend", "partners", name)
        yield from unknown(document, path, "partner", [name], program.partners)
        yield from _terms(program, document, terms, path)
    confirm = program.spend.confirm_above
    where = ("spend", "confirm_above")
    yield from too_fine(document, where, confirm, program.points.scale, program.to_points)
    yield from _partners(program, document)


def _accounts(program: Program, document: Document) -> Iterator[Problem]:
    for name, account in program.points.accounts.items():
        path: KeyPath = ("points", "accounts", name)
        own = [key for key in ("starts", "lasts", "extend") if getattr(account, key) is not None]
        if name == BASE and own:
            what = f"'{own[0]}' of the base account stands in 'points'"
            yield document.problem((*path, own[0]), what, f"write 'points.{own[0]}'")
        if not account.share_at_most:
            yield document.problem((*path, "share_at_most"), "nobody could spend it", "write more than 0%")
        if account.goods is not None and shut_out(account.goods, program.spend.exclude):
            what = "spend.exclude leaves all of it out: nobody could spend it"
            yield document.problem((*path, "goods"), what, "remove it from one of them")


def _terms(program: Program, document: Document, terms: SpendTerms, path: KeyPath) -> Iterator[Problem]:
    where = (*path, "receipt_at_least")
    yield from too_fine(document, where, terms.receipt_at_least, program.money_scale, program.to_money)
    if terms.only is not None and shut_out(terms.only, terms.exclude):
        what = "'exclude' leaves all of it out: nothing could be paid with bonuses"
        yield document.problem((*path, "only"), what, "remove it from one of them")


def _partners(program: Program, document: Document) -> Iterator[Problem]:
    # A purchase brings these: what rules give for it, and for the level that it reaches.
    rules = [rule.rule for rule in program.earn.rules if rule.on in (None, "tier_up")]
    taken: dict[str, str] = {}
    for name, partner in program.partners.items():
        path: KeyPath = ("partners", name)
        for store in partner.stores:
            if store in taken:
                what = f"the store '{store}' is {taken[store]}'s"
                yield document.problem((*path, "stores"), what, "name it once")
            taken[store] = name
        if isinstance(partner.earn, tuple):
            yield from unknown(document, (*path, "earn"), "rule of purchases", partner.earn, rules)
        if not partner.spend and name in program.spend.partners:
            what = f"bonuses are not spent at '{name}'"
            yield document.problem(("spend", "partners", name), what, "remove it, or 'spend: false' there")
