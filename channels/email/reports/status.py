"""What an enhanced status code (RFC 3463) says of an address, in the words of `channels.email.replies`."""

import re

from channels.email.replies import dead, gone, is_full, refuses_us
from channels.email.reports.report import BounceKind

_BEFORE, _SENTENCE = 100, 400
# Subjects are 0 to 7: "Exim 4.94.2" and 5.9.10.11 are none.
_CODE = re.compile(r"(?<![\w.])([245]\.[0-7]\.\d{1,3})(?![\w]|\.\d)")

# A Diagnostic-Code (RFC 3464, 2.3.6) that is an SMTP reply, and not what our own server made of it.
_REPLY = re.compile(r"\s*smtp\s*;\s*(\d{3})[ -]", re.IGNORECASE)


def classify(status: str, text: str) -> tuple[BounceKind, str, str]:
    """Kind, reason and code, by the report's own Status and what the other server said.

    Whatever speaks of policy or of the sender, be it only one of the two, is policy: when in doubt nobody is
    suppressed. A reply code without an enhanced one says too little, unless well-known words stand beside it.
    """
    codes = [*_CODE.findall(status), *_CODE.findall(text)]
    for code in codes:
        if refuses_us(code, ""):
            return "policy", "blocked_by_policy", code
    # A Status of 5.0.0 is how servers say that they read nothing out of the reply.
    code = next((code for code in codes if not code.endswith(".0.0")), codes[0] if codes else "")
    # What stands in the code's line, and behind it, is what is said of it; a whole letter may follow.
    at = max(0, text.find(code))
    said = text[max(text.rfind("\n", 0, at) + 1, at - _BEFORE) :][:_SENTENCE]
    if refuses_us("", said):
        return "policy", "blocked_by_policy", code
    reply = _REPLY.match(text)
    if reply and (reason := gone(int(reply[1]), code, text[:_SENTENCE])):
        return "hard", reason, code
    return *_meaning(code, said), code


def _meaning(code: str, said: str) -> tuple[BounceKind, str]:
    if is_full(code, said):
        return "soft", "mailbox_full"
    if reason := dead(code, said):
        return "hard", reason
    if code == "5.2.1":
        return "soft", "mailbox_unavailable"
    if code.startswith("4"):
        return "soft", "deferred"
    if code == "5.3.4":
        return "other", "message_too_large"
    return "other", "refused" if code else "unclassified"
