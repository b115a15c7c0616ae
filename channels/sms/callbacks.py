"""What Twilio calls us about: how a message fared, and what a customer wrote back.

Source: Twilio's "Track the message status", "Advanced Opt-Out" and "Validating signatures".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from channels import lexicon
from channels.lexicon import Word
from channels.twilio_codes import BY_CODE

Report = Literal["delivered", "undelivered", "read"]

# Everything else (queued, sending, sent) says that it is under way, which we know.
_REPORTS: dict[str, Report] = {
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "read": "read",
}


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
    meant = lexicon.meant(body)
    read = next((word for word in lexicon.WORDS if word == opt_out_type.lower()), None)
    if read:
        return Said(read, meant.language, answered=True)
    return Said(meant.word, meant.language, lexicon.is_english(body))
