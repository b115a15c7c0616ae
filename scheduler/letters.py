"""Letters that somebody waits for: claimed under a lease, written, sent, and never lost.

They are few and go by themselves, past campaigns and quiet hours. A letter whose sender died is sent again
where the channel's policy allows that (under the same Message-ID), else it is `unknown`: its reader can ask
for another one. An address that must be left alone gets none.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, select

from campaigns.running import Running, text_kinds
from campaigns.versions import Live
from channels import Accepted, Failed, Outcome, Outgoing, Unknown
from channels.base import Channel
from core.clock import Clock
from core.customers.letters import LETTER
from core.db import Database
from core.errors import EnvironmentFault, UserError
from core.links import Links
from core.program import Program
from scheduler.claim import MOST_TRIES
from scheduler.closing import close_address
from scheduler.delivery import AGAIN
from scheduler.letter_claim import Claimed, claim, is_due, keep
from scheduler.letter_words import own_files
from scheduler.throttle import judge
from scheduler.warm_up import quota_of
from templates.library import Library

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.letters")

FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)
# After so many doublings nothing is left but the longest pause.
MOST_DOUBLINGS = 10
Written = tuple[Claimed, Outgoing | None]


class Letters:
    """Sends what is due. `open_channel` gives a channel that is open within its context."""

    def __init__(
        self, database: Database, live: Live, links: Links, clock: Clock,
        open_channel: Callable[[str], AbstractAsyncContextManager[AnyChannel]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        """`sleep` waits for a database that is away; tests pass their own."""
        self._database, self._live, self._links, self._clock = database, live, links, clock
        self._open_channel, self._sleep = open_channel, sleep

    async def run(self) -> Counter[str]:
        """Send everything that is due; how many of each outcome."""
        counts: Counter[str] = Counter()
        for name in await asyncio.to_thread(self._due):
            try:
                async with self._open_channel(name) as channel:
                    while sent := await self._send_some(channel):
                        counts.update(sent)
            except EnvironmentFault as fault:
                LOG.warning("letters wait", channel=name, reason=str(fault))
        return counts

    def _due(self) -> list[str]:
        with self._database.read() as connection:
            due = select(LETTER.c.channel).where(is_due(self._clock.now())).distinct()
            return sorted(connection.scalars(due))

    async def _send_some(self, channel: AnyChannel) -> Counter[str]:
        letters = await asyncio.to_thread(self._claim, channel)
        outcomes: dict[str, Outcome] = {}
        going = [outgoing for _, outgoing in letters if outgoing is not None]
        cut: asyncio.CancelledError | None = None
        if going:
            try:
                await channel.send(going, outcomes.__setitem__)
            except asyncio.CancelledError as cancelled:
                cut = cancelled  # the channel has said what became of each; that is still recorded
            except Exception as error:  # noqa: BLE001 - what is known of the others must be recorded
                LOG.error("letters failed", channel=channel.name, error=type(error).__name__)  # noqa: TRY400 - its words may be personal
        counts = await self._settled(channel, letters, outcomes)
        if cut is not None:
            raise cut
        return counts

    async def _settled(
        self, channel: AnyChannel, letters: Sequence[Written], outcomes: Mapping[str, Outcome]
    ) -> Counter[str]:
        """Outcomes would be unknown if they were not recorded: a database that is away is waited for."""
        for pause in AGAIN:
            try:
                return await asyncio.to_thread(self._settle, channel, letters, outcomes)
            except EnvironmentFault as fault:
                LOG.warning("letters not recorded yet", channel=channel.name, reason=str(fault))
                await self._sleep(pause)
        return await asyncio.to_thread(self._settle, channel, letters, outcomes)

    def _claim(self, channel: AnyChannel) -> list[Written]:
        running = self._live.running()
        with self._database.write() as connection:
            claimed = claim(connection, running, self._links, channel, self._clock.now())
        return [(it, written(running, channel.name, it, self._links)) for it in claimed]

    def _settle(
        self, channel: AnyChannel, letters: Sequence[Written], outcomes: Mapping[str, Outcome]
    ) -> Counter[str]:
        now, counts = self._clock.now(), Counter[str]()
        with self._database.write() as connection:
            for it, outgoing in letters:
                outcome: Outcome = Failed("permanent", "not_rendered")
                if outgoing is not None:
                    outcome = outcomes.get(outgoing.key, Unknown("sender_failed"))
                values = _after(it.row, outcome, channel.policy, now)
                # Whoever took it over after the lease has raised the number of tries.
                keep(connection, it.row.id, now, only_if=LETTER.c.tries == it.row.tries + 1, **values)
                if isinstance(outcome, Failed) and (fault := outcome.address):
                    close_address(connection, it.row, channel.name, it.address, fault, outcome.reason, now)
                counts[values["state"]] += 1
            judge(connection, channel.name, list(outcomes.values()), now)
            self._give_places_back(connection, channel, letters, outcomes)
        if counts:
            LOG.info("letters", channel=channel.name, **counts)
        return counts

    def _give_places_back(
        self, connection: Connection, channel: AnyChannel, letters: Sequence[Written],
        outcomes: Mapping[str, Outcome],
    ) -> None:  # fmt: skip
        """What certainly did not leave takes no place in the plan of the day on which it was claimed."""
        begun = max((it.at for it, _ in letters), default=self._clock.now())
        quota = quota_of(channel, self._live.running().program, begun)
        if quota is not None:
            left = [outcomes.get(outgoing.key) for _, outgoing in letters if outgoing is not None]
            stayed = len(letters) - len(left) + sum(isinstance(it, Failed) for it in left)
            quota.give_back(connection, stayed)


def written(running: Running, channel: str, letter: Claimed, links: Links) -> Outgoing | None:
    """A letter in words: the workspace's if it has any, else ours; None if they fail."""
    row, library, locale = letter.row, running.library, letter.row.locale
    if library.has(row.kind, channel, locale) is None:
        library, locale = _own_words(running.program), locale or running.program.locale
    try:
        text = library.render(row.kind, channel, locale, letter.context)
    except UserError as error:
        LOG.warning("not rendered", letter=row.id, kind=row.kind, error=str(error))
        return None
    return Outgoing(
        key=f"{row.kind}.{row.id}", to=letter.address, parts=text.parts, purpose="transactional", at=row.at,
        tag=row.kind, return_token=links.letter_bounce(row.id, row.digest),
    )  # fmt: skip


