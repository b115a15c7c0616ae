"""What is drawn: one face with the pictures of its tier, and how the pass stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from wallet.artwork import Artwork
from wallet.design import NEWS_KEY, Card, Face, Shown
from wallet.preview.phone_words import PhoneWords, phone_words

Status = Literal["active", "voided", "expired"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One customer's card at a time. `zone` is the program's: dates are told by its days."""

    card: Card
    face: Face
    artwork: Artwork
    at: datetime
    zone: ZoneInfo
    status: Status = "active"

    @property
    def pictures(self) -> Mapping[str, bytes]:
        """Apple's of the face's tier, by their names in the pass."""
        return self.artwork.of_tier(self.face.tier).apple

    @property
    def hero(self) -> bytes | None:
        """Google's wide picture of the face's tier."""
        name = self.artwork.google_hero(self.face.tier)
        return self.artwork.google[name] if name else None

    @property
    def words(self) -> PhoneWords:
        """What the phone says in the card's language."""
        return phone_words(self.face.locale)

    @property
    def news(self) -> Shown | None:
        """The message on the card."""
        return next((field for field in self.face.back if field.key == NEWS_KEY), None)

    @property
    def warning(self) -> str:
        """What the phone says of a card that is no longer good."""
        said = {"active": "", "voided": self.words.void, "expired": self.words.expired}
        return said[self.status]

    def day(self, at: datetime) -> str:
        """A day as the card's language writes it."""
        return self._dated(at, "long")

    def today(self) -> str:
        """The day and its name, as a lock screen has them."""
        return self._dated(self.at, "EEEE, d MMMM")

    def _dated(self, at: datetime, pattern: str) -> str:
        from babel import Locale
        from babel.dates import format_date

        locale = Locale.parse(self.face.locale.replace("-", "_"))
        return format_date(at.astimezone(self.zone).date(), pattern, locale)
