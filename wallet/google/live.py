"""One round of bringing Google's objects up to date: claim what is due, send it, record what became of it.

The database is never held while the network is waited for, nor the event loop while the database is.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from core.clock import Clock
from core.db import Database
from core.errors import EnvironmentFault
from wallet import news, tally
from wallet.artwork import Artwork
from wallet.design import Card, Face
from wallet.google import due
from wallet.google.bodies import GoogleIssuer, class_id, loyalty_class, object_id
from wallet.google.budget import Budget
from wallet.google.calls import Outcome, Written
from wallet.google.client import Message, Save, Wallet
from wallet.google.due import Claimed, Done, Later
from wallet.google.plan import Plan, Planner, digest, notice
from wallet.updates import Faces

LOG = structlog.get_logger("tidings.cards")

GOOD = (Outcome.WRITTEN, Outcome.QUOTA)
_WRITTEN, _NO_CARD = Written(Outcome.WRITTEN), Written(Outcome.REFUSED, "no card")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a plan: of the object, and of the message if there was one to tell."""

    plan: Plan
    written: Written
    told: Written | None = None

    @property
    def final(self) -> Written:
        """The one word for both."""
        return self.told if self.told is not None and self.written.outcome in GOOD else self.written


class GoogleCards:
    """Writes one version of a card to Google: the class once, then each customer's object."""

    def __init__(self, wallet: Wallet, issuer: GoogleIssuer, name: str, card: Card, artwork: Artwork) -> None:
        """`name` is the card's file name."""
        self._wallet, self._issuer, self._name, self._card = wallet, issuer, name, card
        self._artwork = artwork
        self._planner = Planner(issuer, name, card, wallet.place)
        self._classes: set[str] = set()
        self._writing = asyncio.Lock()
        self._stopped: tuple[datetime, Written] | None = None

    def ids(self, face: Face, serial: str) -> tuple[str, str]:
        """Object and class id, as the save link wants them."""
        return object_id(self._issuer.issuer, serial), class_id(self._issuer.issuer, self._name, face)

    def object_id(self, serial: str) -> str:
        """The id of a pass's object."""
        return object_id(self._issuer.issuer, serial)

    def plan(self, claimed: Claimed, face: Face | None, now: datetime) -> Plan | None:
        """What is to be done for one pass; None if it has no card."""
        return self._planner.plan(claimed, face, now)

    @property
    def size(self) -> int:
        """How many objects a round takes, so that it ends soon."""
        return self._wallet.size

    async def carry_out(self, plans: Sequence[Plan], now: datetime, *, anyway: bool = False) -> list[Result]:
        """Do what is planned. After a refusal of our account nothing is sent for a while, except `anyway`."""
        if self._stopped is not None and now < self._stopped[0] and not anyway:
            return [Result(plan, self._stopped[1]) for plan in plans]
        try:
            results = await self._carry_out(plans)
        except EnvironmentFault as fault:
            refused = Written(Outcome.CONFIGURATION, "credentials")
            self._stop(refused, now, str(fault))
            return [Result(plan, refused) for plan in plans]
        refusals = [it.final for it in results if it.final.outcome is Outcome.CONFIGURATION]
        if refusals and not any(it.final.outcome in GOOD for it in results):
            self._stop(refusals[0], now, "make the service account a user of the issuer in Google's console")
        else:
            self._stopped = None
        return results

    def _stop(self, refused: Written, now: datetime, fix: str) -> None:
        LOG.error("google wallet refuses us; cards wait", reason=refused.reason, fix=fix)
        self._stopped = (now + due.MISCONFIGURED, refused)

    async def _carry_out(self, plans: Sequence[Plan]) -> list[Result]:
        """Look first for messages that were asked before: Google would take the same one twice."""
        asked = [plan for plan in plans if plan.repeats]
        found = zip(asked, await self._wallet.carrying(_messages(asked)), strict=True)
        carried = {plan.row.serial: there for plan, there in found}
        unknown = [plan for plan in asked if carried[plan.row.serial] is None]
        clear = [plan for plan in plans if carried.get(plan.row.serial, False) is not None]
        there = {serial for serial, it in carried.items() if it}
        results = await self._write([plan.heard_of if plan.row.serial in there else plan for plan in clear])
        return [*results, *(Result(plan, Written(Outcome.RETRY, "unknown")) for plan in unknown)]

    async def _write(self, plans: Sequence[Plan]) -> list[Result]:
        written = {plan.row.serial: it for plan, it in await self._save(plans)}
        results = [Result(plan, written.get(plan.row.serial, _WRITTEN)) for plan in plans]
        telling = [it.plan for it in results if it.plan.message and it.written.outcome in GOOD]
        answers = await self._wallet.add_messages(_messages(telling))
        told = {plan.row.serial: it for plan, it in zip(telling, answers, strict=True)}
        return [replace(it, told=told.get(it.plan.row.serial)) for it in results]

    async def _save(self, plans: Sequence[Plan]) -> list[tuple[Plan, Written]]:
        void = [plan for plan in plans if plan.face is None and plan.behind]
        gone = await self._wallet.patch_objects([plan.first for plan in void])
        # What Google never had needs no emptying.
        emptied = [_WRITTEN if it.outcome is Outcome.MISSING else it for it in gone]
        good = [plan for plan in plans if plan.face is not None]
        written = dict(zip(range(len(good)), await self._with_classes(good), strict=True))
        if lost := [place for place, it in written.items() if it.outcome is Outcome.NO_CLASS]:
            for place in lost:
                self._classes.discard(good[place].first["classId"])
            again = await self._with_classes([good[place] for place in lost])
            written |= dict(zip(lost, again, strict=True))
        return [
            *zip(void, emptied, strict=True),
            *((plan, written[place]) for place, plan in enumerate(good)),
        ]

    async def _with_classes(self, plans: Sequence[Plan]) -> list[Written]:
        """The objects that are behind, each after its class; whose class cannot be written is not asked for.

        A class is written also where no object is behind: a colour changed in the card's file is all its own.
        """
        faces = {plan.first["classId"]: plan.face for plan in plans if plan.face is not None}
        ready = {kind: await self._prepare(kind, face) for kind, face in faces.items()}
        prepared = [ready[plan.first["classId"]] for plan in plans]
        able = [
            plan
            for plan, it in zip(plans, prepared, strict=True)
            if it.outcome is Outcome.WRITTEN and plan.behind
        ]
        answers = await self._wallet.save_objects([_save(plan) for plan in able])
        written = {plan.row.serial: it for plan, it in zip(able, answers, strict=True)}
        return [written.get(plan.row.serial, it) for plan, it in zip(plans, prepared, strict=True)]

    async def _prepare(self, kind: str, face: Face) -> Written:
        """Write a class, if this version has not: who comes at the same time waits for it."""
        async with self._writing:
            if kind in self._classes:
                return _WRITTEN
            hero = self._artwork.google_hero(face.tier)
            body = loyalty_class(self._issuer, self._name, self._card, face, hero=hero)
            written = await self._wallet.save_class(body)
            if written.outcome is Outcome.WRITTEN:
                self._classes.add(kind)
                return written
            if written.outcome is Outcome.REFUSED:
                LOG.error("google wallet: class refused", kind=kind, reason=written.reason)
                return replace(written, outcome=Outcome.CLASS_REFUSED)
            return replace(written, reason=f"class: {written.reason}")


