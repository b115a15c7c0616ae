"""Logging in by access tokens (XOAUTH2), which a command of the shop's own prints."""

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from channels import Accepted
from channels.email import EmailSettings
from channels.email.connection import open_session
from channels.email.pipeline import Session
from channels.email.reports.inbox import Inbox, Unreadable, inbox_of
from channels.email.tokens import NoToken, Tokens
from channels.outcome import Failed
from channels.settings import load_settings
from channels.transport import ChannelDown
from core.errors import EnvironmentFault
from tests.channels.helpers import connected, outgoing, send, send_one, use
from tests.channels.providers import imap
from tests.channels.providers.base import SECRET
from tests.channels.providers.email import Server

PARTS = Server.parts


class Printer:
    """A command that prints whatever stands in a file, and counts how often it was run."""

    def __init__(self, folder: Path) -> None:
        self.token, self.runs = folder / "token", folder / "runs"
        self.put(SECRET)
        program = f"open({str(self.runs)!r}, 'a').write('x'); print(open({str(self.token)!r}).read())"
        self.command = f'{sys.executable} -c "{program}"'

    def put(self, token: str) -> None:
        self.token.write_text(token)

    @property
    def count(self) -> int:
        return len(self.runs.read_text())


@pytest.fixture
def printer(tmp_path: Path) -> Printer:
    return Printer(tmp_path)


@pytest.fixture
def smtp() -> Iterator[Server]:
    with closing(Server()) as made:
        yield made


@pytest.fixture
def mailbox() -> Iterator[imap.Server]:
    with closing(imap.Server()) as made:
        yield made


def inbox(server: imap.Server, monkeypatch: pytest.MonkeyPatch, command: str) -> Inbox:
    """A mailbox that is read by tokens alone."""
    given = {**server.environment(), "TIDINGS_EMAIL_INBOX_TOKEN_COMMAND": command}
    del given["TIDINGS_EMAIL_INBOX_PASSWORD"]
    use(monkeypatch, given)
    found = inbox_of(load_settings(EmailSettings, None))
    assert found is not None
    return found


def test_mail_is_sent_by_a_token_that_is_asked_for_once_until_it_is_refused(
    smtp: Server, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"TIDINGS_EMAIL_TOKEN_COMMAND": printer.command, "TIDINGS_EMAIL_PASSWORD": ""}
    channel = connected("email", smtp, monkeypatch, **given)
    for number in range(2):  # each time by a new connection
        assert isinstance(send_one(channel, outgoing(f"accept{number}@example.com", PARTS)), Accepted)
    assert (len(smtp.accepted), printer.count) == (2, 1)
    smtp.token = "the-next-one"
    printer.put("the-next-one")
    assert isinstance(send_one(channel, outgoing("accept9@example.com", PARTS)), Accepted)
    assert printer.count == 2


