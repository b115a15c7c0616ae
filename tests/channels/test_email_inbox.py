"""The mailbox for bounces, by IMAP: each message is dealt with and then put away, whatever breaks."""

from collections.abc import Iterator

import pytest

from channels.email import EmailSettings
from channels.email.reports.inbox import Deal, Inbox, Unreadable, Verdict, inbox_of
from channels.email.reports.reading import LARGEST
from channels.settings import load_settings
from tests.channels.helpers import use
from tests.channels.providers import imap
from tests.channels.providers.base import SECRET

SEEN = {r"\Seen"}


@pytest.fixture
def server() -> Iterator[imap.Server]:
    made = imap.Server("Done")
    yield made
    made.close()


def inbox(server: imap.Server, monkeypatch: pytest.MonkeyPatch, **more: str) -> Inbox:
    given = {f"TIDINGS_EMAIL_INBOX_{name.upper()}": value for name, value in more.items()}
    use(monkeypatch, {**server.environment(), **given})
    found = inbox_of(load_settings(EmailSettings, None))
    assert found is not None
    return found


def as_report(dealt: list[bytes]) -> Deal:
    def deal(data: bytes) -> Verdict:
        dealt.append(data)
        return "report"

    return deal


def test_every_unread_message_is_dealt_with_once(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(b"Subject: one\r\n\r\nText\r\n")
    server.put(b"Subject: two\r\n\r\n")
    dealt: list[bytes] = []
    mailbox = inbox(server, monkeypatch)
    assert mailbox.read(as_report(dealt)) == 2
    assert mailbox.read(as_report(dealt)) == 0
    assert dealt == [b"Subject: one\r\n\r\nText\r\n", b"Subject: two\r\n\r\n"]
    assert server.flags() == [SEEN, SEEN]


def test_a_message_that_the_server_cannot_give_out_keeps_no_other_from_being_read(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (b"one", b"broken", b"three"):
        server.put(text)
    server.broken = {2}
    dealt: list[bytes] = []
    mailbox = inbox(server, monkeypatch)
    with pytest.raises(Unreadable, match="1 of its messages"):
        mailbox.read(as_report(dealt))
    assert dealt == [b"one", b"three"]
    assert server.flags() == [SEEN, set(), SEEN]


@pytest.mark.parametrize("extensions", [("UIDPLUS", "MOVE"), ("UIDPLUS",)])
def test_reports_are_moved_away_and_letters_stay(
    extensions: tuple[str, ...], server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.extensions = extensions
    server.put(b"report")
    server.put(b"letter")
    inbox(server, monkeypatch, done="Done").read(lambda data: "report" if data == b"report" else "letter")
    assert [it.data for it in server.mailboxes["INBOX"]] == [b"letter"]
    assert server.flags() == [SEEN]
    assert [it.data for it in server.mailboxes["Done"]] == [b"report"]


def test_an_old_server_keeps_what_is_only_marked_as_deleted(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.extensions = ()
    server.put(b"report")
    mailbox = inbox(server, monkeypatch, done="Done")
    assert [mailbox.read(as_report([])) for _ in range(2)] == [1, 0]
    assert [it.data for it in server.mailboxes["Done"]] == [b"report"]


def test_what_is_to_be_asked_about_later_stays_unread(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(b"early")
    mailbox = inbox(server, monkeypatch, done="Done")
    assert [mailbox.read(lambda data: "later") for _ in range(2)] == [1, 1]
    assert server.flags() == [set()]


def test_a_crash_before_a_message_was_put_away_has_it_read_again(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(b"one")
    server.put(b"two")
    server.hang_up_at = {"STORE"}
    dealt: list[bytes] = []
    mailbox = inbox(server, monkeypatch)
    with pytest.raises(Unreadable, match="the connection was refused or lost"):
        mailbox.read(as_report(dealt))
    mailbox.read(as_report(dealt))
    assert dealt == [b"one", b"one", b"two"]


def test_of_a_huge_message_only_the_beginning_is_read(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(b"x" * (LARGEST + 1000))
    dealt: list[bytes] = []
    inbox(server, monkeypatch).read(as_report(dealt))
    assert [len(data) for data in dealt] == [LARGEST]


@pytest.mark.parametrize("more", [{"password": "wrong-password"}, {"folder": "Nowhere"}, {"done": "Nowhere"}])
def test_what_the_server_refuses_is_one_sentence_without_its_words(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    server.put(b"report")
    with pytest.raises(Unreadable, match=r"^the mailbox for bounces \(TIDINGS_EMAIL_INBOX_HOST\)") as fault:
        inbox(server, monkeypatch, **more).read(as_report([]))
    assert "it refuses the login, the mailbox or a command" in str(fault.value)
    assert not {"wrong", SECRET, "bounces "} & set(str(fault.value).replace("bounces (", "").split())
    assert server.flags() == [set()]


def test_what_imap_cannot_carry_is_said_without_saying_it(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreadable, match="has letters beyond ASCII") as fault:
        inbox(server, monkeypatch, password="пароль").read(as_report([]))
    assert "п" not in str(fault.value)


def test_a_server_that_is_not_there_or_has_no_tls_is_said_to_be_so(
    server: imap.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreadable, match="its TLS is not accepted"):
        inbox(server, monkeypatch, tls="tls").read(as_report([]))
    mailbox = inbox(server, monkeypatch)
    server.close()
    with pytest.raises(Unreadable, match="the connection was refused or lost"):
        mailbox.read(as_report([]))


def test_without_a_host_there_is_no_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {})
    assert inbox_of(load_settings(EmailSettings, None)) is None
