"""Writing a scenario, hearing what it says, and a proof of it to oneself."""

import json
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.versions import apply
from core.clock import SystemClock
from core.customers.profiles import Profile, save
from core.errors import UserError
from tests.channels.providers.email import Server
from tests.support.shop import Shop, shop
from tidings.proof import Wanted, marked, proofs, send
from tidings.workspace import Workspace
from triggers import discover
from wallet.tables import PASS

__all__ = ["shop"]

WRITTEN = (
    "scenarios/spring.yaml",
    *(f"messages/spring/{locale}/{file}" for locale in ("uk", "en") for file in ("sms.txt", "email.mjml")),
    "tests/spring.yaml",
)
SPRING = ("new", "scenario", "spring", "--channel", "sms", "--channel", "email")


def test_a_new_scenario_is_written_with_its_texts_and_a_test_and_is_right(shop: Shop) -> None:
    said = shop.run(
        *SPRING, "--trigger", "inactive", "-p", "for=30 days", "--about", "Bring them back: soon."
    )
    assert said.code == 0, said.err
    assert [line for line in said.out.splitlines() if line.startswith("wrote")] == [
        f"wrote {shop.path / path}" for path in WRITTEN
    ]
    checked = shop.run("check")
    assert checked.code == 0, checked.out
    tested = shop.run("test", "--run", "spring")
    assert tested.code == 0, tested.out
    assert "expect: {anna: {sms: Kavarnia}}" in (shop.path / "tests/spring.yaml").read_text("utf-8")


@pytest.mark.parametrize("trigger", sorted(discover()))
def test_the_first_test_of_every_trigger_lets_a_customer_hear_of_it(trigger: str, shop: Shop) -> None:
    shop.change("program.yaml", "quiet_hours:", "events: [app_opened]\nquiet_hours:")
    said = shop.run("new", "scenario", "spring", "--trigger", trigger, "--channel", "sms")
    assert said.code == 0, said.err
    assert "expect: {anna: {sms: Kavarnia}}" in (shop.path / "tests/spring.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    "segment",
    [
        "{tier: [silver, gold]}",
        "{tier: bronze, city: Київ}",
        "{not: {tier: gold}}",
        "{attributes.pet: cat}",
        "{balance: {at_least: 300}}",
        "{bought: {category: coffee, within: 60 days, at_least: 3}}",
        "{spent: {more_than: 5000, store: kyiv-1}}",
        "{last_purchase: {before: 30 days}}",
        "{segment: staff}",
    ],
)
def test_the_first_test_brings_a_customer_into_a_segment(segment: str, shop: Shop) -> None:
    shop.write("segments/people.yaml", f"all: [{segment}]\n")
    said = shop.run(*SPRING, "--trigger", "segment_entered", "-p", "segment=people")
    assert said.code == 0, said.err
    assert "expect: {anna: {sms: Kavarnia}}" in (shop.path / "tests/spring.yaml").read_text("utf-8")


def test_the_first_test_is_of_somebody_whom_it_is_for(shop: Shop) -> None:
    audience = "{tier: [silver, gold], not: {segment: staff}}"
    assert shop.run(*SPRING, "--trigger", "purchase", "--audience", audience).code == 0
    written = (shop.path / "tests/spring.yaml").read_text("utf-8")
    assert "    tier: gold\n" in written
    assert "expect: {anna: {sms: Kavarnia}}" in written


def test_what_a_test_cannot_bring_about_is_told_with_its_reason(shop: Shop) -> None:
    assert shop.run(*SPRING, "--trigger", "purchase", "--audience", "{household: head}").code == 0
    written = (shop.path / "tests/spring.yaml").read_text("utf-8")
    assert written.startswith("# Anna is held back.")
    assert "expect: {anna: not_in_audience}" in written


