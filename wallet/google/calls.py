"""One request to Google's API, and what its answer means.

Source: walletobjects v1; the wording of a refused notification is taken from an answer of Google's
(403, reason `quotaExceeded`), its documentation calls it QuotaExceededException.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Literal

from core.http_dates import retry_after

Body = Mapping[str, Any]
CLASS, OBJECT = "loyaltyClass", "loyaltyObject"
# An answer that never came: nobody there, or something that cannot be read.
NO_ANSWER = 0

_RETRY_STATUS = {NO_ANSWER, 408, 429, 500, 502, 503, 504}
_RATE_WORDS = {"ratelimitexceeded", "userratelimitexceeded"}
_PLACES = "merchant locations"
_LONGEST_WAIT = timedelta(hours=1)


class Outcome(Enum):
    """What became of a request, and so what is to be done."""

    WRITTEN = "written"
    MISSING = "missing"  # no such object or class: insert it
    EXISTS = "exists"  # there is one already: patch it
    NO_CLASS = "no class"  # the object's class is not there: write it first
    NO_PLACES = "no places"  # this issuer may not name stores: write it without
    RETRY = "retry"  # busy or unreachable: later
    QUOTA = "quota"  # too many notifications for this pass today: it was written without
    REFUSED = "refused"  # the content is wrong: set aside and report
    CLASS_REFUSED = "class refused"  # what all of a level have alike is wrong: tell the engineer
    CONFIGURATION = "configuration"  # our account has no right: tell the engineer


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome for one class or object. `reason` is a word of Google's, never what was sent.

    `after` is how long Google asks us to wait, if it says so.
    """

    outcome: Outcome
    reason: str = ""
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `path` is below `…/walletobjects/v1/`."""

    method: Literal["GET", "POST", "PATCH"]
    path: str
    body: Body | None = field(default=None, repr=False)

    @property
    def notifies(self) -> bool:
        """Whether the holder is to be told of it."""
        body = self.body or {}
        return "notifyPreference" in body or body.get("message", {}).get("messageType") == "TEXT_AND_NOTIFY"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `retry_after` and `date` are the headers of these names."""

    status: int
    content: bytes = field(default=b"", repr=False)
    retry_after: str = ""
    date: str = ""

    def json(self) -> dict[str, Any]:
        """The content as an object; an empty one if it is none."""
        try:
            content = json.loads(self.content)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def verdict(call: Call, answer: Answer) -> Written:
    """What an answer means for its request."""
    status = answer.status
    if 200 <= status < 300:
        return Written(Outcome.WRITTEN)
    said = _Said(answer)
    if "quotaexceeded" in said.words and status in (400, 403, 429) and call.notifies:
        return Written(Outcome.QUOTA, said.reason)
    if status in _RETRY_STATUS or said.words & (_RATE_WORDS | {"quotaexceeded"}):
        return Written(Outcome.RETRY, said.reason, _wait(answer))
    if status in (401, 403):
        return Written(Outcome.CONFIGURATION, said.reason)
    return Written(_of_content(call, status, said), said.reason)


def _of_content(call: Call, status: int, said: "_Said") -> Outcome:
    """What is wrong with what was written."""
    # A POST to the collection names nothing but its class that could be missing.
    inserting = call.method == "POST" and call.path == OBJECT
    if "classnotfound" in said.words or (status == 404 and inserting):
        return Outcome.NO_CLASS
    if status == 400 and _PLACES in said.message:
        return Outcome.NO_PLACES
    return {404: Outcome.MISSING, 409: Outcome.EXISTS}.get(status, Outcome.REFUSED)


class _Said:
    """What an answer says of an error; Google has two shapes of it, and proxies have others."""

    def __init__(self, answer: Answer) -> None:
        found = answer.json().get("error")
        error: dict[str, Any] = found if isinstance(found, dict) else {}
        listed = error.get("errors")
        each = [it for it in listed if isinstance(it, dict)] if isinstance(listed, list) else []
        words = [str(it) for it in (error.get("status"), *(one.get("reason") for one in each)) if it]
        nothing = answer.content.decode(errors="replace") if answer.status == NO_ANSWER else ""
        self.reason = words[0] if words else nothing or f"HTTP {answer.status}"
        self.words = {word.lower().removesuffix("exception") for word in words}
        self.message = str(error.get("message", "")).lower()


def _wait(answer: Answer) -> timedelta | None:
    """How long Google asks us to wait, an hour at most; None if it does not say so."""
    seconds = retry_after(answer.retry_after, answer.date)
    return None if seconds is None else min(timedelta(seconds=seconds), _LONGEST_WAIT)
