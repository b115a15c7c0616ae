"""Made-up people: the same customer always becomes the same person, and nobody is found by it."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, timedelta

# A given name as a key of the file, and in full, by language.
NAMES = {
    "uk": (("olena", "Олена Приклад"), ("taras", "Тарас Приклад"), ("iryna", "Ірина Приклад"),
           ("bohdan", "Богдан Приклад"), ("halyna", "Галина Приклад"), ("marko", "Марко Приклад")),
    "ru": (("anna", "Анна Пример"), ("ivan", "Иван Пример"), ("maria", "Мария Пример"),
           ("pavel", "Павел Пример"), ("elena", "Елена Пример"), ("denis", "Денис Пример")),
    "pl": (("ewa", "Ewa Przykład"), ("jan", "Jan Przykład"), ("zofia", "Zofia Przykład"),
           ("piotr", "Piotr Przykład"), ("maja", "Maja Przykład"), ("adam", "Adam Przykład")),
    "en": (("alice", "Alice Example"), ("ben", "Ben Example"), ("clara", "Clara Example"),
           ("daniel", "Daniel Example"), ("emma", "Emma Example"), ("frank", "Frank Example")),
}  # fmt: skip
# Birthdays this near to the look keep their day: a scenario may ask for it. The year moves instead.
NEAR = timedelta(days=14)
# Years move by four: whoever was born on 29 February still was.
LEAP = 4


@dataclass(frozen=True, slots=True)
class Mask:
    """The made-up side of one customer."""

    secret: bytes
    external_id: str

    def number(self, what: str, below: int) -> int:
        """A stable number from 0 on."""
        text = f"export:{what}:{self.external_id}".encode()
        return int.from_bytes(hmac.new(self.secret, text, hashlib.sha256).digest()[:8]) % below

    def name(self, locale: str) -> tuple[str, str]:
        """The key of the file, and the name in full."""
        names = NAMES.get(locale.partition("-")[0], NAMES["en"])
        return names[self.number("name", len(names))]

    def phone(self, original: str) -> str:
        """A number of the same country, of the examples that nobody is given; its last digits made up."""
        import phonenumbers

        region = phonenumbers.region_code_for_number(phonenumbers.parse(original, None))
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example is None:
            return f"+1202555{self.number('phone', 100):04}"
        text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        return f"{text[:-2]}{self.number('phone', 100):02}"

    def email(self, key: str) -> str:
        """An address at a domain that delivers to nobody (RFC 2606)."""
        return f"{key}{self.number('email', 900) + 100}@example.org"

    def chat(self) -> str:
        """A chat with Telegram's bot."""
        return str(self.number("chat", 900_000_000) + 100_000_000)

    def birthday(self, born: date, today: date) -> date:
        """Another day, or near the look another year, so that the look sees the same."""
        if self._is_near(born, today):
            shift = LEAP * (1 + self.number("year", 2))
            return _moved_year(born, -shift if self.number("side", 2) else shift, today)
        for days in range(3 + self.number("days", 20), 365):
            moved = born - timedelta(days=days)
            if not self._is_near(moved, today) and moved.year >= 1900:
                return moved
        return born

    @staticmethod
    def _is_near(born: date, today: date) -> bool:
        days = [today + timedelta(days=n) for n in range(-NEAR.days, NEAR.days + 1)]
        feast = (born.month, min(born.day, 28) if born.month == 2 else born.day)
        return feast in [(day.month, day.day) for day in days]


def _moved_year(born: date, years: int, today: date) -> date:
    year = born.year + years
    if not 1904 <= year <= today.year - 1:
        year = born.year - years
    leap = year % LEAP == 0 and (year % 100 != 0 or year % 400 == 0)
    return born.replace(year=year, day=28 if (born.month, born.day) == (2, 29) and not leap else born.day)
