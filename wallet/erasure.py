"""What a card keeps of a person, and forgets when they ask for it.

The pass is voided and its text removed; it stays registered until its phone has fetched the emptied card.
"""

from collections.abc import Sequence

from core.customers.erasure import Wipe
from wallet import news
from wallet.tables import PASS


def wipes(ids: Sequence[int]) -> tuple[Wipe, ...]:
    """News on the card, and the card's being good."""
    mine = PASS.c.customer_id.in_(ids)
    return (
        Wipe("news on cards", PASS, mine & PASS.c.news.is_not(None), news.NONE),
        Wipe("cards", PASS, mine & PASS.c.voided.is_(False), {"voided": True}),
    )
