"""How the customer can be met: consent, addresses, the card, and what they were sent."""

from sqlalchemy import and_, exists, false, func, not_, or_

from campaigns.audience import Test
from campaigns.conditions.compare import each
from campaigns.conditions.view import Condition, View
from campaigns.tables import Message
from core.customers.consent import MARKETING
from core.tables import Address, Consent, Customer, Suppression
from wallet.tables import PASS, REGISTRATION

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]

WENT_OUT = ("sent", "delivered", "unknown")


def reachable(view: View, test: Test) -> Condition:
    """Agreed, and has an address that nothing blocks, on one of these channels."""
    return or_(*(_open(view, str(channel)) for channel in each(test)))


def _open(view: View, channel: str) -> Condition:
    blocked = exists().where(SUPPRESSION.c.channel == channel, SUPPRESSION.c.digest == ADDRESS.c.digest)
    address = exists().where(
        ADDRESS.c.customer_id == CUSTOMER.c.id,
        ADDRESS.c.kind == view.kinds[channel],
        ADDRESS.c.active,
        ~blocked,
    )
    return and_(_agreed(channel), address)


def consent(_view: View, test: Test) -> Condition:
    """Agreed to marketing on one of these channels."""
    return _agreed(*(str(channel) for channel in each(test)))


def _agreed(*channels: str) -> Condition:
    return exists().where(
        CONSENT.c.customer_id == CUSTOMER.c.id, CONSENT.c.channel.in_(channels),
        CONSENT.c.purpose == MARKETING, CONSENT.c.granted,
    )  # fmt: skip


def has_card(view: View, test: Test) -> Condition:
    """The card is in a wallet of a phone. When it was saved to Google's is not kept: as it is now."""
    apple = exists().where(REGISTRATION.c.customer_id == CUSTOMER.c.id, REGISTRATION.c.at <= view.now)
    google = exists().where(PASS.c.customer_id == CUSTOMER.c.id, PASS.c.google_saved)
    kinds = {"apple": apple, "google": google, "any": or_(apple, google), False: not_(or_(apple, google))}
    return or_(false(), *(kinds[kind] for kind in each(test)))


def received(view: View, test: Test) -> Condition:
    """A message of one of these scenarios went out."""
    sent = [MESSAGE.c.customer_id == CUSTOMER.c.id, MESSAGE.c.state.in_(WENT_OUT)]
    sent.append(MESSAGE.c.scenario.in_([str(name) for name in each(test)]))
    if test.within is not None:
        sent.append(func.coalesce(MESSAGE.c.accepted_at, MESSAGE.c.changed_at) >= view.ago(test.within))
    return exists().where(*sent)
