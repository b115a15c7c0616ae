"""What an SMTP reply means for the message, for the address and for the connection (RFC 5321, RFC 3463).

The reply's own words are looked at where a code says too little, and dropped: they often repeat the address.
"""

import re
from typing import Literal

from channels.outcome import AddressFault, Failed, FailureKind

Stage = Literal["connect", "sender", "recipient", "data"]

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
DEAD = {
    "5.1.1": "mailbox_unknown",
    "5.1.2": "domain_unknown",
    "5.1.6": "mailbox_moved",
    "5.1.10": "domain_refuses_mail",
    "5.2.1": "mailbox_disabled",
}
SOFT = ("mailbox_full", "mailbox_unavailable", "deferred", "refused")
"""What a server says of one mailbox, and not that the mailbox is no more."""
_AUTHENTICATION = {530, 534, 535, 538}

_NOBODY = re.compile(
    r"resolver\.adr|recipient ?not ?found|(?:user|recipient|mailbox|address)\b.{0,80}?\b(?:unknown|not found|"
    r"not exist)|(?:unknown|no such|invalid) (?:user|recipient|mailbox|address)",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"disabled|deactivated|inactive|not active|suspended|closed|deleted|discontinued|no longer", re.IGNORECASE
)
_FULL = re.compile(r"\bfull\b|quota|storage|\bspace\b", re.IGNORECASE)
# Some (vpopmail) give the code of an unknown mailbox to a full one.
_OVER_QUOTA = re.compile(r"\bquota\b|\bmailbox (?:is )?full\b|\bfull mailbox\b", re.IGNORECASE)
_POLICY = re.compile(
    r"\brelay(?!\w* recipient)|not permitted|prohibit|policy|\bspam|\bblocked|block ?list|black ?list|"
    r"reputation|banned|authenticat|\b(?:spf|dkim|dmarc)\b",
    re.IGNORECASE,
)
# What servers without enhanced codes (Exim, Yahoo) say of a mailbox and of nothing else.
_NO_MAILBOX = re.compile(
    r"no such (?:local )?(?:user|recipient|mailbox)|(?:unknown|invalid) (?:local )?(?:user|recipient)|"
    r"no mailbox here|(?:user|recipient|mailbox) (?:is )?(?:unknown|not found)|"
    r"(?:user|recipient|mailbox) (?:does not|doesn't) (?:exist|have an? \S+ account)",
    re.IGNORECASE,
)
_NO_LONGER = re.compile(r"mailbox (?:is |has been )?(?:disabled|deactivated|closed|deleted)", re.IGNORECASE)
# Whoever verifies the sender, or a list of whom they take mail from, says of those the same words.
_OF_US = re.compile(
    r"sender|\bfrom\b|verif|call-?(?:out|back)|\bip\b|\bclient\b|\be?hlo\b|\bhelo\b|white ?list|tempor|later",
    re.IGNORECASE,
)
# What is wrong with the sender, or with our greeting, is often said only once a recipient is named (Postfix:
# smtpd_delay_reject): the mailbox has nothing to do with it.
_BAD_SENDER = (".1.7", ".1.8")
_REFUSED_US = re.compile(
    r"\bsender(?: e?-?mail)?(?: address)? (?:rejected|refused|denied|blocked|verif\w+)|"
    r"\bbad (?:outbound )?sender|\bverification failed for\b|\bhelo command rejected",
    re.IGNORECASE,
)
_NO_CODE = ("", "5.0.0")
"""5.0.0 is how servers say that there is nothing more to say, or that they read nothing out of a reply."""
_LARGE = re.compile(r"\bsize\b|\btoo (?:large|big)\b", re.IGNORECASE)


def failure(stage: Stage, code: int, text: str) -> Failed:
    """The outcome of a reply that is not 2xx or 354, given at this stage of the dialogue."""
    enhanced = _enhanced(text)
    if code in _AUTHENTICATION:
        return _failed("configuration", "authentication_failed", code, enhanced)
    if 400 <= code < 500:
        return _failed("temporary", _temporary(stage, code, enhanced, text), code, enhanced)
    if stage == "connect":
        return _failed("configuration", "refused_by_server", code, enhanced)
    return _permanent(stage, code, enhanced, text)


