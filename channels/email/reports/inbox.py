"""The mailbox where bounces and complaints arrive, read by IMAP (RFC 3501), one message after the other.

A message is marked only after it was dealt with: a crash in between has it read again, which changes nothing.
"""

import binascii
import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from channels.email.reports.reading import LARGEST
from channels.email.tokens import NoToken, Tokens, sasl, tokens_of
from core.errors import EnvironmentFault

if TYPE_CHECKING:
    from channels.email import EmailSettings

Verdict = Literal["report", "letter", "later"]
Deal = Callable[[bytes], Verdict]
"""Deals with one message: a *report*, a *letter* for people, or something to be asked about *later*."""

_TROUBLE = (imaplib.IMAP4.error, OSError, UnicodeEncodeError, binascii.Error)
_UIDPLUS, _MOVE = "UIDPLUS", "MOVE"


class _Withheld(imaplib.IMAP4.error):
    """So many messages the server does not give out, each for itself."""


class _Stale(imaplib.IMAP4.error):
    """A token that was good until now."""


class Unreadable(EnvironmentFault):
    """The mailbox cannot be read: one sentence without any secret."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """What `TIDINGS_EMAIL_INBOX_…` says of the mailbox."""

    settings: "EmailSettings"

    def read(self, deal: Deal, limit: int = 500) -> int:
        """Have every unread message dealt with, at most `limit`; returns how many there were.

        Raises Unreadable, also if single messages cannot be had, once the others were dealt with. What `deal`
        raises ends the reading, and its message stays unread.
        """
        try:
            with contextlib.closing(_session(self.settings)) as session:
                return session.read(deal, limit)
        except NoToken as error:
            variable = self.settings.variable("inbox_token_command")
            raise Unreadable(f"the mailbox for bounces cannot be read: {variable} {error}") from None
        except _TROUBLE as error:
            raise Unreadable(
                f"the mailbox for bounces ({self.settings.variable('inbox_host')}) cannot be read: "
                f"{_why(error)}"
            ) from None


def _session(settings: "EmailSettings") -> "_Session":
    try:
        return _Session(settings)
    except _Stale:
        return _Session(settings)


class _Session:
    """One login, to its end."""

    def __init__(self, settings: "EmailSettings") -> None:
        self._settings = settings
        self._can: frozenset[str] = frozenset()
        self._imap = _connect(settings)
        try:
            self._log_in()
        except BaseException:
            self.close()
            raise

    def read(self, deal: Deal, limit: int) -> int:
        uids, withheld = self._unread()[:limit], 0
        for uid in uids:
            data = self._fetch(uid)
            if data is None:  # the others are read all the same
                withheld += 1
                continue
            verdict = deal(data)
            if verdict != "later":
                self._put_away(uid, is_report=verdict == "report")
        if withheld:
            raise _Withheld(withheld)
        return len(uids)

    def close(self) -> None:
        """Say goodbye; a line that is lost already is fine."""
        with contextlib.suppress(*_TROUBLE):
            self._imap.logout()
        with contextlib.suppress(*_TROUBLE):
            self._imap.shutdown()  # which a goodbye that failed leaves out

    def _log_in(self) -> None:
        settings = self._settings
        if tokens := tokens_of(settings.inbox_token_command, settings.timeout):
            self._show(tokens)
        else:
            password = settings.inbox_password.get_secret_value() if settings.inbox_password else ""
            self._imap.login(settings.inbox_username or "", password)
        self._can = self._capabilities()
        self._ask("SELECT", *self._imap.select(_quoted(settings.inbox_folder)))

    def _show(self, tokens: Tokens) -> None:
        """Log in by XOAUTH2. Raises _Stale for a token that is refused after it was taken before."""
        token, is_fresh = tokens.take()
        said = sasl(self._settings.inbox_username or "", token)
        try:
            # Asked again, the server is telling why it refuses: an empty answer lets it go on.
            self._imap.authenticate("XOAUTH2", lambda asked: b"" if asked else said)
        except (imaplib.IMAP4.error, binascii.Error):
            tokens.refused(token)
            if is_fresh:
                raise
            raise _Stale from None

    def _capabilities(self) -> frozenset[str]:
        """Many servers say what they can do only to whom they know; imaplib asks before the login alone."""
        told = self._ask("CAPABILITY", *self._imap.capability())
        return frozenset(b" ".join(line for line in told if line).decode("ascii", "replace").upper().split())

    def _unread(self) -> list[str]:
        [found] = self._ask("SEARCH", *self._imap.uid("SEARCH", "UNSEEN", "UNDELETED"))
        return found.decode("ascii").split() if found else []

    def _fetch(self, uid: str) -> bytes | None:
        """The beginning of a message, without marking it as read; None if the server does not give it out."""
        status, answer = self._imap.uid("FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST}>)")
        if status == "NO":
            return None
        found = self._ask("FETCH", status, answer)
        return next((item[1] for item in found if isinstance(item, tuple)), b"")

    def _put_away(self, uid: str, *, is_report: bool) -> None:
        """A report goes where reports go; what else came stays for people to see, marked as read by us."""
        done = self._settings.inbox_done
        if not (is_report and done):
            self._ask("STORE", *self._imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"))
        elif _MOVE in self._can:
            self._ask("MOVE", *self._imap.uid("MOVE", uid, _quoted(done)))
        else:
            self._ask("COPY", *self._imap.uid("COPY", uid, _quoted(done)))
            self._ask("STORE", *self._imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen \Deleted)"))
            if _UIDPLUS in self._can:  # a plain EXPUNGE would take other people's too
                self._ask("EXPUNGE", *self._imap.uid("EXPUNGE", uid))

    @staticmethod
    def _ask(what: str, status: str, answer: list[Any]) -> list[Any]:
        if status != "OK":
            raise imaplib.IMAP4.error(what)
        return answer


def _connect(settings: "EmailSettings") -> imaplib.IMAP4:
    host, port, timeout = settings.inbox_host or "", settings.inbox_port, settings.timeout
    if settings.inbox_tls == "tls":
        return imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(), timeout=timeout)
    imap = imaplib.IMAP4(host, port, timeout)
    if settings.inbox_tls == "starttls":
        imap.starttls(ssl.create_default_context())
    return imap


def _quoted(name: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{escaped}"'


def _why(error: Exception) -> str:
    """A server's own words may hold anything: only what we know to say."""
    if isinstance(error, UnicodeEncodeError):
        return "a user name, password or folder has letters beyond ASCII, which IMAP does not carry"
    if isinstance(error, _Withheld):
        return f"{error} of its messages the server does not give out; move them elsewhere"
    if isinstance(error, ssl.SSLError):
        return "its certificate or its TLS is not accepted"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, imaplib.IMAP4.abort | ConnectionError):
        return "the connection was refused or lost"
    if isinstance(error, imaplib.IMAP4.error | binascii.Error):
        return "it refuses the login, the mailbox or a command; check user, password or token, and folders"
    return "it cannot be reached"


def inbox_of(settings: object) -> Inbox | None:
    """The mailbox that a channel's settings name; None where they name none."""
    from channels.email import EmailSettings

    return Inbox(settings) if isinstance(settings, EmailSettings) and settings.inbox_host else None
