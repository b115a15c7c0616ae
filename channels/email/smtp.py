"""The SMTP transport: sessions that are kept between messages and batches."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from channels.email.connection import open_session
from channels.email.load import Load
from channels.email.mime import Mail
from channels.email.pipeline import Session
from channels.outcome import Failed
from channels.transport import NOT_BEGUN, BulkTransport, ChannelDown, Record

if TYPE_CHECKING:
    from channels.email import EmailSettings


class SmtpTransport(BulkTransport[Mail]):
    """As many sessions as messages may be on their way at one time, over all batches."""

    def __init__(self, settings: "EmailSettings") -> None:
        self._settings = settings
        self._tls = ssl.create_default_context() if settings.tls != "none" else None
        self._sessions: set[Session] = set()
        self._idle: list[Session] = []
        self._places = asyncio.Semaphore(settings.concurrency)
        self._door = asyncio.Lock()
        self._pipelining = True

    async def close(self) -> None:
        """Say goodbye on every kept session."""
        sessions, self._sessions, self._idle = self._sessions, set(), []
        await asyncio.gather(*(session.quit() for session in sessions))

    async def transmit_all(self, wires: Iterator[Mail], record: Record) -> None:
        """Every message over whichever session is free for it.

        A server that refuses one more session while others are at work is not down: they carry the rest.
        """
        load = Load(wires, record)
        try:
            async with asyncio.TaskGroup() as carriers:
                for _ in range(load.ready(self._settings.concurrency)):
                    carriers.create_task(self._carry(load))
        except asyncio.CancelledError:
            load.set_aside(Failed("temporary", NOT_BEGUN))
            raise
        if load.down:
            load.set_aside(load.down)
            raise ChannelDown(load.down)

    async def _carry(self, load: Load) -> None:
        while load.down is None and load.ready(1):
            async with self._places:
                try:
                    session = await self._session(load)
                except ChannelDown as down:
                    if self._idle:
                        continue
                    if not load.sessions:
                        load.down = down.outcome
                    return
                if session:
                    await self._run(session, load)

    async def _run(self, session: Session, load: Load) -> None:
        load.sessions += 1
        try:
            await session.run(load)
            if session.is_spent:
                await session.quit()
        finally:
            load.sessions -= 1
            self._pipelining = self._pipelining and not session.stalls_in_pipelines
            if session.is_open:
                self._idle.append(session)
            else:
                self._sessions.discard(session)

    async def _session(self, load: Load) -> Session | None:
        """The session used last, or a new one; None if nothing is left to carry.

        Until the server has let one in nobody else knocks: a wrong password is tried once.
        """
        async with self._door:
            if load.down or not load.ready(1):
                return None
            if kept := self._kept():
                return kept
            if not any(session.is_open for session in self._sessions):
                return await self._open()
        return await self._open()

    def _kept(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            if session.is_open:
                return session
            self._sessions.discard(session)
        return None

    async def _open(self) -> Session:
        session = await open_session(self._settings, self._tls, pipelining=self._pipelining)
        self._sessions.add(session)
        return session
