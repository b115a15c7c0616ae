"""Words that several parts of program.yaml are written with: locales, currencies, addresses, texts."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from core.domain_names import ascii_domain
from core.explain import complaint, expected


def language_of(locale: str) -> str:
    """`uk` of `uk-UA` and of `UK_ua`."""
    return locale.replace("_", "-").partition("-")[0].lower()


def _text_or_mapping(value: object) -> object:
    texts = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise expected("text, or one text a locale", value, "write for example '{uk: …, en: …}'")
    return value


def _currency(code: str) -> str:
    from babel.numbers import is_currency  # slow to import

    if not is_currency(code):
        raise expected("a currency code of ISO 4217", code, "write for example 'UAH'")
    return code


def _locale(code: str) -> str:
    from babel import Locale, UnknownLocaleError  # slow to import

    try:
        Locale.parse(code, sep="-")
    except (ValueError, UnknownLocaleError):
        raise expected("a locale", code, "write for example 'uk' or 'pt-BR'") from None
    return code


def _address(url: str) -> str:
    if url and not url.startswith(("https://", "http://")):
        raise expected("a web address", url, "write for example 'https://kavarnia.example'")
    return url.rstrip("/")


def _beginning(url: str) -> str:
    """What links begin with: each adds a path of its own, and a header of mail takes nothing but ASCII."""
    url = _address(url)
    wanted = "an address that links can begin with", url, "write for example 'https://bonus.kavarnia.example'"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        named = ascii_domain(host)
    except ValueError:  # also of a name that has no ASCII form
        raise expected(*wanted) from None
    if not host.isascii() and "@" not in parts.netloc:
        url = parts._replace(netloc=f"{named}:{port}" if port else named).geturl()
    if url and (not host or "@" in parts.netloc or re.search(r"[^!-~]|[?#<>]", url)):
        raise expected(*wanted)
    return url


def _event_name(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or name != name.lower():
        raise complaint(f"'{name}' is no name of an event", "write small letters, digits and '_'")
    if is_own_event(name):
        raise complaint(f"'{name}' is an event of Tidings' own", "take another name for that of your system")
    return name


def is_own_event(name: str) -> bool:
    """Whether an event is of Tidings' own, and not what the shop's system told."""
    return name in _OWN_EVENTS or name.startswith(_OWN_BEGINNINGS)


# What the ledger and the cards tell of themselves; nobody else may say that it happened.
_OWN_EVENTS = frozenset({
    "purchase", "return", "registered", "registration", "referred", "promo_code", "profile_changed",
    "invited",
})  # fmt: skip
_OWN_BEGINNINGS = ("bonus_", "card_", "consent_", "customer_", "household_", "message_", "segment_", "tier_")

LocaleCode = Annotated[str, AfterValidator(_locale)]
CurrencyCode = Annotated[str, AfterValidator(_currency)]
WebAddress = Annotated[str, AfterValidator(_address)]
# Where customers' links point to, without a slash at its end.
PublicAddress = Annotated[str, AfterValidator(_beginning)]
EventName = Annotated[str, AfterValidator(_event_name)]
# One text for everybody, or one a locale.
Localized = Annotated[str | dict[str, str], BeforeValidator(_text_or_mapping)]
