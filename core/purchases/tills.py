"""The tills of one process: purchases that come at one moment share a transaction.

Making a transaction durable costs as much for one purchase as for fifty. Whoever comes while others are being
written waits for them, and then takes along everybody who has come meanwhile. Each till gets its own answer
once it is on the disk; a refusal of one changes nothing for the others, and what breaks is tried again alone.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition, Lock

from core.db import Database
from core.errors import EnvironmentFault
from core.program import Program
from core.purchases.receipts import Outcome, record
from core.purchases.sales import Purchase

# So many go together at most: an account is held while all of them are written.
MOST = 32
# How long (seconds) a group waits for those of the one before, who have just got their answers.
PATIENCE = 0.002


@dataclass(eq=False, slots=True)
class _Waiting:
    """One purchase at the door."""

    program: Program
    purchase: Purchase
    recorded_at: datetime
    outcome: Outcome | None = None
    fault: BaseException | None = None
    # Held until there is an answer, or until it is this one's turn to lead.
    turn: Lock = field(default_factory=Lock)

    @property
    def answered(self) -> bool:
        return self.outcome is not None or self.fault is not None

    def answer(self) -> Outcome:
        if self.fault is not None:
            raise self.fault
        assert self.outcome is not None
        return self.outcome


class Tills:
    """Records live purchases for the threads of a process, those of one moment together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._door = Condition()
        self._waiting: deque[_Waiting] = deque()
        self._writing = False
        self._went = 1

    def record(self, program: Program, purchase: Purchase, recorded_at: datetime) -> Outcome:
        """Record a purchase as `core.purchases.receipts.record` does; returns when it is committed."""
        mine = _Waiting(program, purchase, recorded_at)
        mine.turn.acquire()
        with self._door:
            self._waiting.append(mine)
            if len(self._waiting) >= self._went:
                self._door.notify()
            leads, self._writing = not self._writing, True
        if not leads:
            mine.turn.acquire()
        if not mine.answered:
            self._lead(mine)
        return mine.answer()

    def _lead(self, mine: _Waiting) -> None:
        together = self._taken(mine)
        try:
            self._write(together)
        except BaseException as fault:
            for it in together:
                it.fault = it.fault or (None if it.answered else fault)
            raise
        finally:
            self._hand_over(together, mine)

    def _taken(self, mine: _Waiting) -> list[_Waiting]:
        """Who goes along: everybody who waits and goes by the same program."""
        with self._door:
            self._door.wait_for(lambda: len(self._waiting) >= self._went, PATIENCE)
            self._waiting.remove(mine)
            others = [it for it in self._waiting if it.program is mine.program][: MOST - 1]
            for it in others:
                self._waiting.remove(it)
            self._went = 1 + len(others)
        return [mine, *others]

    def _hand_over(self, done: Sequence[_Waiting], mine: _Waiting) -> None:
        for it in done:
            if it is not mine:
                it.turn.release()
        with self._door:
            following = self._waiting[0] if self._waiting else None
            self._writing = following is not None
        if following is not None:
            following.turn.release()

    def _write(self, together: Sequence[_Waiting]) -> None:
        try:
            self._transaction(together, again=False)
        except EnvironmentFault as fault:
            for it in together:
                it.fault = fault
        except Exception:  # noqa: BLE001 - whatever it is, its own till is told
            # Nothing of it stands, or all of it: then each finds its own answer there.
            for it in together:
                self._alone(it)

    def _alone(self, waiting: _Waiting) -> None:
        try:
            self._transaction([waiting], again=True)
        except Exception as fault:  # noqa: BLE001 - as above
            waiting.fault = fault

    def _transaction(self, together: Sequence[_Waiting], *, again: bool) -> None:
        now = max(it.recorded_at for it in together)
        purchases = [it.purchase for it in together]
        with self._database.write() as connection:
            outcomes = record(
                connection, together[0].program, purchases, now, live=True, again=again, last=True
            )
        for it, outcome in zip(together, outcomes, strict=True):
            it.outcome = outcome
