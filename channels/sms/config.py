"""What a marketer sets under `channels.sms`: who sends, how long a text may be, what it costs."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from channels.country import Tariff, check_country
from channels.settings import ChannelConfig
from channels.sms.aggregator.config import HttpConfig
from core.explain import complaint, describe

_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def is_sender(given: object) -> bool:
    """Whether operators can show it: a number, a short code, or up to 11 Latin letters and digits."""
    named = isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool))
    return named and bool(_SENDER.fullmatch(str(given)))


def _sender(given: Any) -> Any:
    if isinstance(given, dict):
        return _senders(given)
    if not is_sender(given):
        raise complaint(f"expected a sender, got {describe(given)}", _instead(given))
    return str(given)


def _instead(given: Any) -> str:
    """How a sender is written. YAML takes `+380…` without quotes for a number, and its plus sign away."""
    digits = str(given).removeprefix("+")
    if re.fullmatch(r"[1-9]\d{8,14}", digits):
        return f"write it in quotes and with its plus sign: '+{digits}'"
    return "a sender is a number ('+380…'), a short code, or up to 11 Latin letters and digits"


def _senders(given: dict[Any, Any]) -> dict[str, str]:
    for country, sender in given.items():
        check_country(str(country))
        if not is_sender(sender):
            what = f"the sender of {country} cannot be {describe(sender)}"
            raise complaint(what, _instead(sender))
    if "default" not in given:
        raise complaint("who sends to the other countries is not said", "add 'default:' with a sender")
    return {str(country): str(sender) for country, sender in given.items()}


def _languages(given: Any) -> Any:
    """`true`, `false`, or the languages, perhaps a single one."""
    if given is None or isinstance(given, bool):
        return bool(given)
    languages = [given] if isinstance(given, str) else given
    wrong = [it for it in languages if not isinstance(it, str) or not _LANGUAGE.fullmatch(it)]
    if wrong:
        raise complaint(f"{describe(wrong[0])} is no language", "write true, or languages such as [uk, ru]")
    return tuple(languages)


Sender = Annotated[str | dict[str, str] | None, BeforeValidator(_sender)]


class SmsConfig(ChannelConfig):
    """`channels.sms` in program.yaml."""

    sender: Sender = Field(
        default=None,
        description="A number (+380…), a short code, or up to 11 Latin letters; or one for each country, and "
        "default.",
        examples=["Kavarnia", "{UA: Kavarnia, default: '+12025550123'}"],
    )
    segments_at_most: int | None = Field(default=None, ge=1, le=10, description="Longer texts are not sent.")
    transliterate: Annotated[bool | tuple[str, ...], BeforeValidator(_languages)] = Field(
        default=False,
        description="Cyrillic in Latin letters, so that a segment has room for 160: true, or the languages.",
        examples=["[uk, ru]"],
    )
    tariff: Tariff = Field(
        default_factory=dict,
        description="Price of one segment by country, in the program's currency; default.",
    )
    http: HttpConfig | None = Field(
        default=None, description="How an aggregator is asked over HTTP, and what its answers mean."
    )
