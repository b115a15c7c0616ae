"""One message as it is handed to a channel: already rendered, already decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Purpose = Literal["marketing", "service", "transactional"]


@dataclass(slots=True)
class Outgoing:
    """A rendered message for one address, or for a customer by their external id.

    Its `repr` shows no address and no text, so it may be logged.

    `key` is deterministic: the same message on the same channel always has the same one. `parts` is what the
    templates made of the channel's text files: `subject`, `preheader`, `html`, `text` for email; `text` for
    SMS; `title`, `body`, `image`, `link` for push. `at` is an aware time, the message's own date. `tag` names
    the scenario. `country` is an ISO 3166 code when it is known better than from the phone number.
    `step` and `occasion` say which message of the scenario it is, `locale` in which language it is written.
    `return_token` names the message in what comes back of it. `pictures` are those that stand beside the
    message's file, by name. `priority` is the scenario's, 0 to 100; `valid_until` an aware time after which
    the message is of no use (`valid_for`), None for any time.
    """

    key: str
    to: str = field(repr=False)
    parts: Mapping[str, str] = field(repr=False)
    purpose: Purpose
    at: datetime
    tag: str
    unsubscribe_url: str | None = field(default=None, repr=False)
    country: str | None = None
    step: str | None = None
    occasion: str | None = None
    locale: str | None = None
    return_token: str | None = field(default=None, repr=False)
    pictures: Mapping[str, bytes] | None = field(default=None, repr=False)
    priority: int = 50
    valid_until: datetime | None = None
