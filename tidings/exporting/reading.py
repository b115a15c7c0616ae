"""What a test may know of a live customer: facts that scenarios see, nothing that leads to a person."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from campaigns.gates.holdout import salt
from campaigns.names import names_through_time
from campaigns.running import Running
from campaigns.tables import RESERVED, Message
from channels import discover
from core.customers.addresses import ADDRESS, SUPPRESSION
from core.customers.consent import CONSENT, MARKETING
from core.db import bucket_of
from core.ledger.reading import OPEN
from core.ledger.writing import LOT
from core.purchases.stored import RECEIPT
from core.tables import ReceiptLine
from tidings.exporting.masking import Mask
from tidings.scenariotests.people import variant_of
from wallet.tables import CURRENT, PASS, REGISTRATION

LINE = ReceiptLine.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]
# The newest of each: a test is to be read.
RECEIPTS, MESSAGES = 60, 30
HEARD = timedelta(days=90)
GOODS = ("category:", "sku:", "brand:")
PLAIN = (str, int, Decimal, float)


class Facts:
    """One customer at a time, as `given` of a test has them."""

    def __init__(self, connection: Connection, running: Running, row: Any, at: datetime, mask: Mask) -> None:
        self.connection, self.running, self.row, self.at, self.mask = connection, running, row, at, mask
        self.program = running.program
        self.holder = row.household_id or row.id
        files = running.loaded.bundle.files
        parts = ("scenarios/", "segments/")
        self.asked = "\n".join(
            text.decode(errors="replace") for path, text in files.items() if path.startswith(parts)
        )

    def given(self, key: str, full_name: str) -> dict[str, Any]:
        """The customer, masked."""
        row = self.row
        found: dict[str, Any] = {"name": full_name if row.name else None, **self._addresses(key)}
        found |= {
            "tier": row.tier, "tier_since": self._wall(row.tier_since), "invited": row.invited_to,
            "registered": self._wall(row.registered_at), "gender": row.gender, "locale": row.locale,
            "time_zone": row.time_zone, "city": row.city if self._is_asked(row.city) else None,
            "birthday": self._birthday(), "consent": self._consents(), "suppressed": self._suppressed(),
            "attributes": self._attributes(), "wallet": self._wallets(), "bonuses": list(self._lots()),
            "receipts": list(self._receipts()), "received": list(self._received()),
            "variants": self._variants(),
        }  # fmt: skip
        if found["receipts"]:
            found["receipts_earn"] = False
        return {key: value for key, value in found.items() if value not in (None, [], {})}

    def _wall(self, at: datetime | None) -> str | None:
        return f"{at.astimezone(self.program.zone):%Y-%m-%d %H:%M}" if at else None

    def _is_asked(self, value: object) -> bool:
        """Whether the workspace's own files name it: then it tells nothing of a person."""
        return isinstance(value, PLAIN) and bool(str(value)) and str(value) in self.asked

    def _birthday(self) -> str | None:
        born = self.row.birthday
        return str(self.mask.birthday(born, self.program.day_of(self.at))) if born else None

    def _attributes(self) -> dict[str, Any]:
        """Those that a scenario asks for, if they are yes or no, or stand in its file."""
        said = self.row.attributes or {}
        return {
            name: value
            for name, value in sorted(said.items())
            if f"attributes.{name}" in self.asked and (isinstance(value, bool) or self._is_asked(value))
        }

    # --- where they are reached

    def _addresses(self, key: str) -> dict[str, Any]:
        active = select(ADDRESS.c.kind).where(ADDRESS.c.customer_id == self.row.id, ADDRESS.c.active)
        kinds = set(self.connection.scalars(active))
        made: dict[str, Any] = {}
        if "phone" in kinds and self.row.phone:
            made["phone"] = self.mask.phone(self.row.phone)
        if "email" in kinds:
            made["email"] = self.mask.email(key)
        if "push" in kinds:
            made["push"] = f"device-of-{key}"
        if "telegram" in kinds:
            made["telegram"] = self.mask.chat()
        return made

    def _consents(self) -> list[str]:
        mine = (CONSENT.c.customer_id == self.row.id, CONSENT.c.purpose == MARKETING, CONSENT.c.granted)
        known = discover()
        said = self.connection.scalars(select(CONSENT.c.channel).where(*mine))
        return sorted(channel for channel in said if channel in known)

    def _suppressed(self) -> list[str]:
        mine = select(ADDRESS.c.digest).where(ADDRESS.c.customer_id == self.row.id, ADDRESS.c.active)
        blocked = select(SUPPRESSION.c.channel).where(SUPPRESSION.c.digest.in_(mine)).distinct()
        return sorted(self.connection.scalars(blocked))

    def _wallets(self) -> list[str]:
        carried = select(REGISTRATION.c.device).join(PASS, PASS.c.serial == REGISTRATION.c.serial)
        apple = carried.where(REGISTRATION.c.customer_id == self.row.id, CURRENT).limit(1)
        google = select(PASS.c.google_saved).where(PASS.c.customer_id == self.row.id, CURRENT)
        found = ["apple"] if self.connection.scalar(apple) else []
        return [*found, "google"] if self.connection.scalar(google) else found

    # --- what they have and bought

    def _lots(self) -> Iterator[dict[str, Any]]:
        mine = select(LOT).where(LOT.c.customer_id == self.holder, *OPEN)
        for lot in self.connection.execute(mine.order_by(LOT.c.expires_on, LOT.c.id)):
            if lot.expires_at is not None and lot.expires_at <= self.at:
                continue
            made: dict[str, Any] = {"amount": _number(self.program.from_points(lot.remaining))}
            if lot.expires_on:
                made["expires"] = str(lot.expires_on)
            if lot.active_from > self.at:
                made["starts"] = str(self.program.day_of(lot.active_from))
            yield made

    def _receipts(self) -> Iterator[dict[str, Any]]:
        mine = select(RECEIPT).where(RECEIPT.c.customer_id == self.row.id, RECEIPT.c.returned_at.is_(None))
        rows = self.connection.execute(
            mine.order_by(RECEIPT.c.at.desc(), RECEIPT.c.id.desc()).limit(RECEIPTS)
        )
        for receipt in reversed(rows.all()):
            lines = self._lines(receipt.id) if any(word in self.asked for word in GOODS) else []
            what = {"lines": lines} if lines else {"total": _number(self.program.from_money(receipt.total))}
            yield {"at": self._wall(receipt.at), **what}

    def _lines(self, receipt_id: int) -> list[dict[str, Any]]:
        rows = self.connection.execute(
            select(LINE).where(LINE.c.receipt_id == receipt_id).order_by(LINE.c.line)
        )
        return [
            {"total": _number(self.program.from_money(row.total)), "sku": row.sku}
            | ({"category": row.category} if row.category else {})
            for row in rows
        ]

    # --- what they were told

    def _received(self) -> Iterator[dict[str, Any]]:
        names = list(self.running.scenarios)
        mine = (
            MESSAGE.c.customer_id == self.row.id, MESSAGE.c.state.in_(RESERVED),
            MESSAGE.c.scenario.in_(names),
        )  # fmt: skip
        rows = self.connection.execute(
            select(MESSAGE).where(*mine).order_by(MESSAGE.c.id.desc()).limit(MESSAGES)
        )
        numbers = self._numbers()
        for row in reversed(rows.all()):
            at = row.accepted_at or row.due_at
            if at > self.at or at < self.at - HEARD:
                continue
            told = {
                "scenario": row.scenario, "at": self._wall(at), "channel": row.channel, "step": row.step,
            }  # fmt: skip
            # The numbers of receipts and the like lead to a person.
            personal = self.running.scenarios[row.scenario].kind == "event"
            if not personal and not any(number in row.occasion for number in numbers):
                told["occasion"] = row.occasion
            yield told

    def _numbers(self) -> set[str]:
        rows = select(RECEIPT.c.external_id).where(RECEIPT.c.customer_id == self.row.id)
        return {self.row.external_id, *self.connection.scalars(rows)}

    def _variants(self) -> dict[str, str]:
        """What is drawn for the customer is drawn for the made-up one too."""
        found = {}
        for scenario in self.running.scenarios.values():
            drawn_as = names_through_time(self.connection, scenario)[0]
            for step in scenario.steps:
                if len(step.choices) > 1:
                    what = f"{drawn_as}:variant:{step.id}"
                    draw = bucket_of(salt(self.program.seed, what) + self.row.external_id)
                    found[step.id] = variant_of(step.choices, draw)
        return found


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount == int(amount) else float(amount)
