"""Where a customer gets their wallet card: told to whoever registers them."""

from campaigns.running import Running
from core.links import Links
from tidings.api.answers import CardLinks

CARDS = "cards"


def card_links(running: Running, links: Links, customer_id: int) -> CardLinks | None:
    """The links to the card; None if the program has none.

    Asked of the files alone: whoever registers a customer shall not fail for a certificate that is wrong.
    """
    if not running.loaded.bundle.names_in(CARDS):
        return None
    page, wallet = links.card(customer_id), running.program.wallet
    apple, google = wallet.get("apple") or {}, wallet.get("google") or {}
    return CardLinks(
        page=page, short=links.card_short(customer_id),
        apple=f"{page}/card.pkpass" if apple.get("pass_type") and apple.get("team") else None,
        google=f"{page}/google" if google.get("issuer") else None,
    )  # fmt: skip
