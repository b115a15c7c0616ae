"""`tidings backtest` as a marketer uses it: a table, files, mistakes."""

import json

import pytest

from tests.acceptance.test_cli import bring_in
from tests.support.shop import Shop, shop

__all__ = ["shop"]

DAYS = ("--from", "2026-02-01", "--to", "2026-02-10")


@pytest.fixture
def filled(shop: Shop) -> Shop:
    """A shop with customers; nothing is live."""
    bring_in(shop)
    return shop


def test_days_that_are_over_are_replayed_and_told(filled: Shop) -> None:
    said = filled.run("backtest", "win-back", *DAYS)
    assert said.code == 0, said.err
    assert "win-back · 2026-02-01 to 2026-02-10" in said.out
    assert "nothing was sent, nothing was written" in said.out
    again = [filled.run("backtest", "win-back", *DAYS, "--format", "json").out for _ in range(2)]
    assert again[0] == again[1]
    [found] = json.loads(again[0])
    assert len(found["days"]) == 10
    filled.monkeypatch.chdir(filled.path)
    written = filled.run("backtest", "win-back", *DAYS, "--format", "csv", "--out", "out/days.csv")
    assert written.code == 0, written.err
    assert "wrote out/days.csv" in written.out
    assert (filled.path / "out" / "days.csv").is_file()


def test_a_table_goes_into_a_file_without_the_terminals_colours(filled: Shop) -> None:
    filled.monkeypatch.setenv("FORCE_COLOR", "1")
    file = filled.path / "days.txt"
    said = filled.run("backtest", "win-back", *DAYS, "--out", str(file))
    assert said.code == 0, said.err
    assert "win-back · 2026-02-01 to 2026-02-10" in file.read_text("utf-8")
    assert "\x1b" not in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("win-bakc", *DAYS), "there is no scenario 'win-bakc'; did you mean 'win-back'?"),
        (("win-back", "--from", "2026-02-10", "--to", "2026-02-01"), "write them in order"),
        (
            ("win-back", *DAYS, "--sample", "many"),
            "--sample: 'many' is no sample; write for example 500 or 10%",
        ),
        (("win-back", *DAYS, "--sample", "²"), "--sample: '²' is no sample"),
        (("win-back", "--from", "Monday", "--to", "2026-02-01"), "--from: 'Monday' is no day"),
    ],
)
def test_a_mistake_is_one_sentence(shop: Shop, words: tuple[str, ...], sentence: str) -> None:
    said = shop.run("backtest", *words)
    assert said.code == 2
    assert sentence in said.err
