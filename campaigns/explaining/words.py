"""Speaking a language: numbers with their nouns, lengths of time, lists, money, days, all by CLDR.

A phrase of a phrasebook is a template. `{value}` is a value as it stands alone, `{value:bonus,gen}` asks for
a noun and a case: the phrasebook has the forms of each noun by CLDR's plural categories, in the cases that
its phrases need (acc where they do not say, gen, last, every).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal, get_currency_symbol
from ruamel.yaml import YAML

from core.schedule import Schedule
from core.units import Duration

LANGUAGES = ("en", "uk", "ru")
CASES = ("acc", "gen", "last", "every")
_SECONDS = {"hour": 3600, "minute": 60, "second": 1}
# A day is said with its year in full: CLDR abbreviates it, and a sentence may end there.
_YEARS = {"uk": " 'року'", "ru": " 'года'"}
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})


@cache
def phrasebook(language: str) -> Mapping[str, Any]:
    """The phrases of a language: campaigns/explaining/<language>.yaml."""
    text = files("campaigns.explaining").joinpath(f"{language}.yaml").read_text("utf-8")
    read: Mapping[str, Any] = YAML(typ="safe").load(text)
    return read


@dataclass(frozen=True)
class Speech:
    """One language. `currency` is an ISO 4217 code; `measure` what tiers are reached by: a noun, or money."""

    language: str
    currency: str = ""
    measure: str = "money"

    @cached_property
    def book(self) -> Mapping[str, Any]:
        """The phrases."""
        return phrasebook(self.language)

    @cached_property
    def locale(self) -> Locale:
        """CLDR's data."""
        return Locale.parse(self.language)

    def phrase(self, *path: str) -> Any:
        """What stands in the phrasebook; None if it is not there."""
        found: Any = self.book
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def say(self, template: str, **values: Any) -> str:
        """A phrase with its values."""
        return template.format(**{name: self.of(value) for name, value in values.items()})

    def of(self, value: Any, noun: str = "") -> "Said":
        """A value that phrases may ask for forms of."""
        return value if isinstance(value, Said) else Said(self, value, noun)

    def counted(self, number: Any, noun: str, case: str) -> str:
        """`100 bonuses`: a number with a noun in a case; the case that the language does without is acc."""
        if noun == "money":
            return self.money(number)
        forms = self.phrase("nouns", noun) or self.phrase("units", noun)
        chosen = forms.get(case) or forms["acc"]
        template = chosen.get(self.locale.plural_form(number)) or chosen["other"]
        return str(template).format(n=self.number(number))

    def number(self, number: Any) -> str:
        """As the language writes it."""
        return str(format_decimal(number, locale=self.locale, decimal_quantization=False)).translate(_SPACES)

    def money(self, amount: Any) -> str:
        """`5,000 UAH`, `5 000 ₴`: whole units without decimals."""
        exact = Decimal(amount)
        whole = exact == exact.to_integral_value()
        pattern = "#,##0" if whole else "#,##0.00"
        number = str(format_decimal(exact, format=pattern, locale=self.locale)).translate(_SPACES)
        return f"{number} {get_currency_symbol(self.currency, self.locale)}" if self.currency else number

    def percent(self, share: Any) -> str:
        """`10%`, of a fraction."""
        sign = self.locale.percent_formats[None].pattern.replace("#,##0", "{}")
        return str(sign).translate(_SPACES).format(self.number(Decimal(share) * 100))

    def several(self, texts: Sequence[str], *, either: bool = False) -> str:
        """`a, b and c`, or `a, b or c`; each once."""
        listed = list(dict.fromkeys(texts))
        if self.language == "en" and len(listed) > 2:
            word = "or" if either else "and"
            return f"{', '.join(listed[:-1])} {word} {listed[-1]}"
        return str(format_list(listed, style="or" if either else "standard", locale=self.locale))

    def length(self, span: Duration, case: str) -> str:
        """`5 days`, `2 hours`."""
        if span.days or not span.seconds:
            return self.counted(span.days, "day", case)
        unit = next(word for word, seconds in _SECONDS.items() if span.seconds % seconds == 0)
        return self.counted(span.seconds // _SECONDS[unit], unit, case)

    def clock(self, at: time) -> str:
        """`at 10:00`."""
        words: Mapping[str, str] = self.phrase("at")
        return words.get(str(at.hour), words["other"]).format(time=f"{at:%H:%M}")

    def day(self, day: date) -> str:
        """`1 March 2026`, in the form in which a language speaks of a day."""
        form = "d MMMM y" + _YEARS.get(self.language, "")
        return str(format_date(day, form, locale=self.locale)).translate(_SPACES)

    def month(self, number: int) -> str:
        """A month's name."""
        return str(self.locale.months["stand-alone"]["wide"][number])

    def tongue(self, code: str) -> str:
        """A language's own name, of a locale; the code where there is none."""
        return str(self.locale.languages.get(code.replace("-", "_").partition("_")[0].lower(), code))

    def schedule(self, schedule: Schedule) -> str:
        """`every day at 10:00`."""
        words: Mapping[str, Any] = self.phrase("schedule")
        if schedule.minutes:
            minutes = Duration(seconds=schedule.minutes * 60)
            return self.say(words["each"], every=minutes)
        if schedule.at is None:
            return self.say(words["cron"], value=schedule.text)
        return self.say(words["at"], days=self._days(schedule.weekdays), at=self.clock(schedule.at))

    def _days(self, weekdays: frozenset[int]) -> str:
        words: Mapping[str, Any] = self.phrase("schedule")
        groups = {
            frozenset(range(7)): "every_day",
            frozenset(range(5)): "weekdays",
            frozenset((5, 6)): "weekend",
        }
        if weekdays in groups:
            return str(words[groups[weekdays]])
        return self.several([words["days"][day] for day in sorted(weekdays)])

    def channel(self, name: str) -> str:
        """`by push`."""
        return self.say(self.phrase("channels", name) or self.phrase("channels", "other"), name=name)


@dataclass(frozen=True, slots=True)
class Said:
    """A value in a phrase: `format` asks it for a noun, a case, or how a list is joined.

    Words of a format: a noun of the phrasebook or `measure`, a case, `or` (a list otherwise has *and*),
    `bare` (no noun), `money`, `percent`, `quote`, `by` (a channel), `month`, `tongue`, `gender`.
    """

    speech: Speech
    value: Any
    noun: str = ""

    def __format__(self, spec: str) -> str:
        words = [word for word in spec.split(",") if word]
        if isinstance(self.value, tuple):
            return self._list(words)
        return self._one(self.value, words)

    def _list(self, words: list[str]) -> str:
        either, rest = "or" in words, [word for word in words if word != "or"]
        counted = bool(self._noun(rest))
        # Only the last number has the noun: 3 or 4 receipts.
        said = [
            self._one(each, [*rest, "bare"] if counted and place < len(self.value) - 1 else rest)
            for place, each in enumerate(self.value)
        ]
        return self.speech.several(said, either=either)

    def _noun(self, words: list[str]) -> str:
        nouns = {*self.speech.phrase("nouns"), "money"}
        asked = next((word for word in words if word in nouns or word == "measure"), self.noun)
        return self.speech.measure if asked == "measure" else asked

    def _one(self, value: Any, words: list[str]) -> str:
        speech = self.speech
        for word, way in _WAYS.items():
            if word in words:
                return str(way(speech, value))
        case = next((word for word in words if word in CASES), "acc")
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, Duration):
            return speech.length(value, case)
        if isinstance(value, Schedule):
            return speech.schedule(value)
        if isinstance(value, (int, Decimal)):
            noun = "" if "bare" in words else self._noun(words)
            return speech.counted(value, noun, case) if noun else speech.number(value)
        if isinstance(value, datetime):
            words_of_time: str = speech.phrase("schedule", "once")
            return words_of_time.format(date=speech.day(value.date()), at=speech.clock(value.time()))
        return speech.day(value) if isinstance(value, date) else str(value)


_WAYS: Mapping[str, Any] = {
    "quote": lambda speech, value: speech.phrase("quote").format(value=value),
    "percent": lambda speech, value: speech.percent(value),
    "by": lambda speech, value: speech.channel(str(value)),
    "month": lambda speech, value: speech.month(int(value)),
    "tongue": lambda speech, value: speech.tongue(str(value)),
    "gender": lambda speech, value: speech.phrase("genders", str(value)) or str(value),
    "money": lambda speech, value: speech.money(value),
}
