"""Access tokens instead of passwords (XOAUTH2), printed by a command of the shop's own.

How a token is come by differs from house to house (a client's secret, a certificate, a refresh token), and
every provider has a tool for it. The command is run without a shell.
"""

import os
import shlex
import signal
import subprocess
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from threading import Lock, Thread
from typing import Annotated

from pydantic import AfterValidator, SecretStr


class NoToken(Exception):
    """The command brought none; what it wrote is said nowhere. `code` is one word, for an outcome."""

    def __init__(self, code: str, said: str) -> None:
        self.code = code
        super().__init__(said)


class Tokens:
    """The token of one command, kept until a server refuses it.

    Whoever asks meanwhile waits for the same run of the command, and for the same failure.
    """

    def __init__(self, command: str, timeout: float) -> None:
        self._words, self._timeout = shlex.split(command), timeout
        self._lock = Lock()
        self._kept: str | None = None
        self._coming: Future[tuple[str, bool]] | None = None

    def take(self) -> tuple[str, bool]:
        """The token, and whether it is fresh from the command. Raises NoToken."""
        return self.coming().result()

    def coming(self) -> "Future[tuple[str, bool]]":
        """What `take` gives, by a thread of its own: no other work waits for a command that hangs."""
        with self._lock:
            if self._kept is not None:
                known: Future[tuple[str, bool]] = Future()
                known.set_result((self._kept, False))
                return known
            if self._coming is None:
                self._coming = Future()
                # Of those who wait for it one may be cancelled, and the others go on.
                self._coming.set_running_or_notify_cancel()
                Thread(target=self._run, args=(self._coming,), name="token", daemon=True).start()
            return self._coming

    def _run(self, coming: "Future[tuple[str, bool]]") -> None:
        token, error = None, None
        try:
            token = _token(_printed(self._words, self._timeout))
        except BaseException as caught:  # noqa: BLE001 - whoever waits is told
            error = caught
        with self._lock:
            self._kept, self._coming = token, None
        if token is None:
            coming.set_exception(error)
        else:
            coming.set_result((token, True))

    def refused(self, token: str) -> None:
        """A server did not take it: the next one comes from the command."""
        with self._lock:
            if self._kept == token:
                self._kept = None


@cache
def _tokens(command: str, timeout: float) -> Tokens:
    return Tokens(command, timeout)


def tokens_of(command: SecretStr | None, timeout: float) -> Tokens | None:
    """The tokens of a setting, the same ones however often a process asks; None where none is set."""
    return _tokens(command.get_secret_value(), timeout) if command else None


def sasl(username: str, token: str) -> bytes:
    """What a client says by XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol), not encoded yet."""
    return f"user={username}\x01auth=Bearer {token}\x01\x01".encode()


def _printed(words: list[str], timeout: float) -> str:
    try:
        # A group of its own, so that what it has started ends with it.
        process = subprocess.Popen(  # noqa: S603 - the operator's own command
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        raise NoToken("not_started", "cannot be started; name a program by its whole path") from None
    with process:
        try:
            printed, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise NoToken("timeout", f"did not end within {timeout:g} seconds") from None
    if process.returncode:
        raise NoToken(f"exit {process.returncode}", f"ended with exit code {process.returncode}")
    return printed.decode("ascii", "replace").strip()


def _token(printed: str) -> str:
    if not printed or not printed.isascii() or not printed.isprintable() or " " in printed:
        raise NoToken("no_token", "printed no token, which is one word on one line")
    return printed


def _command(value: SecretStr) -> SecretStr:
    try:
        words = shlex.split(value.get_secret_value())
    except ValueError:
        words = []
    if not words:
        raise ValueError("this is no command; write a program and its words, quotes closed")
    return value


TokenCommand = Annotated[SecretStr, AfterValidator(_command)]
"""A command line, in which a secret may stand."""
