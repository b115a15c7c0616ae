"""Where stores are, and which of them are closest."""

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple


class Place(NamedTuple):
    """Where a store is, in degrees (WGS 84); `text` is what the lock screen says there."""

    latitude: float
    longitude: float
    text: str = ""


def nearest(stores: Sequence[Place], here: Place, count: int = 10) -> list[Place]:
    """The `count` stores closest to a place, the closest first."""
    return sorted(stores, key=lambda store: (_apart(store, here), store.text))[:count]


def _apart(one: Place, other: Place) -> float:
    """The haversine of the angle between two places, as an angle: it sorts as the distance does."""
    latitude, longitude = radians(one.latitude - other.latitude), radians(one.longitude - other.longitude)
    across = cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(longitude / 2) ** 2
    return 2 * asin(min(1.0, sqrt(sin(latitude / 2) ** 2 + across)))
