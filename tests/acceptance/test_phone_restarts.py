"""A phone and a service that is killed: in the end the card shows what the ledger has."""

import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.acceptance.test_serve import Server, applied, link_of, server, until
from tests.wallet.phone import Phone

__all__ = ["applied", "server"]


class Watch:
    """Sees the pushes that leave, and wakes the phones that listen there."""

    def __init__(self, outbox: Path, phones: list[Phone]) -> None:
        self._outbox, self._phones = outbox, phones
        self._seen: dict[Path, int] = {}

    def wake(self) -> None:
        """A phone that gets no answer tries again at the next look, as real ones do after a while."""
        for file in sorted(self._outbox.glob("*.json")):
            written = file.stat().st_mtime_ns
            if self._seen.get(file) == written:
                continue
            for phone in self._phones:
                if file.name.startswith(phone.device.replace("-", "_")):
                    with suppress(httpx.TransportError):
                        phone.woken()
                        self._seen[file] = written


def points(phone: Phone) -> str:
    [serial] = phone.passes
    return phone.shows(serial)["balance"]


def test_phones_show_the_balance_though_the_service_was_killed_amid_it(server: Server) -> None:
    server.start()
    server.register("olena")
    phones = [Phone(server.client, f"phone-{number}", f"aa{number}") for number in (1, 2)]
    for phone in phones:
        answer = server.client.get(f"{link_of(server, 'c')}/card.pkpass")
        assert answer.status_code == 200, (answer.text, server.log)
        assert phone.add(answer.content).status_code == 201
    watch = Watch(server.workspace / "outbox" / "apple-wallet", phones)

    def all_show(balance: str) -> bool:
        watch.wake()
        return all(points(phone) == balance for phone in phones)

    assert all_show("50")
    server.buy("olena", "R1")
    until(lambda: all_show("80") or points(phones[0]) == "80", "80 bonuses on a phone")
    # Killed when the first phone has fetched the pass, the second asks, and nobody has looked at R2.
    server.buy("olena", "R2")
    server.send_signal(signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        phones[1].woken()
    server.ended()
    server.start()
    until(lambda: all_show("110"), "110 bonuses on both phones")
    assert all(phone.woken() == [] for phone in phones)
    of_one_time: dict[str, bytes] = {}
    for _, modified, pkpass in phones[0].seen + phones[1].seen:
        assert of_one_time.setdefault(modified, pkpass) == pkpass, "one time, two contents"
    assert server.rows("SELECT COUNT(*) FROM wallet_registration") == [(2,)]
