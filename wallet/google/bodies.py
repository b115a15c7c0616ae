"""The loyalty class and object that say what a face says.

One class for each card, tier and language: colour, level and labels belong to the class, so a customer who
rises to gold moves to the gold class. A card that follows the phone's language has one class for all
languages. Fields and limits are those of the walletobjects v1 reference.

Bodies are complete: what a card has no longer stands in them as None, which a patch takes away (null), and
an insert leaves out. Balances are texts, spelled as on Apple's pass: Google would write a number its own way.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wallet.design import NEWS_KEY, TIER_KEY, Card, Code, Face, Link, Place, Shown
from wallet.google.standing import MODULES_AT_MOST, POINTS, by_key, modules, points, rows, tier, tier_key
from wallet.google.wording import localized, spoken_by, tongues

__all__ = [
    "LOCATIONS_AT_MOST", "MESSAGES_AT_MOST", "MODULES_AT_MOST", "TIER_KEY", "GoogleIssuer", "class_id",
    "loyalty_class", "loyalty_object", "modules", "news", "object_id", "points", "tier_key", "void_object",
]  # fmt: skip

LOCATIONS_AT_MOST = 10
MESSAGES_AT_MOST = 10
_BARCODES = {"qr": "QR_CODE", "pdf417": "PDF_417", "aztec": "AZTEC", "code128": "CODE_128"}
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]+")
# Everything of a holder's that an object can hold.
_EMPTY: dict[str, Any] = {
    "accountId": "", "accountName": "", "textModulesData": [], "merchantLocations": [], "messages": [],
    **dict.fromkeys(POINTS), "barcode": None, "smartTapRedemptionValue": None, "linksModuleData": None,
    "validTimeInterval": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GoogleIssuer:
    """Who issues cards. `images` is the public https address under which `logo.png` and the others stand.

    `locale` is the program's own language, for phones of a language that the card does not speak.
    """

    issuer: str
    images: str
    callback: str | None = None
    smart_tap_issuers: Sequence[str] = ()
    locale: str | None = None


def class_id(issuer: str, card: str, face: Face) -> str:
    """`issuer.card-tier-locale`; without the locale where one class speaks all languages."""
    return f"{issuer}.{_suffix(card, face.tier or 'all', *(() if face.others else (face.locale,)))}"


def object_id(issuer: str, serial: str) -> str:
    """`issuer.serial`: the serial of the pass, the same in both wallets."""
    return f"{issuer}.{_suffix(serial)}"


def _suffix(*parts: str) -> str:
    return "-".join(map(_in_an_id, parts))


def _in_an_id(part: str) -> str:
    """The part in letters that Google allows; of what is lost a hash remains, so that no two are one."""
    plain = _NOT_IN_AN_ID.sub("_", part)
    return plain if plain == part else f"{plain}-{hashlib.sha256(part.encode()).hexdigest()[:8]}"


def loyalty_class(
    issuer: GoogleIssuer, name: str, card: Card, face: Face, *, hero: str | None
) -> dict[str, Any]:
    """The class of everybody who has this card in this tier and language.

    `name` is the card's file name, `hero` the file name of its wide picture.
    """
    faces = tongues(face, issuer.locale)
    main = next(iter(faces.values()))
    logo = _image(f"{issuer.images}/logo.png", main.organisation, main.locale)
    taps = bool(card.nfc and issuer.smart_tap_issuers)
    return {
        "id": class_id(issuer.issuer, name, face),
        "issuerName": main.organisation,
        "localizedIssuerName": spoken_by(faces, lambda it: it.organisation),
        "programName": main.program_name or main.organisation,
        "localizedProgramName": spoken_by(faces, lambda it: it.program_name or it.organisation),
        "programLogo": logo,
        "reviewStatus": "UNDER_REVIEW",
        "hexBackgroundColor": main.colours.background,
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES",
        "viewUnlockRequirement": "UNLOCK_NOT_REQUIRED",
        "classTemplateInfo": {"cardTemplateOverride": {"cardRowTemplateInfos": rows(card)}},
        "heroImage": _image(f"{issuer.images}/{hero}", main.about, main.locale) if hero else None,
        **_level(faces),
        "callbackOptions": {"url": issuer.callback} if issuer.callback else None,
        "enableSmartTap": taps,
        "redemptionIssuers": list(issuer.smart_tap_issuers) if taps else [],
    }


def _level(faces: dict[str, Face]) -> dict[str, Any]:
    """The level and its label, in every language."""
    said = {locale: field for locale, face in faces.items() if (field := tier(face)) is not None}
    main = next(iter(said.values()), Shown("", "", ""))
    labels = {locale: field.label for locale, field in said.items()}
    values = {locale: field.value for locale, field in said.items()}
    return {
        "rewardsTierLabel": main.label or None,
        "localizedRewardsTierLabel": localized(labels) if said else None,
        "rewardsTier": main.value or None,
        "localizedRewardsTier": localized(values) if said else None,
    }


def loyalty_object(
    issuer: GoogleIssuer,
    name: str,
    face: Face,
    serial: str,
    *,
    messages: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """One customer's card, complete: a PATCH replaces whole lists. `messages` are those on it (`news`)."""
    faces = tongues(face)
    standing = dict(zip(POINTS, points(face), strict=False))
    return {
        "id": object_id(issuer.issuer, serial),
        "classId": class_id(issuer.issuer, name, face),
        "state": "ACTIVE",
        **_EMPTY,
        "accountId": face.account,
        "accountName": face.holder,  # also when empty: a name that was erased must go
        "textModulesData": [_module(field, faces) for field in modules(face)],
        "linksModuleData": {"uris": [_link(link, faces) for link in face.links]} if face.links else None,
        "merchantLocations": [_location(place) for place in face.places[:LOCATIONS_AT_MOST]],
        "messages": list(messages)[-MESSAGES_AT_MOST:],
        "barcode": _barcode(face.barcode) if face.barcode and face.barcode.message else None,
        "smartTapRedemptionValue": face.smart_tap if face.smart_tap and face.smart_tap.isascii() else None,
        "validTimeInterval": {"end": {"date": face.expires.isoformat()}} if face.expires else None,
        **{key: _points(field, faces) for key, field in standing.items()},
    }


