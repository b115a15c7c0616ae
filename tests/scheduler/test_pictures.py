"""A picture beside a message's file leaves within the message, where the program wants it so."""

import email
from email import policy
from email.message import EmailMessage

from templates.check import layout
from tests.scheduler.kiosk import PROGRAM, Kiosk

PAGE = (
    "---\nsubject: Bonuses\n---\n<html><body><img src='logo.png'>{{ trigger.expiring | points }} "
    "<a href='{{ links.unsubscribe }}'>Unsubscribe</a></body></html>\n"
)
INLINE = PROGRAM.replace('kiosk.example>"}', 'kiosk.example>", images: inline}')


def letter(kiosk: Kiosk, program: str) -> EmailMessage:
    del kiosk.files["messages/hello/email.txt"]
    kiosk.files |= {"messages/hello/email.html": PAGE, "messages/hello/logo.png": "the logo"}
    kiosk.files["messages/hello/en/logo.png"] = "the logo in English"
    kiosk.write(program=program)
    kiosk.customer("anna", email=kiosk.to("email", "accept"))
    kiosk.plan()
    kiosk.deliver()
    [envelope] = kiosk.server("email").envelopes
    message = email.message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_it_is_inlined_in_the_customers_language(kiosk: Kiosk) -> None:
    message = letter(kiosk, INLINE)
    [picture] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert isinstance(picture, EmailMessage)
    assert picture.get_content() == b"the logo in English"
    page = message.get_body(("html",))
    assert page is not None
    assert f"cid:{picture['content-id'].strip('<>')}" in page.get_content()


def test_unless_asked_for_it_stays_where_it_is(kiosk: Kiosk) -> None:
    message = letter(kiosk, PROGRAM)
    assert not [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert layout(kiosk.live.running().library) == []