def test_what_is_there_is_never_overwritten(shop: Shop) -> None:
    said = shop.run("new", "scenario", "win-back", "--trigger", "schedule")
    assert said.code == 2
    assert "scenarios/win-back.yaml is there already" in said.err
    assert not (shop.path / "messages/spring").exists()


def test_a_message_that_is_there_is_used_as_it_is(shop: Shop) -> None:
    said = shop.run(*SPRING, "--trigger", "inactive", "--message", "win-back")
    assert said.code == 0, said.err
    assert "messages/" not in said.out
    assert "message: win-back\n" in (shop.path / "scenarios/spring.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("new", "scenario"), "'' is not a name; write letters, digits and '-'"),
        (("new", "scenario", "spring", "--trigger", "inactiv"), "did you mean 'inactive'?"),
        ((*SPRING, "--trigger", "inactive", "-p", "fro=3"), "no parameter 'fro'; did you mean 'for'?"),
        ((*SPRING, "--trigger", "inactive", "-p", "for"), "'for' has no value"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_told_and_nothing_is_written(
    shop: Shop, words: tuple[str, ...], complaint: str
) -> None:
    said = shop.run(*words)
    assert (said.code, complaint in said.err) == (2, True), said.err
    assert not (shop.path / "scenarios/spring.yaml").exists()


def test_what_would_not_pass_the_check_is_not_written(shop: Shop) -> None:
    said = shop.run(*SPRING, "--trigger", "inactive", "-p", "for=soon")
    assert said.code == 1
    assert "scenarios/spring.yaml:" in said.err
    assert not (shop.path / "scenarios/spring.yaml").exists()


def test_a_scenario_is_explained_in_the_readers_language(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "uk_UA.UTF-8")
    assert "нічого не купував 60 днів" in shop.run("explain", "win-back").out
    assert "ничего не покупал 60 дней" in shop.run("explain", "win-back", "--lang", "ru").out
    file = shop.path / "scenarios" / "win-back.yaml"
    assert "has bought nothing for 60 days" in shop.run("explain", str(file), "--lang", "en").out


def test_a_scenario_is_explained_though_another_one_is_wrong(shop: Shop) -> None:
    shop.write("scenarios/broken.yaml", "when: {}\n")
    assert shop.run("explain", "win-back").code == 0
    said = shop.run("explain", "broken")
    assert said.code == 1
    assert said.err.startswith("scenarios/broken.yaml:")
    assert "did you mean 'win-back'?" in shop.run("explain", "winback").err


def test_a_proof_comes_by_a_real_server_marked_and_acts_on_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    try:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        said = shop.run(
            "send-test", "win-back", "--to", "me@example.com", "--locale", "en", "--format", "json"
        )
    finally:
        server.close()
    assert said.code == 0, said.out + said.err
    found = json.loads(said.out)
    assert [(it["channel"], it["outcome"]) for it in found["proofs"]] == [("email", "accepted")]
    assert found["left_out"] == ["push", "sms"]
    [envelope] = server.envelopes
    assert envelope.rcpt_tos == ["me@example.com"]
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, _class=EmailMessage, policy=default)
    assert mail["Subject"].startswith("[Proof] ")
    page = mail.get_body(("html",))
    assert page is not None
    html = page.get_content()
    assert "This is a proof of “win-back”" in html
    assert mail["List-Unsubscribe"].endswith("/u/email/proof>")
    assert "/u/email/proof" in html


def test_a_proof_of_every_channel_goes_where_each_address_fits(shop: Shop) -> None:
    to = ("--to", "me@example.com", "--to", "+380501234567", "--to", "my-device")
    said = shop.run("send-test", "birthday", *to, "--format", "json")
    assert said.code == 0, said.out + said.err
    proofs = json.loads(said.out)["proofs"]
    assert [it["channel"] for it in proofs] == ["push", "email", "sms"]
    [sms] = (shop.path / "outbox" / "sms").glob("*.txt")
    assert "[Проба] " in sms.read_text("utf-8")
    assert "/p/proof" in sms.read_text("utf-8")


def test_a_proof_stands_on_the_card_of_whom_it_names_and_on_no_other(shop: Shop) -> None:
    with Workspace(shop.path).closing() as here:
        running, at = here.files(), SystemClock().now()
        with here.database.write() as connection:
            apply(connection, running, "test", at)
            people = [Profile(name) for name in ("me", "olena", "nobody")]
            saved = save(connection, running.program, here.addresses, people, at, live=False)
            for one in saved[:2]:
                card = {"customer_id": one.customer_id, "serial": one.external_id, "google_saved": True}
                new = PASS.insert().values(token="t", digest="", changed_at=at, issued_at=at)
                connection.execute(new.values(**card))
        wanted = Wanted(running.scenarios["card-added"], ["nobody"], locale="en", channel="wallet")
        with pytest.raises(UserError, match="no customer 'nobody' has the card in a wallet"):
            proofs(here, running, wanted, at)
        made = proofs(here, running, replace(wanted, to=["me"]), at)
        send(here, running.program, made)
        with here.database.read() as connection:
            said = {row.serial: row.news for row in connection.execute(select(PASS))}
    assert said["olena"] is None
    assert said["me"].startswith("[Proof] The card is with you.")


def test_a_proof_needs_an_address_that_fits(shop: Shop) -> None:
    said = shop.run("send-test", "bonus-accrued", "--to", "+380501234567")
    assert said.code == 2
    assert "email (me@example.com), push (a device token)" in said.err


def test_a_proof_as_a_customer_is_theirs_and_leaves_no_trace(shop: Shop, tmp_path: Path) -> None:
    people = "customer,name,email,locale\nK-1,Emma Wilson,emma@example.com,en\n"
    assert shop.run("import", "customers", str(shop.write("people.csv", people))).code == 0
    before = (shop.path / "tidings.db").read_bytes()
    said = shop.run("send-test", "birthday", "--to", "me@example.com", "--as", "K-1", "--format", "json")
    assert said.code == 0, said.out + said.err
    [mail] = (shop.path / "outbox" / "email").glob("*.eml")
    text = message_from_bytes(mail.read_bytes(), _class=EmailMessage, policy=default)
    assert (text["To"], "Emma" in text["Subject"]) == ("me@example.com", True)
    assert (shop.path / "tidings.db").read_bytes() == before


def test_a_proof_invents_no_purchase_that_is_yet_to_come(shop: Shop) -> None:
    """It said "We last saw you on" a day of the fortnight ahead."""
    (shop.path / "messages" / "win-back" / "en" / "email.txt").write_text(
        "---\nsubject: x\n---\n{{ links.unsubscribe }} "
        "{{ trigger.last_purchase_on.isoformat() }} {{ trigger.days_silent }}"
    )
    (shop.path / "messages" / "win-back" / "en" / "email.mjml").unlink()
    before = SystemClock().now().date()
    said = shop.run("send-test", "win-back", "--to", "me@example.com", "--locale", "en")
    assert said.code == 0, said.out + said.err
    [mail] = (shop.path / "outbox" / "email").glob("proof.win-back.hello.*.eml")
    letter = message_from_bytes(mail.read_bytes(), _class=EmailMessage, policy=default)
    text = letter.get_body(("plain",))
    assert text is not None
    [last, days] = text.get_content().split()[-2:]
    assert date.fromisoformat(last) <= before
    assert days == "3"


def test_the_mark_keeps_to_the_alphabet_of_an_sms() -> None:
    assert marked({"text": "Vitaiemo!"}, "one", "uk")["text"] == "[Proof] Vitaiemo!"
    assert marked({"text": "Вітаємо!"}, "one", "uk-UA")["text"] == "[Проба] Вітаємо!"
    assert marked({"title": "Hi", "body": "there"}, "one", "de") == {"title": "[Proof] Hi", "body": "there"}
