"""What must fit together within `earn`: each rule by itself."""

from collections.abc import Iterator
from decimal import Decimal

from core.errors import Problem
from core.program import Program, Rule
from core.program.check_words import Finding, too_fine, unknown
from core.program.goods import Exclusion, Goods
from core.program.when import Bounds
from core.source import Document, KeyPath

WAYS = ("by", "earn", "give", "multiply")
# What only a purchase has.
OF_PURCHASES = ("goods", "at_most", "group", "excludes", "code_returns")
OF_CODES = ("code", "codes", "uses_at_most", "per_customer")
PROMO_CODE = "promo_code"


def check_rule(program: Program, document: Document, index: int) -> Iterator[Problem]:
    """What is wrong with one rule."""
    path: KeyPath = ("earn", "rules", index)
    rule = program.earn.rules[index]
    for fault in (_ways(rule), _act(rule), _codes(rule), _dates(rule), _per(rule), _friend(rule)):
        if fault:
            yield document.problem(path, *fault)
    yield from _bands(program, document, rule, path)
    yield from _amounts(program, document, rule, path)
    yield from _named(program, document, rule, path)
    yield from _conditions(program, document, rule, path)
    if what := _nothing(program, rule):
        yield document.problem(path, *what, severity="warning")


def _ways(rule: Rule) -> Finding | None:
    said = [name for name in WAYS if getattr(rule, name) is not None]
    if not said:
        return (
            "says not what it gives",
            "write 'by: tier', 'earn: 5%', 'give: 20' or 'multiply: 2'",
        )
    if len(said) > 1:
        return f"gives in two ways: {said[0]} and {said[1]}", "make two rules of it"
    return None


def _act(rule: Rule) -> Finding | None:
    if rule.on is None:
        return None
    if rule.by:
        return "'by: tier' is of purchases", "put the grant in a rule of its own, with 'give'"
    if not isinstance(rule.give, Decimal):
        return f"an act has no receipt: 'on: {rule.on}' needs a number", "write for example 'give: 50'"
    names = OF_PURCHASES if rule.on == PROMO_CODE else (*OF_PURCHASES, *OF_CODES)
    said = [name for name in names if getattr(rule, name)]
    said += [f"when.{name}" for name in sorted(rule.when.said - {"tier"})]
    if rule.on != "tier_up" and rule.when.tier:
        said.append("when.tier")
    if rule.on == "tier_up" and rule.limit:
        return "each level is rewarded once: 'limit' says nothing with 'on: tier_up'", "remove it"
    if said:
        return f"an act has no receipt: '{said[0]}' says nothing with 'on: {rule.on}'", "remove it"
    return None


def _codes(rule: Rule) -> Finding | None:
    if rule.code and rule.codes:
        return "'code' is one text for many, 'codes: coupons' are of one use each", "keep one of them"
    if rule.on == PROMO_CODE and not rule.needs_code:
        return "needs a code", "write for example 'code: SPRING26' or 'codes: coupons'"
    for name in ("uses_at_most", "per_customer", "code_returns"):
        if getattr(rule, name) and not rule.needs_code:
            return f"'{name}' counts the uses of a code, and there is none", "add 'code', or write 'limit'"
    return None


def _dates(rule: Rule) -> Finding | None:
    if rule.from_ and rule.until and rule.until < rule.from_:
        return f"ends on {rule.until}, before it begins on {rule.from_}", "correct one of them"
    return None


def _per(rule: Rule) -> Finding | None:
    if rule.per != "receipt" and not isinstance(rule.give, Decimal):
        return f"'per: {rule.per}' needs a number to give", "write for example 'give: 5'"
    return None


def _friend(rule: Rule) -> Finding | None:
    if rule.fields and rule.on != "profile":
        return "'fields' are those of a profile", "write 'on: profile', or remove it"
    if rule.after and rule.on not in ("referral", "referred"):
        return "'after' is about a friend who comes", "write 'on: referral', or remove it"
    return None


# --- amounts


def _bands(program: Program, document: Document, rule: Rule, path: KeyPath) -> Iterator[Problem]:
    for name in ("give", "earn"):
        bands = getattr(rule, name)
        if not isinstance(bands, tuple):
            continue
        for place, band in enumerate(bands):
            where = (*path, name, place, "from")
            yield from too_fine(document, where, band.from_, program.money_scale, program.to_money)
            if place and band.from_ <= bands[place - 1].from_:
                fix = f"write more than {bands[place - 1].from_}"
                yield document.problem(where, "bands must rise", fix)
            if name == "give":
                where = (*path, name, place, "points")
                yield from too_fine(document, where, band.points, program.points.scale, program.to_points)


