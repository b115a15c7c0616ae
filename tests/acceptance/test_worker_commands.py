"""What `tidings worker`, `serve --api-only` and `cancel` say to whoever asks for what cannot be."""

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

ELSEWHERE = "TIDINGS_DATABASE=postgresql://nobody@127.0.0.1:1/nothing\n"


@pytest.mark.parametrize("command", ["worker", "serve --api-only"])
def test_on_sqlite_one_process_does_everything(shop: Shop, command: str) -> None:
    said = shop.run(*command.split())
    assert said.code == 2
    assert "docs/moving-up.md" in said.err
    assert len(said.err.splitlines()) == 1


def test_a_channel_that_there_is_not_is_told_with_the_nearest_name(shop: Shop) -> None:
    shop.write(".env", (shop.path / ".env").read_text("utf-8") + ELSEWHERE)
    said = shop.run("worker", "--channels", "sms, emial")
    assert said.code == 2
    assert "--channels: there is no channel 'emial'; did you mean 'email'?" in said.err


def test_messages_are_taken_back_only_when_somebody_agrees(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    said = shop.run("cancel", "bonus-expiring")
    assert (said.code, said.err) == (2, "tidings: nobody can be asked here; agree with --yes\n")
    said = shop.run("cancel", "bonus-expiring", "--yes")
    assert said.code == 0
    assert "0 messages of bonus-expiring taken back" in said.out
    assert "there is no live scenario 'bonus-expired'" in shop.run("cancel", "bonus-expired", "--yes").err


def test_a_channel_that_is_named_twice_is_not_worked_on_twice_as_much(shop: Shop) -> None:
    asked: list[object] = []
    shop.monkeypatch.setattr("tidings.working.work", lambda _here, channels, *_, **__: asked.append(channels))
    shop.run("worker", "--channels", "sms, email,sms")
    assert asked == [["sms", "email"]]
