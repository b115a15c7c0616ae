"""What the files of a workspace come to, kept for the whole run: most tests begin with the same few.

Reading, checking and compiling a bundle depends on its files alone, so a result is as good as another
reading; everything that a database has to do with it (applying, reading the files back) still happens.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import httpx
import pytest

from campaigns import running
from campaigns.bundle import Bundle, Loaded
from core.errors import Problem

KEPT_AT_MOST = 200


class Readings:
    """The newest results, by the digest of the files."""

    def __init__(self) -> None:
        self._read = running._read
        self._known: OrderedDict[str, tuple[Loaded | None, list[Problem]]] = OrderedDict()

    def read(self, bundle: Bundle) -> tuple[Loaded | None, list[Problem]]:
        """As `campaigns.running` reads a bundle."""
        key = bundle.digest
        if key not in self._known:
            self._known[key] = self._read(bundle)
        self._known.move_to_end(key)
        if len(self._known) > KEPT_AT_MOST:
            self._known.popitem(last=False)
        loaded, problems = self._known[key]
        return loaded, [*problems]

    def forget(self) -> None:
        """Read everything anew: the code that reads has changed."""
        self._known.clear()


READINGS = Readings()


@contextmanager
def kept() -> Iterator[None]:
    """From now on a bundle is read once, and so are the certificates that every HTTP client trusts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_read", READINGS.read)
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield
