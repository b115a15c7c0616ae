"""`pass.json` of a store card, from one customer's face.

Source: Apple's Wallet Passes documentation.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from operator import attrgetter
from typing import Any

import orjson

from wallet.design import NFC_BYTES, Code, Face, Link, Place, Shown

LOCATIONS_AT_MOST = 10
_FORMATS = {
    "qr": "PKBarcodeFormatQR",
    "pdf417": "PKBarcodeFormatPDF417",
    "aztec": "PKBarcodeFormatAztec",
    "code128": "PKBarcodeFormatCode128",
}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues passes: `web_service` is the https address without `/v1`, None for none.

    `nfc_public_key` is the till's, base64 of its SubjectPublicKeyInfo.
    """

    pass_type: str
    team: str
    web_service: str | None = None
    nfc_public_key: str | None = None


def pass_json(issuer: Issuer, face: Face, serial: str, token: str, *, voided: bool = False) -> dict[str, Any]:
    """The content by Apple's names. What a card has not is left out."""
    whole = look(issuer, face) | own(issuer, face, serial, token, voided=voided)
    content: dict[str, Any] = orjson.loads(orjson.dumps(whole))
    return content


def kind(face: Face) -> tuple[Hashable, ...]:
    """What `look` depends on: cards that are alike in it look alike."""
    return _LOOK(face)


_LOOK = attrgetter(
    "organisation",
    "about",
    "colours.background",
    "colours.text",
    "colours.label",
    "logo_text",
    "sharing",
    "apps",
)


def look(issuer: Issuer, face: Face) -> dict[str, Any]:
    """What the cards of one tier and language have in common."""
    colours = face.colours
    content: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": issuer.pass_type,
        "teamIdentifier": issuer.team,
        "organizationName": face.organisation,
        "description": face.about,
        "backgroundColor": rgb(colours.background),
        "foregroundColor": rgb(colours.text),
        "labelColor": rgb(colours.label),
    }
    if issuer.web_service:
        content["webServiceURL"] = issuer.web_service
    if face.logo_text:
        content["logoText"] = face.logo_text
    if face.apps:
        content["associatedStoreIdentifiers"] = list(face.apps)
    if not face.sharing:
        content["sharingProhibited"] = True
    return content


def own(issuer: Issuer, face: Face, serial: str, token: str, *, voided: bool) -> dict[str, Any]:
    """What is one customer's, for `orjson.dumps`: a part that others have too is spelled already."""
    content: dict[str, Any] = {"serialNumber": serial, "storeCard": _store_card(face)}
    if issuer.web_service:
        content["authenticationToken"] = token
    if face.barcode is not None and face.barcode.message:
        content["barcodes"] = [_barcode(face.barcode)]
    if face.places:
        content["locations"] = _locations(face.places)
    if face.nfc and issuer.nfc_public_key:
        content["nfc"] = _nfc(face, face.nfc, issuer.nfc_public_key)
    if face.expires is not None:
        content["expirationDate"] = face.expires.isoformat(timespec="seconds")
    if voided:
        content["voided"] = True
    return content


def rgb(colour: str) -> str:
    """`#1f3b2d` as Apple writes it: `rgb(31, 59, 45)`."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgb({red}, {green}, {blue})"


def anchor(link: Link) -> str:
    """A link as the back shows it: its label, to be tapped."""
    return f'<a href="{escape(link.uri)}">{escape(link.label, quote=False)}</a>'


def _store_card(face: Face) -> dict[str, list[dict[str, str]]]:
    card: dict[str, list[dict[str, str]]] = {}
    if face.header:
        card["headerFields"] = _fields(face.header)
    if face.primary:
        card["primaryFields"] = _fields(face.primary)
    if face.secondary:
        card["secondaryFields"] = _fields(face.secondary)
    if face.auxiliary:
        card["auxiliaryFields"] = _fields(face.auxiliary)
    if back := [*_fields(face.back), *(_link(link) for link in face.links)]:
        card["backFields"] = back
    return card


def _fields(fields: Sequence[Shown]) -> list[dict[str, str]]:
    written = []
    for field in fields:
        content = {"key": field.key, "label": field.label, "value": field.value}
        if field.change_message:
            content["changeMessage"] = field.change_message
        written.append(content)
    return written


def _link(link: Link) -> dict[str, str]:
    """A watch shows the value; a phone shows what stands in its place. No field's key has a dot."""
    return {"key": f"link.{link.key}", "value": link.uri, "attributedValue": anchor(link)}


def _barcode(code: Code) -> dict[str, str]:
    # Every scanner reads Latin-1; what it cannot spell goes as UTF-8.
    encoding = "iso-8859-1" if code.message.isascii() else "utf-8"
    under = {"altText": code.under} if code.under else {}
    return {"format": _FORMATS[code.kind], "message": code.message, "messageEncoding": encoding, **under}


@lru_cache(maxsize=1_000)
def _locations(places: tuple[Place, ...]) -> orjson.Fragment:
    """Neighbours have the same stores nearby."""
    return orjson.Fragment(orjson.dumps([_location(place) for place in places[:LOCATIONS_AT_MOST]]))


def _location(place: Place) -> dict[str, Any]:
    where: dict[str, Any] = {"latitude": place.latitude, "longitude": place.longitude}
    return where | {"relevantText": place.text} if place.text else where


def _nfc(face: Face, message: str, public_key: str) -> dict[str, Any]:
    """Terminals take 64 bytes."""
    bounded = message.encode()[:NFC_BYTES].decode(errors="ignore")
    asks = {"requiresAuthentication": True} if face.authenticate else {}
    return {"message": bounded, "encryptionPublicKey": public_key, **asks}
