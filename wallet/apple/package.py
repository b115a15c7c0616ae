"""The `.pkpass`: `pass.json`, pictures, manifest and signature in one stored zip.

Source: Apple's Wallet Passes documentation. The pass is rendered in the customer's own language, so it
carries no `.lproj` folders: amounts, plurals and dates are sentences of one language already.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from wallet.apple.archive import Archive, zipped
from wallet.apple.signature import Signer
from wallet.artwork import Artwork
from wallet.design import NFC_BYTES, Code, Face, Place, Shown

MIME = "application/vnd.apple.pkpass"
LOCATIONS_AT_MOST = 10
_FORMATS = {
    "qr": "PKBarcodeFormatQR",
    "pdf417": "PKBarcodeFormatPDF417",
    "aztec": "PKBarcodeFormatAztec",
    "code128": "PKBarcodeFormatCode128",
}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues passes: `web_service` is the https address without `/v1`, None for none."""

    pass_type: str
    team: str
    web_service: str | None = None
    nfc_public_key: str | None = None


class Packager:
    """Makes passes for one version of a card; pictures and their hashes are laid out once."""

    def __init__(self, issuer: Issuer, artwork: Artwork, signer: Signer) -> None:
        self._issuer = issuer
        self._signer = signer
        self._pictures = Archive(artwork.apple.items())
        self._hashes = {name: _hash(data) for name, data in artwork.apple.items()}

    def build(self, face: Face, serial: str, token: str, *, voided: bool = False) -> bytes:
        """One signed pass; the same arguments give the same bytes but for the signing time."""
        content = _dump(pass_json(self._issuer, face, serial, token, voided=voided))
        manifest = _dump({**self._hashes, "pass.json": _hash(content)})
        signature = self._signer.sign(manifest)
        members = (("pass.json", content), ("manifest.json", manifest), ("signature", signature))
        return zipped(self._pictures, members)


def pass_json(issuer: Issuer, face: Face, serial: str, token: str, *, voided: bool = False) -> dict[str, Any]:
    """`pass.json` of a store card."""
    colours = face.colours
    content: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": issuer.pass_type,
        "teamIdentifier": issuer.team,
        "serialNumber": serial,
        "organizationName": face.organisation,
        "description": face.about,
        "backgroundColor": rgb(colours.background),
        "foregroundColor": rgb(colours.text),
        "labelColor": rgb(colours.label),
        "storeCard": _store_card(face),
    }
    if issuer.web_service:
        content |= {"webServiceURL": issuer.web_service, "authenticationToken": token}
    if face.barcode is not None and face.barcode.message:
        content["barcodes"] = [_barcode(face.barcode)]
    if face.places:
        content["locations"] = [_location(place) for place in face.places[:LOCATIONS_AT_MOST]]
    if face.nfc and issuer.nfc_public_key:
        content["nfc"] = {"message": _bounded(face.nfc), "encryptionPublicKey": issuer.nfc_public_key}
    if voided:
        content["voided"] = True
    return content


def rgb(colour: str) -> str:
    """`#1f3b2d` as Apple writes it: `rgb(31, 59, 45)`."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgb({red}, {green}, {blue})"


def _store_card(face: Face) -> dict[str, Any]:
    rows = {
        "headerFields": face.header,
        "primaryFields": face.primary,
        "secondaryFields": face.secondary,
        "auxiliaryFields": face.auxiliary,
        "backFields": face.back,
    }
    return {name: _fields(fields) for name, fields in rows.items() if fields}


def _fields(fields: Sequence[Shown]) -> list[dict[str, str]]:
    return [_field(field) for field in fields]


def _field(field: Shown) -> dict[str, str]:
    shown = {"key": field.key, "label": field.label, "value": field.value}
    return {**shown, "changeMessage": field.change_message} if field.change_message else shown


def _barcode(code: Code) -> dict[str, str]:
    # Every scanner reads Latin-1; what it cannot spell goes as UTF-8.
    encoding = "iso-8859-1" if code.message.isascii() else "utf-8"
    under = {"altText": code.under} if code.under else {}
    return {"format": _FORMATS[code.kind], "message": code.message, "messageEncoding": encoding, **under}


def _location(place: Place) -> dict[str, Any]:
    text = {"relevantText": place.text} if place.text else {}
    return {"latitude": place.latitude, "longitude": place.longitude, **text}


def _bounded(message: str) -> str:
    """Terminals take 64 bytes."""
    return message.encode()[:NFC_BYTES].decode(errors="ignore")


def _hash(data: bytes) -> str:
    """SHA-1, as the format demands; what it guards is the signature over the manifest."""
    return sha1(data, usedforsecurity=False).hexdigest()


def _dump(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