def _save(plan: Plan) -> Save:
    notify = {"notifyPreference": "NOTIFY_ON_UPDATE"} if plan.weight is not None else {}
    return Save({**plan.first, **notify}, exists=plan.exists)


def _messages(plans: Sequence[Plan]) -> list[Message]:
    return [plan.message for plan in plans if plan.message is not None]


async def google_round(database: Database, cards: GoogleCards, faces: Faces, clock: Clock) -> Counter[str]:
    """Bring the objects that are due up to date. Counts outcomes, those not written with their reason.

    A holder is told of a change only in fields that say so (`notify`), and as far as the budget allows;
    further changes are written silently.
    """

    def begin() -> list[tuple[Claimed, Plan | None]]:
        now = clock.now()
        with database.write() as connection:
            claimed = due.claim(connection, now, cards.size)
        with database.read() as connection:
            shown = _faces(connection, faces, claimed)
        planned = [(it, cards.plan(it, shown.get(it.row.customer_id), now)) for it in claimed]
        _note_telling(database, [plan for _, plan in planned if plan is not None])
        return planned

    planned = await asyncio.to_thread(begin)
    if not planned:
        return Counter()
    results = await cards.carry_out([plan for _, plan in planned if plan is not None], clock.now())
    without = [it for it, plan in planned if plan is None]
    await asyncio.to_thread(_settle, database, cards, results, without, clock)
    words = Counter(_word(it.final) for it in results)
    return words + Counter({"refused: no card": len(without)} if without else {})


