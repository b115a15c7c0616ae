"""An SMTP session that carries mail: commands in groups (RFC 2920), replies told apart by their order.

A group is the content of one message with the envelope of the next: one round trip a message. DATA ends a
group, so whatever has been said by then has been asked for; a reply too many ends the session before any
content goes to the wrong recipient. To a server that does not pipeline the same commands go one by one.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from channels.email.answers import Answers, Unreadable, words
from channels.email.load import Item, Load
from channels.email.mime import Mail
from channels.email.replies import Stage, failure
from channels.outcome import Accepted, Failed, Unknown
from channels.transport import INTERRUPTED

GOODBYE = 5.0
"""Seconds to wait for the answer to QUIT."""

OK, FORWARDED, SEND_IT, CLOSING, OUT_OF_ORDER = 250, 251, 354, 421, 503
CONNECTION_LOST = Failed("temporary", "connection_lost")
UNREADABLE = Failed("temporary", "unreadable_answer")
TIMEOUT = Failed("temporary", "timeout")

Answered = Callable[[Item, int, bytes], None]


class Session(asyncio.Protocol):
    """Takes over a transport on which EHLO, STARTTLS and AUTH are done."""

    def __init__(
        self, transport: asyncio.Transport, *, pipelining: bool, size: bool, timeout: float, share: int
    ) -> None:
        """`timeout` is in seconds, for each reply; `share` is how many messages the session may carry."""
        self._transport, self._loop = transport, asyncio.get_running_loop()
        self._pipelining, self._size, self._timeout, self._share = pipelining, size, timeout, share
        self._answers = Answers()
        self._script: deque[tuple[Answered, Item, bytes]] = deque()
        self._expected: deque[tuple[Answered, Item, bytes]] = deque()
        self._envelope: Item | None = None
        self._granted: Item | None = None
        self._content: Item | None = None
        self._begun = self._served = 0
        self._unfinished = self._closed = False
        self._load: Load | None = None
        self._over: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._heard, self._unsent = 0.0, math.inf
        self.stalls_in_pipelines = False
        """It fell silent amid a group: it may have thrown away what it had not yet read."""
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether the session lasts, as far as this side can tell."""
        return not self._closed and not self._transport.is_closing()

    @property
    def is_spent(self) -> bool:
        """Whether it has had its share of messages."""
        return self._begun >= self._share

    async def run(self, load: Load) -> None:
        """Carry messages until none is left, the share is had or the session has ended.

        Each message that was begun has its outcome by then, or is back in the load. Cancelled, it closes.
        """
        self._load, self._over = load, self._loop.create_future()
        self._heard, self._unsent = self._loop.time(), math.inf
        self._watch = self._loop.call_later(self._timeout, self._look)
        try:
            self._go_on()
            await self._over
        except asyncio.CancelledError:
            self._end(Failed("temporary", INTERRUPTED))
            raise
        finally:
            self._watch.cancel()
            self._load = None

    async def quit(self) -> None:
        """Close as the protocol wants it; a server that is gone already is fine."""
        try:
            if self.is_open:
                self._over = self._loop.create_future()
                self._expected.append((self._dismissed, Item(_NOBODYS), b"QUIT\r\n"))
                self._transport.write(b"QUIT\r\n")
                with suppress(TimeoutError):
                    async with asyncio.timeout(GOODBYE):
                        await self._over
        finally:
            self._end(CONNECTION_LOST)

    def data_received(self, data: bytes) -> None:
        """Match replies to commands; then go on."""
        try:
            self._read(data)
        except Unreadable:
            self._attempt(self._end, UNREADABLE)
        except Exception as error:  # noqa: BLE001 - whoever waits for the session must hear of it
            self._fail(error)

    def eof_received(self) -> None:
        """The server has left."""
        self._attempt(self._end, CONNECTION_LOST)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone."""
        self._attempt(self._end, CONNECTION_LOST)

    def _read(self, data: bytes) -> None:
        if not self.is_open:
            return
        for code, line in self._answers.read(data):
            if not self._expected:
                raise Unreadable
            answered, item, _ = self._expected.popleft()
            answered(item, code, line)
            if self._closed:
                return
        self._heard = self._loop.time()
        if not self._expected:
            if self._answers.is_between:
                raise Unreadable
            self._go_on()

    def _go_on(self) -> None:
        """Everything asked so far is answered: write what comes next."""
        if self._granted:
            item, self._granted, self._envelope = self._granted, None, None
            self._content = item
            self._script.append((self._content_answered, item, stuffed(item.mail.data)))
        if self._pipelining or not self._script:
            self._begin_next()
        if not self._script:
            self._finish()
            return
        if self._pipelining:
            self._expected, self._script = self._script, self._expected
        else:
            self._expected.append(self._script.popleft())
        # Not at once: what sessions write in one turn of the loop leaves together, and wakes the server once.
        self._loop.call_soon(self._transport.write, b"".join([step[2] for step in self._expected]))

    def _begin_next(self) -> None:
        if self._load is None or self._begun >= self._share or not self.is_open:
            return
        item = self._load.next()
        if item is None:
            return
        self._envelope, self._begun = item, self._begun + 1
        item.refused = None
        if self._unfinished:
            self._script.append((self._reset_answered, item, b"RSET\r\n"))
        self._unfinished = False
        sender, recipient = _envelope(item.mail, size=self._size)
        self._script.append((self._sender_answered, item, sender))
        self._script.append((self._recipient_answered, item, recipient))
        self._script.append((self._data_answered, item, b"DATA\r\n"))

    def _reset_answered(self, item: Item, code: int, line: bytes) -> None:
        if code != OK:
            self._end(_closing(code, line))

    def _sender_answered(self, item: Item, code: int, line: bytes) -> None:
        if code == OK:
            self._unfinished = True
        elif code == OUT_OF_ORDER:  # it has not forgotten another envelope: nothing may be added to that
            self._end(failure("sender", code, words(line)))
        else:
            self._refused(item, "sender", code, line)

    def _recipient_answered(self, item: Item, code: int, line: bytes) -> None:
        if code not in (OK, FORWARDED):
            self._refused(item, "recipient", code, line)

    def _data_answered(self, item: Item, code: int, line: bytes) -> None:
        if code != SEND_IT:
            self._refused(item, "data", code, line)
            return
        if item.refused == "sender":  # whose envelope it would be is not known
            raise Unreadable
        self._unfinished = False
        if item.refused:
            # To nobody: a lone dot ends it (RFC 2920, 3.1).
            self._script.append((self._nothing_answered, item, b".\r\n"))
        else:
            self._granted = item

    def _nothing_answered(self, item: Item, code: int, line: bytes) -> None:
        if code == CLOSING:
            self._end(_closing(code, line))

    def _content_answered(self, item: Item, code: int, line: bytes) -> None:
        if code == OK:
            self._content = None
            self._settle(item, Accepted(item.mail.message_id))
            return
        outcome = _refusal("data", code, line)
        self._content = None
        self._settle(item, outcome)
        if code == CLOSING:
            self._end(outcome)

    def _refused(self, item: Item, stage: Stage, code: int, line: bytes) -> None:
        outcome = _refusal(stage, code, line)
        if code == CLOSING:
            self._end(outcome)
        elif item.refused is None:
            item.refused, self._envelope = stage, None
            self._script.clear()
            self._settle(item, outcome)

    def _dismissed(self, item: Item, code: int, line: bytes) -> None:
        self._end(CONNECTION_LOST)

    def _settle(self, item: Item, outcome: Accepted | Failed | Unknown) -> None:
        self._served += 1
        if self._load is not None:
            self._load.settle(item, outcome)

    def _end(self, why: Failed) -> None:
        """Close now, without a word. A polite close of TLS waits for the other side."""
        if self._closed:
            return
        self._closed = True
        self._transport.abort()
        content, self._content, envelope, self._envelope = self._content, None, self._envelope, None
        if self._load and envelope:
            self._lose(self._load, envelope, why, stale=self._served > 0 or content is not None)
        if self._load and content:
            self._load.settle(content, Unknown(why.reason))
        self._finish()

    def _lose(self, load: Load, item: Item, why: Failed, *, stale: bool) -> None:
        """Nothing of the content has left. A session that has served others may just have been too old.

        That repeats itself no more often than sessions serve others, and a stall in a pipeline is forgiven
        once.
        """
        if stale or (self.stalls_in_pipelines and not item.stalled):
            item.stalled = self.stalls_in_pipelines
            load.give_back(item)
        else:
            load.settle(item, why)

    def _finish(self) -> None:
        if self._over and not self._over.done():
            self._over.set_result(None)

    def _attempt(self, end: Callable[[Failed], None], why: Failed) -> None:
        try:
            end(why)
        except Exception as error:  # noqa: BLE001 - whoever waits for the session must hear of it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """What went wrong is not the server's doing."""
        self._closed = True
        self._transport.abort()
        if self._over and not self._over.done():
            self._over.set_exception(error)

    def _look(self) -> None:
        """End the session if no reply has come for so long, unless a large message is still leaving."""
        left = self._heard + self._timeout - self._loop.time()
        if left > 0 or self._is_leaving():
            self._watch = self._loop.call_later(left if left > 0 else self._timeout, self._look)
            return
        self.stalls_in_pipelines = self._pipelining and self._content is None
        self._attempt(self._end, TIMEOUT)

    def _is_leaving(self) -> bool:
        """Whether the line has taken more of what was written since this was last asked."""
        before, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        return 0 < self._unsent < before


