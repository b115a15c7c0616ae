"""Certificates that end soon, said in the log once a day, so that they are renewed in time."""

from collections.abc import Callable
from datetime import date, datetime

import structlog

from scheduler.kit import Kit
from wallet.apple.certificates import expires_in, expiring

LOG = structlog.get_logger("tidings.cards")


class ExpiryWatch:
    """Looks at the certificate of what is live, once in each day (UTC) that a process lives."""

    def __init__(self, kit: Callable[[], Kit | None]) -> None:
        self._kit = kit
        self._looked_on: date | None = None

    def due(self, now: datetime) -> bool:
        """Whether it was not looked at yet today. Cheap: a beat may ask twice a second."""
        return now.date() != self._looked_on

    def look(self, now: datetime) -> None:
        """A warning if there is something to warn of."""
        self._looked_on = now.date()
        kit = self._kit()
        if kit is None or kit.packager is None:
            return
        signer = kit.packager.signer
        if (note := expiring(signer, now)) is not None:
            LOG.warning("certificate ends", note=note, days=expires_in(signer, now).days)
