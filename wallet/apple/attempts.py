"""How many wrong tokens are heard: few from one address for one pass, more in all; and how many complaints.

A token is 128 random bits, so nobody finds one by trying; this keeps those who try from wearing us out. A
phone with the right token behind the same address as they is let in all the same, unless they try its own
pass. Everything is counted in the memory of this process, which is bounded: who was not heard of for
longest is forgotten first.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from core.units import Rate

# Wrong tokens from one address for one pass, for one pass from everywhere, and from one address.
OF_BOTH, OF_PASS, OF_ADDRESS = Rate(10, 60), Rate(100, 60), Rate(60, 60)
COMPLAINTS = Rate(60, 60)
ROOM = 20_000
# What is remembered of a name that somebody made up.
LONGEST = 64

Name = TypeVar("Name")


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Buckets(Generic[Name]):
    """Token buckets by name. `ticks` counts seconds, from anywhere; at most `room` names are remembered."""

    def __init__(self, rate: Rate, ticks: Callable[[], float], room: int = ROOM) -> None:
        self._rate, self._ticks, self._room = rate, ticks, room
        self._buckets: OrderedDict[Name, _Bucket] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, name: Name) -> float:
        """Seconds until there is something to take again; 0 if there is now."""
        with self._lock:
            left = self._left(self._buckets.get(name))
        return 0.0 if left >= 1 else (1 - left) / self._rate.per_second

    def take(self, name: Name, count: int = 1) -> int:
        """Take up to `count`; returns how many there were."""
        with self._lock:
            left = self._left(self._buckets.get(name))
            taken = min(count, int(left))
            self._buckets[name] = _Bucket(left - taken, self._ticks())
            self._buckets.move_to_end(name)
            if len(self._buckets) > self._room:
                self._buckets.popitem(last=False)
        return taken

    def _left(self, bucket: _Bucket | None) -> float:
        if bucket is None:
            return self._rate.count
        return min(self._rate.count, bucket.left + (self._ticks() - bucket.at) * self._rate.per_second)


class Attempts:
    """Who may try a token. Addresses are those of the network: of IPv6 the first 64 bits count."""

    def __init__(self, ticks: Callable[[], float], room: int = ROOM) -> None:
        self._both: Buckets[tuple[str, str]] = Buckets(OF_BOTH, ticks, room)
        self._pass: Buckets[str] = Buckets(OF_PASS, ticks, room)
        self._address: Buckets[str] = Buckets(OF_ADDRESS, ticks, room)
        self._complaints: Buckets[str] = Buckets(COMPLAINTS, ticks, room)
        self._friends: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._room, self._lock = room, Lock()

    def barred(self, address: str, serial: str) -> float:
        """Seconds until a token for this pass is looked at again when it comes from there; 0 for now.

        Many addresses that try one pass do not keep out an address that had its token before.
        """
        pair = network_of(address), serial[:LONGEST]
        return self._both.wait(pair) or (0.0 if pair in self._friends else self._pass.wait(pair[1]))

    def right(self, address: str, serial: str) -> None:
        """The right token came from there."""
        pair = network_of(address), serial[:LONGEST]
        with self._lock:
            self._friends[pair] = None
            self._friends.move_to_end(pair)
            if len(self._friends) > self._room:
                self._friends.popitem(last=False)

    def wrong(self, address: str, serial: str) -> float:
        """A wrong token came from there; seconds to wait if there were too many for whatever pass, or 0."""
        network, name = network_of(address), serial[:LONGEST]
        self._both.take((network, name))
        self._pass.take(name)
        wait = self._address.wait(network)
        self._address.take(network)
        return wait

    def complaints(self, address: str, lines: int) -> int:
        """How many of so many lines for the log are heard from there now."""
        return self._complaints.take(network_of(address), lines)


def network_of(address: str) -> str:
    """Whom an address belongs to: itself, or the network that an IPv6 customer has of their own."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:LONGEST]
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
