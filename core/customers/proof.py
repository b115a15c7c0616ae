"""What shows later that a customer really chose: where, in which form, under which words.

It is kept with the choice and in its event. Nothing of it is needed for sending, and none of it is collected
without being told: an IP address or a browser's name stands in it only if the shop's system gave it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.program import Program

# What the parts mean, in the order in which they are shown.
PARTS = {
    "form": "the form or the page, by its name",
    "url": "the address of the page",
    "locale": "the language of the words",
    "text": "the words that were shown, or what the customer wrote",
    "ip": "the IP address that the choice came from",
    "user_agent": "the browser or the app",
    "asked_at": "when the customer said yes",
    "confirmed_at": "when they confirmed it by the letter to their address",
    "address_confirmed_at": "when the address was confirmed, for a later choice",
    "letter": "the number of the letter",
}
LONGEST = 2_000


def of_page(program: Program, form: str, url: str, locale: str) -> dict[str, Any]:
    """The proof of a yes on one of our own pages, under the program's wording."""
    return given(form=form, url=url, locale=locale, text=program.consent_in(locale))


def given(**parts: str | None) -> dict[str, Any]:
    """A proof of the parts that are known."""
    found = {name: _kept(value) for name, value in parts.items() if value}
    return {name: value for name, value in found.items() if value}


def _kept(text: str) -> str:
    """As every database keeps it: an SMS may end in a NUL, or in half an emoji."""
    return text.replace("\0", "")[:LONGEST].encode(errors="replace").decode()


def confirmed(
    proof: Mapping[str, Any] | None, asked_at: datetime, at: datetime, letter: int
) -> dict[str, Any]:
    """The proof of a yes that was confirmed by a letter."""
    times = {"asked_at": asked_at.isoformat(), "confirmed_at": at.isoformat(), "letter": letter}
    return {**(proof or {}), **times}
