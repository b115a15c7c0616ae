"""WhatsApp templates through a local server that speaks Twilio's protocol."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from campaigns.bundle import Bundle
from campaigns.running import findings
from channels import Accepted, Failed, create
from core.errors import EnvironmentFault, UserError
from templates.library import Library
from tests.channels.helpers import AnyChannel, connected, outgoing, run, send_one, use
from tests.channels.providers.sms import error
from tests.channels.providers.whatsapp import CONTENT, Server
from tests.support.world import ready

PHONE = "+380501000000"
PARTS = Server.parts
SCENARIO = "when: {birthday: {}}\nsteps: [{send: [whatsapp], message: hello}]\nschedule: every day at 10:00\n"
FILE = f"""---
content_sid: {CONTENT}
variables:
  1: "{{{{ customer.first_name }}}}"
  2: "{{{{ balance | points }}}}"
---
Hello {{{{ customer.first_name }}}}! You have {{{{ balance | points }}}}.
"""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def channel(server: Server, monkeypatch: pytest.MonkeyPatch) -> AnyChannel:
    return connected("whatsapp", server, monkeypatch)


def test_twilio_receives_the_template_and_its_variables(channel: AnyChannel, server: Server) -> None:
    assert send_one(channel, outgoing(PHONE, PARTS)) == Accepted(f"SM{1:032x}")
    (form,) = server.forms
    assert json.loads(form.pop("ContentVariables")) == {"1": "Олена", "2": "500 бонусів"}
    assert form == {
        "To": f"whatsapp:{PHONE}", "From": "whatsapp:+380441234567", "ContentSid": CONTENT,
    }  # fmt: skip


def test_a_messaging_service_picks_the_sender(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    service = {"TIDINGS_WHATSAPP_MESSAGING_SERVICE_SID": "MG1"}
    send_one(connected("whatsapp", server, monkeypatch, **service), outgoing(PHONE, PARTS))
    (form,) = server.forms
    assert form["MessagingServiceSid"] == "MG1"
    assert "From" not in form


def test_a_closed_window_concerns_one_message_and_nobodys_address(
    channel: AnyChannel, server: Server
) -> None:
    server.next = [error(400, 63016)]
    failed = Failed("configuration", "outside_window", "HTTP 400, Twilio 63016")
    assert send_one(channel, outgoing(PHONE, PARTS)) == failed


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"content_sid": ""}, "missing_content_sid"),
        ({"content_sid": "HX1"}, "content_sid_malformed"),
        ({"variables.1": " "}, "variable_empty"),
        ({"variables.4": "x"}, "variables_not_numbered"),
        ({"variables.name": "x"}, "variables_not_numbered"),
        ({"text": "я" * 1025}, "text_too_long"),
    ],
)
def test_what_whatsapp_would_refuse_is_not_sent(
    channel: AnyChannel, server: Server, parts: dict[str, str], reason: str
) -> None:
    assert send_one(channel, outgoing(PHONE, {**PARTS, **parts})) == Failed("permanent", reason)
    assert server.requests == []


def test_a_message_costs_the_tariff_of_its_country(tmp_path: Path) -> None:
    made = create("whatsapp", Server.config, outbox_dir=tmp_path)
    assert made.cost(outgoing("+380501234567", {**PARTS, "text": "я" * 500})) == Decimal("1.2")
    assert made.cost(outgoing("+48501234567", PARTS)) is None


def test_there_must_be_somebody_to_send_as(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, server.environment())
    with pytest.raises(EnvironmentFault, match=r"nobody to send as; write channels\.whatsapp\.sender"):
        run(create("whatsapp", {}, outbox_dir=tmp_path).open())
    with pytest.raises(UserError, match=r"channels\.whatsapp\.sender: expected a number, got 'Kavarnia'"):
        create("whatsapp", {"sender": "Kavarnia"}, outbox_dir=tmp_path)


def texts(file: str) -> dict[str, str]:
    return {"messages/hello/en/whatsapp.txt": file, "messages/hello/uk/whatsapp.txt": file}


def test_a_text_file_names_its_template_and_says_what_is_read() -> None:
    library: Library = ready({"hello": SCENARIO}, {"channels": {"whatsapp": {}}}, texts(FILE)).library
    facts = {"customer": {"first_name": "Olena"}, "balance": Decimal(5)}
    rendered = library.render("hello", "whatsapp", "en", facts)
    assert rendered.parts == {
        "content_sid": CONTENT, "variables.1": "Olena", "variables.2": "5 bonuses",
        "text": "Hello Olena! You have 5 bonuses.",
    }  # fmt: skip


def test_a_text_file_whose_template_is_missing_or_wrong_is_a_finding() -> None:
    bundle = ready({"hello": SCENARIO}, {"channels": {"whatsapp": {}}}, texts(FILE)).loaded.bundle
    bare = {path: file for path, file in bundle.files.items() if "whatsapp" not in path}
    wrong = {
        "Hello!": "has no content_sid",
        "---\ncontent_sid: HX1\n---\nHello!": "copy it from Twilio's console",
        FILE.replace("  2:", "  name:"): "'name' is no variable of a template; write their numbers",
    }
    for file, said in wrong.items():
        found = findings(Bundle(bare | dict.fromkeys(texts(""), file.encode())))
        assert any(said in str(it) for it in found), found
