"""Writing classes and objects: insert or patch, whichever Google has not yet seen.

Source: walletobjects v1. Outcomes are values; only a missing or wrong credential is a fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import structlog

from wallet.google.account import Account
from wallet.google.calls import CLASS, OBJECT, Answer, Body, Call, Outcome, Written, verdict
from wallet.google.folder import Folder
from wallet.google.settings import GoogleSettings

LOG = structlog.get_logger("tidings.cards")

NOTIFY, SILENT = "TEXT_AND_NOTIFY", "TEXT"
BATCH = 500
# A round is over in about this time, so that nothing else waits long for it.
ROUND_SECONDS = 2
# Patch, insert, patch again, each once more without what Google will not take.
STEPS_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Save:
    """An object to be written. `body` is complete: what is None is taken away if it `exists`."""

    body: Body = field(repr=False)
    exists: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the object `object_id`; `body` is Google's Message, its `id` ours."""

    object_id: str
    body: Body = field(repr=False)


class Carrier(Protocol):
    """Takes requests to Google, or to where the demo keeps them."""

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers in the order of the calls."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class Wallet:
    """Keeps classes and objects at Google; however many at once, each is settled for itself."""

    def __init__(self, carrier: Carrier, size: int = BATCH, place: str = "") -> None:
        """`size` is how many objects are best written in one go.

        `place` is where they go if not to Google: what was only tried there is still to be written to Google.
        """
        self._carrier, self.size, self.place = carrier, size, place
        self._places = True

    async def save_class(self, body: Body) -> Written:
        """Classes exist more often than not: patch, insert on 404."""
        [written] = await self._save([_Attempt(CLASS, body, exists=True)])
        return written

    async def save_objects(self, saves: Sequence[Save]) -> list[Written]:
        """Patch what exists, insert what does not; Google's word (404, 409) goes over ours.

        QUOTA says that the object was written, but without telling its holder.
        """
        return await self._save(
            [_Attempt(OBJECT, save.body, exists=save.exists, places=self._places) for save in saves]
        )

    async def patch_objects(self, bodies: Sequence[Body]) -> list[Written]:
        """Patch objects; one that Google has not stays so, and is MISSING."""
        return await self._save(
            [_Attempt(OBJECT, body, exists=True, inserts=False, places=self._places) for body in bodies]
        )

    async def add_messages(self, messages: Sequence[Message]) -> list[Written]:
        """Put messages on cards. Over the day's quota of notifications one is put there silently: QUOTA."""
        results = await self._ask([_adding(it, it.body) for it in messages])
        silent = [place for place, it in enumerate(results) if it.outcome is Outcome.QUOTA]
        bodies = [{**messages[place].body, "messageType": SILENT} for place in silent]
        again = await self._ask(
            [_adding(messages[place], body) for place, body in zip(silent, bodies, strict=True)]
        )
        for place, written in zip(silent, again, strict=True):
            results[place] = _silently(written, results[place].reason)
        return results

    async def carrying(self, messages: Sequence[Message]) -> list[bool | None]:
        """Whether each object has its message already; None where Google does not say."""
        answers = await self._send([Call("GET", f"{OBJECT}/{it.object_id}") for it in messages])
        return [_has(answer, str(it.body["id"])) for it, answer in zip(messages, answers, strict=True)]

    async def _save(self, attempts: "Sequence[_Attempt]") -> list[Written]:
        """One request for each, and another one for those whose answer says what to do instead."""
        results = [Written(Outcome.REFUSED)] * len(attempts)
        waiting = list(enumerate(attempts))
        for _ in range(STEPS_AT_MOST):
            answers = await self._ask([attempt.call() for _, attempt in waiting])
            again = []
            for (place, attempt), written in zip(waiting, answers, strict=True):
                results[place] = attempt.result(written)
                if attempt.learns(written):
                    again.append((place, attempt))
            if not again:
                break
            waiting = again
        self._note_places(attempts)
        return results

    def _note_places(self, attempts: "Sequence[_Attempt]") -> None:
        if self._places and any(attempt.no_places for attempt in attempts):
            self._places = False
            LOG.warning(
                "google wallet: this issuer may not name stores, so cards are written without them; "
                "ask Google's support for Merchant Locations, or leave out `near`"
            )

    async def _ask(self, calls: Sequence[Call]) -> list[Written]:
        answers = await self._send(calls)
        return [verdict(call, answer) for call, answer in zip(calls, answers, strict=True)]

    async def _send(self, calls: Sequence[Call]) -> list[Answer]:
        return await self._carrier.send(calls) if calls else []

    async def close(self) -> None:
        """Give back connections."""
        await self._carrier.close()


class _Attempt:
    """One class or object on its way: what is asked next follows from what was answered."""

    def __init__(
        self, kind: str, body: Body, *, exists: bool, inserts: bool = True, places: bool = True
    ) -> None:
        self._kind, self._body, self._exists = kind, body, exists
        self._inserts, self._places = inserts, places
        self._quota = ""
        self.no_places = False

    def call(self) -> Call:
        """Complete, so that it does not matter what Google knew."""
        leave_out = set() if self._places else {"merchantLocations"}
        if self._quota or not self._exists:
            leave_out.add("notifyPreference")
        body = {name: value for name, value in self._body.items() if name not in leave_out}
        if self._exists:
            return Call("PATCH", f"{self._kind}/{body['id']}", body)
        return Call("POST", self._kind, without_nothing(body))

    def learns(self, written: Written) -> bool:
        """Whether the answer says what to ask instead."""
        match written.outcome:
            case Outcome.MISSING if self._exists and self._inserts:
                self._exists = False
            case Outcome.EXISTS if not self._exists:
                self._exists = True
            case Outcome.QUOTA if not self._quota:
                self._quota = written.reason
            case Outcome.NO_PLACES if self._places:
                self._places, self.no_places = False, True
            case _:
                return False
        return True

    def result(self, written: Written) -> Written:
        """What came of it in all."""
        return _silently(written, self._quota) if self._quota else written


def _silently(written: Written, reason: str) -> Written:
    """The same thing without a notification: if it was written, then over the quota."""
    return Written(Outcome.QUOTA, reason) if written.outcome is Outcome.WRITTEN else written


def without_nothing(value: Any) -> Any:
    """A body without what is None: an insert takes nothing away."""
    if isinstance(value, dict):
        return {name: without_nothing(it) for name, it in value.items() if it is not None}
    return [without_nothing(it) for it in value] if isinstance(value, list) else value


def _adding(message: Message, body: Body) -> Call:
    return Call("POST", f"{OBJECT}/{message.object_id}/addMessage", {"message": body})


def _has(answer: Answer, name: str) -> bool | None:
    if answer.status == 404:
        return False
    if answer.status != 200:
        return None
    messages = answer.json().get("messages") or []
    return any(isinstance(it, dict) and it.get("id") == name for it in messages)


def wallet_for(settings: GoogleSettings, account: Account, folder: Path) -> Wallet:
    """The wallet that the settings ask for; `folder` takes what is only written down."""
    if settings.transport == "folder":
        return Wallet(Folder(folder), place="folder")
    from google.oauth2.service_account import Credentials
    from httpx import AsyncClient

    from wallet.google.api import SCOPE, TIMEOUT_SECONDS, Api, Pace

    credentials = Credentials.from_service_account_info(account.info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    client = AsyncClient(base_url=settings.base_url, timeout=TIMEOUT_SECONDS)
    size = max(1, min(BATCH, int(ROUND_SECONDS * settings.requests_a_second)))
    return Wallet(Api(client, credentials, Pace(settings.requests_a_second)), size)
