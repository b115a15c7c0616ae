"""What an SMTP reply means for the message, for the address and for the connection (RFC 5321, RFC 3463).

The reply's own words are dropped: they often repeat the address.
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
_AUTHENTICATION = {530, 534, 535, 538}


def failure(stage: Stage, code: int, text: str) -> Failed:
    """The outcome of a reply that is not 2xx or 354, given at this stage of the dialogue."""
    enhanced = _enhanced(text)
    if code in _AUTHENTICATION:
        return _failed("configuration", "authentication_failed", code, enhanced)
    if 400 <= code < 500:
        return _failed("temporary", _temporary(code, enhanced), code, enhanced)
    if stage == "connect":
        return _failed("configuration", "refused_by_server", code, enhanced)
    return _permanent(stage, code, enhanced)


def _permanent(stage: Stage, code: int, enhanced: str) -> Failed:
    if enhanced == "5.3.4" or (code == 552 and stage == "sender" and not enhanced):  # RFC 1870, 6.1
        return _failed("permanent", "message_too_large", code, enhanced)
    if stage == "sender":  # no recipient is known yet: whatever it is, it is ours
        return _failed("configuration", "sender_refused", code, enhanced)
    if enhanced.startswith("5.7."):  # our reputation, their policy: the mailbox itself is alive
        return _failed("permanent", "blocked_by_policy", code, enhanced)
    if enhanced == "5.2.2" or (code == 552 and not enhanced):
        return _failed("temporary", "mailbox_full", code, enhanced)
    if enhanced in DEAD:
        return _failed("permanent", DEAD[enhanced], code, enhanced, "dead")
    return _failed("permanent", "refused", code, enhanced)


def _temporary(code: int, enhanced: str) -> str:
    if code == 421:
        return "server_closing"
    if enhanced == "4.2.2" or code == 452:
        return "mailbox_full"
    return "deferred_by_policy" if enhanced.startswith("4.7.") else "deferred"


def _enhanced(text: str) -> str:
    found = _ENHANCED.match(text)
    return ".".join(found.groups()) if found else ""


def _failed(
    kind: FailureKind, reason: str, code: int, enhanced: str, address: AddressFault | None = None
) -> Failed:
    return Failed(kind, reason, f"SMTP {code} {enhanced}".strip(), address)
