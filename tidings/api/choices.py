"""Links of a message's foot: one click ends a channel's offers, another page shows every choice.

Source: RFC 8058. A GET shows a page and changes nothing (mail scanners follow links); a POST acts at once,
whatever its body, without redirect, cookie or question.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sqlalchemy import select

from channels import discover
from core.customers import letters
from core.customers.consent import MARKETING, Choice
from core.customers.double_opt_in import give
from core.customers.profiles import CUSTOMER
from core.customers.proof import given
from core.links import PROOF, Use
from tidings.api.access import Here
from tidings.api.choosing import Chosen, field_of, keep, purposes
from tidings.api.forms import Bytes, Form, Pairs, first
from tidings.api.render import SHOWN, page
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, accepted, language, masked, named

routes = APIRouter(include_in_schema=False)
Language = Annotated[str, Header(alias="accept-language")]

BY_LINK = "unsubscribe link"
# What the button of the page sends; a mail program sends something else.
BY_BUTTON = b"do=stop"
# The buttons that keep what is ticked, or that nothing is wanted.
SAVE, NOTHING = "save", "none"
# The buttons that ask for a letter about the customer's own data, and the word that allows them.
ASKED = {"copy": (letters.EXPORT, "export"), "erase": (letters.ERASURE, "erase")}


@routes.api_route("/u/{channel}/{token}", methods=SHOWN)
def ask(here: Here, channel: str, token: str, languages: Language = "") -> Response:
    """Shows what a POST would do."""
    row = customer(here, "u", token, channel)
    if row is None or channel not in discover():
        return _nobody(here, channel, token, languages)
    return _stop(here, "stop", row, channel, languages)


@routes.post("/u/{channel}/{token}")
def one_click(here: Here, channel: str, token: str, body: Bytes, languages: Language = "") -> Response:
    """Withdraws consent to marketing on the channel, at once (RFC 8058).

    An old letter outlives who it was sent to: of somebody erased there is nothing left to withdraw.
    """
    row = customer(here, "u", token, channel)
    if row is None or channel not in discover():
        return _nobody(here, channel, token, languages)
    now, shown = here.now(), spoken(here, row, languages) if BY_BUTTON in body else None
    # A mail program's one click shows nothing; the page asks a question, and none of them any words of a yes.
    words = LANGUAGES[shown] if shown else None
    text = words["stop_text"].format(channel=named(words, channel)) if words else None
    proof = given(form=BY_LINK, url=f"{here.links.public_url}/u/{channel}", locale=shown, text=text)
    with here.recording() as connection:
        choice = Choice(row.id, channel, False, now, BY_LINK, MARKETING, proof=proof)
        give(connection, here.program, [choice], now, live=True)
    return _stop(here, "stopped", row, channel, languages)


@routes.api_route("/p/{token}", methods=SHOWN)
def preferences(here: Here, token: str, languages: Language = "") -> Response:
    """The customer's choices, purpose by purpose and channel by channel."""
    row = customer(here, "p", token)
    return missing(here, languages, token) if row is None else _choices(here, row, languages)


@routes.post("/p/{token}")
def save(here: Here, token: str, form: Form, languages: Language = "") -> Response:
    """Keeps them; or sends a letter about the customer's own data."""
    row = customer(here, "p", token)
    if row is None:
        return missing(here, languages, token)
    do = first(form, "do")
    if do in ASKED:
        return _choices(here, row, languages, about=do, said=_send_letter(here, row, do, languages))
    if do not in (SAVE, NOTHING):
        # None of the page's buttons: what a scanner sends, or half a form, is nobody's choice.
        return _choices(here, row, languages)
    chosen = _chosen(here, row, form, languages)
    with here.recording() as connection:
        said = keep(connection, here.running, chosen, here.now())
    return _choices(here, row, languages, said=LANGUAGES[chosen.spoken][said])


def customer(here: Services, use: Use, token: str, channel: str = "") -> Any | None:
    """The customer whom a link names; None for a forged link or somebody who was erased.

    The links of a duplicate are those of the customer into whom it was merged.
    """
    customer_id = here.links.read(use, token, channel)
    if customer_id is None:
        return None
    with here.database.read() as connection:
        own = select(CUSTOMER).where(CUSTOMER.c.erased_at.is_(None))
        row = connection.execute(own.where(CUSTOMER.c.id == customer_id)).first()
        if row is not None and row.merged_into is not None:
            row = connection.execute(own.where(CUSTOMER.c.id == row.merged_into)).first()
        return row


def missing(here: Services, languages: str, token: str = "") -> Response:
    """The page for a link that leads nowhere; of a proof, one that says so."""
    locales = accepted(languages)
    words = LANGUAGES[language([*locales, here.program.locale])]
    if token == PROOF:
        return page(here, "notice", "proof_title", locales, text=words["proof_text"])
    return page(here, "notice", "missing_title", locales, 404, text=words["missing_text"])


def _nobody(here: Services, channel: str, token: str, languages: str) -> Response:
    """The page for a link of somebody who was erased: mail programs are told that all is well."""
    customer_id = here.links.read("u", token, channel)
    with here.database.read() as connection:
        own = select(CUSTOMER.c.erased_at).where(CUSTOMER.c.id == customer_id)
        erased = customer_id is not None and connection.scalar(own) is not None
    if not erased:
        return missing(here, languages, token)
    locales = accepted(languages)
    words = LANGUAGES[language([*locales, here.program.locale])]
    return page(here, "notice", "silent_title", locales, text=words["silent_text"])


def spoken(here: Services, row: Any, languages: str) -> str:
    """The language of a customer's pages: theirs, else their browser's, else the program's."""
    return language([row.locale, *accepted(languages), here.program.locale])


def _stop(here: Services, name: str, row: Any, channel: str, languages: str) -> Response:
    words = LANGUAGES[spoken(here, row, languages)]
    return page(
        here, name, f"{name}_title", [row.locale, *accepted(languages)], tier=row.tier,
        channel=named(words, channel), choices=here.links.preferences(row.id),
    )  # fmt: skip


def _chosen(here: Services, row: Any, form: Pairs, languages: str) -> Chosen:
    names = {field_of(name): name for name in (MARKETING, *here.program.consent.purposes)}
    wanted = frozenset((names[field], value) for field, value in form if field in names)
    url, nothing = f"{here.links.public_url}/p", first(form, "do") == NOTHING
    return Chosen(row.id, frozenset() if nothing else wanted, nothing, url, spoken(here, row, languages))


def _send_letter(here: Services, row: Any, do: str, languages: str) -> str:
    """A letter to the customer's own address; returns what the page says about it."""
    words, (kind, allowed) = LANGUAGES[spoken(here, row, languages)], ASKED[do]
    if allowed not in here.program.privacy.self_service:
        return words["data_by_shop"]
    with here.recording() as connection:
        found = letters.reachable(connection, row.id)
        if found is None:
            return words["data_no_address"]
        channel, address, digest = found
        if letters.plan(connection, [letters.Wanted(row.id, kind, channel, digest)], here.now()):
            return words["data_wait"]
    return words["data_sent"].format(address=masked(address))


def _choices(
    here: Services, row: Any, languages: str, *, said: str | None = None, about: str | None = None
) -> Response:
    running, locale = here.running, spoken(here, row, languages)
    with here.database.read() as connection:
        shown = purposes(connection, running, row.id, LANGUAGES[locale], locale)
    return page(
        here, "choices", "choices_title", [row.locale, *accepted(languages)], tier=row.tier, purposes=shown,
        said=said, about=about, wording=running.program.consent_in(locale),
        may=running.program.privacy.self_service,
    )  # fmt: skip
