"""What the domains of a sender should publish, so that mailbox providers believe its mail.

Nothing is looked up: these are the records that follow from the settings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from channels.email.alignment import aligned, common
from channels.email.dkim import SMALLEST_RSA, Key, Signer, dns_strings
from channels.email.signing import signer_of
from channels.email.spf import mechanism

if TYPE_CHECKING:
    from channels.email import EmailConfig, EmailSettings

USUAL_RSA = 2048


@dataclass(frozen=True, slots=True)
class Record:
    """A DNS record, and why it is wanted."""

    name: str
    kind: str
    value: str
    why: str

    def line(self) -> str:
        """As it stands in a zone file."""
        if self.kind != "TXT":
            return f"{self.name}. IN {self.kind} {self.value}"
        quoted = " ".join(f'"{text}"' for text in dns_strings(self.value))
        return f"{self.name}. IN TXT ( {quoted} )"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to publish, and what to know or mend besides."""

    records: Sequence[Record]
    notes: Sequence[str]


def advise(config: "EmailConfig", settings: "EmailSettings", env_file: Path | None) -> Advice:
    """Raises EnvironmentFault for a key that cannot be used."""
    sender = config.sender.domain.lower()
    signer = signer_of(settings, sender, env_file)
    bounces = (settings.bounce_address or config.sender.address).rpartition("@")[2].lower()
    records = [*_dkim(signer), *_spf(bounces, settings), _mx(bounces), _dmarc(sender)]
    return Advice(records, list(_notes(signer, sender, bounces, settings)))


def _dkim(signer: Signer | None) -> Iterator[Record]:
    for key in signer.keys if signer else ():
        name = f"{key.selector}._domainkey.{signer.domain}" if signer else ""
        yield Record(name, "TXT", key.record(), f"DKIM: the public half of the {key.kind} key")


def _spf(bounces: str, settings: "EmailSettings") -> Iterator[Record]:
    """None where the host says nothing to the world: a note says what to write."""
    host = mechanism(settings.host) if settings.host else "mx"
    if host is None:
        return
    why = "SPF of the return path: the hosts that hand mail to the world; a provider tells its own include:"
    yield Record(bounces, "TXT", f"v=spf1 {host} ~all", why)


def _mx(bounces: str) -> Record:
    why = "the server that takes bounces, whatever its name; without it they are lost"
    return Record(bounces, "MX", f"10 mx.{bounces}.", why)


def _dmarc(sender: str) -> Record:
    value = f"v=DMARC1; p=none; rua=mailto:dmarc@{sender}"
    why = "DMARC: read the reports for some weeks, then p=quarantine, then p=reject"
    return Record(f"_dmarc.{sender}", "TXT", value, why)


def _notes(signer: Signer | None, sender: str, bounces: str, settings: "EmailSettings") -> Iterator[str]:
    if signer is None:
        yield (
            "mail leaves unsigned: make a key (openssl genrsa -out dkim.pem 2048), name it in "
            f"{settings.variable('dkim_key_file')} and choose a {settings.variable('dkim_selector')}; "
            "leave both out only where the SMTP server signs"
        )
    else:
        yield from _of_keys(signer.keys)
        told = aligned(signer.domain, sender)
        if told == "no":
            yield f"DKIM signs for {signer.domain}, which DMARC does not take for {sender}: sign for {sender}"
        elif told == "perhaps":
            yield f"DKIM signs for {signer.domain}: {_perhaps(signer.domain, sender)}"
    if settings.bounce_address is None:
        yield (
            f"bounces go to the From address and name no message: set {settings.variable('bounce_address')} "
            f"to a mailbox of its own, bounces@{sender}"
        )
    else:
        yield from _of_return_path(bounces, sender)
    if settings.host and mechanism(settings.host) is None:
        yield (
            f"no SPF record is shown, as {settings.variable('host')} is {settings.host}, which the world "
            f"does not know: publish for {bounces} the address from which the mail leaves, for example "
            "v=spf1 ip4:203.0.113.25 ~all, or your provider's include:"
        )
    if settings.bounce_address and not settings.inbox_host:
        yield (
            f"nobody reads the bounces yet: set {settings.variable('inbox_host')}, or have the mail server "
            "pipe them to `tidings bounce`"
        )
    if settings.transport == "smtp" and settings.tls == "none":
        yield f"{settings.variable('tls')} is none: mail and password travel in the clear"


def _of_return_path(bounces: str, sender: str) -> Iterator[str]:
    told = aligned(bounces, sender)
    if told == "no":
        yield (
            f"the return path is of {bounces}, so that SPF does not count for DMARC: take {sender}, or a "
            f"domain of the same owner, such as mail.{sender}"
        )
    elif told == "perhaps":
        yield f"the return path is of {bounces}: {_perhaps(bounces, sender)}"


def _perhaps(domain: str, sender: str) -> str:
    shared = common(domain, sender)
    return (
        f"DMARC takes that for {sender} if it is {shared} that you registered; if others register below "
        f"{shared} too, as they do below co.uk, it does not"
    )


def _of_keys(keys: Sequence[Key]) -> Iterator[str]:
    kinds = {key.kind for key in keys}
    if kinds == {"ed25519"}:
        yield "not every mailbox provider verifies Ed25519 yet: sign by an RSA key as well"
    for key in keys:
        bits = getattr(key.private, "key_size", USUAL_RSA)
        if SMALLEST_RSA <= bits < USUAL_RSA:
            yield f"the RSA key of {key.selector} has {bits} bits: take {USUAL_RSA} at the next rotation"