def refuses_us(enhanced: str, text: str) -> bool:
    """Whether the sender is refused, by policy (x.7.x) or as no sender at all, and not the mailbox."""
    return enhanced[1:4] == ".7." or enhanced[1:] in _BAD_SENDER or _REFUSED_US.search(text) is not None


def is_full(enhanced: str, text: str) -> bool:
    """Whether the mailbox is there and takes nothing more, by the code or by what was said with it."""
    return enhanced[1:] == ".2.2" or (enhanced == "5.1.1" and _OVER_QUOTA.search(text) is not None)


def dead(enhanced: str, text: str) -> str | None:
    """The reason why an address is no more, by the code and what was said with it; None if it may be alive.

    Gmail says 5.2.1 of mailboxes that only get too much mail at the moment, Exchange Online 5.1.10 (which
    RFC 7505 has for domains without mail) of users that it does not know.
    """
    if enhanced == "5.2.1":
        return DEAD[enhanced] if _CLOSED.search(text) else "mailbox_unknown" if _NOBODY.search(text) else None
    if enhanced == "5.1.10" and _NOBODY.search(text):
        return "mailbox_unknown"
    return DEAD.get(enhanced)


def gone(code: int, enhanced: str, text: str) -> str | None:
    """As `dead`, of a refusal without an enhanced code: by well-known words, which are about the mailbox."""
    if code not in (550, 553, 554) or enhanced not in _NO_CODE:
        return None
    if any(it.search(text) for it in (_OF_US, _POLICY, _FULL)):
        return None
    if _NO_MAILBOX.search(text):
        return "mailbox_unknown"
    return "mailbox_disabled" if _NO_LONGER.search(text) else None


def _permanent(stage: Stage, code: int, enhanced: str, text: str) -> Failed:
    if enhanced == "5.3.4" or (code == 552 and not enhanced and _is_of_size(stage, text)):
        return _failed("permanent", "message_too_large", code, enhanced)
    if stage == "sender":  # no recipient is known yet: whatever it is, it is ours
        return _failed("configuration", "sender_refused", code, enhanced)
    # Our reputation, their policy: the mailbox itself is alive. Exim's "relay not permitted" has no code.
    if refuses_us(enhanced, text) or (not enhanced and _POLICY.search(text)):
        return _failed("permanent", "blocked_by_policy", code, enhanced)
    if is_full(enhanced, text) or (code == 552 and not enhanced and _FULL.search(text)):
        return _failed("permanent", "mailbox_full", code, enhanced)
    if reason := dead(enhanced, text) or (gone(code, enhanced, text) if stage == "recipient" else None):
        return _failed("permanent", reason, code, enhanced, "dead")
    if enhanced == "5.2.1":
        return _failed("permanent", "mailbox_unavailable", code, enhanced)
    # Behind the content it is the content that was refused, unless a code speaks of the mailbox.
    of_content = stage == "data" and not enhanced.startswith(("5.1.", "5.2."))
    return _failed("permanent", "content_refused" if of_content else "refused", code, enhanced)


def _is_of_size(stage: Stage, text: str) -> bool:
    """Of a bare 552, which servers say of size (RFC 1870, 6.1), of quota, and of more."""
    return stage == "sender" or (_LARGE.search(text) is not None and _FULL.search(text) is None)


def _temporary(stage: Stage, code: int, enhanced: str, text: str) -> str:
    """What a server says before it has heard of a recipient, and of its own system (x.3.x) or the whole of a
    message, concerns all mail; what it says to RCPT, this mailbox (RFC 5321, 4.5.4.1).
    """
    if code == 421:
        return "server_closing"
    if stage in ("connect", "sender") or enhanced.startswith("4.3."):
        return "server_busy"
    if refuses_us(enhanced, text):
        return "deferred_by_policy"
    if enhanced == "4.2.2" or (code == 452 and stage == "recipient"):
        return "mailbox_full"
    return "server_busy" if stage == "data" and not enhanced.startswith(("4.1.", "4.2.")) else "deferred"


def _enhanced(text: str) -> str:
    found = _ENHANCED.match(text)
    return ".".join(found.groups()) if found else ""


def _failed(
    kind: FailureKind, reason: str, code: int, enhanced: str, address: AddressFault | None = None
) -> Failed:
    return Failed(kind, reason, f"SMTP {code} {enhanced}".strip(), address)
