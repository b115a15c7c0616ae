"""An IMAP4rev1 server: one user, some mailboxes, and the commands that reading a mailbox takes."""

import re
import shlex
import socketserver
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.channels.providers.base import SECRET

USER = "bounces"


@dataclass
class Stored:
    uid: int
    data: bytes
    flags: set[str] = field(default_factory=set)


class _Session(socketserver.StreamRequestHandler):
    server: "_Listener"

    def handle(self) -> None:
        self.mailbox = "INBOX"
        self.known = False
        self.say("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            if not self.obey(tag, shlex.split(rest.replace("\\", "\\\\"))):
                return

    def obey(self, tag: str, words: list[str]) -> bool:
        uid = words[0].upper() == "UID"
        command, *arguments = words[1:] if uid else words
        self.server.owner.commands.append(command.upper())
        if command.upper() in self.server.owner.hang_up_at:
            self.server.owner.hang_up_at.discard(command.upper())
            return False
        answer: Callable[..., str] = getattr(self, f"do_{command.lower()}", self.unknown)
        self.say(f"{tag} {answer(*arguments)}")
        return command.upper() != "LOGOUT"

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def unknown(self, *arguments: str) -> str:
        return "BAD unknown command"

    def do_capability(self) -> str:
        """Like Dovecot it says little to strangers."""
        extensions = self.server.owner.extensions if self.known else ("SASL-IR", "AUTH=PLAIN")
        self.say(f"* CAPABILITY IMAP4rev1 {' '.join(extensions)}")
        return "OK done"

    def do_login(self, user: str, password: str) -> str:
        self.known = (user, password) == (USER, SECRET)
        return "OK welcome" if self.known else "NO wrong password for bounces"

    def do_authenticate(self, mechanism: str) -> str:
        """XOAUTH2, as Gmail and Exchange Online speak it."""
        assert mechanism == "XOAUTH2"
        self.say("+ ")
        said = b64decode(self.rfile.readline()).decode()
        self.server.owner.shown.append(said)
        self.known = said == f"user={USER}\1auth=Bearer {self.server.owner.token}\1\1"
        if self.known:
            return "OK welcome"
        self.say("+ " + b64encode(b'{"status": "400"}').decode())
        assert self.rfile.readline() == b"\r\n"
        return "NO AUTHENTICATE failed for bounces"

    def do_select(self, mailbox: str) -> str:
        if mailbox not in self.server.owner.mailboxes:
            return "NO no such mailbox"
        self.mailbox = mailbox
        self.say(f"* {len(self.messages)} EXISTS")
        return "OK [READ-WRITE] selected"

    @property
    def messages(self) -> list[Stored]:
        return self.server.owner.mailboxes[self.mailbox]

    def do_search(self, *criteria: str) -> str:
        assert criteria == ("UNSEEN", "UNDELETED")
        unread = [str(it.uid) for it in self.messages if not it.flags & {r"\Seen", r"\Deleted"}]
        self.say(f"* SEARCH {' '.join(unread)}".rstrip())
        return "OK done"

    def do_fetch(self, uid: str, what: str) -> str:
        size = re.fullmatch(r"\(BODY\.PEEK\[\]<0\.(\d+)>\)", what)
        assert size
        if int(uid) in self.server.owner.broken:
            return "NO this one cannot be given out"
        data = self.message(uid).data[: int(size[1])]
        self.wfile.write(b"* 1 FETCH (UID %s BODY[]<0> {%d}\r\n%s)\r\n" % (uid.encode(), len(data), data))
        return "OK done"

    def message(self, uid: str) -> Stored:
        return next(it for it in self.messages if it.uid == int(uid))

    def do_store(self, uid: str, action: str, *flags: str) -> str:
        assert action == "+FLAGS.SILENT"
        self.message(uid).flags |= {flag.strip("()") for flag in flags}
        self.server.owner.stored.set()
        return "OK done"

    def do_copy(self, uid: str, mailbox: str) -> str:
        if mailbox not in self.server.owner.mailboxes:
            return "NO [TRYCREATE] no such mailbox"
        self.server.owner.mailboxes[mailbox].append(self.message(uid))
        return "OK done"

    def do_move(self, uid: str, mailbox: str) -> str:
        answer = self.do_copy(uid, mailbox)
        if answer.startswith("OK"):
            self.messages.remove(self.message(uid))
        return answer

    def do_expunge(self, uid: str) -> str:
        self.messages.remove(self.message(uid))
        return "OK done"

    def do_logout(self) -> str:
        self.say("* BYE")
        return "OK bye"


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    owner: "Server"


class Server:
    """`put` delivers a message; `hang_up_at` names commands at which the line is lost once, `broken` are
    the numbers of messages that cannot be fetched; `token` is taken by XOAUTH2, `shown` is what came by it.
    """

    def __init__(self, *mailboxes: str, extensions: tuple[str, ...] = ("UIDPLUS", "MOVE")) -> None:
        self.mailboxes: dict[str, list[Stored]] = {name: [] for name in ("INBOX", *mailboxes)}
        self.extensions = extensions
        self.commands: list[str] = []
        self.hang_up_at: set[str] = set()
        self.broken: set[int] = set()
        self.token = SECRET
        self.shown: list[str] = []
        self.stored = threading.Event()
        self._uid = 0
        self._listener = _Listener(("127.0.0.1", 0), _Session)
        self._listener.owner = self
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        self._uid += 1
        self.mailboxes["INBOX"].append(Stored(self._uid, data))

    def environment(self) -> dict[str, str]:
        return {
            "TIDINGS_EMAIL_INBOX_HOST": "127.0.0.1",
            "TIDINGS_EMAIL_INBOX_PORT": str(self._listener.server_address[1]),
            "TIDINGS_EMAIL_INBOX_USERNAME": USER,
            "TIDINGS_EMAIL_INBOX_PASSWORD": SECRET,
            "TIDINGS_EMAIL_INBOX_TLS": "none",
        }

    def flags(self, mailbox: str = "INBOX") -> list[set[str]]:
        return [it.flags for it in self.mailboxes[mailbox]]

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
