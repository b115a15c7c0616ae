"""What Google Wallet shows, read from the very class and object that it is sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wallet.design import Link, Shown
from wallet.google.bodies import GoogleIssuer, loyalty_class, loyalty_object, void_object
from wallet.google.standing import POINTS, points, tier_key
from wallet.preview.phone_words import PhoneWords
from wallet.preview.subject import Subject

# Whose cards a picture's are: it stands in no picture.
_NOBODY = GoogleIssuer("3388000000000000000", "https://example.com")
_MODULE = re.compile(r"object\.textModulesData\['(.+)'\]")


@dataclass(frozen=True, slots=True)
class GooglePass:
    """A loyalty card by its places. A cell of `rows` that the customer has nothing for is None."""

    issuer: str
    program: str
    rows: tuple[tuple[Shown | None, ...], ...]
    details: tuple[Shown, ...]
    links: tuple[Link, ...]
    barcode: bool
    under: str
    taps: bool


def google_pass(subject: Subject) -> GooglePass:
    """The card as Google gets it, on a phone of the face's language."""
    face = replace(subject.face, others=())
    made = loyalty_class(_NOBODY, "card", subject.card, face, hero=subject.artwork.google_hero(face.tier))
    body = loyalty_object(_NOBODY, "card", face, "serial")
    if subject.status == "voided":
        body |= void_object(_NOBODY, "serial")
    keys = {f"object.{name}.balance": field.key for name, field in zip(POINTS, points(face), strict=False)}
    keys["class.rewardsTier"] = tier_key(face)
    rows = tuple(tuple(_cells(row, made, body, keys)) for row in _templates(made))
    told = {cell.key for row in rows for cell in row if cell is not None}
    return GooglePass(
        made["issuerName"], made["programName"], tuple(row for row in rows if any(row)),
        tuple(_details(body, told, subject.words)), tuple(_links(body)), bool(body["barcode"]),
        (body["barcode"] or {}).get("alternateText") or "", bool(body["smartTapRedemptionValue"]),
    )  # fmt: skip


def _templates(made: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rows = made["classTemplateInfo"]["cardTemplateOverride"]["cardRowTemplateInfos"]
    return [next(iter(row.values())) for row in rows]


def _cells(
    row: Mapping[str, Any], made: Mapping[str, Any], body: Mapping[str, Any], keys: Mapping[str, str]
) -> Iterator[Shown | None]:
    for place in ("item", "startItem", "middleItem", "endItem"):
        if place in row:
            paths = [field["fieldPath"] for field in row[place]["firstValue"]["fields"]]
            found = (_cell(path, made, body, keys.get(path, "")) for path in paths)
            yield next((cell for cell in found if cell is not None), None)


def _cell(path: str, made: Mapping[str, Any], body: Mapping[str, Any], key: str) -> Shown | None:
    """The field at a path of the template: label and value, as the phone finds them."""
    if path == "class.rewardsTier":
        return Shown(key, made["rewardsTierLabel"], made["rewardsTier"]) if made["rewardsTier"] else None
    if module := _MODULE.fullmatch(path):
        return next((it for it in _modules(body) if it.key == module[1]), None)
    balance = body[path.split(".")[1]]
    return Shown(key, balance["label"], balance["balance"]["string"]) if balance else None


def _modules(body: Mapping[str, Any]) -> list[Shown]:
    return [Shown(it["id"], it.get("header", ""), it["body"]) for it in body["textModulesData"]]


def _details(body: Mapping[str, Any], told: set[str], words: PhoneWords) -> Iterator[Shown]:
    """Who the member is, then what does not stand on the front already."""
    for name, label in (("accountName", words.member_name), ("accountId", words.member_id)):
        if body[name]:
            yield Shown(name, label, body[name])
    yield from (it for it in _modules(body) if it.key not in told)


def _links(body: Mapping[str, Any]) -> Iterator[Link]:
    for it in (body["linksModuleData"] or {}).get("uris", []):
        yield Link(it["id"], it["description"], it["uri"])
