"""What is to be done for one pass at Google: what its object shall say, and of what its holder is told."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from wallet.design import NEWS_KEY, Card, Face
from wallet.google.bodies import GoogleIssuer, loyalty_object, news, object_id, void_object
from wallet.google.budget import Budget, Weight, message_weight
from wallet.google.client import NOTIFY, SILENT, Message
from wallet.google.due import Claimed, asked

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One pass: `first` is written, then `message` is told; together they are `whole`.

    `weight` is what the holder is told of by the update, `heard` what by the message. A `face` of None is a
    pass that is void. `place` is where it is written (`Wallet.place`).
    """

    claimed: Claimed
    face: Face | None = field(repr=False)
    first: Body = field(repr=False)
    whole: Body = field(repr=False)
    budget: Budget
    weight: Weight | None = None
    message: Message | None = None
    heard: Weight | None = None
    news: str | None = None
    place: str = ""

    @property
    def row(self) -> Row[Any]:
        """The pass as it was when it was claimed."""
        return self.claimed.row

    @property
    def exists(self) -> bool:
        """Whether Google has had the object."""
        return self.row.google_object_id is not None

    @property
    def behind(self) -> bool:
        """Whether Google has something else than is to be written."""
        return not self.exists or self.row.google_digest != digest(self.first, self.place)

    @property
    def repeats(self) -> bool:
        """Whether the message was asked of Google before, and nobody knows what came of it."""
        return self.message is not None and self.row.google_news == asked(self.news or "")

    @property
    def heard_of(self) -> "Plan":
        """The same where Google has the message: it stays on the object, and nobody is told again."""
        return replace(self, first=self.whole, message=None)


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans for one version of a card; `name` is its file name, `place` where it is written."""

    issuer: GoogleIssuer
    name: str
    card: Card
    place: str = ""

    def plan(self, claimed: Claimed, face: Face | None, now: datetime) -> Plan | None:
        """What is to be done; None if there is nothing that could be written."""
        row = claimed.row
        budget = Budget.of(row.google_notices, now)
        if row.voided:
            body = void_object(self.issuer, row.serial)
            return Plan(claimed, None, body, body, budget, place=self.place)
        if face is None:
            return None
        weight = _weight(row, face, budget)
        name = news_name(row)
        if name is None:
            body = self._object(face, row.serial)
            return self._noticed(Plan(claimed, face, body, body, budget, place=self.place), weight)
        said = news(face, name, row.news_title, row.news, row.news_until)
        whole = self._object(face, row.serial, {**said, "messageType": SILENT})
        plan = Plan(claimed, face, whole, whole, budget, news=name, place=self.place)
        heard = message_weight(row.news_priority)
        if row.google_news != name and row.google_object_id is not None and budget.allows(heard):
            aloud = Message(object_id(self.issuer.issuer, row.serial), {**said, "messageType": NOTIFY})
            plan = replace(plan, first=self._object(face, row.serial), message=aloud, heard=heard)
        return self._noticed(plan, weight)

    def _object(self, face: Face, serial: str, *messages: Body) -> Body:
        return loyalty_object(self.issuer, self.name, face, serial, messages=messages)

    @staticmethod
    def _noticed(plan: Plan, weight: Weight | None) -> Plan:
        return replace(plan, weight=weight) if weight is not None else plan


def _weight(row: Row[Any], face: Face, budget: Budget) -> Weight | None:
    """What of this change its holder is told, as far as the budget allows."""
    if row.google_notice is None:
        return None
    before, now = row.google_notice.partition("."), notice(face).partition(".")
    if before == now:
        return None
    weight = Weight.VALUE if before[2] == now[2] else Weight.LEVEL
    return weight if budget.allows(weight) else None


def notice(face: Face) -> str:
    """Changes with what its holder wants to be told of (`notify`), and after the dot with the level.

    A message on the card is told of in its own way.
    """
    quiet = replace(face, back=tuple(field for field in face.back if field.key != NEWS_KEY))
    level = hashlib.sha256((face.tier or "").encode()).hexdigest()[:16]
    return f"{quiet.notice()}.{level}"


def news_name(row: Row[Any]) -> str | None:
    """The id of the message on the pass: the outbox's, else one made of what it says and when it came."""
    if not row.news:
        return None
    if row.news_message:
        return str(row.news_message)
    at = row.news_at.isoformat() if row.news_at else ""
    return hashlib.sha256(f"{at} {row.news}".encode()).hexdigest()[:32]


def digest(body: Body, place: str = "") -> str:
    """Changes exactly when the body does, or where it is written."""
    text = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256((text + place).encode()).hexdigest()[:32]
