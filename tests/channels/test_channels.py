"""Discovery, configuration and the folder transport."""

from pathlib import Path
from shutil import rmtree

import pytest

from channels import Accepted, Failed, Outcome, create, discover
from channels.email import EmailSettings
from channels.folder import file_name, write_atomically
from channels.settings import load_settings
from core.errors import EnvironmentFault, UserError
from tests.channels.helpers import outcomes_of, outgoing, run, send_one, use
from tests.channels.providers.email import Server as Smtp


def test_the_editors_schema_knows_how_rates_and_senders_are_written() -> None:
    for channel in discover().values():
        schema = channel.Config.model_json_schema()
        assert schema["additionalProperties"] is False
        assert "per" in str(schema["properties"]["rate"])


def test_an_unknown_channel_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such channel; there are .*email, push, sms"):
        create("pigeon", {}, outbox_dir=tmp_path)


def test_every_finding_of_a_config_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        create("email", {"rate": "fast", "frm": "x"}, outbox_dir=tmp_path)
    for path in ("channels.email.from", "channels.email.rate", "channels.email.frm"):
        assert path in str(error.value)


NO_MAILBOXES = [
    "Kavarnia", "hello@", 5, ["hello@kavarnia.example"], "hello@kavarnia.example, bonus@kavarnia.example",
    "Kavarnia <hello@kavarnia.example>, Bonus <bonus@kavarnia.example>",
]  # fmt: skip


@pytest.mark.parametrize("sender", NO_MAILBOXES, ids=str)
def test_a_sender_is_one_mailbox(sender: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"channels\.email\.from: write a sender as"):
        create("email", {"from": sender}, outbox_dir=tmp_path)


def test_a_sender_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"channels\.email\.from: a sender is one line"):
        create("email", {"from": "Kavarnia <hello@kavarnia.example>\r\nBcc: x@y"}, outbox_dir=tmp_path)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Kavarnia <hello@kavarnia.example>", "Kavarnia"),
        ('"Kavarnia, Lviv" <hello@kavarnia.example>', "Kavarnia, Lviv"),
        ("Каварня, Львів <hello@kavarnia.example>", "Каварня, Львів"),
        ("hello@kavarnia.example <hello@kavarnia.example>", "hello@kavarnia.example"),
        (r'"The \"Kavarnia\"" <hello@kavarnia.example>', 'The "Kavarnia"'),
        ("hello@kavarnia.example (Kavarnia)", "Kavarnia"),
        ("hello@kavarnia.example", ""),
    ],
    ids=str,
)
def test_a_senders_name_is_read_as_people_write_it(written: str, name: str, tmp_path: Path) -> None:
    sender = create("email", {"from": written}, outbox_dir=tmp_path).config.sender
    assert (sender.name, sender.address) == (name, "hello@kavarnia.example")


@pytest.mark.parametrize("sender", [380441234567, "380441234567", {"UA": 380441234567, "default": "Kav"}])
def test_a_number_that_lost_its_plus_sign_is_told_how_to_be_written(sender: object, tmp_path: Path) -> None:
    """YAML reads +380441234567 without quotes as a number."""
    with pytest.raises(UserError, match=r"write it in quotes and with its plus sign: '\+380441234567'"):
        create("sms", {"sender": sender}, outbox_dir=tmp_path)


def test_a_channel_that_a_program_does_not_set_up_is_no_trouble_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    for name in discover():
        create(name, None, outbox_dir=tmp_path).check()
    message = outgoing("olena@example.com", Smtp.parts)
    sent = send_one(create("email", None, outbox_dir=tmp_path), message)
    assert sent == Failed("permanent", "no_sender")


@pytest.mark.parametrize("host", ["mail.example:587", "smtp://mail.example", "mail.example/", "my mail"])
def test_a_servers_name_is_a_name_alone(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"TIDINGS_EMAIL_TRANSPORT": "smtp", "TIDINGS_EMAIL_HOST": host})
    with pytest.raises(EnvironmentFault, match="TIDINGS_EMAIL_HOST: this is no name of a server"):
        create("email", None, outbox_dir=tmp_path)


@pytest.mark.parametrize("host", ["mail.example", "127.0.0.1", "::1", "пошта.укр"])
def test_a_server_may_be_named_by_its_number(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {"TIDINGS_EMAIL_TRANSPORT": "smtp", "TIDINGS_EMAIL_HOST": host})
    create("email", None, outbox_dir=tmp_path).check()