def _after(row: Any, outcome: Outcome, policy: str, now: datetime) -> dict[str, Any]:
    """What becomes of a letter: sent, tried again later, or over."""
    if isinstance(outcome, Accepted):
        return {"state": "sent", "reason": None}
    if _goes_again(row, outcome, policy):
        asked = timedelta(seconds=getattr(outcome, "retry_after", None) or 0)
        pause = max(asked, min(FIRST_RETRY * 2 ** min(row.tries, MOST_DOUBLINGS), LONGEST_RETRY))
        return {"state": "planned", "reason": outcome.reason, "due_at": now + pause}
    return {"state": "failed" if isinstance(outcome, Failed) else "unknown", "reason": outcome.reason}


def _goes_again(row: Any, outcome: Failed | Unknown, policy: str) -> bool:
    """What may have left is not said for days, whatever the server does with it."""
    if isinstance(outcome, Failed):
        return outcome.kind != "permanent"
    return policy == "at_least_once" and row.tries + 1 < MOST_TRIES


def _own_words(program: Program) -> Library:
    """Ours, in the customer's language if we speak it, else in English."""
    return Library(
        own_files(), kinds=text_kinds(), default_locale="en", locales=("en", "uk", "ru"),
        point_names=program.points.name, currency=program.currency, scale=program.points.scale,
        time_zone=program.time_zone,
    )  # fmt: skip
