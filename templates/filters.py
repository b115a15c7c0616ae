"""Numbers, money, points and dates as people of a locale write them (Unicode CLDR, through Babel).

Every filter gives an empty text for None, so that `{{ tier.missing | money }}` is silent at the top tier.
Amounts are decimals in whole units; a time is shown in the program's zone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import DateTimePattern
from babel.numbers import format_currency, get_currency_precision, get_currency_symbol

_DIGITS = re.compile(r"[#,0]+")
_PLURAL_ORDER = ("zero", "one", "two", "few", "many", "other")
_PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " "})
# A batch repeats its days and amounts; beyond this many distinct values the oldest are formatted again.
REMEMBERED = 4096

Number = Decimal | int | float
Filter = Callable[[object], str]


@lru_cache(maxsize=64)
def cldr(name: str) -> Locale:
    """The CLDR data of a locale written `uk`, `uk-UA` or `uk_UA`; ValueError if there is none."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"there is no locale {name!r}") from None


def plural_forms(name: str) -> tuple[str, ...]:
    """The plural forms a noun has in a locale, in the order they are written in `points.name`."""
    tags = cldr(name).plural_form.tags | {"other"}
    return tuple(form for form in _PLURAL_ORDER if form in tags)


@dataclass(frozen=True, slots=True)
class Conventions:
    """What the filters of one locale need to know.

    `point_names` are the plural forms in CLDR order; `plain` writes for SMS: ordinary spaces, and the
    currency's code where its sign is not in the GSM alphabet of a text in Latin script.
    """

    locale: str
    point_names: Sequence[str]
    currency: str
    scale: int
    zone: tzinfo
    plain: bool = False


@lru_cache(maxsize=64)
def filters(conventions: Conventions) -> Mapping[str, Filter]:
    """The CLDR filters of one locale, by name; pages and texts share what they have formatted."""
    number = _number(conventions)
    made = {
        "number": number,
        "points": _points(conventions, number),
        "money": _money(conventions),
        "percent": _percent(conventions),
        "day": _dated(conventions, _skeleton(conventions, "MMMMd")),
        "date": _dated(conventions, cldr(conventions.locale).date_formats["long"]),
        "time": _clock(conventions),
    }
    return {name: _finish(function, conventions.plain) for name, function in made.items()}


def _finish(function: Callable[..., str], plain: bool) -> Filter:
    remembered = lru_cache(maxsize=REMEMBERED)(function)

    def text(value: object) -> str:
        if value is None:
            return ""
        written = remembered(value)
        return written.translate(_PLAIN) if plain else written

    return text


def _decimal(value: object, scale: int | None = None) -> Decimal:
    """The value without trailing zeros: they would change the plural (5.00 is «5 бонусів», not «бонуса»)."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
        raise TypeError("a number is needed")
    amount = value if isinstance(value, Decimal) else Decimal(str(value))
    if scale is not None:
        amount = round(amount, scale)
    whole = amount.to_integral_value()
    return Decimal(int(whole)) if whole == amount else amount.normalize()


def _number(conventions: Conventions) -> Callable[[object], str]:
    locale = cldr(conventions.locale)
    pattern = locale.decimal_formats[None]
    return lambda value: str(pattern.apply(_decimal(value), locale, decimal_quantization=False))


def _points(conventions: Conventions, number: Callable[[object], str]) -> Callable[[object], str]:
    rule = cldr(conventions.locale).plural_form
    forms = plural_forms(conventions.locale)
    given = list(conventions.point_names)
    names = {form: given[min(place, len(given) - 1)] for place, form in enumerate(forms)} if given else {}

    def text(value: object) -> str:
        amount = _decimal(value, conventions.scale)
        return f"{number(amount)} {names.get(rule(abs(amount)), '')}".rstrip()

    return text


def _money(conventions: Conventions) -> Callable[[object], str]:
    """Money as a shop writes it: a whole amount has no «,00»."""
    locale, currency = cldr(conventions.locale), conventions.currency
    symbol = _currency_text(conventions, locale)
    digits = get_currency_precision(currency)
    pattern = locale.currency_formats["standard"].pattern.replace("¤", "¤¤" if symbol == currency else "¤")

    def text(value: object) -> str:
        amount = _decimal(value, digits)
        whole = amount == amount.to_integral_value()
        shape = pattern.replace("0.00", "0") if whole else pattern
        written = format_currency(amount, currency, shape, locale, currency_digits=not whole)
        return _spaced(written, symbol)

    return text


def _currency_text(conventions: Conventions, locale: Locale) -> str:
    """The currency's sign, or its code in an SMS that its sign alone would make UCS-2."""
    symbol = get_currency_symbol(conventions.currency, locale=locale)
    latin = not any("\u0400" <= letter <= "\u04ff" for letter in locale.get_display_name() or "")
    return conventions.currency if conventions.plain and latin and symbol not in "$£¥€" else symbol


def _spaced(written: str, symbol: str) -> str:
    """A no-break space between a currency of letters and its amount (UTS 35, currency spacing)."""
    if symbol[-1:].isalpha() and written.lstrip("-").startswith(symbol):
        before, after = written.split(symbol, 1)
        return f"{before}{symbol}\u00a0{after.lstrip()}"
    return written


def _percent(conventions: Conventions) -> Callable[[object], str]:
    """Percents as they are written in program.yaml: 5 is «5 %», 7.5 is «7,5 %»."""
    # Some languages group their digits in another way: the place of the number is found by its kind.
    before, after = _DIGITS.split(cldr(conventions.locale).percent_formats[None].pattern.split(";")[0], 1)
    number = _number(conventions)
    return lambda value: f"{before}{number(value)}{after}"


def _skeleton(conventions: Conventions, skeleton: str) -> DateTimePattern:
    pattern: DateTimePattern = cldr(conventions.locale).datetime_skeletons[skeleton]
    return pattern


def _dated(conventions: Conventions, pattern: DateTimePattern) -> Callable[[object], str]:
    locale = cldr(conventions.locale)

    def text(value: object) -> str:
        if isinstance(value, datetime):
            value = _local(value, conventions.zone).date()
        if not isinstance(value, date):
            raise TypeError("a date is needed")
        return str(pattern.apply(value, locale))

    return text


def _clock(conventions: Conventions) -> Callable[[object], str]:
    locale = cldr(conventions.locale)
    pattern = locale.time_formats["short"]

    def text(value: object) -> str:
        if isinstance(value, datetime):
            value = _local(value, conventions.zone).time()
        if not isinstance(value, time):
            raise TypeError("a time is needed")
        return str(pattern.apply(value, locale))

    return text


def _local(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone) if moment.tzinfo else moment


def bare(written: Mapping[str, Filter]) -> Callable[[object], object]:
    """What an expression without a filter prints: nothing for None, amounts and days as the locale writes."""
    number, day = written["number"], written["date"]

    def text(value: object) -> object:
        if value.__class__ is str:
            return value
        if value is None:
            return ""
        if isinstance(value, Decimal):
            return number(value)
        return day(value) if isinstance(value, date) else value

    return text