def test_missing_credentials_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"TIDINGS_SMS_TRANSPORT": "twilio"})
    channel = create("sms", {"sender": "Kavarnia"}, outbox_dir=tmp_path)
    with pytest.raises(EnvironmentFault) as fault:
        channel.check()
    assert str(fault.value) == (
        "TIDINGS_SMS_ACCOUNT_SID and TIDINGS_SMS_AUTH_TOKEN are not set, and the sms channel needs them to "
        "send by twilio; write them into .env or the environment"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMS_ACCOUNT_SID", "AC-ours\n"),
        ("WHATSAPP_ACCOUNT_SID", "AC-ours\n"),
        ("SMS_HTTP_TOKEN", "key-of-ours\n"),
        ("TELEGRAM_TOKEN", "1:ours\t"),
        ("EMAIL_HOST", "mail..ours.example"),
        ("EMAIL_INBOX_HOST", "mail.ours.example\n"),
        ("EMAIL_HELO", "ours example"),
    ],
)
def test_a_setting_that_nothing_can_be_sent_with_is_told_at_once_and_not_repeated(
    variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {f"TIDINGS_{variable}": value})
    with pytest.raises(EnvironmentFault) as fault:
        create(variable.partition("_")[0].lower(), None, outbox_dir=tmp_path)
    assert f"TIDINGS_{variable}: " in str(fault.value)
    assert "ours" not in str(fault.value)


@pytest.mark.parametrize("host", ["localhost", "10.0.0.5", "::1", "mx_1.shop.example.", "пошта.укр"])
def test_a_server_may_be_named_in_any_way_that_is_known(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"TIDINGS_EMAIL_HOST": host})
    assert load_settings(EmailSettings, None).host == host


def test_costs_and_texts_need_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"TIDINGS_EMAIL_TRANSPORT": "smtp"})
    channel = create("email", Smtp.config, outbox_dir=tmp_path)
    message = outgoing("olena@example.com", Smtp.parts)
    assert channel.compose(message).files()[".eml"].startswith(b"Date: ")
    assert channel.cost(message) is None


def test_a_channel_that_is_not_open_does_not_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {})
    channel = create("sms", {}, outbox_dir=tmp_path)
    with pytest.raises(RuntimeError, match="not open"):
        run(channel.send([], lambda *_: None))


def test_the_folder_holds_the_mail_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {})
    channel = create("email", Smtp.config, outbox_dir=tmp_path)
    message = outgoing("olena@example.com", Smtp.parts, key="m1")
    send_one(channel, message)
    assert sorted(path.name for path in (tmp_path / "email").iterdir()) == ["m1.eml", "m1.html"]
    assert (tmp_path / "email" / "m1.eml").read_bytes() == channel.compose(message).data
    assert "Привіт, Олено!" in (tmp_path / "email" / "m1.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["a/b", "../up", ".hidden", "", "x" * 300, "ключ", "a:b", "a\nb"])
def test_any_key_makes_a_safe_name_that_is_always_the_same(key: str) -> None:
    name = file_name(key)
    assert name == file_name(key)
    assert name != file_name(key + "!")
    assert Path(name).name == name
    assert not name.startswith(".")
    assert len(name.encode()) < 200


def test_a_plain_key_is_its_own_name() -> None:
    assert file_name("win-back.42_sms") == "win-back.42_sms"


def test_a_second_writing_replaces_the_first_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "m1.txt", b"one")
    write_atomically(tmp_path / "m1.txt", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m1.txt", b"two")]


def test_a_folder_that_is_cleared_in_between_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    channel = create("sms", {}, outbox_dir=tmp_path)

    async def send() -> dict[str, Outcome]:
        async with channel:
            await outcomes_of(channel, [outgoing("+380501000001", {"text": "one"})])
            rmtree(tmp_path / "sms")
            return await outcomes_of(channel, [outgoing("+380501000002", {"text": "two"}, key="m2")])

    assert run(send()) == {"m2": Accepted("sms/m2.txt")}


def test_a_folder_that_cannot_be_written_leaves_its_messages_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    (tmp_path / "sms").write_text("a file in the folder's place")
    channel = create("sms", {}, outbox_dir=tmp_path)
    outcome = send_one(channel, outgoing("+380501000001", {"text": "one"}))
    assert outcome == Failed("configuration", "outbox_not_writable", "FileExistsError")
