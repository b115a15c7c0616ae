"""Whoever operates it sees how the channels are, pauses one, and lets failed messages go again."""

import json

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]


@pytest.fixture
def live(shop: Shop) -> Shop:
    """A shop that is live, its emails by a plan."""
    text = (shop.path / "program.yaml").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.strip().startswith("email:"))
    shop.write("program.yaml", text.replace(line, with_plan(line)))
    assert shop.run("apply", "--yes").code == 0
    return shop


def with_plan(line: str) -> str:
    plan = "warm_up: {from: 2020-01-01, per_day: [50, 100]}"
    return line.replace("{", "{" + plan + ", ", 1) if "{" in line else f"{line}\n    {plan}"


def test_the_channels_tell_how_they_are(live: Shop) -> None:
    said = live.run("channels")
    assert said.code == 0, said.err
    assert "email" in said.out
    assert "open" in said.out

    said = live.run("pause", "--channel", "sms", "--reason", "a new sender")
    assert "sms is paused: its messages wait; `tidings resume --channel sms` lets it go on" in said.out
    assert "a new sender" in live.run("channels").out
    found = {it["channel"]: it for it in json.loads(live.run("channels", "--format", "json").out)}
    assert found["sms"]["paused_reason"] == "a new sender"
    assert found["email"]["paused_at"] is None

    assert "sms goes on" in live.run("resume", "--channel", "sms").out
    assert "sms was not paused" in live.run("resume", "--channel", "sms").out


def test_a_channel_that_is_set_up_wrongly_is_told_and_hides_no_other(live: Shop) -> None:
    live.write(".env", (live.path / ".env").read_text("utf-8") + "TIDINGS_SMS_CONCURRENCY=many\n")
    why = "TIDINGS_SMS_CONCURRENCY: Input should be a valid integer"
    said = live.run("channels", "--format", "json")
    assert said.code == 0, said.err
    found = {it["channel"]: it for it in json.loads(said.out)}
    assert why in found["sms"]["wrong"]
    assert (found["email"]["wrong"], found["email"]["transport"]) == (None, "folder")
    said = live.run("status", "--format", "json")
    assert said.code == 1, said.err
    [trouble] = [it for it in json.loads(said.out)["trouble"] if it.startswith("sms")]
    assert trouble.startswith("sms is set up wrongly: .env has a wrong value: ")
    assert why in trouble
    assert trouble.endswith("; correct it there")
    assert "set up wrongly" in live.run("status").out
    assert "set up wrongly" in live.run("channels").out


MISTAKES = (
    ("pause", "say what: `tidings pause win-back` for a scenario"),
    ("pause win-back --channel sms", "say what"),
    ("pause --channel smss", "there is no channel 'smss'; did you mean 'sms'?"),
    ("resume win-back --channel sms", "say what"),
    ("retry", "say which: `tidings retry 4711`"),
    ("retry 4711 --failed", "say which"),
    ("retry --failed --scenario win-bakc", "did you mean 'win-back'?"),
)


def test_a_mistake_is_one_sentence(live: Shop) -> None:
    for words, sentence in MISTAKES:
        said = live.run(*words.split())
        assert (said.code, sentence in said.err) == (2, True), said.err


def test_retry_says_what_it_did(live: Shop) -> None:
    said = live.run("retry", "--failed", "--scenario", "win-back")
    assert (said.code, said.out) == (0, "0 messages go again with the next delivery\n")
    said = live.run("retry", "4711")
    assert said.code == 1
    assert "there are no such messages: 4711" in said.out
