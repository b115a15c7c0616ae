"""Which changes of a card its holder is told of: Google allows three a day, so they are spent by weight.

Google's limits, for each pass in any 24 hours: three updates that notify, and three messages. Both are kept.
What stands above is ours:

| what | is told while |
|---|---|
| a level that changed | fewer than 3 updates were told |
| a message of a scenario of priority 50 (the default) or more | fewer than 3 messages were told |
| a message of a lower priority | fewer than 2 messages were told |
| any other value that says `notify` | fewer than 2 were told, updates and messages together |

So of three visible things a day the last one is kept for a level or a message. The rest is written silently:
the card is right at once, only nobody is told. What Google refuses to announce counts as told, since its own
count is ahead of ours. A moment older than 24 hours no longer counts.

Source: Google Wallet, "Trigger push notifications" for loyalty cards.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from wallet.news import ORDINARY

AT_MOST = 3
# The last one is kept for what weighs more.
LIGHT_AT_MOST = AT_MOST - 1
WINDOW = timedelta(days=1)


class Weight(Enum):
    """What a holder would be told of."""

    LEVEL = "level"
    VALUE = "value"
    MESSAGE = "message"
    LIGHT_MESSAGE = "light message"


def message_weight(priority: int | None) -> Weight:
    """The weight of a message of a scenario with this priority (0 to 100; None is an ordinary one)."""
    return Weight.LIGHT_MESSAGE if priority is not None and priority < ORDINARY else Weight.MESSAGE


@dataclass(frozen=True, slots=True)
class Budget:
    """When the holder of one pass was told of something in the last 24 hours."""

    updates: tuple[datetime, ...] = ()
    messages: tuple[datetime, ...] = ()

    @classmethod
    def of(cls, text: str, now: datetime) -> "Budget":
        """From what is kept with the pass: seconds since 1970, those of messages with an `m` before them."""
        words = text.split()
        return cls(
            _recent([word for word in words if not word.startswith("m")], now),
            _recent([word[1:] for word in words if word.startswith("m")], now),
        )

    def text(self) -> str:
        """What is kept with the pass: at most three of each, 71 characters."""
        words = [str(int(at.timestamp())) for at in self.updates[-AT_MOST:]]
        return " ".join([*words, *(f"m{int(at.timestamp())}" for at in self.messages[-AT_MOST:])])

    def allows(self, weight: Weight) -> bool:
        """Whether one more of this weight may be told of."""
        match weight:
            case Weight.LEVEL:
                return len(self.updates) < AT_MOST
            case Weight.MESSAGE:
                return len(self.messages) < AT_MOST
            case Weight.LIGHT_MESSAGE:
                return len(self.messages) < LIGHT_AT_MOST
            case Weight.VALUE:
                return len(self.updates) + len(self.messages) < LIGHT_AT_MOST

    def spent(self, weight: Weight, now: datetime) -> "Budget":
        """The budget once something of this weight was told, or refused by Google as one too many."""
        if weight in (Weight.MESSAGE, Weight.LIGHT_MESSAGE):
            return replace(self, messages=(*self.messages, now))
        return replace(self, updates=(*self.updates, now))


def _recent(seconds: list[str], now: datetime) -> tuple[datetime, ...]:
    times = (datetime.fromtimestamp(int(second), UTC) for second in seconds)
    return tuple(at for at in times if at > now - WINDOW)
