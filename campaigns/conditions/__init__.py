"""What an audience means in SQL: one condition on `customer`, whatever its nesting."""

from dataclasses import dataclass

from sqlalchemy import and_, false, func, not_, or_, true

from campaigns.audience import And, Node, Not, Or, Segment, Test
from campaigns.conditions import bonuses, contact, people, profile, purchases
from campaigns.conditions.profile import CUSTOMER
from campaigns.conditions.rfm import rfm
from campaigns.conditions.view import Condition, Meaning, View

__all__ = ["CUSTOMER", "MEANINGS", "Audience", "Condition"]

MEANINGS: dict[str, Meaning] = {
    "city": profile.profile("city"),
    "gender": profile.profile("gender"),
    "locale": profile.profile("locale"),
    "age": profile.age,
    "birthday": profile.birthday,
    "known": profile.known,
    "registered": profile.time("registered_at"),
    "attributes": profile.attribute,
    "tier": profile.tier,
    "tier_since": profile.time("tier_since"),
    "balance": bonuses.balance,
    "debt": bonuses.debt,
    "expiring": bonuses.expiring,
    "first_purchase": purchases.purchase_time("first_purchase_at"),
    "last_purchase": purchases.purchase_time("last_purchase_at"),
    "spent": purchases.spent,
    "purchases": purchases.purchases,
    "average_receipt": purchases.average_receipt,
    "bought": purchases.bought,
    "favourite_category": purchases.favourite_category,
    "favourite_store": purchases.favourite_store,
    "returned": purchases.returned,
    "rfm": rfm,
    "reachable": contact.reachable,
    "consent": contact.consent,
    "has_card": contact.has_card,
    "received": contact.received,
    "opened": contact.reacted("opened", "clicked"),
    "clicked": contact.reacted("clicked"),
    "household": people.household,
    "referred": people.referred,
    "friends": people.friends,
    "customer": people.numbers,
    "sample": people.sample,
}


@dataclass(frozen=True)
class Audience(View):
    """Turns audiences into conditions."""

    def condition(self, node: Node) -> Condition:
        """The customers whom the node describes, as a condition on `customer`."""
        match node:
            case And(parts):
                return and_(true(), *(self.condition(part) for part in parts))
            case Or(parts):
                return or_(false(), *(self.condition(part) for part in parts))
            case Not(part):
                # NULL must not fall through both a test and its opposite.
                return not_(func.coalesce(self.condition(part), false()))
            case Segment(name):
                return self.condition(self.segments[name])
            case Test(field):
                # Parts and attributes are asked as their field is.
                return MEANINGS[field.partition(".")[0]](self, node)
