"""The message as the recipient's program reads it: composed here, parsed back by two parsers."""

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import parseaddr
from typing import Any
from unicodedata import normalize

import mailparser
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email.addresses import Mailbox, ascii_address
from channels.email.mime import Mail, Skeleton
from channels.email.verp import ReturnPath, tokens_in
from channels.outgoing import Outgoing
from channels.transport import Malformed
from core.errors import EnvironmentFault
from core.links import Links
from tests.channels.helpers import outgoing

SENDER = Mailbox("Kavarnia", "hello@kavarnia.example")
PAGE = "<html><body class='x'><p>Привіт, Олено!</p></body></html>"
PARTS = {"subject": "У вас 500 бонусів", "html": PAGE, "text": "Привіт, Олено!\n"}

characters = st.characters(exclude_categories=("Cs", "Cc", "Cf"), exclude_characters="\u2028\u2029")
lines = st.text(characters, min_size=1).filter(lambda text: text.strip() == text and text)
bodies = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n =.Я"))


def composed(parts: dict[str, str] | None = None, sender: Mailbox = SENDER, **more: Any) -> Mail:
    return Skeleton(sender).compose(message(parts, **more))


def message(parts: dict[str, str] | None = None, **more: Any) -> Outgoing:
    extra = {name: more.pop(name) for name in ("return_token", "pictures") if name in more}
    return replace(outgoing("olena@example.com", {**PARTS, **(parts or {})}, **more), **extra)


def parsed(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def content(part: Message | None) -> str:
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def assert_legal(data: bytes) -> None:
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


def test_text_comes_first_and_the_page_after_it() -> None:
    message = parsed(composed())
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert content(message.get_body(("plain",))) == "Привіт, Олено!\n"
    assert content(message.get_body(("html",))) == PAGE


def test_a_message_without_a_page_is_plain_text() -> None:
    message = parsed(composed({"html": ""}))
    assert message.get_content_type() == "text/plain"
    assert content(message).strip() == "Привіт, Олено!"


def test_a_page_without_text_stands_alone() -> None:
    message = parsed(composed({"text": ""}))
    assert message.get_content_type() == "text/html"


@given(subject=lines)
@example(
    subject="Ще 3 дні: 500 бонусів згорять 15 березня, встигніть обміняти їх на каву ☕ та круасани 🥐🥐🥐"
)
@example(subject="a" * 2000)
@example(subject="word " * 60 + "end")
@example(subject="two  spaces   and =?utf-8?q?no?= encoded word")
@example(subject="👩‍👩‍👧‍👦" * 20)
@example(subject="word: " * 300 + "end")
@example(subject="far" + " " * 1500 + "apart")
def test_a_subject_in_any_script_arrives_as_written(subject: str) -> None:
    mail = composed({"subject": subject})
    assert_legal(mail.data)
    message = parsed(mail)
    assert message["subject"] == subject
    second = mailparser.parse_from_bytes(mail.data).subject  # which leaves the folding in
    assert re.sub(r"\r?\n(?=[ \t])", "", second) == normalize("NFC", subject)
    head = mail.data.split(b"\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?b\?\S*", head))


@given(subject=lines)
def test_long_subjects_are_folded_at_76_characters(subject: str) -> None:
    head = composed({"subject": subject}).data.split(b"\r\n\r\n")[0].decode()
    field = re.search(r"^Subject:.*(?:\r\n .*)*", head, re.MULTILINE)
    assert field
    for line in field[0].split("\r\n"):
        assert len(line) <= 76 or " " not in line.strip().removeprefix("Subject: ")


@given(name=lines)
@example(name="Кав'ярня «У Лева» на площі Ринок, найкраща кава міста")
@example(name='Smith, "Joe" \\ Co. <x@y>')
@example(name="=?utf-8?q?trap?=")
@example(name="two  spaces")
@example(name='"' * 600)
def test_a_display_name_in_any_script_arrives_as_written(name: str) -> None:
    mail = composed(sender=Mailbox(name, "hello@kavarnia.example"))
    assert_legal(mail.data)
    shown, address = parseaddr(email.message_from_bytes(mail.data)["from"].replace("\r\n", ""))
    assert str(make_header(decode_header(shown))) == name
    assert address == "hello@kavarnia.example"


