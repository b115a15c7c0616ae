"""What makes a message's links lead by way of us, just before it leaves.

Nothing is written for a message: a link carries where it leads (core.links). Only the short ones of SMS are
looked up, each once in a delivery; one that could not be kept is sent as it is, and not counted.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

from campaigns import short_links
from channels.base import Channel
from core.db import Database
from core.errors import EnvironmentFault
from core.links import Links
from core.program import Program
from scheduler.reach import MessageRow
from templates import tracking
from templates.tracking import Follow

LOG = structlog.get_logger("tidings.tracking")


class Tracker:
    """Replaces the links of messages, for one database and one public address."""

    def __init__(self, database: Database, links: Links, turn: AbstractContextManager[Any]) -> None:
        """`turn` is what writers of this process wait for."""
        self._database, self._links, self._turn = database, links, turn
        # By digests: what is remembered of addresses must not be their texts, which may be personal.
        self._shared: dict[bytes, int] = {}

    def context(
        self, program: Program, channel: Channel[Any, Any, Any], row: MessageRow
    ) -> dict[str, Follow]:
        """What the filter `tracked` works by in a text of this channel."""
        if not (program.tracking.clicks and "short" in channel.linked_parts.values()):
            return {}
        return {"track": lambda url: self._short(url, row)}

    def parts(
        self, program: Program, channel: Channel[Any, Any, Any], row: MessageRow, parts: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The parts of a rendered message as they leave."""
        if not (program.tracking.clicks or program.tracking.opens):
            return parts
        made = dict(parts)
        kinds = {name: kind for name, kind in channel.linked_parts.items() if made.get(name)}
        if program.tracking.clicks:
            follow = self._following(row.id)
            for name, kind in kinds.items():
                if kind in REPLACE:
                    made[name] = REPLACE[kind](made[name], follow)
        if program.tracking.opens:
            for name in (name for name, kind in kinds.items() if kind == "html"):
                made[name] = tracking.with_picture(made[name], self._links.opened(row.id))
        return made

    def _following(self, message_id: int) -> Follow:
        known: dict[str, str | None] = {}

        def follow(url: str) -> str | None:
            if url not in known:
                known[url] = self._redirect(message_id, url)
            return known[url]

        return follow

    def _redirect(self, message_id: int, url: str) -> str | None:
        return None if self._links.is_direct(url) else self._links.redirect(message_id, url)

    def _short(self, url: str, row: MessageRow) -> str | None:
        if self._links.is_direct(url):
            return None
        digest = hashlib.sha256(url.encode()).digest()
        number = self._shared.get(digest)
        if number is None:
            try:
                with self._turn, self._database.write() as connection:
                    link = short_links.keep(connection, url, row.customer_id)
            except EnvironmentFault as fault:
                LOG.warning("link not shortened", message=row.id, reason=str(fault))
                return None
            number = link.id
            if link.shared:
                self._shared[digest] = number
        return self._links.short(row.id, number)


REPLACE = {"html": tracking.in_html, "text": tracking.in_text, "address": tracking.address}
