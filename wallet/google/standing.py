"""What stands where on Google's card: points, level, modules; and the rows of the front.

Google has two places for points and one for the level. `google` in the card's file names the fields that
take them; left out, they are the first two fields of the header and the field `tier`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from wallet.design import NEWS_KEY, TIER_KEY, Card, CardField, Face, Shown

POINTS = ("loyaltyPoints", "secondaryLoyaltyPoints")
MODULES_AT_MOST = 10
ROWS_AT_MOST = 3
CELLS_AT_MOST = 3


def points(face: Face) -> tuple[Shown, ...]:
    """The fields that stand as points, the main ones first."""
    named = (face.google.points, face.google.secondary_points)
    front = _chosen(named, (field.key for field in face.header + face.primary), tier_key(face))
    return tuple(field for key in front if (field := by_key(face, key)) is not None)


def tier_key(face: Face) -> str:
    """The key of the field that stands as the level."""
    return face.google.tier or TIER_KEY


def tier(face: Face) -> Shown | None:
    """The field that stands as the level."""
    return by_key(face, tier_key(face))


def modules(face: Face) -> list[Shown]:
    """As much of `besides` as Google shows."""
    return besides(face)[:MODULES_AT_MOST]


def besides(face: Face) -> list[Shown]:
    """What the details show besides points and level: what `google.modules` names, else all the rest.

    A message on the card is none of them: Google has its own place for it.
    """
    if face.google.modules is not None:
        named = (by_key(face, key) for key in face.google.modules)
        return [field for field in named if field is not None]
    taken = {field.key for field in points(face)} | {tier_key(face), NEWS_KEY}
    return [field for field in face.front + face.back if field.key not in taken]


def by_key(face: Face, key: str) -> Shown | None:
    """A field of the card, wherever it stands; None if this customer's card has it not."""
    return next((field for field in face.front + face.back if field.key == key), None)


def _chosen(named: Sequence[str | None], front: Iterator[str], tier: str) -> list[str]:
    """The keys of the points: those named, and for what is not named the next of the front."""
    taken = {tier, *named}
    spare = (key for key in front if key not in taken)
    return [key for key in (it or next(spare, None) for it in named) if key is not None]


def rows(card: Card) -> list[dict[str, Any]]:
    """Points and level first, then the card's own rows; a field that a customer lacks leaves a gap."""
    google, front = card.google, card.front
    level = google.tier or TIER_KEY
    upper = [field.key for field in front.header + front.primary]
    top = _chosen((google.points, google.secondary_points), iter(upper), level)
    first = [f"object.{name}.balance" for name, _ in zip(POINTS, top, strict=False)]
    if any(field.key == level for field in card.fields()):
        first.append("class.rewardsTier")
    taken = {*top, level}
    below = [[f"object.textModulesData['{key}']" for key in keys] for keys in _below(card, upper, taken)]
    return [_row(cells[:CELLS_AT_MOST]) for cells in [first, *below] if cells][:ROWS_AT_MOST]


def _below(card: Card, upper: Sequence[str], taken: set[str]) -> Iterator[list[str]]:
    if card.google.modules is not None:
        keys = list(card.google.modules)
        yield from (keys[start : start + CELLS_AT_MOST] for start in range(0, len(keys), CELLS_AT_MOST))
        return
    front = card.front
    for row in (upper, _keys(front.secondary), _keys(front.auxiliary)):
        yield [key for key in row if key not in taken]


def _keys(fields: Sequence[CardField]) -> list[str]:
    return [field.key for field in fields]


def _row(paths: Sequence[str]) -> dict[str, Any]:
    kind, places = {
        1: ("oneItem", ("item",)),
        2: ("twoItems", ("startItem", "endItem")),
        3: ("threeItems", ("startItem", "middleItem", "endItem")),
    }[len(paths)]
    items = [{"firstValue": {"fields": [{"fieldPath": path}]}} for path in paths]
    return {kind: dict(zip(places, items, strict=True))}
