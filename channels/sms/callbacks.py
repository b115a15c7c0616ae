"""What Twilio calls us about: how a message fared, and what a customer wrote back.

Source: Twilio's "Track the message status", "Advanced Opt-Out" and "Validating signatures".
"""

import re
from collections.abc import Sequence
from typing import Literal

from channels.sms.codes import BY_CODE

Report = Literal["delivered", "undelivered", "read"]
Word = Literal["stop", "start", "help"]

# Everything else (queued, sending, sent) says that it is under way, which we know.
_REPORTS: dict[str, Report] = {
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "read": "read",
}
# Twilio's own words, and how people say them in Ukrainian and Russian, which Twilio does not know.
_STOP = {
    "stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out",
    "стоп", "відписатися", "відписатись", "відписка", "відмова", "відмовляюсь", "скасувати", "не надсилайте",
    "отписаться", "отписка", "отказ", "отказываюсь", "отмена", "не присылайте",
}  # fmt: skip
_START = {"start", "yes", "unstop", "старт", "почати", "так", "підписатися", "начать", "да", "подписаться"}
_HELP = {"help", "info", "допомога", "довідка", "помощь", "справка"}
_WORDS: dict[Word, set[str]] = {"stop": _STOP, "start": _START, "help": _HELP}


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


def word(body: str, opt_out_type: str = "") -> Word | None:
    """STOP, START or HELP if that is all that the customer wrote; Twilio's own reading comes first."""
    if opt_out_type.lower() in _WORDS:
        return _meaning(opt_out_type.lower())
    return _meaning(" ".join(re.findall(r"[^\W\d_]+", body.casefold())))


def _meaning(plain: str) -> Word | None:
    return next((meaning for meaning, words in _WORDS.items() if plain in words), None)