@given(text=bodies, page=bodies)
@example(text="a" * 1200, page="<p>" + "b" * 3000 + "</p>")
@example(text=".\n..\nFrom here\n", page="<p>caf\u00e9</p> \n\n \t\n")
@example(text="nul \x00 here", page="tab\tand\x0bvertical")
def test_any_text_arrives_with_its_line_ends_as_crlf(text: str, page: str) -> None:
    mail = composed({"text": f"x{text}x", "html": f"<p>{page}</p>"})
    assert_legal(mail.data)
    message = email.message_from_bytes(mail.data)
    assert not message.defects
    parts = [part.get_payload(decode=True) for part in message.get_payload()]  # type: ignore[union-attr]
    assert parts == [canonical(f"x{text}x"), canonical(f"<p>{page}</p>")]
    second = mailparser.parse_from_bytes(mail.data)
    assert [normalize("NFC", it).encode() for it in (*second.text_plain, *second.text_html)] == [
        normalize("NFC", it.decode()).encode() for it in parts
    ]
    assert not second.defects


def canonical(text: str) -> bytes:
    return re.sub(r"\r\n|\r|\n", "\r\n", text).encode()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Plain English\n", "7bit"),
        ("One caf\u00e9 in a long line of English", "quoted-printable"),
        ("Суцільна українська", "base64"),
        ("long " * 300, "quoted-printable"),
        (f"{'x' * 998}\n{'y' * 998}\n", "7bit"),
        (f"short\n{'x' * 998}\n{'y' * 999}\n", "quoted-printable"),
    ],
)
def test_the_lightest_transfer_encoding_is_chosen(text: str, encoding: str) -> None:
    message = parsed(composed({"text": text, "html": ""}))
    assert message["content-transfer-encoding"] == encoding


def test_a_text_that_holds_the_boundary_cannot_end_its_part() -> None:
    boundary = parsed(composed()).get_boundary()
    message = parsed(composed({"text": f"--{boundary}--\nhello"}))
    assert len(list(message.iter_parts())) == 2
    assert content(message.get_body(("plain",))) == f"--{boundary}--\nhello"


def test_the_same_message_is_the_same_to_the_byte_and_another_is_not() -> None:
    assert composed(key="one").data == composed(key="one").data
    assert composed(key="one").message_id != composed(key="two").message_id
    assert parsed(composed(key="one"))["message-id"] == composed(key="one").message_id
    assert composed(key="one").message_id.endswith("@kavarnia.example>")
    token = "0" * 26
    assert composed(key="one", return_token=token).message_id.endswith(f".{token}@kavarnia.example>")


def test_the_date_is_the_messages_own() -> None:
    assert parsed(composed())["date"].datetime == datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("length", [40, 77, 78, 120, 400])
def test_marketing_mail_is_unsubscribed_with_one_click_however_long_the_link(length: int) -> None:
    link = "https://kavarnia.example/u/".ljust(length, "t")
    mail = composed(unsubscribe_url=link)
    message = parsed(mail)
    assert message["list-unsubscribe"] == f"<{link}>"
    assert f"<{link}>".encode() in mail.data
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert message["precedence"] == "bulk"


def test_service_mail_is_not_bulk_but_no_more_to_be_answered_by_machines() -> None:
    message = parsed(composed(purpose="service"))
    assert message["precedence"] is None
    assert message["list-unsubscribe"] is None
    assert message["auto-submitted"] == "auto-generated"


def test_without_https_there_is_a_link_but_no_one_click() -> None:
    message = parsed(composed(unsubscribe_url="http://127.0.0.1:8000/u/t"))
    assert message["list-unsubscribe"] == "<http://127.0.0.1:8000/u/t>"
    assert message["list-unsubscribe-post"] is None


