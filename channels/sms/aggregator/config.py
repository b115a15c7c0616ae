"""`channels.sms.http`: how the aggregator is asked, and how it answers and reports. No secrets stand here."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from channels.sms.aggregator import places
from channels.sms.aggregator.meaning import AnswerMeaning, Meaning, Path, ReportMeaning
from core.explain import complaint
from core.units import Series

_OWN_MACHINE = ("127.0.0.1", "::1", "localhost")
# RFC 9110, 5.1.
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Part(BaseModel):
    """A part of the description; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN_MACHINE):
        raise complaint("texts and keys travel in clear on this address", "write an https:// address")
    if not parts.hostname or parts.username or "{" in url:
        raise complaint(
            "an address is written into logs", "leave places and passwords to headers and body: {token}"
        )
    return url


def _headers(headers: dict[str, str]) -> dict[str, str]:
    places.check(headers, places.IN_HEADERS)
    for name, value in headers.items():
        is_said = value.isascii() and value.isprintable() and value == value.strip()
        if not _HEADER.fullmatch(name) or not is_said:
            raise complaint(f"the header '{name}' cannot be sent", "write Latin letters, digits and signs")
    return headers


def _status(answers: dict[str, Meaning]) -> dict[str, Meaning]:
    for status in answers:
        if not re.fullmatch(r"[2-5]\d\d", status):
            raise complaint(f"'{status}' is no HTTP status", "write for example 402")
    return answers


class AnswerConfig(Part):
    """What the answer to a request says. It is JSON."""

    id: Path = Field(
        description="Where the message's own name stands: result.0.message_id; @key is a mapping's only key.",
        examples=["result.0.message_id"],
    )
    code: Series[Path] = Field(
        default=(), description="Where its code stands; of several places, the first that has one."
    )
    means: dict[str, AnswerMeaning] = Field(
        default_factory=dict,
        description="Code → accepted, temporary, permanent, configuration, dead, opted_out or unknown, and a "
        "reason of your own after it.",
    )
    status: Annotated[dict[str, AnswerMeaning], AfterValidator(_status)] = Field(
        default_factory=dict, description="HTTP status → the same, where no code says more."
    )
    otherwise: AnswerMeaning = Field(
        default=Meaning("unknown", "unreadable_answer"),
        description="What a code means that is not listed; unknown if left out.",
    )


class SignatureConfig(Part):
    """How what it calls us with is signed: an HMAC of the body, under TIDINGS_SMS_HTTP_REPORTS_SECRET."""

    header: str = Field(description="The header that has it.", examples=["X-Signature"])
    algorithm: Literal["sha1", "sha256", "sha512"] = Field(default="sha256", description="The hash function.")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How its bytes are written.")


class ToldConfig(Part):
    """What the aggregator tells us by itself."""

    signature: SignatureConfig | None = Field(
        default=None, description="How it signs; without it, the secret stands in the address."
    )
    reply: str = Field(default="", description="What it wants to read in our answer.")


class ReportsConfig(ToldConfig):
    """What the aggregator tells us later, at /hooks/sms/reports."""

    each: Path | None = Field(
        default=None, description="Where the list of reports stands, if several come at once."
    )
    id: Path = Field(description="Where the message's own name stands.", examples=["message_id"])
    status: Path = Field(description="Where its state stands.", examples=["status"])
    means: dict[str, ReportMeaning] = Field(
        description="State → delivered, read, undelivered, dead or opted_out, and a reason of your own after "
        "it; others are on their way.",
        examples=["{DELIVRD: delivered, UNDELIV: undelivered}"],
    )


class InboundConfig(ToldConfig):
    """What customers write back, which the aggregator passes on to /hooks/sms/inbound."""

    each: Path | None = Field(
        default=None, description="Where the list of answers stands, if several come at once."
    )
    number: Path = Field(
        alias="from",
        description="Where the customer's number stands, with its country's code.",
        examples=["msisdn"],
    )
    text: Path = Field(description="Where the text stands.", examples=["message"])
    id: Path | None = Field(
        default=None,
        description="Where the answer's own name stands; without it START is not heard, as nobody could tell "
        "a repetition.",
        examples=["message_id"],
    )


class HttpConfig(Part):
    """One request for one message."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="The address that messages are sent to.", examples=["https://api.example.com/send"]
    )
    method: Literal["POST", "PUT"] = Field(default="POST", description="How it is asked.")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict, description="Headers; {token} and {basic} stand for what is in .env."
    )
    as_json: dict[str, Any] | list[Any] | None = Field(
        default=None, alias="json", description="The body as JSON, with {to}, {text}, {sender} and so on."
    )
    form: dict[str, str] | None = Field(default=None, description="The body as a form, likewise.")
    answer: AnswerConfig = Field(description="What the answer says.", examples=["{id: message_id}"])
    reports: ReportsConfig | None = Field(default=None, description="How delivery is reported.")
    inbound: InboundConfig | None = Field(
        default=None, description="How customers' answers are passed on; without it no STOP by SMS is heard."
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if (self.as_json is None) == (self.form is None):
            raise complaint("there must be one body", "write either 'json:' or 'form:'")
        places.check(self.body, (*places.FACTS, *places.SECRETS))
        if not {"to", "number"} & set(places.named(self.body)) or "text" not in places.named(self.body):
            raise complaint("the body has no number or no text", "put {number} (or {to}) and {text} into it")
        return self

    @property
    def body(self) -> dict[str, Any] | list[Any]:
        """What is sent, with its places."""
        return self.form if self.form is not None else self.as_json or {}

    def secrets(self) -> tuple[str, ...]:
        """The settings that its places need."""
        wanted = {*places.named(self.headers), *places.named(self.body)} & set(places.SECRETS)
        if "basic" in wanted:
            wanted = (wanted - {"basic"}) | {"login", "password"}
        return tuple(f"http_{name}" for name in sorted(wanted))
