"""Putting claimed messages into words: rendered, their links led by way of us, ready for their channel."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog

from campaigns.running import Running
from channels import Outgoing
from channels.base import Channel
from core.clock import Clock
from core.db import Database
from core.errors import UserError
from core.links import Links
from scheduler.claim import Claimed
from scheduler.tracking import Tracker
from templates.facts import with_trigger
from templates.library import Rendered
from triggers import discover as discover_triggers

AnyChannel = Channel[Any, Any, Any]
LOG = structlog.get_logger("tidings.delivery")


@dataclass(slots=True)
class Prepared:
    """A message in words; without `outgoing` it could not be put into any."""

    claimed: Claimed
    outgoing: Outgoing | None = None
    locale: str | None = None
    cost: Decimal | None = None


class Wording:
    """Writes messages. `turn` is what writers of this process wait for."""

    def __init__(
        self, database: Database, links: Links, clock: Clock, turn: AbstractContextManager[Any]
    ) -> None:
        self._links, self._clock = links, clock
        self._tracker = Tracker(database, links, turn)

    def prepare(self, running: Running, channel: AnyChannel, claimed: Claimed) -> Prepared:
        """Set aside what cannot be said, with its reason; the rest of the chunk goes on."""
        row = claimed.row
        try:
            also = self._tracker.context(running.program, channel, row)
            rendered = render(running, channel.name, claimed, self._clock.now(), also)
            outgoing = self._outgoing(running, channel, claimed, rendered)
            return Prepared(claimed, outgoing, rendered.locale, channel.cost(outgoing))
        except UserError as error:
            LOG.warning("not rendered", message=row.id, scenario=row.scenario, error=str(error))
        except Exception as error:  # noqa: BLE001 - a poisoned message must not stop the others; its words may be personal
            LOG.warning("not rendered", message=row.id, scenario=row.scenario, error=type(error).__name__)
        return Prepared(claimed)

    def _outgoing(
        self, running: Running, channel: AnyChannel, claimed: Claimed, rendered: Rendered
    ) -> Outgoing:
        row = claimed.row
        parts = self._tracker.parts(running.program, channel, row, rendered.parts)
        return Outgoing(
            key=f"{row.enrolment_id}.{row.external_id}.{row.id}", to=claimed.address, parts=parts,
            purpose=row.purpose, at=self._clock.now(), tag=row.scenario,
            unsubscribe_url=claimed.context["links"].by(channel.name).unsubscribe
            if row.purpose == "marketing" else None,
            return_token=self._links.bounce(row.id, claimed.address),
            pictures=running.library.pictures(row.message, rendered.locale),
            step=row.step, occasion=row.occasion, locale=rendered.locale,
            priority=claimed.scenario.priority, valid_until=row.expires_at,
        )  # fmt: skip


def render(
    running: Running, channel: str, claimed: Claimed, at: datetime, also: Mapping[str, Any] | None = None
) -> Rendered:
    """The words of one message, in the customer's language; `also` is given to the template besides."""
    facts = discover_triggers()[claimed.scenario.trigger].read(claimed.facts, running.program, at)
    context = with_trigger(claimed.context, facts, channel)
    if also:
        context |= also
    return running.library.render(claimed.row.message, channel, claimed.locale, context)