@pytest.mark.parametrize(
    "link", ["https://x.example/a b", "https://x/>,<https://y", "https://x\r\nBcc: y", "ftp://x/y"]
)
def test_an_unsubscribe_link_that_is_none_is_refused(link: str) -> None:
    with pytest.raises(Malformed, match="unsubscribe_url_malformed"):
        composed(unsubscribe_url=link)


def test_feedback_id_names_scenario_purpose_and_sender() -> None:
    message = parsed(composed(tag="win-back: привіт"))
    assert message["feedback-id"] == "win-back:marketing:kavarnia-exampl"


@pytest.mark.parametrize("trick", ["Hi\r\nBcc: all@example.com", "Hi\nX: y", "Hi\rX", "Hi\x00", "Hi\u2028X"])
def test_a_subject_cannot_bring_headers_with_it(trick: str) -> None:
    with pytest.raises(Malformed, match="control_character_in_subject"):
        composed({"subject": trick})


def test_a_name_in_a_subject_neither_turns_nor_hides_the_words_around_it() -> None:
    tricks = "\u202e\u2066\u2069\u200b\u200e\u200f\u00ad\ufeff\u2060\u061c"
    assert parsed(composed({"subject": f"Anna{tricks}, 500 bonuses"}))["subject"] == "Anna, 500 bonuses"
    sender = Mailbox(f"Kavarnia{tricks}", "hello@kavarnia.example")
    assert parsed(composed(sender=sender))["from"] == "Kavarnia <hello@kavarnia.example>"


@pytest.mark.parametrize("joined", ["👩\u200d👧", "می\u200cخواهم"])
def test_joiners_of_emoji_and_of_letters_stay_in_a_subject(joined: str) -> None:
    assert parsed(composed({"subject": joined}))["subject"] == joined


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "a@b.example>\r\nDATA",
        "a b@c.example",
        "a@b@c.example",
        "a,b@c.example",
        "Name <a@b.example>",
        "nobody",
        "@b.example",
        "a@",
        "a@-b.example",
        "a@b..example",
        f"{'a' * 65}@b.example",
    ],
)
def test_an_address_is_one_plain_mailbox_or_refused(address: str) -> None:
    with pytest.raises(Malformed, match="address_malformed"):
        ascii_address(address)


def test_an_international_domain_becomes_ascii_and_an_international_mailbox_is_refused() -> None:
    assert ascii_address("info@кава.укр") == "info@xn--80aaf4a.xn--j1amh"
    with pytest.raises(Malformed, match="address_not_ascii"):
        ascii_address("інфо@kavarnia.example")


def test_a_domain_that_an_older_standard_would_mistake_for_another_gets_no_mail() -> None:
    # By IDNA 2003 it would be strasse.example, whoever owns that.
    with pytest.raises(Malformed, match="address_malformed"):
        ascii_address("info@straße.example")


@pytest.mark.parametrize("missing", ["subject", "html and text"])
def test_a_message_with_nothing_to_say_is_refused(missing: str) -> None:
    parts = {"subject": " "} if missing == "subject" else {"html": "", "text": ""}
    with pytest.raises(Malformed, match="missing_"):
        composed(parts)