def void_object(issuer: GoogleIssuer, serial: str) -> dict[str, Any]:
    """A patch for a pass that is no longer good: nothing of its holder is left at Google.

    It names no class and no face, so that it works for somebody who is no longer known.
    """
    return {"id": object_id(issuer.issuer, serial), "state": "INACTIVE", **_EMPTY}


def news(face: Face, name: str, title: str | None, text: str, until: datetime | None) -> dict[str, Any]:
    """A message on the card under the id `name`; `title` in place of the card's own word for news."""
    heads = {
        locale: field.label
        for locale, it in tongues(face).items()
        if (field := by_key(it, NEWS_KEY)) is not None
    }
    body: dict[str, Any] = {
        "id": name, "header": title or next(iter(heads.values()), face.organisation), "body": text,
    }  # fmt: skip
    if heads and title is None and (translated := localized(heads)) is not None:
        body["localizedHeader"] = translated
    if until is not None:
        body["displayInterval"] = {"end": {"date": until.isoformat()}}
    return body


def _fields(key: str, faces: dict[str, Face]) -> dict[str, Shown]:
    found = ((locale, by_key(face, key)) for locale, face in faces.items())
    return {locale: field for locale, field in found if field is not None}


def _points(field: Shown, faces: dict[str, Face]) -> dict[str, Any]:
    labels = localized({locale: it.label for locale, it in _fields(field.key, faces).items()})
    return {"label": field.label, "localizedLabel": labels, "balance": {"string": field.value}}


def _module(field: Shown, faces: dict[str, Face]) -> dict[str, Any]:
    said = _fields(field.key, faces)
    headers = localized({locale: it.label for locale, it in said.items()})
    bodies = localized({locale: it.value for locale, it in said.items()})
    module: dict[str, Any] = {"id": field.key, "header": field.label, "body": field.value}
    if headers is not None:
        module["localizedHeader"] = headers
    if bodies is not None:
        module["localizedBody"] = bodies
    return module


def _link(link: Link, faces: dict[str, Face]) -> dict[str, Any]:
    labels = {locale: it.label for locale, face in faces.items() for it in face.links if it.key == link.key}
    translated = localized(labels)
    body: dict[str, Any] = {"id": link.key, "uri": link.uri, "description": link.label}
    return {**body, "localizedDescription": translated} if translated is not None else body


def _image(uri: str, description: str, locale: str) -> dict[str, Any]:
    text = {"defaultValue": {"language": locale, "value": description}}
    return {"sourceUri": {"uri": uri}, "contentDescription": text}


def _barcode(code: Code) -> dict[str, Any]:
    return {"type": _BARCODES[code.kind], "value": code.message, "alternateText": code.under or None}


def _location(place: Place) -> dict[str, float]:
    return {"latitude": place.latitude, "longitude": place.longitude}
