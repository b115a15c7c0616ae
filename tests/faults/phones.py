"""Customers' phones: they know nothing but their passes, and ask only when they are woken."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import select

from core.customers.profiles import CUSTOMER
from tests.faults.till import PATIENCE
from tests.wallet.phone import Phone
from tidings.workspace import Workspace

# How long handing out may take, seconds: nothing is broken yet, and a first card is made.
AT_FIRST = 60.0


@dataclass(slots=True)
class Phones:
    """Phone by its owner; `outbox` is where the pushes to them are written down."""

    outbox: Path
    by_owner: dict[str, Phone] = field(default_factory=dict)
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(base_url="http://127.0.0.1:9", timeout=PATIENCE, trust_env=False)
    )
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def hand_out(self, workspace: Workspace, port: int, owners: Sequence[str]) -> None:
        """Each gets the card and registers for its updates."""
        self._client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        self._client.timeout = httpx.Timeout(AT_FIRST)
        links = workspace.links(workspace.files().program)
        rows = select(CUSTOMER.c.id, CUSTOMER.c.external_id).where(CUSTOMER.c.external_id.in_(owners))
        with workspace.database.read() as connection:
            ids = {row.external_id: row.id for row in connection.execute(rows)}
        for owner in owners:
            phone = Phone(self._client, f"phone-{owner}", ids[owner].to_bytes(16).hex())
            card = links.card(ids[owner]).removeprefix(links.public_url)
            answer = self._client.get(f"{card}/card.pkpass")
            answer.raise_for_status()
            assert phone.add(answer.content).status_code == 201
            self.by_owner[owner] = phone
        self._client.timeout = httpx.Timeout(PATIENCE)

    def switch_off(self) -> None:
        """All of them."""
        self._client.close()

    def listen(self, port: int) -> None:
        """Wake those to which a push has left since."""
        self._client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        for file in sorted(self.outbox.glob("*.json")):
            at = file.stat()
            written = (at.st_mtime_ns, at.st_ino)
            phone = self._of(file)
            if phone is None or self._seen.get(file) == written:
                continue
            # One that gets no answer tries again after a while, as real ones do.
            with suppress(httpx.HTTPError):
                phone.woken()
                self._seen[file] = written

    def _of(self, file: Path) -> Phone | None:
        name = file.name.replace("_", "-")
        return next((it for it in self.by_owner.values() if name.startswith(it.device)), None)

    def show(self) -> dict[str, str]:
        """Owner → the balance on the screen."""
        return {
            owner: phone.shows(serial)["balance"]
            for owner, phone in self.by_owner.items()
            for serial in phone.passes
        }