class TestReturnPath:
    TOKEN = Links("https://kavarnia.example", b"the secret of the tests").bounce(4711, "o@example.com")

    def test_each_message_comes_back_to_an_address_of_its_own(self) -> None:
        skeleton = Skeleton(SENDER, ReturnPath.parse("bounces@mail.kavarnia.example", "X"))
        mail = skeleton.compose(message(return_token=self.TOKEN))
        assert mail.sender == f"bounces+{self.TOKEN}@mail.kavarnia.example"
        assert parsed(mail)["from"].addresses[0].addr_spec == "hello@kavarnia.example"
        assert parsed(mail)["tidings-message"] == self.TOKEN

    def test_without_a_token_it_is_the_bounce_address_and_without_that_the_sender(self) -> None:
        skeleton = Skeleton(SENDER, ReturnPath.parse("bounces@mail.kavarnia.example", "X"))
        assert skeleton.compose(message()).sender == "bounces@mail.kavarnia.example"
        assert Skeleton(SENDER).compose(message(return_token=self.TOKEN)).sender == "hello@kavarnia.example"

    @given(number=st.integers(0, 2**64 - 1))
    def test_the_token_survives_a_mail_system_that_changes_its_case(self, number: int) -> None:
        links = Links("https://kavarnia.example", b"the secret of the tests")
        path = ReturnPath.parse("b" * 23 + "@kavarnia.example", "X").address(
            links.bounce(number, "Olena@example.com")
        )
        assert ascii_address(path) == path
        for changed in (path, path.upper(), path.title()):
            [token] = tokens_in(f"<{changed}>")
            assert links.read_bounce(token, "olena@example.com") == number
            assert links.read_bounce(token, "bohdan@example.com") is links.read_bounce(token) is None
            assert links.returned_of(token) == (number if 0 < number < 2**63 else None)

    @given(forged=st.text("0123456789abcdef", min_size=1, max_size=40))
    def test_a_token_that_we_did_not_write_names_nothing(self, forged: str) -> None:
        links = Links("https://kavarnia.example", b"the secret of the tests")
        assert links.read_bounce(forged) is None
        if forged[0] != self.TOKEN[-1]:
            assert links.read_bounce(self.TOKEN[:-1] + forged[0]) is None

    @pytest.mark.parametrize("address", ["b" * 24 + "@kavarnia.example", "bounces", "a b@kavarnia.example"])
    def test_a_bounce_address_that_holds_no_token_is_said_to_be_so(self, address: str) -> None:
        with pytest.raises(EnvironmentFault, match=r"^TIDINGS_EMAIL_BOUNCE_ADDRESS "):
            ReturnPath.parse(address, "TIDINGS_EMAIL_BOUNCE_ADDRESS")


class TestPictures:
    PAGE = '<body><img width="9" src="logo.png"><td background=\'bg.jpg\'><img src="https://x.example/a.png"></body>'
    FILES = {"logo.png": b"\x89PNG logo" * 50, "bg.jpg": b"\xff\xd8 background", "other.png": b"not shown"}

    def composed(self, **more: Any) -> EmailMessage:
        skeleton = Skeleton(SENDER, inline=True)
        return parsed(skeleton.compose(message({"html": self.PAGE}, pictures=self.FILES, **more)))

    def test_those_that_the_page_shows_travel_beside_it(self) -> None:
        letter = self.composed()
        text, related = letter.iter_parts()
        assert (text.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
        page, *pictures = related.iter_parts()
        assert {part.get_filename(): part.get_content() for part in pictures} == {
            "logo.png": self.FILES["logo.png"], "bg.jpg": self.FILES["bg.jpg"],
        }  # fmt: skip
        cids = re.findall(r"""(?:src|background)=["']cid:([^"']+)""", content(page))
        assert [f"<{cid}>" for cid in cids] == [part["content-id"] for part in pictures]
        assert 'src="https://x.example/a.png"' in content(page)

    def test_a_second_parser_finds_the_same(self) -> None:
        skeleton = Skeleton(SENDER, inline=True)
        data = skeleton.compose(message({"html": self.PAGE}, pictures=self.FILES)).data
        assert_legal(data)
        assert max(len(line) for line in data.split(b"\r\n") if b"Content-Type" in line) <= 78
        second = mailparser.parse_from_bytes(data)
        assert [it["filename"] for it in second.attachments] == ["logo.png", "bg.jpg"]
        assert len(second.text_html) == len(second.text_plain) == 1

    def test_unless_it_is_asked_for_nothing_is_attached(self) -> None:
        letter = parsed(composed({"html": self.PAGE}, pictures=self.FILES))
        assert letter.get_content_type() == "multipart/alternative"
        assert 'src="logo.png"' in content(letter.get_body(("html",)))
