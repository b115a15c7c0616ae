"""One batch of mail under way, shared by the sessions that carry it."""

from collections import deque
from collections.abc import Iterator

from channels.email.mime import Mail
from channels.email.replies import Stage
from channels.outcome import Failed, Outcome
from channels.transport import Record


class Item:
    """A message on its way. `refused` is the stage at which the server did not want it.

    `stalled`: a server fell silent over its envelope once already.
    """

    __slots__ = ("mail", "refused", "stalled")

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.stalled = False
        self.refused: Stage | None = None


class Load:
    """Gives out messages, composed only then, so that memory holds no more than are on their way."""

    def __init__(self, mails: Iterator[Mail], record: Record) -> None:
        self._mails = mails
        self._record = record
        self._ready: deque[Item] = deque()
        self.sessions = 0
        self.down: Failed | None = None
        """Why no session can be had; set once nobody is left who could carry anything."""

    def ready(self, most: int) -> int:
        """How many messages wait, looking no further than `most`."""
        while len(self._ready) < most and (mail := next(self._mails, None)) is not None:
            self._ready.append(Item(mail))
        return len(self._ready)

    def next(self) -> Item | None:
        """The message to begin now."""
        if self._ready:
            return self._ready.popleft()
        mail = next(self._mails, None)
        return None if mail is None else Item(mail)

    def settle(self, item: Item, outcome: Outcome) -> None:
        """Tell what became of a message."""
        self._record(item.mail.key, outcome)

    def give_back(self, item: Item) -> None:
        """Nothing of it has left: it is the next to be tried again."""
        self._ready.appendleft(item)

    def set_aside(self, why: Failed) -> None:
        """Give what waits here this outcome: it certainly did not leave."""
        while self._ready:
            self.settle(self._ready.popleft(), why)
