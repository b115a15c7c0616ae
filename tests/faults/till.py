"""A till that goes on selling whatever happens, and notes what it was told."""

import base64
import hashlib
import hmac
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from core.customers.profiles import CUSTOMER
from tests.channels.providers.base import SECRET
from tests.faults.clock import MovedClock
from tests.faults.evidence import MESSAGE, Acknowledged, Evidence, Wish

TOKEN = "a token for tills and shops"
PUBLIC_URL = "https://kavarnia.example"
# How long a till waits for an answer, seconds: a frozen service is no answer.
PATIENCE = 3.0
# Bonuses of each customer that expire soon; who spends them is not to be reminded of them.
BONUSES = 500


@dataclass(slots=True)
class Till:
    """Sends receipts to whoever listens; what was not answered is sent again, under the same number."""

    evidence: Evidence
    clock: MovedClock
    ports: Callable[[], Sequence[int]]
    customers: Sequence[str]
    addresses: Mapping[str, tuple[str, str]]
    dice: random.Random
    pause: float = 0.02
    bodies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    number: int = 0
    asks: bool = False
    """Whether it waits for an answer at this moment."""
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            timeout=PATIENCE, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
        )
    )

    def open(self) -> None:
        """Begin to sell, beside everything else; it may be open already."""
        if self._thread is not None:
            return
        self._closed.clear()
        self._thread = threading.Thread(target=self._sell, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sell no more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def leave(self) -> None:
        """Sell no more, and ask nobody anything."""
        self.close()
        self._client.close()

    def _sell(self) -> None:
        while not self._closed.wait(self.pause):
            self.buy(self.dice.choice(self.customers), self.dice.randint(40, 400))

    def buy(self, customer: str, total: int, pay: int = 0) -> bool:
        """One receipt; whether it was acknowledged."""
        self.number += 1
        name = f"R{self.number:05}"
        self.bodies[name] = {
            "id": name, "customer": customer, "at": self.clock.now().isoformat(),
            "lines": [{"sku": "coffee", "total": str(total)}], **({"pay_points": str(pay)} if pay else {}),
        }  # fmt: skip
        return self.send(name)

    def send(self, name: str) -> bool:
        """Send a receipt, perhaps once more; whether it was acknowledged."""
        body = self.bodies[name]
        answer = self._post("/api/v1/receipts", json=body)
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            self.evidence.unheard.add(name)
            self.evidence.unsure.add(name)
            return False
        self.evidence.unheard.discard(name)
        if answer.status_code >= 300:
            self.evidence.refused.add(name)
            return False
        said = answer.json()
        self.evidence.acknowledged[name] = Acknowledged(body["customer"], said["earned"], said["spent"])
        return True

    def send_again(self) -> None:
        """Everything that was never answered; one in ten is forgotten, as some tills do."""
        for name in sorted(self.evidence.unheard):
            if not name.endswith("7"):
                self.send(name)

    # --- wishes

    def spend(self, customer: str) -> bool:
        """The customer pays with all the bonuses that were about to expire."""
        said = self.buy(customer, 2 * BONUSES, pay=BONUSES)
        return said and self._wished("spent", customer, (f"reminder {customer}",))

    def stop(self, customer: str) -> bool:
        """STOP by SMS, as Twilio tells of it; else the consent is withdrawn in the shop."""
        channel, address = self.addresses[customer]
        if channel == "sms":
            form = {"From": address, "Body": "STOP", "MessageSid": f"SM{customer}"}
            headers = {"X-Twilio-Signature": _signature("/hooks/twilio/inbound", form)}
            answer = self._post("/hooks/twilio/inbound", data=form, headers=headers)
            return answer is not None and answer.is_success and self._wished("STOP", customer, ())
        no = {"consents": [{"channel": channel, "granted": False}]}
        answer = self._post(f"/api/v1/customers/{customer}/consents", json=no)
        texts = (f"reminder {customer}",)
        return answer is not None and answer.is_success and self._wished("withdrawn", customer, texts)

    def _wished(self, kind: str, customer: str, texts: tuple[str, ...]) -> bool:
        """Note it, with how many copies had begun to leave by then: one of each message that is on its way,
        one by each process that had it when its lease ended and may not know.
        """
        own = select(MESSAGE.c.id, MESSAGE.c.state).join(CUSTOMER, CUSTOMER.c.id == MESSAGE.c.customer_id)
        with self.evidence.database.read() as connection:
            rows = connection.execute(own.where(CUSTOMER.c.external_id == customer)).all()
        begun = sum((state == "sending") + self.evidence.frozen[message] for message, state in rows)
        address = self.addresses[customer][1]
        self.evidence.wishes.append(Wish(kind, customer, address, texts, time.monotonic(), begun))
        return True

    def _post(self, path: str, **given: Any) -> httpx.Response | None:
        for port in self.ports():
            self.asks = True
            try:
                return self._client.post(f"http://127.0.0.1:{port}{path}", **given)
            except httpx.TransportError:
                continue
            finally:
                self.asks = False
        return None


def _signature(path: str, form: Mapping[str, str]) -> str:
    """As Twilio signs (https://www.twilio.com/docs/usage/security)."""
    said = PUBLIC_URL + path + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).digest()).decode()
