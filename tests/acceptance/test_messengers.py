"""The bot is connected, and proofs go to a chat and past a phone: by the command line, to local providers."""

import json

import pytest

from tests.channels.providers import push, telegram
from tests.channels.providers.base import SECRET
from tests.support.shop import Shop, shop

__all__ = ["shop"]

CHAT = "1000000001"


def test_a_bot_is_connected_and_writes_to_its_owner(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    server = telegram.Server()
    try:
        for name, value in {**server.environment(), "TIDINGS_PUBLIC_URL": "https://bonus.example"}.items():
            monkeypatch.setenv(name, value)
        shop.change("program.yaml", "  push:", f"  telegram: {{bot: {telegram.NAME}}}\n  push:")
        connected = shop.run("telegram", "connect")
        server.webhook |= {"last_error_message": "SSL error"}
        complained = shop.run("telegram", "connect", "--format", "json")
        text = '---\nlink: "{{ links.telegram }}"\n---\nПривіт\n'
        shop.write("messages/birthday/telegram.txt", text)
        shop.change("scenarios/birthday.yaml", "send: [", "send: [telegram, ")
        proof = shop.run("send-test", "birthday", "--to", CHAT, "--format", "json")
    finally:
        server.close()
    assert (connected.code, connected.err) == (0, "")
    assert connected.out.startswith("@KavarniaBot brings its updates to https://bonus.example/hooks/telegram")
    assert (complained.code, json.loads(complained.out)["complaint"]) == (1, "SSL error")
    assert [it["outcome"] for it in json.loads(proof.out)["proofs"]] == ["accepted"]
    method, given = server.calls[-1]
    assert (method, given["chat_id"], given["text"]) == ("sendMessage", int(CHAT), "[Проба] Привіт")
    assert given["reply_markup"]["inline_keyboard"][0][0]["url"] == "https://t.me/KavarniaBot?start=proof"
    assert SECRET not in connected.out + complained.out + proof.out + proof.err


def test_a_new_scenario_for_the_bot_is_right_as_written(shop: Shop) -> None:
    shop.change("program.yaml", "  push:", f"  telegram: {{bot: {telegram.NAME}}}\n  push:")
    assert shop.run("new", "scenario", "spring", "--trigger", "inactive", "--channel", "telegram").code == 0
    tested = shop.run("test", "--run", "spring")
    assert tested.code == 0, tested.out


def test_fcm_checks_a_proof_that_nobody_gets(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    server = push.Server()
    try:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        to = ("--to", server.address("accept"), "--to", "me@example.com")
        said = shop.run("send-test", "birthday", *to, "--validate", "--format", "json")
    finally:
        server.close()
    assert said.code == 0, said.err
    found = [(it["channel"], it["outcome"]) for it in json.loads(said.out)["proofs"]]
    assert found == [("push", "accepted"), ("email", "composed")]
    asked = [json.loads(request.body) for request in server.requests if request.path == push.SEND]
    assert [body["validate_only"] for body in asked] == [True]
    assert not (shop.path / "outbox" / "email").exists() or not list((shop.path / "outbox/email").iterdir())