def test_a_token_that_was_refused_fresh_is_tried_once_and_not_for_every_message(
    smtp: Server, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    printer.put("wrong")
    channel = connected("email", smtp, monkeypatch, TIDINGS_EMAIL_TOKEN_COMMAND=printer.command)
    outcomes = send(channel, [outgoing(f"accept{n}@example.com", PARTS) for n in range(20)])
    assert set(outcomes.values()) == {Failed("configuration", "authentication_failed", "SMTP 535 5.7.8")}
    assert (len(smtp.shown), printer.count) == (1, 1)


def test_sessions_that_open_together_wait_for_one_command_and_keep_nobody_else_waiting(
    smtp: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, free = tmp_path / "runs", tmp_path / "free"
    wait = f"while not os.path.exists({str(free)!r}): time.sleep(0.01)"
    program = f"import os, time\nopen({str(runs)!r}, 'a').write('x')\n{wait}\nraise SystemExit(3)"
    script = tmp_path / "print_token.py"
    script.write_text(program)
    given = {"TIDINGS_EMAIL_TOKEN_COMMAND": f"{sys.executable} {script}", "TIDINGS_EMAIL_TIMEOUT": "10"}
    settings = connected("email", smtp, monkeypatch, **given).settings

    async def open_many() -> list[BaseException | Session]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        opening = [asyncio.ensure_future(open_session(settings, None, pipelining=False)) for _ in range(9)]
        await asyncio.sleep(0)
        # The threads by which a process meets its database.
        await asyncio.to_thread(free.touch)
        return await asyncio.gather(*opening, return_exceptions=True)

    found = asyncio.run(open_many())
    told = [it.outcome for it in found if isinstance(it, ChannelDown)]
    assert told == [Failed("configuration", "no_token", "exit 3")] * 9
    assert runs.read_text() == "x"


def test_a_mailbox_is_read_by_a_token(
    mailbox: imap.Server, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.put(b"one")
    found = inbox(mailbox, monkeypatch, printer.command)
    assert [found.read(lambda data: "report") for _ in range(2)] == [1, 0]
    assert printer.count == 1
    mailbox.token = "the-next-one"
    printer.put("the-next-one")
    mailbox.put(b"two")
    assert found.read(lambda data: "report") == 1
    assert printer.count == 2


def test_a_mailbox_that_refuses_a_token_is_one_sentence_without_it(
    mailbox: imap.Server, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    printer.put("wrong")
    with pytest.raises(Unreadable, match="refuses the login") as fault:
        inbox(mailbox, monkeypatch, printer.command).read(lambda data: "report")
    assert not {"wrong", "400", "bounces;"} & set(str(fault.value).split())
    assert (len(mailbox.shown), printer.count) == (1, 1)


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("print('a-secret'); raise SystemExit(3)", "exit 3", "ended with exit code 3"),
        ("", "no_token", "printed no token, which is one word on one line"),
        ("print('two'); print('lines')", "no_token", "printed no token, which is one word on one line"),
        ("print('a secret')", "no_token", "printed no token, which is one word on one line"),
        ("print('ключ')", "no_token", "printed no token, which is one word on one line"),
        ("import time; time.sleep(60)", "timeout", "did not end within 0.5 seconds"),
        # What it has started ends with it, too, and keeps nobody waiting.
        ("import subprocess; subprocess.run(['sleep', '60'])", "timeout", "did not end within 0.5 seconds"),
    ],
)
def test_a_command_that_brings_no_token_is_told_without_what_it_wrote(
    program: str, code: str, said: str
) -> None:
    timeout = 0.5 if code == "timeout" else 30.0
    with pytest.raises(NoToken) as fault:
        Tokens(f'{sys.executable} -c "{program}"', timeout).take()
    assert (fault.value.code, str(fault.value)) == (code, said)


def test_a_command_that_is_not_there_rests_the_channel_and_is_told_of_the_mailbox(
    smtp: Server, mailbox: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "/nowhere/print-token --client-secret s3cret"
    channel = connected("email", smtp, monkeypatch, TIDINGS_EMAIL_TOKEN_COMMAND=command)
    outcome = send_one(channel, outgoing("accept@example.com", PARTS))
    assert outcome == Failed("configuration", "no_token", "not_started")
    with pytest.raises(Unreadable, match="TIDINGS_EMAIL_INBOX_TOKEN_COMMAND cannot be started") as fault:
        inbox(mailbox, monkeypatch, command).read(lambda data: "report")
    assert "s3cret" not in f"{fault.value} {channel.settings!r}"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"TIDINGS_EMAIL_TOKEN_COMMAND": "print 'token"}, "TIDINGS_EMAIL_TOKEN_COMMAND: this is no command"),
        (
            {"TIDINGS_EMAIL_TOKEN_COMMAND": "x", "TIDINGS_EMAIL_USERNAME": ""},
            "TIDINGS_EMAIL_USERNAME is not set",
        ),
        (
            {"TIDINGS_EMAIL_INBOX_TOKEN_COMMAND": "x", "TIDINGS_EMAIL_INBOX_HOST": "imap.example"},
            "TIDINGS_EMAIL_INBOX_USERNAME is not set",
        ),
    ],
)
def test_what_a_token_needs_is_said_before_anything_is_sent(
    smtp: Server, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], sentence: str
) -> None:
    with pytest.raises(EnvironmentFault, match=sentence):
        connected("email", smtp, monkeypatch, **more).check()