_NOBODYS = Mail("", "", "", "", b"")


def stuffed(data: bytes) -> bytes:
    """The content as it stands on the line, with its end: dots doubled (RFC 5321, 4.5.2), else unchanged.

    A dot behind a bare line feed is doubled too, lest a lenient server take it for the end.
    """
    if data.rfind(b"\n.") >= 0:  # twice as quick as `in`
        data = data.replace(b"\n.", b"\n..")
    if data.startswith(b"."):
        data = b"." + data
    return data + (b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n")


def _envelope(mail: Mail, *, size: bool) -> tuple[bytes, bytes]:
    """MAIL and RCPT. The addresses are plain ASCII mailboxes (channels.email.addresses)."""
    option = f" SIZE={len(mail.data)}" if size else ""
    return f"MAIL FROM:<{mail.sender}>{option}\r\n".encode(), f"RCPT TO:<{mail.to}>\r\n".encode()


def _refusal(stage: Stage, code: int, line: bytes) -> Failed:
    """Raises Unreadable for a reply that is no refusal: it makes no sense at this stage."""
    if code < 400:
        raise Unreadable
    return failure(stage, code, words(line))


def _closing(code: int, line: bytes) -> Failed:
    return failure("connect", code, words(line)) if code == CLOSING else UNREADABLE
