"""Waking phones: claim what is due, send it, record what became of it, until nothing is due.

The database is never held while the network is waited for, nor the event loop while the database is. While
one batch is under way, the outcomes of the one before are recorded and the next one is claimed.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import Clock
from core.db import Database
from wallet import registrations, tally
from wallet.apple import owing
from wallet.apple.owing import BATCH, Owed, Settling, backoff
from wallet.apple.push import PERHAPS_ITS_OWN, Outcome, Pushed, Pusher

SHORTEST_REST, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=15)
# A device that is refused while others are accepted.
ITS_OWN_REST = timedelta(hours=1)


@dataclass(slots=True)
class Rest:
    """Pushing rests after a mistake of ours, and while Apple cannot be reached; then one push looks again.

    `trouble` is Apple's word for it, `until` the end of the rest. It is longer each time, a quarter of an
    hour at most. It lives in memory: who mends a setting starts the service again, which asks at once.
    """

    trouble: str | None = None
    until: datetime | None = None
    _times: int = 0

    def allows(self, now: datetime, limit: int = BATCH) -> int:
        """How many pushes may be made now."""
        if self.until is None:
            return limit
        return 1 if now >= self.until else 0

    def left(self, now: datetime) -> timedelta:
        """How much of the rest is left."""
        return max(timedelta(), self.until - now) if self.until else timedelta()

    def heard(self, results: Sequence[Pushed], now: datetime) -> None:
        """Begin a rest if nobody was accepted for a reason that all share; end it as soon as somebody was."""
        shared = next((word for word in map(_shared_trouble, results) if word), None)
        if shared is None or any(it.outcome is Outcome.ACCEPTED for it in results):
            self.trouble, self.until, self._times = None, None, 0
            return
        self.trouble = shared
        self.until = now + min(SHORTEST_REST * (1 << min(self._times, 10)), LONGEST_REST)
        self._times += 1


def _shared_trouble(result: Pushed) -> str | None:
    mistake = result.outcome is Outcome.CONFIGURATION and result.reason != PERHAPS_ITS_OWN
    return result.reason if mistake or result.outcome is Outcome.UNREACHABLE else None


class Waking:
    """Pushes to the devices of a database. One `push_due` at a time."""

    def __init__(self, database: Database, clock: Clock, rest: Rest) -> None:
        """`rest` is shared by all that push by one account."""
        self._database, self._clock, self._rest = database, clock, rest

    async def push_due(self, pusher: Pusher) -> Counter[str]:
        """Push to every device that is due. Counts outcomes, those not accepted with their reason."""
        counts: Counter[str] = Counter()
        owed, results = await asyncio.to_thread(self._turn, [], more=True), list[Pushed]()
        while owed:
            sending = asyncio.create_task(pusher.push(owed))
            try:
                # A batch that was not full was the last one: what comes to be due is the next call's.
                following = await asyncio.to_thread(self._turn, results, more=len(owed) == BATCH)
            finally:
                results = await sending
            self._rest.heard(results, self._clock.now())
            counts.update(_word(it) for it in results)
            if following and not self._rest.allows(self._clock.now()):
                following = await asyncio.to_thread(self._hand_back, following)
            owed = following
        await asyncio.to_thread(self._turn, results, more=False)
        return counts

    def _turn(self, results: Sequence[Pushed], *, more: bool) -> list[Owed]:
        """Record outcomes, and claim the next batch if there may be `more`."""
        now = self._clock.now()
        limit = self._rest.allows(now) if more else 0
        if not results and not limit:
            return []
        with self._database.write() as connection:
            self._settle(Settling(connection, now), results)
            claimed = owing.claim(connection, now, limit) if limit else []
            tally.add(connection, tally.PUSH, Counter(it.outcome.value for it in results))
        for result in results:
            if result.outcome is Outcome.GONE:
                self._forget(result)
        return claimed

    def _settle(self, settling: Settling, results: Sequence[Pushed]) -> None:
        alike: dict[Outcome, list[Pushed]] = {outcome: [] for outcome in Outcome}
        for result in results:
            alike[result.outcome].append(result)
        held = settling.held([it.owed for it in results])
        settling.accepted([it.owed for it in alike[Outcome.ACCEPTED]], held)
        waits = {
            it.owed: max(backoff(it.owed.attempts), it.after or timedelta()) for it in alike[Outcome.RETRY]
        }
        settling.failed(waits, held)
        left = self._rest.left(settling.now)
        unreached = [it.owed for it in alike[Outcome.UNREACHABLE]]
        settling.put_off(unreached, max(left, SHORTEST_REST), held)
        # Where others were accepted, it is no mistake that all share.
        refused = [it.owed for it in alike[Outcome.CONFIGURATION]]
        settling.put_off(refused, left or ITS_OWN_REST, held)

    def _forget(self, result: Pushed) -> None:
        """Delete the device, unless it has registered again since Apple saw the token die.

        In a transaction of its own: passes are held before devices.
        """
        owed, now = result.owed, self._clock.now()
        with self._database.write() as connection:
            if not registrations.forget_device(
                connection, owed.device, now, owed.push_token, result.gone_since
            ):
                settling = Settling(connection, now)
                settling.failed({owed: backoff(owed.attempts)}, settling.held([owed]))

    def _hand_back(self, owed: Sequence[Owed]) -> list[Owed]:
        """What was claimed for nothing is due again when the rest is over. Nothing is left."""
        with self._database.write() as connection:
            settling = Settling(connection, self._clock.now())
            settling.put_off(owed, self._rest.left(settling.now), settling.held(owed))
        return []


def _word(result: Pushed) -> str:
    return f"{result.outcome.value}: {result.reason}" if result.reason else result.outcome.value
