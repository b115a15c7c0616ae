"""Where the links of letters lead: a page that asks once more, and a button that does it.

A GET changes nothing, since scanners of mail follow links; so does answering twice. Only the owner of an
address reads what is sent there: this is the second step of whatever a forwarded link could begin.
"""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection, select

from core.customers import letters
from core.customers.addresses import ADDRESS
from core.customers.double_opt_in import REQUEST, confirm
from core.customers.erasure import erase
from core.customers.profiles import CUSTOMER
from core.ledger.lots import Refusal
from tidings import erasure
from tidings.api.access import Here
from tidings.api.choices import Language, missing, spoken
from tidings.api.render import HEADERS, SHOWN, page
from tidings.api.services import Services
from tidings.api.words import LANGUAGES, accepted, masked
from tidings.balances import balances, holder_of
from tidings.personal_data import FILE_NAME, personal_data, to_json

routes = APIRouter(include_in_schema=False)
BY_CUSTOMER = "the customer"
# What the program must allow for a letter to do anything.
NEEDED = {letters.EXPORT: "export", letters.ERASURE: "erase"}
PAGES = {letters.DOUBLE_OPT_IN: "opt_in", letters.EXPORT: "copy", letters.ERASURE: "erase"}


@routes.api_route("/d/{token}", methods=SHOWN)
def ask(here: Here, token: str, languages: Language = "") -> Response:
    """Shows what a POST would do."""
    letter, row = _letter(here, token)
    if letter is None or row is None:
        return missing(here, languages)
    if letter.kind == letters.DOUBLE_OPT_IN and not _is_asked(here, letter):
        return _said(here, row, languages, "gone")
    name = PAGES[letter.kind]
    words = LANGUAGES[spoken(here, row, languages)]
    bonuses = None
    if letter.kind == letters.ERASURE and (left := _balance(here, row)) != "0":
        bonuses = words["erase_bonuses"].format(balance=left)
    return page(
        here, "letter", f"{name}_title", [row.locale, *accepted(languages)], tier=row.tier,
        text=_text(here, words[f"{name}_text"], letter), button=words[f"{name}_button"], bonuses=bonuses,
        back=here.links.preferences(row.id) if letter.kind == letters.ERASURE else None,
    )  # fmt: skip


@routes.post("/d/{token}")
def answer(here: Here, token: str, languages: Language = "") -> Response:
    """Does it."""
    letter, row = _letter(here, token)
    if letter is None or row is None:
        return missing(here, languages)
    if letter.kind == letters.EXPORT:
        return _copy(here, letter, row)
    if letter.kind == letters.ERASURE:
        return _erase(here, row, languages)
    with here.recording() as connection:
        confirmed = confirm(connection, letter, here.now())
    return _said(here, row, languages, "opted_in" if confirmed else "gone", letter)


def _letter(here: Services, token: str) -> tuple[Any | None, Any | None]:
    """The letter that a link belongs to and its customer; none for a forged or late one."""
    links = here.links
    number = links.letter_of(token)
    if number is None:
        return None, None
    with here.database.read() as connection:
        letter = letters.find(connection, number, here.now())
        if letter is None or not links.confirms(token, letter.digest) or not _is_allowed(here, letter):
            return None, None
        if letter.kind in NEEDED and not _is_theirs(connection, letter):
            return None, None
        owner = letter.merged_into or letter.customer_id
        return letter, connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == owner)).first()


def _is_allowed(here: Services, letter: Any) -> bool:
    needed = NEEDED.get(letter.kind)
    return needed is None or needed in here.program.privacy.self_service


def _is_theirs(connection: Connection, letter: Any) -> bool:
    """The address is still the customer's: corrected since, it may be a stranger's."""
    mine = ADDRESS.c.customer_id.in_({letter.customer_id, letter.merged_into or letter.customer_id})
    own = select(ADDRESS.c.id).where(mine, ADDRESS.c.digest == letter.digest, ADDRESS.c.active)
    return connection.scalar(own.limit(1)) is not None


def _is_asked(here: Services, letter: Any) -> bool:
    """Something waits for this answer, or was answered by it."""
    mine = (REQUEST.c.customer_id == letter.customer_id) & (REQUEST.c.digest == letter.digest)
    asked = select(REQUEST.c.id).where(mine, REQUEST.c.state.in_(("open", "confirmed"))).limit(1)
    with here.database.read() as connection:
        return connection.scalar(asked) is not None


def _copy(here: Services, letter: Any, row: Any) -> Response:
    with here.recording() as connection:
        letters.answered(connection, letter.id, here.now())
    with here.database.read() as connection:
        found = personal_data(connection, here.workspace.live, here.links, row, here.now())
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return Response(to_json(found), media_type="application/json", headers=headers)


def _erase(here: Services, row: Any, languages: str) -> Response:
    request = erasure.request_of(here.workspace.addresses, row.external_id, author=BY_CUSTOMER)
    with here.recording() as connection:
        outcome = erase(connection, here.program, request, here.now())
    if isinstance(outcome, Refusal):
        return _said(here, row, languages, "erase_refused")
    erasure.tidy(here.database)
    return _said(here, row, languages, "erased")


def _said(here: Services, row: Any, languages: str, name: str, letter: Any = None) -> Response:
    words = LANGUAGES[spoken(here, row, languages)]
    text = _text(here, words[f"{name}_text"], letter) if letter is not None else words[f"{name}_text"]
    return page(here, "notice", f"{name}_title", [row.locale, *accepted(languages)], tier=row.tier, text=text)


def _text(here: Services, text: str, letter: Any) -> str:
    with here.database.read() as connection:
        own = select(ADDRESS.c.value).where(ADDRESS.c.digest == letter.digest, ADDRESS.c.active).limit(1)
        address = masked(connection.scalar(own)) or ""
    return text.format(address=address, program=here.program.name)


def _balance(here: Services, row: Any) -> str:
    holder = holder_of(row)
    with here.database.read() as connection:
        total = balances(connection, [holder], here.now())[holder].total
    return f"{here.program.from_points(total).normalize():f}"
