"""What Twilio calls us about: how a message fared, and what a customer wrote back.

Source: Twilio's "Track the message status", "Advanced Opt-Out" and "Validating signatures".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from channels.twilio_codes import BY_CODE

Report = Literal["delivered", "undelivered", "read"]
Word = Literal["stop", "start", "help"]

# Everything else (queued, sending, sent) says that it is under way, which we know.
_REPORTS: dict[str, Report] = {
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "read": "read",
}
# Twilio's own words, which it answers itself, and how people say it in sentences and languages that it does
# not know: nobody reads what they write.
_ENGLISH: dict[Word, set[str]] = {
    "stop": {
        "stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out",
    },
    "start": {"start", "yes", "unstop"},
    "help": {"help", "info"},
}  # fmt: skip
_POLITE: dict[Word, set[str]] = {
    "stop": {
        "stop please", "please stop", "stop sms", "stop messages", "stop texting me", "unsubscribe me",
        "please unsubscribe me", "remove me", "no more messages",
    },
    "start": set(),
    "help": set(),
}  # fmt: skip
_UKRAINIAN: dict[Word, set[str]] = {
    "stop": {
        "стоп", "відписатися", "відписатись", "відпишіться", "відписка", "відпишіть", "відмова",
        "відмовляюсь", "відмовляюся", "скасувати", "не надсилайте", "не надсилати", "стоп будь ласка",
        "відпишіть мене", "відпишіть мене будь ласка", "відписатися від розсилки", "не надсилайте більше",
        "більше не надсилайте", "не пишіть", "не пишіть мені", "більше не пишіть", "не турбуйте",
    },
    "start": {"старт", "почати", "так", "підписатися", "підписатись"},
    "help": {"допомога", "довідка", "допоможіть"},
}  # fmt: skip
_RUSSIAN: dict[Word, set[str]] = {
    "stop": {
        "стоп", "отписаться", "отпишите", "отписка", "отказ", "отказываюсь", "отмена", "не присылайте",
        "не присылать", "стоп пожалуйста", "отпишите меня", "отпишите меня пожалуйста",
        "отписаться от рассылки", "не присылайте больше", "больше не присылайте", "не пишите",
        "не пишите мне", "больше не пишите", "не беспокойте",
    },
    "start": {"старт", "начать", "да", "подписаться"},
    "help": {"помощь", "справка", "помогите"},
}  # fmt: skip
_LANGUAGES = (("en", _ENGLISH), ("en", _POLITE), ("uk", _UKRAINIAN), ("ru", _RUSSIAN))


@dataclass(frozen=True, slots=True)
class Said:
    """What a customer meant: a word, or something else (None).

    `language` is that of the word, if only one has it. `answered`: Twilio answers it, so we do not.
    """

    word: Word | None
    language: str | None = None
    answered: bool = False


class _Fields(dict[str, list[str]]):
    """A form as Twilio's validator reads one: it asks for every value of a name."""

    def getall(self, name: str) -> list[str]:
        """Every value of a name."""
        return self[name]


def signed(
    auth_token: str, url: str, pairs: Sequence[tuple[str, str]], signature: str, settings: str = ""
) -> bool:
    """Whether Twilio signed this request.

    `url` is the public one with its query, `settings` the header X-Twilio-Webhooks-Signature-Settings.
    """
    from twilio.request_validator import RequestValidator, get_signature_algorithm

    fields = _Fields()
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    algorithm = get_signature_algorithm(settings)
    return bool(RequestValidator(auth_token).validate(url, fields, signature, algorithm))


def report(status: str) -> Report | None:
    """What a status says of a message; None for one that is only under way."""
    return _REPORTS.get(status.lower())


def reason(code: str) -> tuple[str | None, str | None]:
    """Why it did not arrive, and what is wrong with the address (`dead`, `opted_out`), by Twilio's code."""
    known = BY_CODE.get(int(code)) if code.isdigit() else None
    return (known.reason, known.address) if known else (f"Twilio {code}" if code.isdigit() else None, None)


def said(body: str, opt_out_type: str = "") -> Said:
    """STOP, START or HELP if that is all that the customer wrote; Twilio's own reading comes first."""
    plain = " ".join(re.findall(r"[^\W\d_]+", normalize("NFC", body).casefold()))
    found = [
        (meaning, language)
        for language, lexicon in _LANGUAGES
        for meaning, words in lexicon.items()
        if plain in words
    ]
    spoken = found[0][1] if len(found) == 1 else None
    read = next((word for word in _ENGLISH if word == opt_out_type.lower()), None)
    if read:
        return Said(read, spoken, answered=True)
    twilios = any(plain in words for words in _ENGLISH.values())
    return Said(found[0][0], spoken, twilios) if found else Said(None)
