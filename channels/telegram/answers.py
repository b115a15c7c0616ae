"""What the Bot API's answers mean (https://core.telegram.org/bots/api#making-requests).

A refusal is a code and a sentence in English; the sentence is all that tells one refusal from another.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from channels.http_faults import of_one, refusal
from channels.outcome import Accepted, Failed, Outcome, Unknown
from core.http_dates import LONGEST_WAIT

# Words of the description, in small letters → what follows. The first that fits counts.
_FORBIDDEN: tuple[tuple[str, Failed], ...] = (
    ("blocked by the user", Failed("permanent", "blocked", address="opted_out")),
    ("user is deactivated", Failed("permanent", "user_deactivated", address="dead")),
    ("initiate conversation", Failed("permanent", "bot_not_started", address="dead")),
    ("kicked", Failed("permanent", "chat_left", address="dead")),
    ("not a member", Failed("permanent", "chat_left", address="dead")),
    ("messages to bots", Failed("permanent", "chat_of_a_bot", address="dead")),
)
_BAD_REQUEST: tuple[tuple[str, Failed], ...] = (
    ("chat not found", Failed("permanent", "chat_not_found", address="dead")),
    ("user not found", Failed("permanent", "chat_not_found", address="dead")),
    ("peer_id_invalid", Failed("permanent", "chat_not_found", address="dead")),
    ("upgraded to a supergroup", Failed("permanent", "chat_moved", address="dead")),
    ("too long", Failed("permanent", "text_too_long")),
    ("button_url_invalid", Failed("permanent", "link_malformed")),
    ("wrong http url", Failed("permanent", "image_unavailable")),
    ("http url content", Failed("permanent", "image_unavailable")),
    ("web page content", Failed("permanent", "image_unavailable")),
    ("webpage_", Failed("permanent", "image_unavailable")),
)
_REFUSED = Failed("permanent", "refused")
# A token that cannot be one is no path of the API.
_OWN = {404: Failed("configuration", "authentication_failed")}


def outcome_of(answer: httpx.Response) -> Outcome:
    """What became of one message. Raises ChannelDown if no message can leave with this token.

    A 5xx comes from a front that may have handed the message on: it is no proof that it did not leave.
    """
    content = _content(answer)
    match answer.status_code:
        case 200:
            return _accepted(content)
        case 400 | 403 as status if "description" in content:  # else it is not Telegram who says it
            return _refused(status, content)
        case status if status >= 500:
            return Unknown("provider_error", f"HTTP {status}")
        case status:
            return of_one(refusal(status, f"HTTP {status}", _retry_after(content), _OWN))


def _accepted(content: Mapping[str, Any]) -> Outcome:
    result = content.get("result")
    number = result.get("message_id") if isinstance(result, dict) else None
    return Accepted(str(number)) if isinstance(number, int) else Unknown("unreadable_answer")


def _refused(status: int, content: Mapping[str, Any]) -> Failed:
    words = str(content.get("description", "")).lower()
    known = _FORBIDDEN if status == httpx.codes.FORBIDDEN else _BAD_REQUEST
    found = next((failed for said, failed in known if said in words), _REFUSED)
    if isinstance(_parameters(content).get("migrate_to_chat_id"), int):
        found = Failed("permanent", "chat_moved", address="dead")
    return Failed(found.kind, found.reason, f"HTTP {status}", found.address)


def _retry_after(content: Mapping[str, Any]) -> float | None:
    """Seconds, at most a day."""
    wait = _parameters(content).get("retry_after")
    return min(float(wait), LONGEST_WAIT) if isinstance(wait, int) and wait >= 0 else None


def _parameters(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("parameters")
    return found if isinstance(found, dict) else {}


def _content(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        content = json.loads(answer.content)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