async def write_now(
    database: Database, cards: GoogleCards, serial: str, faces: Faces, clock: Clock
) -> Written:
    """Make the object of one pass, so that its link may be given away; REFUSED if it is no longer good.

    A change that waits to be told of is told as a round would. One that waits to tell of a message is left to
    the next round.
    """

    def begin() -> Plan | Written:
        now = clock.now()
        with database.write() as connection:
            # A round may have told of something since the pass was issued: that counts. And the card is
            # filled in after the row was read: what it says is never older than the mark settled with it.
            current = due.current(connection, serial)
            face = _faces(connection, faces, [Claimed(current, now)]).get(current.customer_id)
            plan = cards.plan(Claimed(current, now), face, now)
            if plan is None or face is None:
                return _NO_CARD
            if plan.message is not None:
                return _WRITTEN
            return replace(plan, claimed=due.hold(connection, current, now))

    plan = await asyncio.to_thread(begin)
    if isinstance(plan, Written):
        return plan
    [result] = await cards.carry_out([plan], clock.now(), anyway=True)
    await asyncio.to_thread(_settle, database, cards, [result], [], clock)
    return result.final


def _faces(connection: Connection, faces: Faces, claimed: Sequence[Claimed]) -> Mapping[int, Face]:
    customers = [it.row.customer_id for it in claimed if not it.row.voided]
    return faces(connection, customers) if customers else {}


def _note_telling(database: Database, plans: Sequence[Plan]) -> None:
    new = {plan.row.serial: plan.news for plan in plans if plan.message and plan.news and not plan.repeats}
    if new:
        with database.write() as connection:
            due.telling(connection, new)


def _settle(
    database: Database, cards: GoogleCards, results: Sequence[Result], without: Sequence[Claimed],
    clock: Clock,
) -> None:  # fmt: skip
    now = clock.now()
    done = [_done(cards, it, now) for it in results if it.final.outcome in GOOD]
    later = [_postponed(it, now) for it in results if it.final.outcome not in GOOD]
    later += [_later(it, _NO_CARD) for it in without]
    with database.write() as connection:
        due.settle(connection, done, later, now)
        for it in done:
            row = it.claimed.row
            # An object that nobody saved is seen by nobody.
            if it.news is not None and row.google_news != it.news and row.google_saved:
                news.seen(connection, row.serial, row.news_message, now)
        tally.add(connection, tally.GOOGLE, Counter(it.final.outcome.value for it in results))


def _done(cards: GoogleCards, result: Result, now: datetime) -> Done:
    plan, budget = result.plan, _after_update(result.plan, now)
    if plan.heard is not None:
        budget = budget.spent(plan.heard, now)
    return Done(
        plan.claimed,
        cards.object_id(plan.row.serial),
        digest(plan.whole, plan.place),
        notice(plan.face) if plan.face is not None else plan.row.google_notice,
        budget.text(),
        plan.news,
    )


def _after_update(plan: Plan, now: datetime) -> Budget:
    return plan.budget.spent(plan.weight, now) if plan.weight and plan.behind else plan.budget


def _postponed(result: Result, now: datetime) -> Later:
    """To be tried again; if only the message failed, its holder is not told of the update once more."""
    plan, later = result.plan, _later(result.plan.claimed, result.final)
    if plan.face is None or result.written.outcome not in GOOD:
        return later
    return replace(later, notice=notice(plan.face), notices=_after_update(plan, now).text())


def _later(claimed: Claimed, written: Written) -> Later:
    """Busy is tried for ever, and so is what we have to mend; a wrong card only so often, then no more."""
    row, attempts = claimed.row, claimed.row.google_attempts
    after: timedelta | None = due.MISCONFIGURED
    match written.outcome:
        case Outcome.CONFIGURATION | Outcome.CLASS_REFUSED:
            pass
        case Outcome.RETRY:
            after = due.backoff(attempts, written.after)
            attempts = min(attempts + 1, due.ATTEMPTS_AT_MOST)
        case _:
            LOG.warning("google wallet: card not written", serial=row.serial, reason=written.reason)
            attempts += 1
            if attempts >= due.ATTEMPTS_AT_MOST:
                # A pass that is over changes no more, and its holder's data must not stay for ever.
                attempts, after = (attempts, due.OVER) if row.voided else (0, None)
    return Later(claimed, attempts, after, row.google_notice, row.google_notices)


def _word(written: Written) -> str:
    outcome, reason = written.outcome.value, written.reason
    return f"{outcome}: {reason}" if reason else outcome
