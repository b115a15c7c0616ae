"""The loyalty class and object that say what a face says.

One class for each card, tier and language: colour, level and labels belong to the class, so a customer who
rises to gold moves to the gold class. Fields and limits are those of the walletobjects v1 reference.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wallet.design import Card, Code, Face, Place, Shown

TIER_KEY = "tier"
MODULES_AT_MOST = 10
LOCATIONS_AT_MOST = 10
ROWS_AT_MOST = 3
POINTS = ("loyaltyPoints", "secondaryLoyaltyPoints")
POINTS_AT_MOST = len(POINTS)
_BARCODES = {"qr": "QR_CODE", "pdf417": "PDF_417", "aztec": "AZTEC", "code128": "CODE_128"}
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class GoogleIssuer:
    """Who issues cards. `images` is the public https address under which `logo.png` and `hero.png` stand."""

    issuer: str
    images: str
    callback: str | None = None
    smart_tap_issuers: Sequence[str] = ()


def class_id(issuer: str, card: str, face: Face) -> str:
    """`issuer.card-tier-locale`."""
    return f"{issuer}.{_suffix(card, face.tier or 'all', face.locale)}"


def object_id(issuer: str, serial: str) -> str:
    """`issuer.serial`: the serial of the pass, the same in both wallets."""
    return f"{issuer}.{_suffix(serial)}"


def _suffix(*parts: str) -> str:
    return "-".join(_NOT_IN_AN_ID.sub("_", part) for part in parts)


def loyalty_class(issuer: GoogleIssuer, name: str, card: Card, face: Face, *, hero: bool) -> dict[str, Any]:
    """The class of everybody who has this card in this tier and language. `name` is the card's file name."""
    body: dict[str, Any] = {
        "id": class_id(issuer.issuer, name, face),
        "issuerName": face.organisation,
        "programName": face.organisation,
        "programLogo": _image(f"{issuer.images}/logo.png", face.organisation, face.locale),
        "reviewStatus": "UNDER_REVIEW",
        "hexBackgroundColor": face.colours.background,
        "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES",
        "viewUnlockRequirement": "UNLOCK_NOT_REQUIRED",
        "classTemplateInfo": {"cardTemplateOverride": {"cardRowTemplateInfos": _rows(card)}},
    }
    if hero:
        body["heroImage"] = _image(f"{issuer.images}/hero.png", face.about, face.locale)
    if (tier := _tier(face)) is not None:
        body |= {"rewardsTierLabel": tier.label, "rewardsTier": tier.value}
    if issuer.callback:
        body["callbackOptions"] = {"url": issuer.callback}
    if card.nfc and issuer.smart_tap_issuers:
        body |= {"enableSmartTap": True, "redemptionIssuers": list(issuer.smart_tap_issuers)}
    return body


def loyalty_object(
    issuer: GoogleIssuer, name: str, face: Face, serial: str, *, voided: bool = False, notify: bool = False
) -> dict[str, Any]:
    """One customer's card, complete: a PATCH replaces whole lists.

    `notify` asks Google to tell the holder; it holds for this one request only, and three times a day.
    """
    body: dict[str, Any] = {
        "id": object_id(issuer.issuer, serial),
        "classId": class_id(issuer.issuer, name, face),
        "state": "INACTIVE" if voided else "ACTIVE",
        "accountId": face.account,
        "accountName": face.holder,  # also when empty: a name that was erased must go
        "textModulesData": [_module(field) for field in _modules(face)],
        "merchantLocations": [_location(place) for place in face.places[:LOCATIONS_AT_MOST]],
    }
    for key, field in zip(POINTS, points(face), strict=False):
        body[key] = {"label": field.label, "balance": {"string": field.value}}
    if face.barcode is not None and face.barcode.message:
        body["barcode"] = _barcode(face.barcode)
    if face.nfc and face.nfc.isascii():
        body["smartTapRedemptionValue"] = face.nfc
    if notify:
        body["notifyPreference"] = "NOTIFY_ON_UPDATE"
    return body


def points(face: Face) -> tuple[Shown, ...]:
    """The fields that stand as points: the first two of the header and primary rows."""
    return tuple(field for field in face.header + face.primary if field.key != TIER_KEY)[:POINTS_AT_MOST]


def _tier(face: Face) -> Shown | None:
    return next((field for field in face.front if field.key == TIER_KEY), None)


def _modules(face: Face) -> list[Shown]:
    """What stands neither as points nor as the level."""
    taken = {field.key for field in points(face)} | {TIER_KEY}
    return [field for field in face.front + face.back if field.key not in taken][:MODULES_AT_MOST]


def _module(field: Shown) -> dict[str, str]:
    return {"id": field.key, "header": field.label, "body": field.value}


def _rows(card: Card) -> list[dict[str, Any]]:
    """Points and level first, then the card's own rows; a field that a customer lacks leaves a gap."""
    top = [field.key for field in card.front.header + card.front.primary if field.key != TIER_KEY]
    first = [f"object.{name}.balance" for name, _ in zip(POINTS, top, strict=False)]
    if any(field.key == TIER_KEY for field in card.fields()):
        first.append("class.rewardsTier")
    lower = [
        [field.key for field in row if field.key != TIER_KEY]
        for row in (card.front.secondary, card.front.auxiliary)
    ]
    modules = [
        [f"object.textModulesData['{key}']" for key in keys] for keys in (top[POINTS_AT_MOST:], *lower)
    ]
    return [_row(cells[:3]) for cells in [first, *modules] if cells][:ROWS_AT_MOST]


def _row(paths: Sequence[str]) -> dict[str, Any]:
    kind, places = {
        1: ("oneItem", ("item",)),
        2: ("twoItems", ("startItem", "endItem")),
        3: ("threeItems", ("startItem", "middleItem", "endItem")),
    }[len(paths)]
    items = [{"firstValue": {"fields": [{"fieldPath": path}]}} for path in paths]
    return {kind: dict(zip(places, items, strict=True))}


def _image(uri: str, description: str, locale: str) -> dict[str, Any]:
    text = {"defaultValue": {"language": locale, "value": description}}
    return {"sourceUri": {"uri": uri}, "contentDescription": text}


def _barcode(code: Code) -> dict[str, str]:
    under = {"alternateText": code.under} if code.under else {}
    return {"type": _BARCODES[code.kind], "value": code.message, **under}


def _location(place: Place) -> dict[str, float]:
    return {"latitude": place.latitude, "longitude": place.longitude}