def _amounts(program: Program, document: Document, rule: Rule, path: KeyPath) -> Iterator[Problem]:
    points, money = program.points.scale, program.money_scale
    if isinstance(rule.give, Decimal):
        yield from too_fine(document, (*path, "give"), rule.give, points, program.to_points)
    yield from too_fine(document, (*path, "at_most"), rule.at_most, points, program.to_points)
    if spent := rule.when.spent:
        where = (*path, "when", "spent")
        if (spent.reaches is None) == (spent.at_least is None):
            yield document.problem(where, "says not one thing", "write 'reaches' or 'at_least'")
        for name, amount in spent:
            yield from too_fine(document, (*where, name), amount, money, program.to_money)


# --- names


def _named(program: Program, document: Document, rule: Rule, path: KeyPath) -> Iterator[Problem]:
    accounts = [account.name for account in program.accounts]
    yield from unknown(document, (*path, "account"), "account", [rule.account], accounts)
    yield from unknown(document, (*path, "when", "tier"), "level", rule.when.tier, program.tier_names)
    where = (*path, "when", "partner")
    yield from unknown(document, where, "partner", rule.when.partner, program.partners)
    purchases = [it.rule for it in program.earn.rules if it.on is None and it is not rule]
    yield from unknown(document, (*path, "excludes"), "rule of purchases", rule.excludes, purchases)
    partners = [program.partners[name] for name in rule.when.partner if name in program.partners]
    if partners and not any(partner.has(rule.rule) for partner in partners):
        what = f"the rule does not hold at {', '.join(rule.when.partner)}"
        yield document.problem(where, what, "name it in the partner's 'earn'")
    stores = {store for partner in partners for store in partner.stores}
    if partners and rule.when.store and not stores & set(rule.when.store):
        what = f"these are no stores of {', '.join(rule.when.partner)}"
        yield document.problem((*path, "when", "store"), what, "name one of theirs")


# --- what can never be


def _conditions(program: Program, document: Document, rule: Rule, path: KeyPath) -> Iterator[Problem]:
    for name in ("lines", "units", "total"):
        bounds: Bounds | None = getattr(rule.when, name)
        if bounds is not None and _empty(bounds):
            yield document.problem((*path, "when", name), "nothing fits", "correct the numbers")
    regular = rule.when.regular
    if regular and not regular.in_:
        where = (*path, "when", "regular", "in")
        yield document.problem(where, "is no time at all", "write for example '4 weeks'")
    exclude = program.earn.exclude
    for key, goods in (("goods", rule.goods), ("first_in", rule.when.first_in)):
        where = (*path, key) if key == "goods" else (*path, "when", key)
        if goods is not None and not list(goods.named()):
            yield document.problem(where, "names no goods", "write for example '{category: coffee}'")
        elif goods is not None and shut_out(goods, exclude):
            yield document.problem(where, "earn.exclude leaves all of it out", "remove it from one of them")


def _empty(bounds: Bounds) -> bool:
    low = max([it for it in (bounds.at_least, bounds.more_than) if it is not None], default=None)
    high = min([it for it in (bounds.at_most, bounds.less_than) if it is not None], default=None)
    if high is not None and bounds.over(Decimal(0)) and not low:
        return True
    if low is None or high is None:
        return low is None and high is None
    return bounds.over(low) or bounds.under(high)


def shut_out(goods: Goods, exclude: Exclusion) -> bool:
    """Whether all of some goods are excluded."""
    return any(set(names) <= set(getattr(exclude, kind)) for kind, names in goods.named())


def _nothing(program: Program, rule: Rule) -> Finding | None:
    gives = [rule.give] if isinstance(rule.give, Decimal) else [it.points for it in rule.give or ()]
    gives += [rule.earn] if isinstance(rule.earn, Decimal) else [it.percent for it in rule.earn or ()]
    if (gives and not any(gives)) or rule.at_most == 0:
        return "gives nothing", "write more than 0, or remove the rule"
    if rule.by and not any(level.earn for level in program.tiers.levels):
        return "gives nothing: no level has 'earn'", "write for example 'earn: 3%' for a level"
    if rule.when.regular and rule.give is not None and rule.limit is None:
        often = f"limit: 1 per {rule.when.regular.in_}"
        return "gives at every purchase as long as they come so often", f"add '{often}' if it is a reward"
    if rule.code and rule.per_customer is None and rule.uses_at_most is None:
        return "anybody may use the code again and again", "add 'per_customer: 1' if once is enough"
    return None
