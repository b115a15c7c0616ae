"""Whom the customer belongs with: a household, friends; and customers by number or by lot."""

from typing import cast

from sqlalchemy import false, func, not_, or_, select

from campaigns.audience import Test
from campaigns.conditions.compare import each, holds_for, number
from campaigns.conditions.view import Condition, View
from core.db import hash_bucket
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
OTHER = CUSTOMER.alias("other")
BUCKETS = 2**32


def household(_view: View, test: Test) -> Condition:
    """The head lends the account, members use it."""
    # Not looked up one by one: where nobody has a household, the planner takes its index for useless.
    heads = select(OTHER.c.household_id).where(OTHER.c.household_id.is_not(None))
    head = CUSTOMER.c.id.in_(heads)
    member = CUSTOMER.c.household_id.is_not(None)
    kinds = {"head": head, "member": member, "any": or_(head, member), False: not_(or_(head, member))}
    return or_(false(), *(kinds[kind] for kind in each(test)))


def referred(_view: View, test: Test) -> Condition:
    """Somebody brought the customer."""
    brought = CUSTOMER.c.referred_by.is_not(None)
    return or_(false(), *(brought if said else not_(brought) for said in each(test)))


def friends(view: View, test: Test) -> Condition:
    """One grouping of those who were brought, whoever is asked about; who brought nobody is not in it."""
    came = [OTHER.c.referred_by.is_not(None), OTHER.c.merged_into.is_(None),
            OTHER.c.registered_at <= view.now]  # fmt: skip
    if test.within is not None:
        came.append(OTHER.c.registered_at >= view.ago(test.within))
    many = number(func.count(), test, int)
    brought = select(OTHER.c.referred_by).where(*came).group_by(OTHER.c.referred_by)
    if holds_for(0, test):
        return cast(Condition, CUSTOMER.c.id.not_in(brought.having(not_(many))))
    return cast(Condition, CUSTOMER.c.id.in_(brought.having(many)))


def numbers(_view: View, test: Test) -> Condition:
    """Customers by their external ids."""
    return cast(Condition, CUSTOMER.c.external_id.in_([str(number) for number in each(test)]))


def sample(view: View, test: Test) -> Condition:
    """A draw of its own, the same for every scenario of the program."""
    part = max(each(test))
    return hash_bucket(f"{view.program.seed}:sample:" + CUSTOMER.c.external_id) < int(part * BUCKETS)
