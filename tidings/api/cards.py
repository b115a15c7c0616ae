"""A customer's wallet card over the API: its links, what is on it, a new one for a lost phone, none."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from scheduler.card_changes import note_next
from scheduler.kit import Kit
from tidings.api import examples
from tidings.api.access import Here, asks
from tidings.api.answers import CardLinks
from tidings.api.bodies import Body
from tidings.api.card_links import card_links
from tidings.api.idempotency import Once
from tidings.api.lookup import CustomerPath, known
from tidings.api.people.common import Author, Reason
from tidings.api.problems import refuse, refused
from tidings.api.services import Services
from tidings.card_status import CardStatus, status_of
from wallet import issuing, passes
from wallet.design import Face
from wallet.issuing import Deed

routes = APIRouter(prefix="/customers/{external_id}/card", tags=["Wallet cards"])


class ReissueIn(Body):
    """Why the customer gets a new pass, and perhaps a new card number with it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.REISSUE]})

    author: Author
    reason: Reason
    card: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None,
        description="The customer's new card number. Without one the old barcode, or a photograph of it, "
        "stays good at the till: both passes show the same number.",
    )


class CardOut(BaseModel):
    """The customer's pass: its serial, and the links that hand it out."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CARD]})

    customer: str
    state: str = Field(description="`none`, `issued` or `revoked`.")
    serial: str | None = Field(description="Of the pass that is good; nothing without one.")
    links: CardLinks | None = Field(description="Nothing if what is live has no card.")


@routes.get("", **asks("cards:read", "unknown_customer", "no_card"))
def show(here: Here, external_id: CustomerPath) -> CardStatus:
    """The card as it is now: what stands on it, who carries it, what wallets are still to be told."""
    kit = _kit(here)
    with here.database.read() as connection:
        return status_of(connection, kit, here.links, known(connection, external_id), here.now())


@routes.post("", **asks("cards:write", "unknown_customer", "no_card", "card_revoked", answer=CardOut,
                        created=True))  # fmt: skip
def issue(here: Here, once: Once, external_id: CustomerPath) -> Response:
    """Issue the customer's pass: 201; there already: 200 with the same serial.

    Nothing needs it: the links of a registration issue the pass when they are followed. A card that was
    revoked is not issued again by this.
    """
    kit = _kit(here)
    with once.recording() as done:
        row = known(done.connection, external_id)
        before = passes.current(done.connection, row.id)
        if before is None and passes.is_revoked(done.connection, row.id):
            raise refuse("card_revoked", "the card was revoked; a new one is issued by /card/reissue")
        now = here.now()
        passes.issue(done.connection, row.id, _face(here, kit, done.connection, row.id), now)
        if before is None:
            note_next(done.connection, row.id, now)
        return done(200 if before else 201, _shown(here, done.connection, external_id), row.id)


@routes.post("/reissue", **asks("cards:write", "unknown_customer", "no_card", "card_taken", answer=CardOut,
                                created=True))  # fmt: skip
def reissue(here: Here, once: Once, external_id: CustomerPath, body: ReissueIn) -> Response:
    """A new pass in the place of the customer's, for a lost phone; also for a card that was revoked: 201.

    The old pass is void and empty on every device from now on, and inactive at Google. The links stay: they
    lead to the new one.
    """
    kit, now = _kit(here), here.now()
    with once.recording() as done:
        row = known(done.connection, external_id)
        if body.card is not None:
            _renumber(here, done.connection, row.external_id, body.card)
        face = _face(here, kit, done.connection, row.id)
        issuing.reissue(done.connection, row.id, face, Deed(body.author, body.reason), now)
        note_next(done.connection, row.id, now)
        return done(201, _shown(here, done.connection, external_id), row.id)


@routes.delete("", **asks("cards:write", "unknown_customer"))
def revoke(
    here: Here, external_id: CustomerPath, author: Annotated[Author, Query()] = "api",
    reason: Annotated[Reason, Query()] = "revoked",
) -> CardOut:  # fmt: skip
    """Revoke the card: void and empty wherever it is carried, and the links give out none. Repeatable.

    `POST …/card/reissue` gives the customer a new one.
    """
    with here.recording() as connection:
        row = known(connection, external_id)
        issuing.revoke(connection, row.id, Deed(author, reason), here.now())
        return _shown(here, connection, external_id)


def _kit(here: Services) -> Kit:
    kit = here.cards.kit()
    if kit is None:
        raise refuse("no_card", "the program that is live has no card")
    return kit


def _face(here: Services, kit: Kit, connection: Connection, customer_id: int) -> Face:
    face = kit.deck.faces(connection, [customer_id], here.now()).get(customer_id)
    if face is None:
        raise refuse("no_card", "the card cannot be filled in for this customer; `tidings check` says why")
    return face


def _renumber(here: Services, connection: Connection, external_id: str, card: str) -> None:
    addresses = here.workspace.addresses
    refusal = issuing.renumber(connection, here.program, addresses, external_id, card, here.now())
    if refusal is not None:
        raise refused(refusal, {"card_taken": "card"})


def _shown(here: Services, connection: Connection, external_id: str) -> CardOut:
    row = known(connection, external_id)
    current = passes.current(connection, row.id)
    state = "issued" if current else "revoked" if passes.is_revoked(connection, row.id) else "none"
    serial = current.serial if current else None
    links = card_links(here.running, here.links, row.id)
    return CardOut(customer=row.external_id, state=state, serial=serial, links=links)
