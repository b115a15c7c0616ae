"""How the customer can be met: consent, addresses, the card, and what they were sent."""

from sqlalchemy import and_, exists, false, func, not_, or_, select

from campaigns.audience import Test
from campaigns.conditions.compare import each, number
from campaigns.conditions.view import Condition, Meaning, View
from campaigns.tables import Feedback, Message
from channels.base import CARD, NO_ADDRESS
from core.customers.consent import MARKETING
from core.tables import Address, Consent, Customer, Suppression
from wallet.holding import in_a_wallet
from wallet.tables import CURRENT, PASS, REGISTRATION

ADDRESS = Address.__table__  # type: ignore[attr-defined]
CONSENT = Consent.__table__  # type: ignore[attr-defined]
CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
FEEDBACK = Feedback.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
SUPPRESSION = Suppression.__table__  # type: ignore[attr-defined]

WENT_OUT = ("sent", "delivered", "unknown")


def reachable(view: View, test: Test) -> Condition:
    """Agreed, and has an address that nothing blocks or that is not needed, on one of these channels."""
    return or_(*(_open(view, str(channel)) for channel in each(test)))


def _open(view: View, channel: str) -> Condition:
    if view.kinds[channel] == NO_ADDRESS:
        return _agreed(channel)
    if view.kinds[channel] == CARD:
        return and_(_agreed(channel), in_a_wallet(CUSTOMER.c.id))
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
    """The card is in a wallet of a phone. A time of Google's that is not known lies in the past."""
    carried = and_(REGISTRATION.c.customer_id == CUSTOMER.c.id, REGISTRATION.c.at <= view.now)
    apple = exists().where(carried, REGISTRATION.c.serial == PASS.c.serial, CURRENT)
    since = or_(PASS.c.google_saved_at.is_(None), PASS.c.google_saved_at <= view.now)
    google = exists().where(PASS.c.customer_id == CUSTOMER.c.id, PASS.c.google_saved, since, CURRENT)
    kinds = {"apple": apple, "google": google, "any": or_(apple, google), False: not_(or_(apple, google))}
    return or_(false(), *(kinds[kind] for kind in each(test)))


def received(view: View, test: Test) -> Condition:
    """A message of one of these scenarios went out."""
    sent = [MESSAGE.c.customer_id == CUSTOMER.c.id, MESSAGE.c.state.in_(WENT_OUT)]
    sent.append(MESSAGE.c.scenario.in_([str(name) for name in each(test)]))
    if test.within is not None:
        sent.append(func.coalesce(MESSAGE.c.accepted_at, MESSAGE.c.changed_at) >= view.ago(test.within))
    return exists().where(*sent)


def reacted(*kinds: str) -> Meaning:
    """In how many messages the customer did one of these; who clicked has opened, pictures or not."""

    def meaning(view: View, test: Test) -> Condition:
        mine = [FEEDBACK.c.customer_id == CUSTOMER.c.id, FEEDBACK.c.kind.in_(kinds)]
        mine += [FEEDBACK.c.machine == false(), FEEDBACK.c.at <= view.now]
        mine += [FEEDBACK.c.scenario.in_(names) for _, names in test.where]
        if test.within is not None:
            mine.append(FEEDBACK.c.at >= view.ago(test.within))
        messages = select(func.count(FEEDBACK.c.message_id.distinct())).where(*mine).correlate(CUSTOMER)
        return number(messages.scalar_subquery(), test, int)

    return meaning
